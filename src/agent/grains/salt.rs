//! Grains of Salt itself, and the host's own name in it.
//!
//! There is neither Salt nor Python on the host. Formulas ask for their versions to know what they may
//! use, so the answer is the Salt that upshift follows, with the Python of its own packages. What would
//! be a path into them (`saltpath`, `pythonpath`, `zmqversion`) is left out.

use sha2::{Digest as _, Sha256};

use super::Grains;
use super::tree::Tree;

/// The release of Salt whose behaviour upshift follows.
const SALT: [u32; 2] = [3007, 15];

pub(super) fn add(grains: &mut Grains, tree: &Tree, id: Option<&str>) {
    if let Some(id) = id {
        grains.set("id", id);
    }
    grains.set("server_id", server_id(grains.text("id")));
    grains.set("master", "salt");
    grains.set("saltversion", format!("{}.{}", SALT[0], SALT[1]));
    grains.set("saltversioninfo", SALT.to_vec());
    let python: Vec<serde_json::Value> = vec![3.into(), 10.into(), 20.into(), "final".into(), 0.into()];
    grains.set("pythonversion", python);
    if let Some(python) = tree.program("python3") {
        grains.set("pythonexecutable", python);
    }
    grains.set("package", serde_json::Value::Null);
}

/// A number below 2³¹ that stands for a name: the last bits of its SHA-256 digest.
fn server_id(id: &str) -> u32 {
    let digest = Sha256::digest(id.as_bytes());
    let last = digest.iter().rev().take(4).rev().fold(0, |number: u32, byte| number << 8 | u32::from(*byte));
    last & (u32::MAX >> 1)
}
