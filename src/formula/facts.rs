//! What a formula asks its host: one small interface, answered by the host itself or from a record.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Data;

/// One call of an execution function that only the host can answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// `module.function`.
    pub function: String,
    /// Positional arguments.
    pub args: Vec<Data>,
    /// Keyword arguments.
    pub kwargs: Vec<(String, Data)>,
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
    fn answer(&self, call: &Call) -> Result<Data, Refusal>;
}
