//! Databases of a `MariaDB` or `MySQL` server, by its own client and dump.
//!
//! The client takes the account from option files of the host: no credential is on a command line or passes through here.

use std::time::{Duration, Instant};

use camino::{Utf8Path, Utf8PathBuf};
use jiff::SignedDuration;

use super::galera::Desynced;
use super::program::{Program, Tail, find};
use super::rows::Counting;
use super::scratch::Scratch;
use super::store::{Sink, Source, Store};
use super::through::Through;
use super::{Contents, Error, Job, Manifest, Result, Server, galera, physical};
use crate::model::backup::Data;
use crate::model::span::since;

/// Databases that belong to the server itself.
const OWN: [&str; 4] = ["information_schema", "mysql", "performance_schema", "sys"];

/// What the maintainer's scripts of Debian log in with.
const DEBIAN: &str = "/etc/mysql/debian.cnf";

/// Settings that decide what can be loaded.
const SETTINGS: [&str; 3] = ["lower_case_table_names", "innodb_page_size", "innodb_strict_mode"];

/// A server.
pub(super) struct Mariadb<'a> {
    pub(super) job: &'a Job<'a>,
    /// The databases to keep; none for all of them.
    databases: &'a [String],
    /// How a client gets to it. An option file has to come first.
    pub(super) way: Vec<String>,
    /// The folder that a client works in.
    working: Utf8PathBuf,
    /// Whether its files are kept, and the service that they belong to.
    physical: Option<&'a str>,
}

/// What packages call the service.
const SERVICE: &str = "mariadb";

impl<'a> Mariadb<'a> {
    /// The server of this host.
    pub(super) fn new(job: &'a Job<'a>, databases: &'a [String], options: Option<&str>) -> Result<Self> {
        let home = job.env.get("HOME").cloned().or_else(|| std::env::var("HOME").ok());
        let has_own = home.is_some_and(|home| Utf8Path::new(&home).join(".my.cnf").is_file());
        let way = match options {
            // A scratch server has no account to ask for.
            Some(path) if !Utf8Path::new(path).is_file() && job.backup.of.is_none() => {
                return Err(Error::new(format!("the option file `{path}` is not there")));
            }
            Some(path) => vec![format!("--defaults-file={path}")],
            None if !has_own && std::fs::File::open(DEBIAN).is_ok() => vec![format!("--defaults-extra-file={DEBIAN}")],
            None => Vec::new(),
        };
        let physical = match &job.backup.data {
            Data::Mariadb { physical: true, service, .. } => Some(service.as_deref().unwrap_or(SERVICE)),
            _ => None,
        };
        Ok(Self { job, databases, way, working: "/".into(), physical })
    }

    /// What it says of itself.
    pub(super) fn itself(&self) -> Result<Server> {
        let asked: Vec<_> = SETTINGS.into_iter().chain(self.physical.map(|_| physical::DATA)).collect();
        let values: Vec<_> = asked.iter().map(|name| format!("@@{name}")).collect();
        let answer = self.ask(&format!("SELECT VERSION(), {};", values.join(", ")))?;
        let mut words = answer.trim().split('\t').map(str::to_owned);
        let version = words.next();
        Ok(Server { version, settings: asked.into_iter().map(str::to_owned).zip(words).collect() })
    }

    fn version(&self) -> Result<String> {
        Ok(self.itself()?.version.unwrap_or_default())
    }

    /// That it can be written to: a node of a cluster has to be one of it.
    pub(super) fn ready(&self) -> Result<()> {
        galera::ready(self)?;
        self.physical.map_or(Ok(()), |_| galera::alone(self))
    }

    /// Keeps its databases. A node of a cluster holds nobody up meanwhile.
    pub(super) fn save(&self, sink: &mut Sink<'_>) -> Result<Contents> {
        let desynced = Desynced::new(self)?;
        let saved = match self.physical {
            Some(_) => physical::save(self, sink),
            None => self.dump(sink),
        };
        desynced.map(Desynced::end).transpose()?;
        saved
    }

    fn dump(&self, sink: &mut Sink<'_>) -> Result<Contents> {
        let databases = match self.databases {
            [] => self.all()?,
            named => named.to_vec(),
        };
        self.warn(&databases)?;
        let mut arguments = self.way.clone();
        let fixed = [
            "--single-transaction",
            "--quick",
            "--routines",
            "--events",
            "--triggers",
            "--comments",
            "--extended-insert",
            "--add-drop-database",
            "--max-allowed-packet=1G",
            "--default-character-set=utf8mb4",
        ];
        arguments.extend(fixed.map(str::to_owned));
        if !self.version()?.contains("MariaDB") {
            arguments.extend(["--set-gtid-purged=OFF", "--no-tablespaces"].map(str::to_owned));
        }
        arguments.push("--databases".to_owned());
        arguments.extend(databases);
        let tail = Through { inner: sink, eye: Tail::default() };
        let mut counting = Through { inner: tail, eye: Counting::default() };
        Program::new(self.job, &find(&["mariadb-dump", "mysqldump"])?, arguments).read_into(&mut counting)?;
        if !counting.inner.eye.has("-- Dump completed") {
            return Err(Error::new("the dump ended without its last line, and is not complete"));
        }
        Ok(counting.eye.contents)
    }

    /// Puts its databases back.
    pub(super) fn load(&self, source: &mut Source<'_>, manifest: &Manifest) -> Result<()> {
        match self.physical {
            Some(service) => physical::load(self, source, service, manifest),
            None => self.client(["--binary-mode"])?.write_from(source),
        }
    }

    /// How many rows its tables have now.
    pub(super) fn count(&self, of: &Contents) -> Result<Contents> {
        let tables = || of.0.iter().flat_map(|(database, tables)| tables.keys().map(move |table| (database, table)));
        let question: String = tables()
            .map(|(database, table)| format!("SELECT COUNT(*) FROM {}.{};\n", quoted(database), quoted(table)))
            .collect();
        let answer = self.ask(&question)?;
        let mut found = Contents::default();
        for ((database, table), rows) in tables().zip(answer.lines()) {
            found.add(database, table, rows.parse().map_err(|_| Error::new(format!("`{rows}` is no number of rows")))?);
        }
        Ok(found)
    }

    /// Loads a backup into a server of its own. Says how long that took, all that a restore does, and what is there then.
    pub(super) fn test(&self, store: &Store, manifest: &Manifest) -> Result<(SignedDuration, Contents)> {
        let attendant = self.job.attendant;
        let mut scratch = Scratch::new(self.job, manifest)?;
        attendant.say("loading it into a scratch server");
        let data = scratch.folder.join("data");
        let server = Self {
            job: self.job,
            databases: &[],
            way: ["--no-defaults", "--user=root", "--socket=socket"].map(str::to_owned).into(),
            working: data.clone(),
            physical: None,
        };
        let begun = Instant::now();
        if self.physical.is_some() {
            store.verify(manifest, attendant)?;
            physical::unpack(self, &mut store.open(manifest, attendant)?, &data)?;
        } else {
            self.prepare(&scratch.folder, &data)?;
        }
        scratch.start(self.server(&data, manifest)?, &|| server.answers())?;
        let (kept, here) = (manifest.version.clone().unwrap_or_default(), server.version()?);
        if release(&kept) != release(&here) {
            return Err(Error::new(format!("the backup is of version {kept}, and a scratch server here has {here}")));
        }
        if self.physical.is_some() {
            let took = since(begun);
            return Ok((took, server.count(&server.tables()?)?));
        }
        let begun = Instant::now();
        store.verify(manifest, attendant)?;
        server.load(&mut store.open(manifest, attendant)?, manifest)?;
        let found = server.count(&manifest.contents)?;
        Ok((since(begun), found))
    }

    /// Its tables, without their rows.
    fn tables(&self) -> Result<Contents> {
        let own: Vec<_> = OWN.iter().map(|name| text(name)).collect();
        let answer = self.ask(&format!(
            "SELECT TABLE_SCHEMA, TABLE_NAME FROM information_schema.TABLES WHERE TABLE_TYPE = 'BASE TABLE' \
             AND TABLE_SCHEMA NOT IN ({});",
            own.join(", ")
        ))?;
        let mut tables = Contents::default();
        answer
            .lines()
            .filter_map(|line| line.split_once('\t'))
            .for_each(|(database, table)| tables.add(database, table, 0));
        Ok(tables)
    }

    /// Makes the tables that a server has of its own.
    fn prepare(&self, folder: &Utf8Path, data: &Utf8Path) -> Result<()> {
        let mut arguments = vec!["--no-defaults".to_owned(), format!("--datadir={data}")];
        arguments.extend(as_root());
        let program = if let Ok(program) = find(&["mariadb-install-db", "mysql_install_db"]) {
            let more = ["--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve"];
            arguments.extend(more.map(str::to_owned));
            program
        } else {
            arguments.push("--initialize-insecure".to_owned());
            find(&["mysqld"])?
        };
        Program::new(self.job, &program, arguments).inside(folder).ask("").map(drop)
    }

    /// A server on these tables, with the settings of the one that the backup is of.
    fn server(&self, data: &Utf8Path, manifest: &Manifest) -> Result<Program<'a>> {
        let known = manifest.settings.iter().filter(|(name, _)| SETTINGS.contains(&name.as_str()));
        let given = known.map(|(name, value)| format!("--{name}={value}"));
        let mut arguments = vec!["--no-defaults".to_owned(), format!("--datadir={data}")];
        arguments.extend(as_root());
        arguments
            .extend(["--socket=socket", "--pid-file=pid", "--skip-networking", "--skip-log-bin"].map(str::to_owned));
        arguments.extend(["--max-allowed-packet=1G".to_owned()].into_iter().chain(given));
        // The accounts of a server whose files these are, are not ours.
        arguments.extend(self.physical.map(|_| "--skip-grant-tables".to_owned()));
        Ok(Program::new(self.job, &find(&["mariadbd", "mysqld"])?, arguments).inside(data))
    }

    fn answers(&self) -> bool {
        std::thread::sleep(Duration::from_millis(50));
        self.working.join("socket").exists() && self.ask("SELECT 1;").is_ok()
    }

    /// Every database but its own.
    fn all(&self) -> Result<Vec<String>> {
        let answer = self.ask("SHOW DATABASES;")?;
        let databases: Vec<_> = answer.lines().filter(|name| !OWN.contains(name)).map(str::to_owned).collect();
        if databases.is_empty() { Err(Error::new("the server has no databases but its own")) } else { Ok(databases) }
    }

    /// Says which tables may change while they are read.
    fn warn(&self, databases: &[String]) -> Result<()> {
        let names: Vec<_> = databases.iter().map(|name| text(name)).collect();
        let answer = self.ask(&format!(
            "SELECT TABLE_SCHEMA, TABLE_NAME, ENGINE FROM information_schema.TABLES WHERE TABLE_TYPE = 'BASE TABLE' \
             AND ENGINE NOT IN ('InnoDB', 'ROCKSDB') AND TABLE_SCHEMA IN ({});",
            names.join(", ")
        ))?;
        for table in answer.lines() {
            let table = table.replacen('\t', ".", 1).replace('\t', " is ");
            self.job.attendant.say(&format!("{table}, without transactions: it may change while it is read"));
        }
        Ok(())
    }

    pub(super) fn ask(&self, question: &str) -> Result<String> {
        self.asking()?.ask(question)
    }

    /// A client that answers a question.
    pub(super) fn asking(&self) -> Result<Program<'a>> {
        self.client(["--batch", "--raw", "--skip-column-names"])
    }

    fn client<const N: usize>(&self, more: [&str; N]) -> Result<Program<'a>> {
        let fixed = ["--default-character-set=utf8mb4", "--max-allowed-packet=1G"];
        let arguments = self.way.iter().map(String::as_str).chain(fixed).chain(more);
        let program = Program::new(self.job, &find(&["mariadb", "mysql"])?, arguments);
        Ok(program.inside(&self.working))
    }
}

/// What of a version has to be the same for a backup to be put back: `10.11-MariaDB`.
pub(super) fn release(version: &str) -> String {
    let numbers = version.split(|c: char| !c.is_ascii_digit() && c != '.').next().unwrap_or_default();
    let numbers: Vec<_> = numbers.split('.').take(2).collect();
    format!("{}{}", numbers.join("."), if version.contains("MariaDB") { "-MariaDB" } else { "" })
}

/// Servers do not run as root unless they are told to.
fn as_root() -> Option<String> {
    rustix::process::geteuid().is_root().then(|| "--user=root".to_owned())
}

/// The name of a database or table in SQL.
fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// A text in SQL.
fn text(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backup_fits_servers_of_its_own_release() {
        assert_eq!(release("10.11.19-MariaDB-0+deb12u1"), release("10.11.6-MariaDB-1"));
        assert_ne!(release("10.11.19-MariaDB"), release("10.6.19-MariaDB"));
        assert_ne!(release("8.0.36"), release("8.4.0"));
        assert_eq!(release("8.0.36-0ubuntu0.22.04.1"), "8.0");
    }
}
