//! The digest of a plan: SHA-256 over all that a run would do.

use std::io::{self, Write};

use jiff::SignedDuration;
use sha2::{Digest, Sha256};

use crate::model::hash::Hash;
use crate::model::inventory::Ssh;
use crate::model::plan::{Expected, Plan, Window};

/// The digest of a plan that has neither its digest, nor its files, window, way of connecting
/// or expected times filled in.
///
/// Where a plan was read from and what was learned since change nothing that a run does; the window
/// says when, not what, so that a run can be resumed in the next one.
pub(super) fn digest(plan: &Plan) -> String {
    let mut hash = Hasher(Sha256::new());
    serde_json::to_writer(&mut hash, plan).unwrap_or_else(|error| unreachable!("a plan is plain data: {error}"));
    Hash::so_far(&hash.0).to_string()
}

/// Whether a plan that was read from disk is the one its digest was made of.
#[must_use]
pub fn is_whole(plan: &Plan) -> bool {
    let mut bare = plan.clone();
    bare.digest.clear();
    bare.content.clear();
    bare.pipeline_file.clear();
    bare.inventory_file.clear();
    bare.window = Window::default();
    bare.ssh = Ssh::default();
    for step in bare.stages.iter_mut().flat_map(|stage| &mut stage.steps) {
        step.expected = Expected::UNKNOWN;
        step.put_back = SignedDuration::ZERO;
        step.undo = Expected::UNKNOWN;
    }
    // Of a rollback, they are what it was expected to take.
    if bare.undoes.is_some() {
        bare.stages.iter_mut().for_each(|stage| stage.window = None);
    }
    digest(&bare) == plan.digest
}

struct Hasher(Sha256);

impl Write for Hasher {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
