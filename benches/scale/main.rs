//! What upshift promises for clouds of ten thousand hosts, measured: `cargo bench`.
//!
//! Prints one line a figure, with what is required of it where something is, and ends in an error
//! when a requirement is missed. Figures of a disk or a busy machine differ from day to day, so these
//! are medians, and what the disk alone costs stands beside what the journal makes of it.

use std::process::ExitCode;
use std::time::{Duration, Instant};

mod cloud;
mod decisions;
mod forecasts;
mod formulas;
mod journals;
mod reading;

fn main() -> ExitCode {
    // `cargo bench -- forecast` measures only that; what cargo itself adds begins with a dash.
    let wanted = std::env::args().skip(1).find(|arg| !arg.starts_with('-')).unwrap_or_default();
    let mut figures = Figures { width: 74, missed: 0 };
    let measure: [(&str, Measure); 5] = [
        ("read", reading::measure),
        ("decide", decisions::measure),
        ("journal", journals::measure),
        ("forecast", forecasts::measure),
        ("formula", formulas::measure),
    ];
    for (_, measure) in measure.iter().filter(|(name, _)| name.contains(&wanted)) {
        measure(&mut figures);
    }
    if figures.missed == 0 {
        return ExitCode::SUCCESS;
    }
    println!("{} figures miss what is required", figures.missed);
    ExitCode::FAILURE
}

/// Measures one part of upshift.
type Measure = fn(&mut Figures);

/// The table, as far as it is printed.
struct Figures {
    /// Columns for what is measured.
    width: usize,
    /// Requirements that were missed.
    missed: u32,
}

impl Figures {
    /// A duration of which nothing is required.
    fn time(&self, what: &str, took: Duration) {
        self.line(what, &shown(took), "");
    }

    /// A duration that has to stay below another.
    fn time_below(&mut self, what: &str, took: Duration, limit: Duration) {
        self.missed += u32::from(took >= limit);
        let verdict = if took < limit { "kept" } else { "MISSED" };
        self.line(what, &shown(took), &format!("{verdict}: below {}", shown(limit)));
    }

    /// A number of which nothing is required.
    fn number(&self, what: &str, number: f64) {
        self.line(what, &format!("{number:.0}"), "");
    }

    /// A number that has to be reached.
    fn number_of_at_least(&mut self, what: &str, number: f64, least: f64) {
        self.missed += u32::from(number < least);
        let verdict = if number >= least { "kept" } else { "MISSED" };
        self.line(what, &format!("{number:.0}"), &format!("{verdict}: at least {least:.0}"));
    }

    fn line(&self, what: &str, figure: &str, required: &str) {
        println!("{}", format!("{what:<0$} {figure:>10}  {required}", self.width).trim_end());
    }
}

fn shown(took: Duration) -> String {
    match took.as_secs_f64() {
        seconds if seconds >= 1.0 => format!("{seconds:.2} s"),
        seconds if seconds >= 1e-3 => format!("{:.2} ms", seconds * 1e3),
        seconds => format!("{:.2} µs", seconds * 1e6),
    }
}

/// The median time of some work, done an odd number of times.
fn median<T>(times: usize, mut work: impl FnMut() -> T) -> Duration {
    let mut took: Vec<_> = (0..times)
        .map(|_| {
            let start = Instant::now();
            std::hint::black_box(work());
            start.elapsed()
        })
        .collect();
    took.sort_unstable();
    took[times / 2]
}
