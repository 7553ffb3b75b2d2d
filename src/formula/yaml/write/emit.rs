//! Lists, mappings and documents: where lines begin, and what stands between values.

use std::collections::HashSet;

use super::analyze::{Analysis, analyze};
use super::{DEEPEST, Name, Names, Scalar, entries, identity};
use crate::formula::Data;
use crate::formula::yaml::Layout;

/// Keys longer than this many bytes get a `?`.
const LONGEST_SIMPLE_KEY: usize = 128;

/// How a scalar is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    Plain,
    SingleQuoted,
    DoubleQuoted,
    Literal,
    Folded,
}

/// Where a value stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Root,
    Item,
    Key,
    /// A key without a `?`.
    SimpleKey,
    Value,
}

/// Puts text together and knows where its end stands.
pub(super) struct Emitter<'a> {
    pub out: String,
    pub column: usize,
    /// Whether the last thing written was blank, so that no space is needed.
    pub is_blank: bool,
    /// Whether nothing but indentation and `-`, `?` or `:` stands on this line.
    pub is_indentation: bool,
    /// Whether the last block scalar keeps its empty lines, which only `...` ends.
    pub keeps_lines: bool,
    pub width: usize,
    pub step: usize,
    pub layout: &'a Layout,
    indent: Option<usize>,
    flow_depth: usize,
    depth: usize,
    names: Names,
    written: HashSet<*const ()>,
}

impl<'a> Emitter<'a> {
    pub(super) fn new(layout: &'a Layout, names: Names) -> Self {
        let step = if (2..=9).contains(&layout.indent) { layout.indent } else { 2 };
        Self {
            out: String::new(),
            column: 0,
            is_blank: true,
            is_indentation: true,
            keeps_lines: false,
            width: if layout.width <= step * 2 { 80 } else { layout.width },
            step,
            layout,
            indent: None,
            flow_depth: 0,
            depth: 0,
            names,
            written: HashSet::new(),
        }
    }

    pub(super) fn finish(self) -> String {
        self.out
    }

    pub(super) fn document(&mut self, data: &Data) {
        if self.layout.explicit_start {
            self.indicator("---", true, false, false);
        }
        self.node(data, Place::Root);
        self.line();
        if self.layout.explicit_end || self.keeps_lines {
            self.indicator("...", true, false, false);
            self.line();
        }
    }

    // Pieces of text.

    pub(super) fn put(&mut self, character: char) {
        self.out.push(character);
        self.column += 1;
    }

    pub(super) fn put_break(&mut self, character: char) {
        self.out.push(character);
        self.column = 0;
    }

    /// Begins a line at the current indentation, unless this one is still as good as new.
    pub(super) fn line(&mut self) {
        let indent = self.indent.unwrap_or(0);
        if !self.is_indentation || self.column > indent || (self.column == indent && !self.is_blank) {
            self.put_break('\n');
        }
        while self.column < indent {
            self.put(' ');
        }
        self.is_blank = true;
        self.is_indentation = true;
    }

    pub(super) fn indicator(&mut self, text: &str, needs_space: bool, is_blank: bool, is_indentation: bool) {
        if needs_space {
            self.space();
        }
        text.chars().for_each(|character| self.put(character));
        self.is_blank = is_blank;
        self.is_indentation &= is_indentation;
    }

    /// A space, unless there is one.
    pub(super) fn space(&mut self) {
        if !self.is_blank {
            self.put(' ');
        }
    }

    /// Begins a new line in a flow that has grown beyond the width.
    fn wrap(&mut self) {
        if self.column > self.width {
            self.line();
        }
    }

    /// Does something further in.
    fn indented(&mut self, is_flow: bool, is_indentless: bool, write: impl FnOnce(&mut Self)) {
        let outer = self.indent;
        self.indent = match outer {
            None => Some(if is_flow { self.step } else { 0 }),
            Some(indent) if is_indentless => Some(indent),
            Some(indent) => Some(indent + self.step),
        };
        write(self);
        self.indent = outer;
    }

    // Values.

    fn node(&mut self, data: &Data, place: Place) {
        if let Some(scalar) = Scalar::of(data) {
            return self.scalar(&scalar, place);
        }
        match self.name(data) {
            Name::Alias(name) => return self.indicator(&name, true, false, false),
            Name::Anchor(name) => self.indicator(&name, true, false, false),
            Name::None => {}
        }
        if self.depth > DEEPEST {
            return self.indicator("null", true, false, false);
        }
        self.depth += 1;
        let is_flow = self.flow_depth > 0 || self.is_flow(data);
        match data {
            Data::List(items) if is_flow => self.flow_list(items),
            Data::List(items) => self.block_list(items, place),
            Data::Dict(dict) => {
                let entries = entries(dict, self.layout);
                if is_flow { self.flow_mapping(&entries) } else { self.block_mapping(&entries) }
            }
            _ => {}
        }
        self.depth -= 1;
    }

    fn name(&mut self, data: &Data) -> Name {
        let Some(object) = identity(data) else { return Name::None };
        match self.names.numbers.get(&object) {
            Some(Some(number)) if self.written.insert(object) => Name::Anchor(format!("&id{number:03}")),
            Some(Some(number)) => Name::Alias(format!("*id{number:03}")),
            _ => Name::None,
        }
    }

    /// Whether this is written between brackets outside of which there are none.
    fn is_flow(&self, data: &Data) -> bool {
        let is_simple = |data: &Data| identity(data).is_none() && self.layout.style.is_none();
        match (data, self.layout.flow) {
            (Data::List(items), _) if items.is_empty() => true,
            (Data::Dict(dict), _) if dict.entries.is_empty() => true,
            (_, Some(is_flow)) => is_flow,
            (Data::List(items), None) => items.iter().all(is_simple),
            (Data::Dict(dict), None) => dict.entries.iter().all(|(key, value)| is_simple(key) && is_simple(value)),
            _ => false,
        }
    }

    fn flow_list(&mut self, items: &[Data]) {
        self.indicator("[", true, true, false);
        self.flow_depth += 1;
        self.indented(true, false, |emitter| {
            for (number, item) in items.iter().enumerate() {
                if number > 0 {
                    emitter.indicator(",", false, false, false);
                }
                emitter.wrap();
                emitter.node(item, Place::Item);
            }
        });
        self.flow_depth -= 1;
        self.indicator("]", false, false, false);
    }

    fn flow_mapping(&mut self, entries: &[(&Data, &Data)]) {
        self.indicator("{", true, true, false);
        self.flow_depth += 1;
        self.indented(true, false, |emitter| {
            for (number, (key, value)) in entries.iter().enumerate() {
                if number > 0 {
                    emitter.indicator(",", false, false, false);
                }
                emitter.wrap();
                if emitter.is_simple_key(key) {
                    emitter.node(key, Place::SimpleKey);
                    emitter.indicator(":", false, false, false);
                } else {
                    emitter.indicator("?", true, false, false);
                    emitter.node(key, Place::Key);
                    emitter.wrap();
                    emitter.indicator(":", true, false, false);
                }
                emitter.node(value, Place::Value);
            }
        });
        self.flow_depth -= 1;
        self.indicator("}", false, false, false);
    }

    fn block_list(&mut self, items: &[Data], place: Place) {
        let is_value = matches!(place, Place::Key | Place::Value);
        let is_indentless = is_value && !self.is_indentation && !self.layout.indent_lists;
        self.indented(false, is_indentless, |emitter| {
            for item in items {
                emitter.line();
                emitter.indicator("-", true, false, true);
                emitter.node(item, Place::Item);
            }
        });
    }

    fn block_mapping(&mut self, entries: &[(&Data, &Data)]) {
        self.indented(false, false, |emitter| {
            for (key, value) in entries {
                emitter.line();
                if emitter.is_simple_key(key) {
                    emitter.node(key, Place::SimpleKey);
                    emitter.indicator(":", false, false, false);
                } else {
                    emitter.indicator("?", true, false, true);
                    emitter.node(key, Place::Key);
                    emitter.line();
                    emitter.indicator(":", true, false, true);
                }
                emitter.node(value, Place::Value);
            }
        });
    }

    fn is_simple_key(&self, key: &Data) -> bool {
        Scalar::of(key).is_some_and(|scalar| {
            scalar.text.len() <= LONGEST_SIMPLE_KEY && !analyze(&scalar.text, self.layout.allow_unicode).is_multiline
        })
    }

    // Scalars.

    fn scalar(&mut self, scalar: &Scalar, place: Place) {
        let analysis = analyze(&scalar.text, self.layout.allow_unicode);
        let style = self.style(scalar, &analysis, place);
        if style != Style::Plain && !scalar.is_text {
            // Quotes would make it text; this mark says that it is to be read as if it had none.
            self.indicator("!", true, false, false);
        }
        let may_fold = place != Place::SimpleKey;
        self.indented(true, false, |emitter| match style {
            Style::Plain => emitter.plain(&scalar.text, may_fold),
            Style::SingleQuoted => emitter.single_quoted(&scalar.text, may_fold),
            Style::DoubleQuoted => emitter.double_quoted(&scalar.text, may_fold),
            Style::Literal => emitter.literal(&scalar.text),
            Style::Folded => emitter.folded(&scalar.text),
        });
    }

    fn style(&self, scalar: &Scalar, analysis: &Analysis, place: Place) -> Style {
        let is_flow = self.flow_depth > 0;
        let is_key = place == Place::SimpleKey;
        let mut style = match self.layout.style {
            Some('\'') => Style::SingleQuoted,
            Some('"') => Style::DoubleQuoted,
            Some('|') => Style::Literal,
            Some('>') => Style::Folded,
            _ => Style::Plain,
        };
        if style == Style::Plain {
            let may_be_plain = if is_flow { analysis.flow_plain } else { analysis.block_plain };
            let is_lost = scalar.text.is_empty() && (is_flow || is_key);
            if !may_be_plain || is_lost || !scalar.is_plain {
                style = Style::SingleQuoted;
            }
        }
        match style {
            Style::SingleQuoted if !analysis.single_quoted => Style::DoubleQuoted,
            Style::Literal | Style::Folded if !analysis.block || is_flow || is_key => Style::DoubleQuoted,
            style => style,
        }
    }
}
