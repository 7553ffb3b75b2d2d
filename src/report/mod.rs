//! What a person and other programs are told about a run. Nothing in here decides anything.

pub mod screen;
