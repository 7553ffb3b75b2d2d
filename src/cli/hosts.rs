//! What commands about hosts share: asking all of them something at once, and saying what went wrong.

use std::io::Write as _;
use std::sync::Arc;

use indexmap::IndexMap;
use tokio::task::JoinSet;

use super::project::Targets;
use super::run::raise_open_files;
use crate::error::{Error, Exit, Result};
use crate::model::inventory::{self, Transport};
use crate::model::pattern;
use crate::transport::ssh::{Connector, Host, Trouble};

/// A host's name, and what came of asking it.
pub(super) type Answers<T> = Vec<(String, Result<T, Trouble>)>;

/// The ways to hosts that are all reached over SSH; nothing is opened yet.
pub(super) fn ways(targets: &Targets) -> Result<Vec<Host>> {
    let (ssh, hosts) = targets.read()?;
    if let Some(host) = hosts.iter().find(|host| host.transport == Transport::Local) {
        return Err(Error::usage(format!("host `{}` is this machine: there is nothing to connect to", host.name)));
    }
    raise_open_files();
    let connector = Arc::new(Connector::new(ssh, hosts.len())?);
    let way = |host: &inventory::Host| Host::new(connector.clone(), &host.name, &host.address, &host.login, None);
    Ok(hosts.iter().map(way).collect())
}

/// Asks every host, all at once; the answers come in the order of the hosts.
pub(super) fn ask<T, F>(targets: &Targets, ask: impl Fn(Host) -> F) -> Result<Answers<T>>
where
    T: Send + 'static,
    F: Future<Output = Result<T, Trouble>> + Send + 'static,
{
    let hosts = ways(targets)?;
    let names: Vec<_> = hosts.iter().map(|host| host.name.clone()).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut answers = runtime.block_on(async {
        let mut calls = JoinSet::new();
        for (at, host) in hosts.into_iter().enumerate() {
            let call = ask(host);
            calls.spawn(async move { (at, call.await) });
        }
        calls.join_all().await
    });
    runtime.shutdown_background();
    answers.sort_by_key(|(at, _)| *at);
    Ok(names.into_iter().zip(answers).map(|(name, (_, answer))| (name, answer)).collect())
}

/// Says on stderr how many hosts did as `one` and `many` have it, and for each cause what to do about it.
pub(super) fn summary<T>(answers: &Answers<T>, [one, many]: [&str; 2]) -> Exit {
    let mut stderr = anstream::stderr().lock();
    let mut hints: IndexMap<&str, Vec<&str>> = IndexMap::new();
    for (host, trouble) in answers.iter().filter_map(|(host, answer)| Some((host, answer.as_ref().err()?))) {
        if let Some(hint) = &trouble.hint {
            hints.entry(hint).or_default().push(host);
        }
    }
    let bad = answers.iter().filter(|(_, answer)| answer.is_err()).count();
    let all = answers.len();
    let _ = match bad {
        0 if all == 1 => writeln!(stderr, "the host {one}"),
        0 => writeln!(stderr, "all {all} hosts {many}"),
        bad => writeln!(stderr, "{bad} of {all} hosts could not be asked"),
    };
    for (hint, hosts) in hints {
        let _ = writeln!(stderr, "\nhint: {}: {hint}", pattern::fold(hosts));
    }
    if bad == 0 { Exit::Done } else { Exit::Unreachable }
}
