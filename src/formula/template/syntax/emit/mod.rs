//! Writes a template for minijinja.

mod expressions;
mod imports;
mod macros;
mod statements;
mod writer;

use std::borrow::Cow;

use super::tree::Body;
use writer::Writer;

/// The source minijinja gets.
pub(super) fn emit(body: &Body<'_>, length: usize) -> String {
    let mut emitter =
        Emitter { writer: Writer::new(length), filtered: "", recursive: Vec::new(), extends: false, dropped: true };
    emitter.body(body);
    emitter.writer.finish()
}

/// Walks a template and writes it.
struct Emitter {
    writer: Writer,
    /// The variable that holds what a block's filters are applied to.
    filtered: &'static str,
    /// The recursive loops around, innermost last: how many names each one's target has, if it is a tuple.
    recursive: Vec<Option<usize>>,
    /// Whether the template extends another from here on.
    extends: bool,
    /// Whether output here vanishes once the template extends another.
    dropped: bool,
}

/// Words that minijinja's grammar does not take as a variable.
const WORDS: [&str; 7] = ["in", "is", "if", "else", "and", "or", "not"];

/// A name as minijinja takes it: it knows only those of ASCII letters.
fn variable(name: &str) -> Cow<'_, str> {
    if name.is_ascii() && !WORDS.contains(&name) {
        return Cow::Borrowed(name);
    }
    let mut mangled = String::from(if name.starts_with('_') { "_u_" } else { "u_" });
    for character in name.chars() {
        if character.is_ascii() {
            mangled.push(character);
        } else {
            mangled.push_str(&format!("_{:x}_", u32::from(character)));
        }
    }
    Cow::Owned(mangled)
}
