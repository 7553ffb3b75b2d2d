//! Files on a host: a store of what was sent, by content, and the paths that they are put at.
//!
//! A file travels once. It is kept under its SHA-256, and nothing has that name that does not have that
//! content: it is checked as it arrives, and again before it is put at a path if this agent did not see
//! it arrive. Whatever is cut off, the connection, the agent or the power, leaves parts that are
//! continued or thrown away, and never half a file under a name that somebody reads.
//!
//! In the folder `files` of the agent's folder:
//!
//! | Name | What it is |
//! |---|---|
//! | `HASH` | a file that is on disk |
//! | `BOOT/HASH` | a small file that arrived since that boot, and may not be on disk yet |
//! | `HASH.NUMBER.part` | the beginning of a large file; who writes it holds its lock |
//! | `lock` | shared by every agent that promised its controller a file; who prunes has it alone |

mod arrival;
mod ask;
mod compare;
mod owners;
mod place;
mod prune;
mod store;
mod temporary;
#[cfg(test)]
mod tests;
mod worker;

pub use crate::model::hash::{File, Hash};
pub use ask::{Ask, Found, Gap, PIECE, Place, Placed, SMALL, What};
pub use store::Store;
pub(super) use worker::Worker;
