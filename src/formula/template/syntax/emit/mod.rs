//! Writes a template for minijinja.

mod expressions;
mod imports;
mod macros;
mod statements;
mod writer;

use std::borrow::Cow;

use super::names;
use super::tree::Body;
use writer::Writer;

/// The source minijinja gets.
pub(super) fn emit(body: &Body<'_>, length: usize) -> String {
    let mut emitter = Emitter {
        writer: Writer::new(length),
        filtered: "",
        recursive: Vec::new(),
        loops: 0,
        extends: false,
        dropped: true,
        own_self: names::is_assigned(body, "self"),
        own_loop: true,
    };
    emitter.hide_imports(body);
    emitter.body(body);
    emitter.writer.finish()
}

/// Walks a template and writes it.
#[expect(clippy::struct_excessive_bools, reason = "each is a state of its own")]
struct Emitter {
    writer: Writer,
    /// The variable that holds what a block's filters are applied to.
    filtered: &'static str,
    /// The recursive loops around, innermost last: how many names each one's target has, if it is a tuple.
    recursive: Vec<Option<usize>>,
    /// How many loops there were that can be left before their `else`.
    loops: usize,
    /// Whether the template extends another from here on.
    extends: bool,
    /// Whether output here vanishes once the template extends another.
    dropped: bool,
    /// Whether `self` is a variable of the template, which it cannot be in minijinja.
    own_self: bool,
    /// Whether `loop` is a variable like any other here, outside of the template's own loops. What includes the template
    /// can be in one.
    own_loop: bool,
}

impl Emitter {
    /// A variable's name as minijinja takes it.
    fn variable<'n>(&self, name: &'n str) -> Cow<'n, str> {
        match name {
            "self" if self.own_self => Cow::Borrowed("u_self"),
            "loop" if self.own_loop => Cow::Borrowed(LOOP),
            _ => identifier(name),
        }
    }

    fn put_variable(&mut self, name: &str) {
        let name = self.variable(name);
        self.writer.put(&name);
    }
}

/// What the variable `loop` is called outside of loops, where minijinja does not allow it.
pub(in crate::formula::template) const LOOP: &str = "u_loop";

/// The name under which a template exports a variable.
fn exported(name: &str) -> Cow<'_, str> {
    match name {
        "self" => Cow::Borrowed("u_self"),
        "loop" => Cow::Borrowed(LOOP),
        _ => identifier(name),
    }
}

/// Words that minijinja's grammar does not take as a variable.
const WORDS: [&str; 7] = ["in", "is", "if", "else", "and", "or", "not"];

/// A name as minijinja takes it: it knows only those of ASCII letters.
fn identifier(name: &str) -> Cow<'_, str> {
    if name.is_ascii() && !WORDS.contains(&name) {
        return Cow::Borrowed(name);
    }
    let mut mangled = String::from(if name.starts_with('_') { "_u_" } else { "u_" });
    for character in name.chars() {
        if character.is_ascii() {
            mangled.push(character);
        } else {
            mangled.extend([format!("_{:x}_", u32::from(character))]);
        }
    }
    Cow::Owned(mangled)
}
