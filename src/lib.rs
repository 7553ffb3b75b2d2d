//! upshift.
pub mod error;
pub mod model;
