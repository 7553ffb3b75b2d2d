//! YAML 1.1, read as Salt reads it and written as PyYAML writes it.

mod construct;
mod number;
mod parse;
mod reader;
mod resolve;
mod scan;
mod write;

use super::Data;

/// Why a text is not YAML as Salt reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// What is wrong, in PyYAML's words where they are known.
    pub message: String,
    /// The line, counted from one.
    pub line: usize,
    /// The column, counted from one.
    pub column: usize,
}

/// Which mappings reading makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mappings {
    /// `OrderedDict`, as the renderer of SLS files does.
    Ordered,
    /// `dict`, as `load_yaml` and `import_yaml` do.
    Plain,
}

/// How a text is laid out: PyYAML's keyword arguments.
#[derive(Debug, Clone, PartialEq)]
pub struct Layout {
    /// `default_flow_style`: `true` one line, `false` blocks, `None` flow for what holds scalars alone.
    pub flow: Option<bool>,
    /// `width`.
    pub width: usize,
    /// `indent`.
    pub indent: usize,
    /// Whether the items of a list are indented under their key (Salt's `IndentedSafeOrderedDumper`).
    pub indent_lists: bool,
    /// `allow_unicode`.
    pub allow_unicode: bool,
    /// `default_style`: the quotes around every scalar.
    pub style: Option<char>,
    /// `explicit_start`, the `---` line.
    pub explicit_start: bool,
    /// `explicit_end`, the `...` line.
    pub explicit_end: bool,
    /// `sort_keys`, for plain dictionaries.
    pub sort_keys: bool,
}

impl Default for Layout {
    /// What `salt.utils.yaml.safe_dump` uses when nothing is said.
    fn default() -> Self {
        Self {
            flow: None,
            width: 80,
            indent: 2,
            indent_lists: false,
            allow_unicode: true,
            style: None,
            explicit_start: false,
            explicit_end: false,
            sort_keys: true,
        }
    }
}

/// Reads one document. An empty text is [`Data::None`].
pub fn load(text: &str, mappings: Mappings) -> Result<Data, Error> {
    construct::construct(parse::parse(text)?, mappings)
}

/// Writes a value as PyYAML's safe dumper does, with its last newline (and `...` after a lone plain scalar).
pub fn dump(data: &Data, layout: &Layout) -> String {
    write::dump(data, layout)
}

/// A text as a scalar between double quotes, on one line, as PyYAML writes it with `default_style='"'` and no width.
pub fn double_quoted(text: &str) -> String {
    let layout = Layout { style: Some('"'), width: usize::MAX, ..Layout::default() };
    let mut quoted = dump(&text.into(), &layout);
    quoted.truncate(quoted.trim_end_matches('\n').len());
    quoted
}
