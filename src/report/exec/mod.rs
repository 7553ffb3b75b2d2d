//! What an ad hoc command said on each host, and how that is shown.
//!
//! A host's [`Answer`] keeps its output within bounds. Hosts that answered the same are folded into
//! one [`Group`]; [`print()`] writes groups for a person, [`json`] answers for a program, and [`screen`]
//! shows who is waited for until there is something to write. Nothing here reads a clock.

mod answer;
mod groups;
pub mod json;
mod output;
mod print;
mod progress;
pub mod screen;
#[cfg(test)]
mod tests;
mod text;

pub use answer::Answer;
pub use groups::{Group, groups};
pub use output::{Output, Recorder};
pub use print::print;
pub use progress::{News, Progress};
