//! What a `ZooKeeper` server keeps: its newest snapshots and the transactions since.
//!
//! A snapshot is taken while transactions go on, and is only consistent with the log that goes on beyond it: the logs are
//! read after the snapshots. The older of two is there in case the newer one was just being written.

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use camino::{Utf8Path, Utf8PathBuf};
use fs_err as fs;

use super::service::{self, Stopped, is_active};
use super::store::{Sink, Source};
use super::{Contents, Error, Job, Result, Server};

/// Where Debian's packages have the settings, and what they call the service.
const CONFIG: &str = "/etc/zookeeper/conf/zoo.cfg";
const SERVICE: &str = "zookeeper";

/// What is in the data folder, and in that of the logs.
const VERSION: &str = "version-2";

/// How many snapshots are kept.
const SNAPSHOTS: usize = 2;

/// How long a server may take to answer, and to answer again once it was started.
const ANSWER: Duration = Duration::from_secs(5);
const PATIENCE: Duration = Duration::from_mins(2);

/// A server.
pub(super) struct Zookeeper<'a> {
    job: &'a Job<'a>,
    service: &'a str,
    config: Config,
}

/// What its settings say.
#[derive(Debug, Default, PartialEq, Eq)]
struct Config {
    data: Utf8PathBuf,
    logs: Utf8PathBuf,
    port: u16,
    /// How many servers its ensemble has; none when it is alone.
    servers: usize,
}

impl Config {
    fn of(text: &str) -> Option<Self> {
        let mut config = Self { port: 2181, ..Self::default() };
        for line in text.lines().map(str::trim).filter(|line| !line.starts_with('#')) {
            let Some((key, value)) = line.split_once('=') else { continue };
            match (key.trim(), value.trim()) {
                ("dataDir", path) => config.data = path.into(),
                ("dataLogDir", path) => config.logs = path.into(),
                ("clientPort", port) => config.port = port.parse().ok()?,
                (key, _) if key.starts_with("server.") => config.servers += 1,
                _ => {}
            }
        }
        if config.logs.as_str().is_empty() {
            config.logs.clone_from(&config.data);
        }
        config.data.is_absolute().then_some(config)
    }
}

impl<'a> Zookeeper<'a> {
    /// The server of this host.
    pub(super) fn new(job: &'a Job<'a>, config: Option<&str>, service: Option<&'a str>) -> Result<Self> {
        let path = config.unwrap_or(CONFIG);
        let text = fs::read_to_string(path)?;
        let config = Config::of(&text).ok_or_else(|| Error::new(format!("`{path}` has no `dataDir`")))?;
        Ok(Self { job, service: service.unwrap_or(SERVICE), config })
    }

    /// What it says of itself; nothing when it does not answer, as one that is stopped.
    pub(super) fn itself(&self) -> Server {
        let version = self.ask().ok().and_then(|said| {
            let line = said.lines().find_map(|line| line.strip_prefix("Zookeeper version: "))?;
            line.split(['-', ',']).next().map(str::to_owned)
        });
        Server { version, ..Server::default() }
    }

    /// Keeps its files.
    pub(super) fn save(&self, sink: &mut Sink<'_>) -> Result<Contents> {
        let mut archive = tar::Builder::new(sink);
        let data = self.config.data.join(VERSION);
        let mut snapshots = numbered(&data, "snapshot.")?;
        let first = snapshots.len().saturating_sub(SNAPSHOTS);
        let snapshots = snapshots.split_off(first);
        let Some((oldest, _)) = snapshots.first() else {
            return Err(Error::new(format!("there is no snapshot in `{data}`")));
        };
        for (_, path) in &snapshots {
            append(&mut archive, "data", path)?;
        }
        for name in ["acceptedEpoch", "currentEpoch"] {
            let path = data.join(name);
            if path.is_file() {
                append(&mut archive, "data", &path)?;
            }
        }
        let logs = numbered(&self.config.logs.join(VERSION), "log.")?;
        // The log that a snapshot begins in begins before it.
        let from = logs.iter().rposition(|(begins, _)| begins <= oldest).unwrap_or_default();
        for (_, path) in logs.iter().skip(from) {
            append(&mut archive, "logs", path)?;
        }
        archive.finish()?;
        Ok(Contents::default())
    }

    /// That it can be put back: in an ensemble, whoever is still going would give the others what it has.
    pub(super) fn ready(&self) -> Result<()> {
        let (servers, service) = (self.config.servers, self.service);
        if servers > 1 && is_active(self.job, service)? {
            return Err(Error::new(format!(
                "the ensemble has {servers} servers: stop `{service}` on all of them before the first is put back"
            )));
        }
        Ok(())
    }

    /// Puts its files back, with the service stopped meanwhile.
    pub(super) fn load(&self, source: &mut Source<'_>) -> Result<()> {
        let Config { data, logs, .. } = &self.config;
        let inside = |folder: &Utf8Path| {
            let folder = folder.join(VERSION);
            if folder.is_dir() { Ok(folder) } else { Err(Error::new(format!("there is no folder `{folder}`"))) }
        };
        let is_apart = data != logs;
        let new = service::Contents::new(&inside(data)?)?;
        let apart = if is_apart { Some(service::Contents::new(&inside(logs)?)?) } else { None };
        let mut archive = tar::Archive::new(source);
        for entry in archive.entries()? {
            let mut entry = entry?;
            let path = entry.path()?.into_owned();
            let path = Utf8Path::from_path(&path).ok_or_else(|| Error::new("a name is no text"))?;
            let (Some(kind), Some(name)) = (path.parent(), path.file_name()) else { continue };
            let to = match &apart {
                Some(apart) if kind == "logs" => &apart.beside,
                _ => &new.beside,
            };
            io::copy(&mut entry, &mut fs::File::create(to.join(name))?)?;
        }
        let stopped = Stopped::new(self.job, self.service)?;
        new.exchange()?;
        apart.map(service::Contents::exchange).transpose()?;
        if stopped.start()? {
            self.wait()?;
        }
        Ok(())
    }

    fn wait(&self) -> Result<()> {
        let begun = Instant::now();
        while self.itself().version.is_none() {
            if begun.elapsed() > PATIENCE {
                return Err(Error::new(format!("`{}` was started and does not answer", self.service)));
            }
            std::thread::sleep(Duration::from_millis(200));
        }
        Ok(())
    }

    /// What it says to the command that every release answers.
    fn ask(&self) -> io::Result<String> {
        let mut server = TcpStream::connect(("127.0.0.1", self.config.port))?;
        server.set_read_timeout(Some(ANSWER))?;
        server.write_all(b"srvr")?;
        let mut said = String::new();
        server.take(64 * 1024).read_to_string(&mut said)?;
        Ok(said)
    }
}

/// The files of a folder whose names end in a number, in its order.
fn numbered(folder: &Utf8Path, prefix: &str) -> Result<Vec<(u64, Utf8PathBuf)>> {
    let mut found = Vec::new();
    for entry in folder.read_dir_utf8().map_err(|error| Error::new(format!("cannot read `{folder}`: {error}")))? {
        let path = entry?.into_path();
        let number = path.file_name().and_then(|name| u64::from_str_radix(name.strip_prefix(prefix)?, 16).ok());
        found.extend(number.map(|number| (number, path)));
    }
    found.sort();
    Ok(found)
}

/// Adds a file that may grow meanwhile, as long as it is now.
fn append(archive: &mut tar::Builder<&mut Sink<'_>>, folder: &str, path: &Utf8Path) -> Result<()> {
    let file = fs::File::open(path)?;
    let size = file.metadata()?.len();
    let mut header = tar::Header::new_gnu();
    header.set_size(size);
    header.set_mode(0o600);
    let name = format!("{folder}/{}", path.file_name().unwrap_or_default());
    // A log is cut to its length when it is done with; what is cut off was nothing.
    Ok(archive.append_data(&mut header, name, file.chain(io::repeat(0)).take(size))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_say_where_the_data_is() {
        let alone = Config::of("tickTime=2000\n# dataDir=/no\ndataDir = /var/lib/zookeeper\n").unwrap();
        let wanted =
            Config { data: "/var/lib/zookeeper".into(), logs: "/var/lib/zookeeper".into(), port: 2181, servers: 0 };
        assert_eq!(alone, wanted);
        let three = "dataDir=/d\ndataLogDir=/l\nclientPort=2182\nserver.1=a:2888:3888\nserver.2=b:2888:3888\nserver.3=c:2888:3888";
        assert_eq!(Config::of(three).unwrap(), Config { data: "/d".into(), logs: "/l".into(), port: 2182, servers: 3 });
        assert_eq!(Config::of("clientPort=2181"), None);
    }
}
