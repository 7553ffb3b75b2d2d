//! `upshift formula show`: the low state of some SLS.

use std::fmt::Write as _;

use super::files::{Files, Minion, Pillar};
use crate::error::{Exit, Result};
use crate::formula::compile::Compiler;
use crate::formula::{Data, Dict, sls, yaml};

#[derive(Debug, clap::Args)]
pub(super) struct Show {
    /// The SLS, such as `nova.compute`; without any, those that `top.sls` gives the host
    sls: Vec<String>,
    #[command(flatten)]
    files: Files,
    #[command(flatten)]
    pillar: Pillar,
    #[command(flatten)]
    minion: Minion,
    /// How it is printed
    #[arg(short, long, value_enum, default_value = "text")]
    format: Format,
    /// Also without the checks that upshift makes before anything runs: requisites that nothing meets, and cycles
    #[arg(long)]
    unchecked: bool,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Format {
    Text,
    Json,
    Yaml,
}

impl Show {
    pub(super) fn main(self) -> Result<Exit> {
        let subject = self.minion.read()?;
        let pillar = self.pillar.of(&subject)?;
        let mut compiler = Compiler::new(subject, self.files.read()?, pillar);
        let sls = if self.sls.is_empty() { compiler.top()? } else { self.sls };
        let low = compiler.low_state(&sls)?;
        if !self.unchecked {
            sls::check(&low)?;
        }
        super::super::print(&match self.format {
            Format::Text => text(&low.chunks),
            Format::Json => {
                let mut text = serde_json::to_string_pretty(&data(low.chunks)).unwrap_or_default();
                text.push('\n');
                text
            }
            Format::Yaml => {
                yaml::dump(&data(low.chunks), &yaml::Layout { flow: Some(false), ..yaml::Layout::default() })
            }
        })?;
        Ok(Exit::Done)
    }
}

fn data(chunks: Vec<Dict>) -> Data {
    chunks.into_iter().map(Data::from).collect()
}

/// What the header of a chunk says already.
const HEADER: [&str; 6] = ["state", "fun", "name", "__id__", "__sls__", "__env__"];

/// A paragraph a chunk, in the order in which they run.
fn text(low: &[Dict]) -> String {
    let mut out = String::new();
    let flow = yaml::Layout { flow: Some(true), width: usize::MAX, ..yaml::Layout::default() };
    for chunk in low {
        let word = |key: &str| chunk.get(key).and_then(Data::as_str).unwrap_or_default();
        let _ = write!(out, "{}: {}.{}", word("__id__"), word("state"), word("fun"));
        if word("name") != word("__id__") {
            let _ = write!(out, " {}", chunk.get("name").map(|name| line(name, &flow)).unwrap_or_default());
        }
        let _ = writeln!(out, "  ({})", word("__sls__"));
        for (key, value) in &chunk.entries {
            let Some(key) = key.as_str().filter(|key| !HEADER.contains(key) && *key != "order") else { continue };
            let _ = writeln!(out, "    {key}: {}", line(value, &flow));
        }
    }
    let states = if low.len() == 1 { "state" } else { "states" };
    let _ = writeln!(out, "{} {states}", low.len());
    out
}

/// A value on one line.
fn line(value: &Data, flow: &yaml::Layout) -> String {
    let text = yaml::dump(value, flow);
    let text = text.trim_end();
    text.strip_suffix("\n...").unwrap_or(text).to_owned()
}
