//! What the engine tells reporters. Records are never dropped; signs of life may be.

use jiff::Timestamp;

use crate::journal::Committed;
use crate::model::UnitKey;
use crate::model::probe::Standing;

/// One thing a reporter may show.
#[derive(Debug, Clone)]
pub enum News {
    /// A record is on disk and counts.
    Committed(Box<Committed>),
    /// A command wrote a line.
    Output {
        /// The unit it belongs to.
        unit: UnitKey,
        /// The last whole line, without control characters.
        line: String,
    },
    /// When the current stage and the run are expected to end.
    Expected {
        /// The current stage.
        stage: Timestamp,
        /// The run.
        run: Timestamp,
    },
    /// So many hosts were contacted so far.
    Contacted {
        /// How many answered.
        answered: usize,
        /// How many are contacted in all.
        of: usize,
    },
    /// How the probes stand, about once a second.
    Probes(Vec<Standing>),
    /// Nothing is under way, and nothing is due before then.
    Idle {
        /// When something is.
        until: Timestamp,
    },
    /// A gate waits for a person at this terminal.
    Gate {
        /// What the person is asked.
        question: String,
    },
    /// Something a person should read now.
    Notice(String),
}
