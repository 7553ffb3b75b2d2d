//! What a formula asks its host: one small interface, answered by the host itself or from a record.

mod host;
mod recorded;

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Data, Dict};

pub use host::split;
pub use host::{FUNCTIONS as HOST_FUNCTIONS, Host};
pub use recorded::Recorded;

/// One call of an execution function that only the host can answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Call {
    /// `module.function`.
    pub function: String,
    /// Positional arguments.
    pub args: Vec<Data>,
    /// Keyword arguments.
    pub kwargs: Vec<(String, Data)>,
}

impl Call {
    /// The call as an entry of a record, where the answer is still to be filled in.
    #[must_use]
    pub fn as_record(&self) -> String {
        let mut record = Dict::default();
        record.insert("function", self.function.as_str());
        if !self.args.is_empty() {
            record.insert("args", self.args.clone());
        }
        if !self.kwargs.is_empty() {
            let entries = self.kwargs.iter().map(|(name, value)| (name.as_str().into(), value.clone())).collect();
            record.insert("kwargs", Dict { entries, is_ordered: false });
        }
        record.insert("answer", "...");
        serde_json::to_string(&Data::from(record)).unwrap_or_default()
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let args = self.args.iter().map(|arg| format!("{arg:?}"));
        let kwargs = self.kwargs.iter().map(|(name, value)| format!("{name}={value:?}"));
        let all: Vec<String> = args.chain(kwargs).collect();
        write!(f, "`{}({})`", self.function, all.join(", "))
    }
}

/// Why a call has no answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Refusal {
    /// There is no such function here.
    Unknown,
    /// The record has no answer to this call.
    NotRecorded,
    /// The function failed on the host, with these words.
    Failed(String),
}

/// Answers calls.
pub trait Facts: fmt::Debug + Send + Sync {
    /// The answer to one call. Nothing on the host changes by asking.
    ///
    /// # Errors
    /// When there is no answer, and why.
    fn answer(&self, call: &Call) -> Result<Data, Refusal>;

    /// Whether there are answers to calls of a function that upshift does not know, such as one of a custom module.
    fn knows(&self, function: &str) -> bool {
        let _ = function;
        false
    }
}
