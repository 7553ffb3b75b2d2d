//! Files for hosts: only what a host does not have travels, and no host needs more memory than a few
//! frames.
//!
//! [`Files`] are read once, whatever the number of hosts: from there on, a file is its hash.
//! [`Host::send`](super::Host::send) has them in the store of a host, and
//! [`Host::place`](super::Host::place) at paths there. Both may be asked again at any time.

mod carry;
mod place;
mod send;
mod source;

pub(super) use carry::send_over;
pub use carry::{Say, Sent};
pub use place::Copied;
pub use source::{Files, Unread};
