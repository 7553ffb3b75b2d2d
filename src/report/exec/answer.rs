//! How a command ended on one host.

use std::sync::Arc;
use std::time::Duration;

use super::output::Output;
use crate::model::Outcome;

/// How a command ended on one host, and what it said.
#[derive(Debug, Clone)]
pub struct Answer {
    /// How it ended. A command that ends with exit code 0 counts as changed, as a step does.
    pub outcome: Outcome,
    /// Its exit code; `None` when it was not started, was ended, or nobody knows.
    pub code: Option<i32>,
    /// What there is to say beyond that.
    pub why: Option<String>,
    /// What it wrote on stdout.
    pub stdout: Arc<Output>,
    /// What it wrote on stderr.
    pub stderr: Arc<Output>,
    /// How long it took from its start to its end; `None` when it was not started.
    pub took: Option<Duration>,
}

impl Answer {
    /// The answer of a host on which nothing was started.
    #[must_use]
    pub fn not_started(outcome: Outcome, why: Option<String>) -> Self {
        let nothing = Arc::new(Output::default());
        Self { outcome, code: None, why, stdout: nothing.clone(), stderr: nothing, took: None }
    }

    /// Whether the host did not do what was asked for.
    #[must_use]
    pub fn came_short(&self) -> bool {
        self.outcome >= Outcome::Skipped
    }

    /// How it ended in a few words: `exit code 1`, `timed out: …`.
    #[must_use]
    pub fn words(&self) -> String {
        match (self.outcome, self.code, &self.why) {
            (Outcome::Failed, Some(code), _) => format!("exit code {code}"),
            (outcome, _, Some(why)) => format!("{outcome}: {why}"),
            (outcome, _, None) => outcome.to_string(),
        }
    }
}
