//! Backups of what a host has, and putting them back.
//!
//! A backup is whole once its manifest is there, and never before: what was cut off, ran out of disk or failed a restore
//! test has none. Nothing is restored over data before the backup was read from end to end and found to be what was
//! written, and to be of the server's own release.

mod account;
mod etcd;
mod files;
mod galera;
mod manifest;
mod mariadb;
mod physical;
mod postgres;
mod program;
mod rows;
mod scratch;
mod service;
mod store;
mod through;
mod zookeeper;

use std::time::Instant;

use camino::{Utf8Path, Utf8PathBuf};
use indexmap::IndexMap;
use jiff::{SignedDuration, Timestamp};

use crate::model::Backup;
use crate::model::backup::{Data, Test};
use crate::model::record::Kept;
use crate::model::span::{short, since};
use etcd::Etcd;
use manifest::Server;
pub use manifest::{Contents, Manifest};
use mariadb::Mariadb;
use postgres::Postgres;
use program::Program;
use store::Sink;
pub use store::{Nobody, Store};
use zookeeper::Zookeeper;

/// Hears what goes on, and says when it has to end.
pub trait Attendant {
    /// A line for people.
    fn say(&self, line: &str);
    /// A process group was started that is to be ended when everything is.
    fn started(&self, group: u32);
    /// Whether everything is to end; what was started has been told so.
    fn is_stopped(&self) -> bool;
}

/// Why there is no backup, or why it was not restored.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Everything was to end.
    #[error("it was stopped")]
    Stopped,
    /// Why not.
    #[error("{0}")]
    Failed(String),
}

type Result<T> = std::result::Result<T, Error>;

impl Error {
    fn new(why: impl Into<String>) -> Self {
        Self::Failed(why.into())
    }
}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

/// A backup to be made or restored.
pub struct Job<'a> {
    /// What it is of.
    pub backup: &'a Backup,
    /// Its own folder.
    pub folder: Utf8PathBuf,
    /// What tells the step that makes it from every other step.
    pub by: &'a str,
    /// Environment variables for the programs that do it.
    pub env: &'a IndexMap<String, String>,
    /// Where the commands of a backup by commands work.
    pub working: &'a Utf8Path,
    /// The time now.
    pub now: Timestamp,
    /// Who hears of it.
    pub attendant: &'a dyn Attendant,
}

/// What came of it.
#[derive(Debug, PartialEq, Eq)]
pub struct Done {
    /// Whether it was done, and not there already.
    pub is_new: bool,
    /// What a person should know.
    pub note: String,
    /// What a backup has kept.
    pub kept: Option<Kept>,
}

/// What reads and writes the data.
enum Engine<'a> {
    Mariadb(Mariadb<'a>),
    Postgres(Postgres<'a>),
    Zookeeper(Zookeeper<'a>),
    Etcd(Etcd<'a>),
    Files(&'a [String]),
    Command { save: &'a str, load: &'a str },
}

/// Makes a backup, unless the step has made it before.
///
/// # Errors
/// Why there is none: nothing is left that could be taken for one.
pub fn back_up(job: &Job<'_>) -> Result<Done> {
    let store = Store::at(job.folder.clone());
    match store.read() {
        Ok(Some(manifest)) if manifest.by == job.by => match store.verify(&manifest, job.attendant) {
            Ok(()) => {
                let note = format!("there already: {}", manifest.summary());
                return Ok(Done { is_new: false, note, kept: Some(manifest.kept()) });
            }
            Err(Error::Stopped) => return Err(Error::Stopped),
            Err(why) => job.attendant.say(&format!("an earlier try left a backup that is of no use: {why}")),
        },
        Ok(Some(manifest)) => {
            let (folder, by) = (&job.folder, &manifest.by);
            return Err(Error::new(format!("`{folder}` has the backup of another step, `{by}`, and it is left alone")));
        }
        Ok(None) => {}
        Err(why) => job.attendant.say(&format!("an earlier try left a backup that is of no use: {why}")),
    }
    let engine = Engine::of(job)?;
    let server = engine.server()?;
    let begun = Instant::now();
    let mut sink = store.begin(job.backup.data.form(), job.attendant)?;
    let contents = engine.save(job, &mut sink)?;
    let written = sink.end()?;
    let took = since(begun);
    let mut manifest = Manifest::new(job, server, contents, written, took);
    job.attendant.say(&format!("{} in {}", manifest.summary(), short(took)));
    if job.backup.test == Some(Test::Here) {
        let (took, contents) = engine.test(&store, &manifest)?;
        manifest = Manifest { restored: Some(took), contents, ..manifest };
    }
    store.finish(&manifest)?;
    Ok(Done { is_new: true, note: manifest.summary(), kept: Some(manifest.kept()) })
}

/// Puts back what a backup has.
///
/// # Errors
/// Why not, and whether anything was touched.
pub fn restore(job: &Job<'_>) -> Result<Done> {
    let untouched = |error| match error {
        Error::Failed(why) => Error::Failed(format!("nothing was touched: {why}")),
        Error::Stopped => Error::Stopped,
    };
    let store = Store::at(job.folder.clone());
    let (engine, manifest) = acceptable(job, &store).map_err(untouched)?;
    if !service::was_stopped(job).map_err(untouched)? {
        engine.ready(&manifest).map_err(untouched)?;
    }
    job.attendant.say(&format!("the backup is whole: {}", manifest.summary()));
    let begun = Instant::now();
    let half = |error| match error {
        Error::Failed(why) => Error::Failed(format!("it is half restored: {why}")),
        Error::Stopped => Error::Stopped,
    };
    engine.load(job, &store, &manifest).map_err(half)?;
    let took = since(begun);
    engine.compare(&manifest.contents)?;
    let note = if manifest.contents.0.is_empty() {
        format!("{} restored in {}", size(manifest.size), short(took))
    } else {
        format!("{}; restored in {}, and compared", manifest.holds(), short(took))
    };
    Ok(Done { is_new: true, note, kept: None })
}

/// The backup, once it is known to be whole and fit for this server.
fn acceptable<'a>(job: &'a Job<'a>, store: &Store) -> Result<(Engine<'a>, Manifest)> {
    let manifest = store.whole()?;
    let wanted = job.backup.data.form();
    if manifest.engine != wanted {
        let found = &manifest.engine;
        return Err(Error::new(format!("the backup is of the engine `{found}`, and the step's is `{wanted}`")));
    }
    store.verify(&manifest, job.attendant)?;
    let engine = Engine::of(job)?;
    if service::was_stopped(job)? {
        job.attendant.say("an earlier try has stopped the service, and compared its version");
        return Ok((engine, manifest));
    }
    if let (Some(kept), Some(now)) = (&manifest.version, engine.server()?.version)
        && engine.release(kept) != engine.release(&now)
    {
        return Err(Error::new(format!(
            "the backup is of version {kept} and the server has {now}: put its packages back first"
        )));
    }
    Ok((engine, manifest))
}

/// What a backup says of itself, once it is known to be whole; and with `fit`, that the server could take it.
///
/// # Errors
/// Why it is of no use.
pub fn check(job: &Job<'_>, fit: bool) -> Result<Manifest> {
    let store = Store::at(job.folder.clone());
    if fit {
        return acceptable(job, &store).map(|(_, manifest)| manifest);
    }
    let manifest = store.whole()?;
    store.verify(&manifest, job.attendant)?;
    Ok(manifest)
}

/// Loads a copy of a backup into a scratch server, and compares.
///
/// # Errors
/// Why it cannot be restored.
pub fn try_out(job: &Job<'_>) -> Result<Done> {
    let store = Store::at(job.folder.clone());
    let manifest = store.whole()?;
    let (took, contents) = Engine::of(job)?.test(&store, &manifest)?;
    let manifest = Manifest { contents, ..manifest };
    let note = format!("{}; restored on a scratch server in {}", manifest.holds(), short(took));
    Ok(Done { is_new: true, note, kept: Some(Kept { undo_takes: Some(took), ..manifest.kept() }) })
}

impl<'a> Engine<'a> {
    fn of(job: &'a Job<'a>) -> Result<Self> {
        Ok(match &job.backup.data {
            Data::Mariadb { databases, options, .. } => {
                Self::Mariadb(Mariadb::new(job, databases, options.as_deref())?)
            }
            Data::Postgres { databases } => Self::Postgres(Postgres::new(job, databases)?),
            Data::Zookeeper { config, service } => {
                Self::Zookeeper(Zookeeper::new(job, config.as_deref(), service.as_deref())?)
            }
            Data::Etcd { data, service } => Self::Etcd(Etcd::new(job, data.as_deref(), service.as_deref())),
            Data::Files { paths } => Self::Files(paths),
            Data::Command { save, load } => Self::Command { save, load },
        })
    }

    /// What the server says of itself, where there is a server.
    fn server(&self) -> Result<Server> {
        match self {
            Self::Mariadb(server) => server.itself(),
            Self::Postgres(server) => server.itself(),
            Self::Zookeeper(server) => Ok(server.itself()),
            Self::Etcd(server) => server.itself(),
            Self::Files(_) | Self::Command { .. } => Ok(Server::default()),
        }
    }

    /// What of a version has to be the same for a backup to be put back.
    fn release(&self, version: &str) -> String {
        match self {
            Self::Mariadb(_) => mariadb::release(version),
            Self::Postgres(_) => postgres::release(version),
            Self::Zookeeper(_) | Self::Etcd(_) => version.split('.').take(2).collect::<Vec<_>>().join("."),
            Self::Files(_) | Self::Command { .. } => String::new(),
        }
    }

    /// That nothing is in the way of a restore.
    fn ready(&self, manifest: &Manifest) -> Result<()> {
        match self {
            Self::Mariadb(server) => server.ready(),
            Self::Postgres(server) => server.ready(&manifest.contents),
            Self::Zookeeper(server) => server.ready(),
            Self::Etcd(server) => server.ready(manifest),
            Self::Files(_) | Self::Command { .. } => Ok(()),
        }
    }

    fn save(&self, job: &Job<'_>, sink: &mut Sink<'_>) -> Result<Contents> {
        match self {
            Self::Mariadb(server) => server.save(sink),
            Self::Postgres(server) => server.save(sink),
            Self::Zookeeper(server) => server.save(sink),
            Self::Etcd(server) => server.save(sink),
            Self::Files(paths) => files::save(job, paths, sink),
            Self::Command { save, .. } => {
                Program::shell(job, save).read_into(sink)?;
                Ok(Contents::default())
            }
        }
    }

    fn load(&self, job: &Job<'_>, store: &Store, manifest: &Manifest) -> Result<()> {
        let open = || store.open(manifest, job.attendant);
        match self {
            Self::Mariadb(server) => server.load(&mut open()?, manifest),
            Self::Postgres(server) => server.load(&mut open()?),
            Self::Zookeeper(server) => server.load(&mut open()?),
            Self::Etcd(server) => server.load(&mut open()?, manifest),
            Self::Files(paths) => files::load(job, paths, &open),
            Self::Command { load, .. } => Program::shell(job, load).write_from(&mut open()?),
        }
    }

    /// That the server has what the backup has.
    fn compare(&self, contents: &Contents) -> Result<()> {
        let found = match self {
            Self::Mariadb(server) => server.count(contents)?,
            Self::Postgres(server) => server.count(contents)?,
            Self::Etcd(server) => server.count(contents)?,
            Self::Zookeeper(_) | Self::Files(_) | Self::Command { .. } => return Ok(()),
        };
        match contents.difference(&found) {
            Some(difference) => Err(Error::new(format!("it was restored and is not the same: {difference}"))),
            None => Ok(()),
        }
    }

    /// Loads the backup into a scratch server and compares. Says how long that took, all that a restore does, and what is
    /// in it: for some only a server can tell.
    fn test(&self, store: &Store, manifest: &Manifest) -> Result<(SignedDuration, Contents)> {
        let (took, found) = match self {
            Self::Mariadb(server) => server.test(store, manifest)?,
            Self::Postgres(server) => server.test(store, manifest)?,
            Self::Etcd(server) => server.test(store, manifest)?,
            Self::Zookeeper(_) | Self::Files(_) | Self::Command { .. } => {
                return Err(Error::new("it has no server to try a backup on"));
            }
        };
        let wanted = &manifest.contents;
        match wanted.difference(&found).filter(|_| !wanted.0.is_empty()) {
            Some(difference) => {
                Err(Error::new(format!("in a scratch server the backup is not the same: {difference}")))
            }
            None => Ok((took, found)),
        }
    }
}

/// A number of bytes for people.
#[must_use]
pub fn size(bytes: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "one digit is shown")]
    let number = bytes as f64;
    match bytes {
        0..1_000 => format!("{bytes} bytes"),
        1_000..1_000_000 => format!("{:.1} kB", number / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", number / 1e6),
        _ => format!("{:.1} GB", number / 1e9),
    }
}
