//! What a person, or a program, sees of a run while it goes on.

pub mod figures;
pub mod frame;
mod span;
mod text;
pub mod watch;

pub use frame::{Seat, View, frame};
pub use watch::Watch;
