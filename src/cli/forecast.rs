//! `upshift forecast`: how a run will probably go.

use std::fmt::Write;

use super::project::Files;
use crate::engine::forecast::{self, Forecast, StageForecast};
use crate::engine::{clock, window};
use crate::error::{Exit, Result};
use crate::model::span::short;

#[derive(Debug, clap::Args)]
pub(super) struct ForecastCommand {
    #[command(flatten)]
    files: Files,
    /// How many runs are simulated
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    runs: u32,
    /// Where the draws start; the same seed gives the same forecast
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Print the forecast as JSON
    #[arg(long)]
    json: bool,
}

impl ForecastCommand {
    pub(super) fn main(self) -> Result<Exit> {
        let mut read = self.files.read()?;
        let (plan, history) = read.plan()?;
        let window = window::length(&read.pipeline.window, &clock::local_now());
        let forecast = forecast::forecast(&plan, window, &history, self.runs, self.seed)?;
        if self.json {
            super::print(&format!("{}\n", serde_json::to_string_pretty(&forecast).map_err(std::io::Error::from)?))?;
        } else {
            super::print(&text(&plan.pipeline, &forecast))?;
        }
        Ok(Exit::Done)
    }
}

fn text(pipeline: &str, forecast: &Forecast) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write(&mut text, pipeline, forecast);
    text
}

fn write(out: &mut String, pipeline: &str, forecast: &Forecast) -> std::fmt::Result {
    let end = forecast.end;
    writeln!(out, "{pipeline}, {} simulated runs", forecast.runs)?;
    writeln!(
        out,
        "ends after {} (half of the runs), {} (95%), {} (99%)",
        short(end.p50),
        short(end.p95),
        short(end.p99)
    )?;
    match (forecast.window, forecast.fits) {
        (Some(window), Some(fits)) => {
            writeln!(out, "fits its window of {} in {} of 100 runs", short(window), percent(fits))?;
        }
        _ => writeln!(out, "has no window to fit: give the pipeline or every stage a `window`")?,
    }
    if forecast.shut_out > 0.0 {
        writeln!(
            out,
            "has no time left for another host in {} of 100 runs, undo and reserve counted",
            percent(forecast.shut_out)
        )?;
    }
    if forecast.comes_through < 1.0 {
        writeln!(
            out,
            "comes through in {} of 100 runs; the others stop at a failure budget",
            percent(forecast.comes_through)
        )?;
    }
    let name_width = forecast.stages.iter().map(|stage| stage.name.chars().count()).max().unwrap_or(0).max(5);
    writeln!(out, "\n{:<name_width$}  {:>8}  {:>8}  {:>8}  {:>8}  fits", "stage", "window", "50%", "95%", "99%")?;
    for stage in &forecast.stages {
        writeln!(
            out,
            "{:<name_width$}  {:>8}  {:>8}  {:>8}  {:>8}  {}",
            stage.name,
            stage.window.map_or("-".into(), short),
            short(stage.took.p50),
            short(stage.took.p95),
            short(stage.took.p99),
            stage.fits.map_or("-".into(), |fits| format!("{}%", percent(fits))),
        )?;
    }
    let chosen: Vec<_> = forecast.stages.iter().filter_map(|stage| Some((stage, smallest(stage)?))).collect();
    if !chosen.is_empty() {
        writeln!(out, "\nthe smallest with which a stage keeps its own planned window, all else as planned")?;
    }
    for (stage, what) in chosen {
        writeln!(out, "{:<name_width$}  {what}", stage.name)?;
    }
    Ok(())
}

fn smallest(stage: &StageForecast) -> Option<String> {
    let pace = stage.smallest_pace.map(|pace| format!("pace {pace}"));
    let fan_out = stage.smallest_fan_out.map(|hosts| format!("fan-out {hosts}"));
    let parts: Vec<_> = pace.into_iter().chain(fan_out).collect();
    (!parts.is_empty()).then(|| parts.join(", or "))
}

/// Hundredths, never rounded up to certainty nor down to impossibility.
fn percent(share: f64) -> String {
    match share * 100.0 {
        all if all >= 100.0 => "100".into(),
        none if none <= 0.0 => "0".into(),
        most if most > 99.0 => format!("{:.1}", (most * 10.0).floor() / 10.0),
        few if few < 1.0 => format!("{:.1}", (few * 10.0).ceil() / 10.0),
        some => format!("{some:.0}"),
    }
}
