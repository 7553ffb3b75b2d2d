//! upshift.
pub mod engine;
pub mod error;
pub mod journal;
pub mod model;
pub mod report;
