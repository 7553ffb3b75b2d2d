//! What a controller asks about files, and what is answered.

use camino::Utf8PathBuf;
use serde::{Deserialize, Serialize};

use crate::agent::files::{File, Hash};

/// Large files travel in pieces of this size, and are continued at a multiple of it.
pub const PIECE: u64 = 256 * 1024;

/// Files below this size travel together.
pub const SMALL: u64 = 64 * 1024;

/// What a controller asks about files. They are answered one after the other, in the order in which
/// they were asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ask {
    /// Which of these are not there: `Tell::Missing`. When all are, they are on disk by then.
    Missing {
        /// The contents, each once.
        files: Vec<File>,
    },
    /// Bytes of a large file: `Tell::Done`, or `Tell::Missing` when another agent went on with it
    /// meanwhile. The last ones make it complete and checked.
    Piece {
        /// The file.
        file: File,
        /// The place of the bytes; 0, or where the bytes before them ended.
        from: u64,
    },
    /// Whole files, one after the other: `Tell::Done`.
    Pack {
        /// The files, in the order of their bytes.
        files: Vec<File>,
    },
    /// That everything that arrived is on disk: `Tell::Done`.
    Settle,
    /// How things at paths differ from what is wanted, without a change: `Tell::Found`.
    Compare {
        /// What is wanted.
        places: Vec<Place>,
        /// Whether folders above them are created where they are missing.
        parents: bool,
    },
    /// That things are put at paths: `Tell::Placed`.
    Place {
        /// What is wanted.
        places: Vec<Place>,
        /// Whether folders above them are created where they are missing.
        parents: bool,
    },
}

/// A content that is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// Its place in the question.
    pub at: usize,
    /// How many bytes of it are there, a multiple of [`PIECE`].
    pub have: u64,
    /// The hash of those bytes, when there are any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub so_far: Option<Hash>,
}

/// Something at a path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The path, an absolute one.
    pub path: Utf8PathBuf,
    /// What is there.
    pub what: What,
    /// Its mode. A folder that is there keeps its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<u32>,
    /// Its owner, a name or a number; whoever has it now when it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Its group, a name or a number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
}

/// A kind of thing at a path. What is there is never replaced by another kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum What {
    /// A folder.
    Folder,
    /// A file with this content.
    File(File),
    /// A symbolic link that leads there.
    Link(Utf8PathBuf),
}

/// How a thing at a path differs from what is wanted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Found {
    /// Not at all.
    Same,
    /// In its mode, owner or group alone.
    Attributes,
    /// It is not there, or is another.
    Different,
    /// It cannot be put there, and why.
    Refused(String),
}

/// What became of a thing at a path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Placed {
    /// It was there already, and was not touched.
    Unchanged,
    /// It is there now.
    Changed,
    /// Its content is not in the store.
    Absent,
    /// It is as it was before, and why.
    Failed(String),
}
