//! The part of upshift that carries out steps on a host.
//!
//! A step is a process of its own that outlives whoever started it. It leaves everything there is to
//! know in its folder of the [`spool`], so that a step is carried out at most once whatever becomes
//! of the controller, the connection or the agent itself.

pub mod apply;
pub mod backup;
mod claim;
mod command;
mod earlier;
pub mod files;
pub mod frame;
pub mod git;
pub mod grains;
mod output;
pub mod process;
pub mod protocol;
pub mod serve;
pub mod spool;
pub mod step;
pub mod steps;
mod tail;
mod wait;
mod watch;

pub use claim::Hold;
pub use output::last_line;
pub use protocol::Order;
pub use steps::Steps;
pub use tail::{Output, Sink};
