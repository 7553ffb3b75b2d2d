//! upshift.
pub mod agent;
pub mod error;
pub mod model;
pub mod transport;
