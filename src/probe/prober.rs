//! The prober as the rest of upshift has it: what it is asked, and what it tells.

use std::time::Duration;

use camino::Utf8PathBuf;
use tokio::sync::mpsc;

use super::icmp::{Echo, Version};
use super::looks::Looker;
use super::meter::Gap;
use super::names;
use super::turns::{Echoes, Measure, Turns, Way};
use crate::error::{Error, Result};
use crate::model::probe::{Look, Probe};

/// What the prober tells. Probes and targets are named by their places in the plan.
#[derive(Debug)]
pub enum Event {
    /// Every target has answered once, but for these.
    Begun(Vec<Never>),
    /// A target was silent, and is not any more, or measuring ends.
    Gap {
        /// The probe.
        probe: usize,
        /// The gap.
        gap: Gap,
    },
    /// Targets have been silent for longer than they may.
    Breach {
        /// The probe.
        probe: usize,
        /// Each target, with when it answered last.
        targets: Vec<(usize, Duration)>,
        /// When this was noticed.
        at: Duration,
    },
    /// Nothing is known of what was between, because upshift itself stood still.
    Stalled {
        /// The probe.
        probe: usize,
        /// Since when.
        from: Duration,
        /// Until when.
        to: Duration,
    },
    /// How all probes stand, now and then.
    Standing(Vec<Tally>),
    /// Every target answered after it was asked for the last word, or is known to be silent for too long.
    LastWord,
}

/// A target that did not answer at the start.
#[derive(Debug)]
pub struct Never {
    /// The probe.
    pub probe: usize,
    /// The target.
    pub target: usize,
    /// Why, as far as that is known.
    pub why: String,
}

/// How one probe stands.
#[derive(Debug, Default)]
pub struct Tally {
    /// When.
    pub at: Duration,
    /// Looks so far.
    pub looks: u64,
    /// Answers so far.
    pub answers: u64,
    /// Targets that are silent, since when, and whether for too long.
    pub silent: Vec<(usize, Duration, bool)>,
}

/// What the prober is asked.
#[derive(Debug)]
pub(super) enum Request {
    GiveUp,
    LastWord,
}

/// Measures in a thread of its own, until it is let go.
pub struct Prober {
    requests: mpsc::UnboundedSender<Request>,
}

impl Prober {
    /// Finds every target, and begins to look. The first event is [`Event::Begun`]; the last ones, once the
    /// prober was let go, are the gaps that were open then and how the probes stood.
    ///
    /// # Errors
    /// This user may not send ICMP, or this machine cannot do what is asked of it.
    pub async fn start(probes: &[Probe], folder: Utf8PathBuf) -> Result<(Self, mpsc::UnboundedReceiver<Event>)> {
        let hosts = probes.iter().flat_map(|probe| &probe.targets).filter_map(|target| match &target.look {
            Look::Icmp { host } | Look::Tcp { host, .. } | Look::Http { host, .. } => Some(host.as_str()),
            Look::Run { .. } => None,
        });
        let addresses = names::resolve(hosts).await;
        let way = |probe: &Probe| probe.targets.iter().map(|target| Way::of(&target.look, &addresses)).collect();
        let ways: Vec<Vec<Way>> = probes.iter().map(way).collect();
        let (nonce, _) = uuid::Uuid::new_v4().as_u64_pair();
        let echo = |version: Version| {
            let needs = |ways: &Vec<Way>| ways.iter().any(|way| way.is_echo(version));
            let probe = probes.iter().zip(&ways).find(|(_, ways)| needs(ways)).map(|(probe, _)| &probe.name);
            probe.map(|probe| Echo::open(version, nonce).map_err(|error| no_echo(probe, &error))).transpose()
        };
        let echoes = Echoes { v4: echo(Version::V4)?, v6: echo(Version::V6)? };
        let measures = probes.iter().zip(ways).map(|(probe, ways)| Measure::new(probe, ways)).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (requests, asked) = mpsc::unbounded_channel();
        let (tell, events) = mpsc::unbounded_channel();
        std::thread::Builder::new().name("probes".into()).spawn(move || {
            runtime.block_on(async move {
                let (looked, ends) = mpsc::unbounded_channel();
                Turns::new(measures, echoes, Looker { folder, looked }, ends, tell).take(asked).await;
            });
        })?;
        Ok((Self { requests }, events))
    }

    /// Takes targets that have not answered yet for silent for too long.
    pub fn give_up(&self) {
        let _ = self.requests.send(Request::GiveUp);
    }

    /// Asks for [`Event::LastWord`].
    pub fn ask_for_last_word(&self) {
        let _ = self.requests.send(Request::LastWord);
    }
}

fn no_echo(probe: &str, error: &std::io::Error) -> Error {
    let message = format!("probe `{probe}`: this user may not send ICMP echoes: {error}");
    Error::usage(message)
        .hint("`sudo sysctl net.ipv4.ping_group_range='0 2147483647'` lets every user; so does running upshift as root")
}
