//! The timing report: what a run did, and how each stage compared with its planned window.
//!
//! [`timing`] folds a journal into figures, once; [`text`], [`html`], [`json`] and [`csv`] only put
//! those figures on paper, so that no two of them can disagree. Nothing here reads a clock or a file.

pub mod csv;
mod details;
pub mod exec;
mod figures;
mod gather;
pub mod html;
pub mod json;
mod layout;
pub mod notify;
pub mod probes;
mod scale;
pub mod screen;
pub mod states;
pub mod text;
mod timeline;
pub mod timing;

#[cfg(test)]
mod samples;
#[cfg(test)]
mod tests;
