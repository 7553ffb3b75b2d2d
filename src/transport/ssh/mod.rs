//! Hosts over SSH: the person's own `ssh`, one connection a host, and upshift at its other end.
//!
//! A [`Connector`] opens connections, no more at once than a jump host takes. A [`Host`] is one host of
//! a command: it keeps a connection to the agent there, opens a new one when it is lost, and takes up
//! again what was under way. Nothing that happens to a connection says how a step ended.

mod bootstrap;
mod command;
mod connector;
pub mod files;
mod host;
mod link;
mod program;
mod proxies;
mod trouble;

pub use connector::Connector;
pub use files::Files;
pub use host::{Compiling, Ended, Host, Provision, Say};
pub use link::Link;
pub use trouble::{Kind, Trouble};
