//! How long things took in earlier runs.

use std::collections::HashMap;

use jiff::SignedDuration;

/// Durations of steps that came through in earlier runs of the same pipeline.
#[derive(Debug, Clone, Default)]
pub struct History {
    /// Sorted durations by stage name and step title.
    steps: HashMap<(String, String), Vec<SignedDuration>>,
    /// The commit each repository was at after the newest run that pulled it, by repository and folder.
    pub pulled: HashMap<(String, String), String>,
}

impl History {
    /// Adds a duration of a step.
    pub fn add(&mut self, stage: &str, step: &str, took: SignedDuration) {
        let durations = self.steps.entry((stage.to_owned(), step.to_owned())).or_default();
        let at = durations.partition_point(|other| *other <= took);
        durations.insert(at, took);
    }

    /// Says that a step takes this long and nothing else.
    pub fn set(&mut self, stage: &str, step: &str, mut took: Vec<SignedDuration>) {
        took.sort_unstable();
        self.steps.insert((stage.to_owned(), step.to_owned()), took);
    }

    /// The durations of a step, sorted; empty when it never ran.
    #[must_use]
    pub fn step(&self, stage: &str, step: &str) -> &[SignedDuration] {
        self.steps.get(&(stage.to_owned(), step.to_owned())).map_or(&[], Vec::as_slice)
    }
}

/// The value that `percent` of the sorted values do not exceed, by the nearest rank; zero of none.
#[must_use]
pub fn percentile(sorted: &[SignedDuration], percent: usize) -> SignedDuration {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied().unwrap_or_default()
}
