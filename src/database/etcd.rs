//! What an etcd member keeps, by its own snapshots.
//!
//! A snapshot that is restored begins a new cluster: of one member, since all others would have to begin with it.

use std::io;
use std::time::{Duration, Instant};

use camino::{Utf8Path, Utf8PathBuf};
use jiff::SignedDuration;
use serde::Deserialize;

use super::program::{Program, find};
use super::scratch::Scratch;
use super::service::{self, Stopped};
use super::store::{Sink, Source, Store};
use super::{Contents, Error, Job, Manifest, Result, Server};
use crate::model::span::since;

/// Where Debian's packages have the data, and what they call the service.
const DATA: &str = "/var/lib/etcd/default";
const SERVICE: &str = "etcd";

/// How long a member may take to answer again.
const PATIENCE: Duration = Duration::from_mins(2);

/// A member.
pub(super) struct Etcd<'a> {
    job: &'a Job<'a>,
    data: &'a Utf8Path,
    service: &'a str,
    /// Where it listens; none for what the client's own settings say.
    endpoint: Option<&'static str>,
    working: Utf8PathBuf,
}

#[derive(Deserialize)]
struct Status {
    #[serde(rename = "Status")]
    status: StatusOf,
}

#[derive(Deserialize)]
struct StatusOf {
    version: String,
    header: Header,
}

#[derive(Deserialize)]
struct Header {
    member_id: u64,
    revision: i64,
}

#[derive(Deserialize)]
struct Members {
    members: Vec<Member>,
}

#[derive(Deserialize)]
struct Member {
    #[serde(rename = "ID")]
    id: u64,
    #[serde(default)]
    name: String,
    #[serde(rename = "peerURLs")]
    peers: Vec<String>,
}

#[derive(Deserialize)]
struct Range {
    #[serde(default)]
    count: u64,
}

impl<'a> Etcd<'a> {
    /// The member of this host.
    pub(super) fn new(job: &'a Job<'a>, data: Option<&'a str>, service: Option<&'a str>) -> Self {
        let data = Utf8Path::new(data.unwrap_or(DATA));
        Self { job, data, service: service.unwrap_or(SERVICE), endpoint: None, working: "/".into() }
    }

    /// What it says of itself.
    pub(super) fn itself(&self) -> Result<Server> {
        let status = self.status()?;
        let members: Members = read(&self.client(["member", "list", "--write-out=json"]).ask("")?)?;
        let own = members.members.iter().find(|member| member.id == status.header.member_id);
        let own = own.ok_or_else(|| Error::new("the member is not in its own cluster"))?;
        let settings = [
            ("name", own.name.clone()),
            ("peers", own.peers.join(",")),
            ("members", members.members.len().to_string()),
        ];
        let settings = settings.map(|(name, value)| (name.to_owned(), value)).into();
        Ok(Server { version: Some(status.version), settings })
    }

    /// Takes a snapshot.
    pub(super) fn save(&self, sink: &mut Sink<'_>) -> Result<Contents> {
        let file = Temporary(self.job.folder.join("snapshot"));
        let before = (self.status()?.header.revision, self.keys()?);
        self.client(["snapshot", "save", file.0.as_str()]).ask("")?;
        let after = (self.status()?.header.revision, self.keys()?);
        io::copy(&mut fs_err::File::open(&file.0)?, sink)?;
        let mut contents = Contents::default();
        if before == after {
            contents.add("etcd", "keys", before.1);
        } else {
            self.job.attendant.say("keys were written meanwhile, and are not counted");
        }
        Ok(contents)
    }

    /// That it can be put back: a cluster of several members cannot be, by one of them.
    pub(super) fn ready(&self, manifest: &Manifest) -> Result<()> {
        let members = |server: &std::collections::BTreeMap<String, String>| {
            server.get("members").and_then(|members| members.parse::<u32>().ok()).unwrap_or(1)
        };
        let most = members(&manifest.settings).max(members(&self.itself()?.settings));
        if most > 1 {
            return Err(Error::new(format!(
                "the cluster has {most} members, and a snapshot that is put back begins a new one: take all but one out first"
            )));
        }
        if self.data.is_dir() { Ok(()) } else { Err(Error::new(format!("there is no folder `{}`", self.data))) }
    }

    /// Puts a snapshot back, with the service stopped meanwhile.
    pub(super) fn load(&self, source: &mut Source<'_>, manifest: &Manifest) -> Result<()> {
        let setting = |name| manifest.settings.get(name).map(String::as_str).unwrap_or_default();
        let contents = service::Contents::new(self.data)?;
        let new = contents.beside.join("new");
        self.unpack(source, setting("name"), setting("peers"), &new)?;
        // Its only contents are the member's.
        fs_err::rename(new.join("member"), contents.beside.join("member"))?;
        fs_err::remove_dir(&new)?;
        let stopped = Stopped::new(self.job, self.service)?;
        contents.exchange()?;
        if stopped.start()? {
            self.wait()?;
        }
        Ok(())
    }

    /// How many keys it has now, if that is known of the backup.
    pub(super) fn count(&self, of: &Contents) -> Result<Contents> {
        let mut found = Contents::default();
        if !of.0.is_empty() {
            found.add("etcd", "keys", self.keys()?);
        }
        Ok(found)
    }

    /// Loads a snapshot into a member of its own. Says how long that took, and what is there then.
    pub(super) fn test(&self, store: &Store, manifest: &Manifest) -> Result<(SignedDuration, Contents)> {
        let mut scratch = Scratch::new(self.job, manifest)?;
        self.job.attendant.say("loading it into a scratch server");
        let server = Self { endpoint: Some("unix://localhost:1"), working: scratch.folder.clone(), ..*self };
        let begun = Instant::now();
        store.verify(manifest, self.job.attendant)?;
        let data = scratch.folder.join("data");
        server.unpack(&mut store.open(manifest, self.job.attendant)?, "scratch", "unix://localhost:2", &data)?;
        let arguments = [
            "--name=scratch",
            "--data-dir=data",
            "--listen-client-urls=unix://localhost:1",
            "--advertise-client-urls=unix://localhost:1",
            "--listen-peer-urls=unix://localhost:2",
            "--initial-advertise-peer-urls=unix://localhost:2",
            "--initial-cluster=scratch=unix://localhost:2",
        ];
        let program = Program::new(self.job, &find(&["etcd"])?, arguments).inside(&scratch.folder);
        scratch.start(program, &|| server.answers())?;
        let found = server.count(&manifest.contents)?;
        Ok((since(begun), found))
    }

    fn unpack(&self, source: &mut Source<'_>, name: &str, peers: &str, to: &Utf8Path) -> Result<()> {
        let file = Temporary(self.job.folder.join("snapshot"));
        io::copy(source, &mut fs_err::File::create(&file.0)?)?;
        let cluster: Vec<_> = peers.split(',').map(|peer| format!("{name}={peer}")).collect();
        let arguments = [
            "snapshot".to_owned(),
            "restore".to_owned(),
            file.0.to_string(),
            format!("--name={name}"),
            format!("--initial-cluster={}", cluster.join(",")),
            format!("--initial-advertise-peer-urls={peers}"),
            format!("--data-dir={to}"),
        ];
        // Newer releases have left it to a program of its own.
        Program::new(self.job, &find(&["etcdutl", "etcdctl"])?, arguments).env("ETCDCTL_API", "3").ask("").map(drop)
    }

    fn wait(&self) -> Result<()> {
        let begun = Instant::now();
        while !self.answers() {
            if begun.elapsed() > PATIENCE {
                return Err(Error::new(format!("`{}` was started and does not answer", self.service)));
            }
        }
        Ok(())
    }

    fn answers(&self) -> bool {
        std::thread::sleep(Duration::from_millis(100));
        self.keys().is_ok()
    }

    fn status(&self) -> Result<StatusOf> {
        let mut all: Vec<Status> = read(&self.client(["endpoint", "status", "--write-out=json"]).ask("")?)?;
        match (all.pop(), all.is_empty()) {
            (Some(one), true) => Ok(one.status),
            _ => Err(Error::new("the client's settings name several members: a backup is of one")),
        }
    }

    fn keys(&self) -> Result<u64> {
        let range: Range =
            read(&self.client(["get", "", "--prefix", "--keys-only", "--limit=1", "--write-out=json"]).ask("")?)?;
        Ok(range.count)
    }

    fn client<const N: usize>(&self, arguments: [&str; N]) -> Program<'a> {
        let program = Program::new(self.job, "etcdctl", arguments).env("ETCDCTL_API", "3").inside(&self.working);
        match self.endpoint {
            Some(endpoint) => program.env("ETCDCTL_ENDPOINTS", endpoint),
            None => program,
        }
    }
}

fn read<'t, T: Deserialize<'t>>(text: &'t str) -> Result<T> {
    serde_json::from_str(text).map_err(|error| Error::new(format!("`etcdctl` answers what cannot be read: {error}")))
}

/// A file that goes with its owner.
struct Temporary(Utf8PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        // Where it stays, the next snapshot replaces it.
        let _ = fs_err::remove_file(&self.0);
    }
}
