//! A node of a Galera cluster.
//!
//! While it is read it may fall behind without holding up the others: it is taken out of flow control, and put back
//! whatever comes of it. That it was taken out is on disk before: whoever takes up a try that was killed puts it back.

use std::time::{Duration, Instant};

use camino::Utf8PathBuf;
use fs_err as fs;

use super::mariadb::Mariadb;
use super::{Error, Result};

/// What a node that may be read and written says of itself.
const SYNCED: &str = "Synced";

/// How long a node may take to catch up.
const PATIENCE: Duration = Duration::from_mins(10);

/// A node that was taken out of flow control. It is put back when this goes.
pub(super) struct Desynced<'s, 'a> {
    server: &'s Mariadb<'a>,
    marker: Utf8PathBuf,
    is_back: bool,
}

impl<'s, 'a> Desynced<'s, 'a> {
    /// Takes a node out; `None` for a server that is none.
    pub(super) fn new(server: &'s Mariadb<'a>) -> Result<Option<Self>> {
        if !is_node(server)? {
            return Ok(None);
        }
        let mut desynced = Self { server, marker: server.job.folder.join("desynced"), is_back: true };
        if desynced.marker.exists() {
            server.job.attendant.say("an earlier try left the node out of flow control: it is put back");
            desynced.put_back()?;
            desynced.wait()?;
        }
        ready(server)?;
        fs::write(&desynced.marker, "")?;
        fs::File::open(&server.job.folder)?.sync_all()?;
        desynced.is_back = false;
        server.ask("SET GLOBAL wsrep_desync = ON;")?;
        server.job.attendant.say("the node is out of flow control while it is read");
        Ok(Some(desynced))
    }

    /// Puts it back.
    pub(super) fn end(mut self) -> Result<()> {
        self.put_back()
    }

    fn put_back(&mut self) -> Result<()> {
        self.is_back = true;
        self.server.asking()?.at_last().ask("SET GLOBAL wsrep_desync = OFF;")?;
        Ok(fs::remove_file(&self.marker)?)
    }

    fn wait(&self) -> Result<()> {
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE && state(self.server)? != SYNCED {
            std::thread::sleep(Duration::from_millis(500));
        }
        Ok(())
    }
}

impl Drop for Desynced<'_, '_> {
    fn drop(&mut self) {
        if !self.is_back
            && let Err(error) = self.put_back()
        {
            self.server.job.attendant.say(&format!(
                "the node is left out of flow control: {error}; `SET GLOBAL wsrep_desync = OFF` puts it back"
            ));
        }
    }
}

/// That a node is in its cluster, and has what the others have.
pub(super) fn ready(server: &Mariadb<'_>) -> Result<()> {
    if !is_node(server)? {
        return Ok(());
    }
    let (state, cluster) = (state(server)?, status(server, "wsrep_cluster_status")?);
    if state != SYNCED || cluster != "Primary" {
        return Err(Error::new(format!(
            "the node is `{state}` in a cluster that is `{cluster}`: it has to be `{SYNCED}` in one that is `Primary`"
        )));
    }
    Ok(())
}

/// That no other node is there: one that gets other files would take those of the others when it joins them.
pub(super) fn alone(server: &Mariadb<'_>) -> Result<()> {
    if !is_node(server)? {
        return Ok(());
    }
    match status(server, "wsrep_cluster_size")?.as_str() {
        "1" => Ok(()),
        nodes => Err(Error::new(format!(
            "the cluster has {nodes} nodes: stop the others first, and start them afterwards; they get what this one has"
        ))),
    }
}

pub(super) fn is_node(server: &Mariadb<'_>) -> Result<bool> {
    let on = server.ask("SHOW GLOBAL VARIABLES LIKE 'wsrep_on';")?;
    Ok(on.trim().ends_with("\tON") && !status(server, "wsrep_cluster_status")?.is_empty())
}

fn state(server: &Mariadb<'_>) -> Result<String> {
    status(server, "wsrep_local_state_comment")
}

fn status(server: &Mariadb<'_>, name: &str) -> Result<String> {
    let answer = server.ask(&format!("SHOW GLOBAL STATUS LIKE '{name}';"))?;
    Ok(answer.trim().split_once('\t').map(|(_, value)| value.to_owned()).unwrap_or_default())
}
