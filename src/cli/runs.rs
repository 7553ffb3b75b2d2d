//! `upshift runs`: every run of this project.

use std::fmt::Write;

use jiff::tz::TimeZone;
use serde::Serialize;

use super::{project, run};
use crate::error::{Exit, Result};
use crate::journal::Lock;
use crate::model::record::between;
use crate::model::span;

#[derive(Debug, clap::Args)]
pub(super) struct RunsCommand {
    /// Print an object a line
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Row {
    /// The run's id.
    run: String,
    /// The pipeline's name.
    pipeline: String,
    /// `under way`, `crashed`, a verdict, or `unreadable: …`.
    state: String,
    /// When it was opened.
    started: Option<String>,
    /// From the first record to the last, in seconds.
    took_s: Option<f64>,
    #[serde(skip)]
    took: String,
    /// Who opened it.
    by: String,
}

impl RunsCommand {
    pub(super) fn main(self) -> Result<Exit> {
        let runs = project::runs();
        let holder = Lock::holder(&runs.lock_file())?;
        let rows: Vec<Row> = runs
            .list()?
            .iter()
            .map(|run| row(run, holder.as_ref().is_some_and(|holder| holder.run == run.id)))
            .collect();
        let mut text = String::new();
        if self.json {
            for row in &rows {
                let _ = writeln!(text, "{}", serde_json::to_string(row).map_err(std::io::Error::from)?);
            }
        } else if rows.is_empty() {
            text.push_str("no runs yet\n");
        } else {
            let width = |of: fn(&Row) -> &str| rows.iter().map(|row| of(row).chars().count()).max().unwrap_or(0);
            let (ids, states) = (width(|row| &row.run), width(|row| &row.state));
            for row in &rows {
                let _ = writeln!(text, "{:<ids$}  {:<states$}  {:>9}  {}", row.run, row.state, row.took, row.by);
            }
        }
        super::print(&text)?;
        Ok(Exit::Done)
    }
}

fn row(run: &crate::journal::Run, live: bool) -> Row {
    let read = run.read().and_then(|journal| run::fold(run, &journal).map(|state| (journal, state)));
    match read {
        Err(error) => Row {
            run: run.id.clone(),
            pipeline: String::new(),
            state: format!("unreadable: {error}"),
            started: None,
            took_s: None,
            took: String::new(),
            by: String::new(),
        },
        Ok((journal, state)) => {
            let (first, last) = (journal.entries.first(), journal.entries.last());
            let took = first.zip(last).map(|(first, last)| between(first.at, last.at));
            let started = first.map(|first| first.at.to_zoned(TimeZone::system()));
            Row {
                run: run.id.clone(),
                pipeline: journal.opened.plan.pipeline.clone(),
                state: match state.verdict {
                    Some(verdict) => verdict.to_string(),
                    None if live => "under way".into(),
                    None => "crashed".into(),
                },
                started: started.map(|started| started.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()),
                took_s: took.map(|took| took.as_secs_f64()),
                took: took.map(span::short).unwrap_or_default(),
                by: journal.opened.by.user.clone(),
            }
        }
    }
}
