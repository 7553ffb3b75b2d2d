//! `upshift report`: what a run took, against what was planned.

use camino::Utf8PathBuf;
use jiff::Timestamp;

use super::project;
use crate::engine::clock;
use crate::error::{Error, Exit, Result};
use crate::journal::{Journal, Lock, Run};
use crate::model::inventory::CONTROLLER;
use crate::model::pattern;
use crate::model::probe::Line;
use crate::report::timing::Timing;
use crate::report::{csv, html, json, text};

#[derive(Debug, clap::Args)]
pub(super) struct ReportCommand {
    /// The run; the newest when it is left out
    run: Option<String>,
    /// How it is written
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Show these hosts step by step
    #[arg(long, value_name = "HOSTS")]
    hosts: Option<String>,
    /// Write to this file instead of stdout
    #[arg(short, long, value_name = "FILE")]
    output: Option<Utf8PathBuf>,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Format {
    Text,
    Json,
    Html,
    Csv,
}

impl ReportCommand {
    pub(super) fn main(self) -> Result<Exit> {
        let run = project::runs().find(self.run.as_deref())?;
        let mut timing = timing(&run, &run.read()?, clock::real_now())?;
        if let Some(hosts) = &self.hosts {
            let hosts = pattern::unfold(hosts).map_err(|error| Error::usage(format!("--hosts: {error}")))?;
            timing =
                timing.only(&hosts).map_err(|host| Error::usage(format!("--hosts: the run has no host `{host}`")))?;
        }
        let text = match self.format {
            Format::Text => text::render(&timing),
            Format::Json => json::render(&timing),
            Format::Html => html::render(&timing),
            Format::Csv => csv::render(&timing),
        };
        match self.output {
            Some(file) => fs_err::write(file, text)?,
            None => super::print(&text)?,
        }
        Ok(Exit::Done)
    }
}

/// The figures of a run, beside the run of the same pipeline before it.
pub(super) fn timing(run: &Run, journal: &Journal, now: Timestamp) -> Result<Timing> {
    let runs = project::runs();
    let live = Lock::holder(&runs.lock_file())?.is_some_and(|holder| holder.run == run.id);
    let mut earlier: Vec<_> = runs.list()?.into_iter().take_while(|other| other.id != run.id).collect();
    earlier.reverse();
    let same = |other: &Journal| {
        let is_alike = other.opened.time_scale == journal.opened.time_scale;
        let (other, this) = (&other.opened.plan, &journal.opened.plan);
        // A staging cloud's runs say nothing of production's.
        let has_hosts = other.hosts.iter().any(|host| host != CONTROLLER && this.hosts.contains(host));
        is_alike && has_hosts && other.pipeline == this.pipeline && other.simulated == this.simulated
    };
    let previous = earlier.into_iter().filter_map(|other| other.read().ok()).find(same);
    // A run whose clock jumps, or goes faster, has a time of its own.
    let now =
        if journal.opened.time_scale == Some(1.0) { now } else { journal.entries.last().map_or(now, |last| last.at) };
    let timing = Timing::new(&journal.entries, previous.as_ref().map(|journal| journal.entries.as_slice()), now, live);
    let timing = timing.map_err(|error| Error::usage(format!("{}: {error}", run.journal_file())))?;
    Ok(timing.with_probes(|probe| measured(run, probe)).in_zone(jiff::tz::TimeZone::system()))
}

/// What a probe wrote. A line that a crash tore is left out, and so is a file that cannot be read: the journal has
/// what held the run.
fn measured(run: &Run, probe: &str) -> Vec<Line> {
    let text = fs_err::read(run.probe_file(probe)).unwrap_or_default();
    text.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect()
}
