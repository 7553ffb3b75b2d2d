//! `upshift call`: applies formulas on this machine, without SSH and without a run.

use std::io::IsTerminal as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Map, Value, json};

use super::formula::files::{Files, Minion, Pillar};
use super::{person, project};
use crate::agent::Hold;
use crate::agent::apply::{self, Work};
use crate::agent::protocol::Claim;
use crate::engine::clock;
use crate::error::{Error, Exit, Result};
use crate::formula::{self, Data, cipher, yaml};
use crate::model::inventory;
use crate::model::secrets::Secrets;
use crate::report::states::{self, Host};
use crate::states::Listener;
use crate::states::run::{Progress, Ran, State};

#[derive(Debug, Args)]
#[command(after_help = "\
It looks for what is not as the formulas say and changes only that. Nothing is recorded: `upshift apply` does the
same on hosts, in a run that can be watched, stopped and resumed.")]
pub(super) struct Call {
    /// The SLS to apply; those that `top.sls` gives this machine when there is none
    sls: Vec<String>,
    #[command(flatten)]
    files: Files,
    #[command(flatten)]
    pillar: Pillar,
    #[command(flatten)]
    minion: Minion,
    /// Say what would be changed, and change nothing
    #[arg(long)]
    preview: bool,
    /// Also list the states that were as they should be
    #[arg(long)]
    all: bool,
    /// How the returns are printed
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// What changed or failed, for people
    Text,
    /// What `salt-call --out json` prints
    Json,
    /// The same as YAML
    Yaml,
}

impl Call {
    pub(super) fn main(self) -> Result<Exit> {
        let subject = self.minion.read()?;
        let pillar = self.pillar.of(&subject)?;
        let secrets = Secrets::new(cipher::opened_in(&pillar).iter().map(String::as_str));
        let work = Work { subject, roots: self.files.read()?, pillar, sls: self.sls.clone(), preview: self.preview };
        let hold = if self.preview { None } else { hold()? };
        let screen = Screen::new(secrets)?;
        let ran = apply::apply(work, &screen, &screen);
        screen.bar.finish_and_clear();
        drop(hold);
        let ran = ran.map_err(|errors| refused(&errors, &screen.secrets))?;
        let ran = ran.iter().map(|ran| apply::without_secrets(ran, &screen.secrets)).collect();
        let host = [Host { name: "local".to_owned(), ran }];
        super::print(&match self.format {
            Format::Text => states::text(&host, self.all),
            Format::Json => serde_json::to_string_pretty(&as_salt(&host[0].ran)).map_err(std::io::Error::from)? + "\n",
            Format::Yaml => yaml::dump(
                &Data::from(as_salt(&host[0].ran)),
                &yaml::Layout { flow: Some(false), ..yaml::Layout::default() },
            ),
        })?;
        Ok(match screen.stop.load(Ordering::Relaxed) {
            true => Exit::Stopped,
            false if host[0].ran.iter().any(Ran::is_failed) => Exit::Failed,
            false => Exit::Done,
        })
    }
}

/// Takes this machine as a run would take it, so that the two do not meet. Only root's runs and calls can.
fn hold() -> Result<Option<Hold>> {
    if !rustix::process::getuid().is_root() {
        return Ok(None);
    }
    let (by, since) = (person::me(), clock::real_now());
    let claim = Claim {
        run: "of `upshift call`".to_owned(),
        key: format!("{}-{}", by.pid, since.as_nanosecond()),
        by,
        machine: rustix::system::uname().nodename().to_string_lossy().into_owned(),
        project: project::folder()?,
        since,
        fleeting: true,
    };
    match Hold::take(&inventory::Login::default().folder, &claim)? {
        Ok(hold) => Ok(Some(hold)),
        Err(held) => Err(Error::new(Exit::Locked, format!("this machine is not free: {held}"))
            .hint(held.way_out("`upshift unlock` on its controller"))),
    }
}

fn refused(errors: &[formula::Error], secrets: &Secrets) -> Error {
    let Some((first, more)) = errors.split_first() else { return Error::new(Exit::Bug, "refused without a reason") };
    let text = more.iter().take(9).fold(first.to_string(), |text, error| format!("{text}\n{error}"));
    let left = more.len().saturating_sub(9);
    let text = if left > 0 { format!("{text}\nand {left} more") } else { text };
    let error = Error::usage(secrets.redact(&text));
    first.hint.iter().fold(error, |error, hint| error.hint(hint.clone()))
}

/// The returns as Salt prints them.
fn as_salt(ran: &[Ran]) -> Value {
    let states: Map<String, Value> = ran
        .iter()
        .map(|ran| {
            let changes = serde_json::to_value(Data::from(ran.ret.changes.clone())).unwrap_or_default();
            let state = json!({
                "__id__": ran.state.id,
                "__run_num__": ran.number,
                "__sls__": ran.state.sls,
                "name": ran.state.name,
                "result": ran.ret.result,
                "changes": changes,
                "comment": ran.ret.comment,
                "duration": ran.took.as_secs_f64() * 1000.0,
            });
            (ran.state.tag(), state)
        })
        .collect();
    json!({ "local": states })
}

/// Shows what is under way, on a terminal. Ctrl-C ends it after what is under way.
struct Screen {
    bar: ProgressBar,
    stop: Arc<AtomicBool>,
    secrets: Secrets,
}

impl Screen {
    fn new(secrets: Secrets) -> Result<Self> {
        let is_shown = std::io::stderr().is_terminal();
        let target = if is_shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(None, target);
        if let Ok(style) = ProgressStyle::with_template("{pos}/{len} {prefix}\n    {wide_msg}") {
            bar.set_style(style);
        }
        let stop = Arc::new(AtomicBool::new(false));
        for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
            signal_hook::flag::register(signal, Arc::clone(&stop))?;
        }
        Ok(Self { bar, stop, secrets })
    }
}

impl Listener for Screen {
    fn output(&self, line: &str) {
        if let Some(line) = crate::agent::last_line(line) {
            self.bar.set_message(self.secrets.redact(&line).into_owned());
        }
    }

    fn started(&self, _: u32) {}

    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

impl Progress for Screen {
    fn began(&self, _: usize, of: usize, state: &State) {
        self.bar.set_length(of as u64);
        let name = self.secrets.redact(state.name.lines().next().unwrap_or_default());
        self.bar.set_prefix(format!("{}.{} {name}", state.module, state.function));
        self.bar.set_message("");
    }

    fn ended(&self, _: &Ran) {
        self.bar.inc(1);
    }
}
