//! Databases of a `PostgreSQL` server, by its own `pg_dump` and `psql`, as the user that the server runs as.
//!
//! That user is let in through the server's socket without a password, so that there is no credential to keep.

use std::time::{Duration, Instant};

use camino::{Utf8Path, Utf8PathBuf};
use jiff::SignedDuration;

use super::account::Account;
use super::program::{Program, Tail};
use super::scratch::Scratch;
use super::store::{Sink, Source, Store};
use super::through::{See, Through};
use super::{Contents, Error, Job, Manifest, Result, Server};
use crate::model::span::since;

/// The user that servers run as.
const USER: &str = "postgres";

/// The database that the server has for whoever administers it.
const OWN: &str = "postgres";

/// Where the programs of a release are.
const FOLDERS: [&str; 3] = ["/usr/lib/postgresql/{}/bin", "/usr/pgsql-{}/bin", "/usr/lib/postgresql{}/bin"];

/// What stands in the settings for the roles that a backup's tables belong to.
const ROLES: &str = "roles";

/// A server.
pub(super) struct Postgres<'a> {
    job: &'a Job<'a>,
    /// The databases to keep; none for all of them.
    databases: &'a [String],
    account: Option<Account>,
    /// The folder of its socket, where that is not the usual one.
    socket: Option<Utf8PathBuf>,
    /// Where its programs are, where those of `PATH` may be others.
    programs: Option<Utf8PathBuf>,
}

impl<'a> Postgres<'a> {
    /// The server of this host.
    pub(super) fn new(job: &'a Job<'a>, databases: &'a [String]) -> Result<Self> {
        let account = if rustix::process::geteuid().is_root() { Some(Account::named(USER)?) } else { None };
        Ok(Self { job, databases, account, socket: None, programs: None })
    }

    /// What it says of itself.
    pub(super) fn itself(&self) -> Result<Server> {
        let version = self.ask(OWN, "SHOW server_version;")?.trim().to_owned();
        let roles = self.ask(OWN, "SELECT rolname FROM pg_roles WHERE rolname !~ '^pg_' ORDER BY 1;")?;
        let settings = [(ROLES.to_owned(), roles.trim().to_owned())].into();
        Ok(Server { version: Some(version), settings })
    }

    /// Dumps its databases.
    pub(super) fn save(&self, sink: &mut Sink<'_>) -> Result<Contents> {
        let databases = match self.databases {
            [] => self.all()?,
            named => named.to_vec(),
        };
        let mut contents = Contents::default();
        for database in databases {
            let tail = Through { inner: &mut *sink, eye: Tail::default() };
            let mut counting = Through { inner: tail, eye: Counting::new(&database, contents) };
            let arguments = ["--create", "--clean", "--if-exists", "--no-password"];
            let program = self.program("pg_dump", arguments).env("PGDATABASE", &database);
            program.read_into(&mut counting)?;
            if !counting.inner.eye.has("-- PostgreSQL database dump complete") {
                return Err(Error::new(format!("the dump of `{database}` ended without its last line")));
            }
            contents = counting.eye.contents;
        }
        Ok(contents)
    }

    /// That nobody is connected to what is about to be put back: it could not be dropped, half way.
    pub(super) fn ready(&self, contents: &Contents) -> Result<()> {
        let names: Vec<_> = contents.0.keys().map(|name| text(name)).collect();
        let names = if names.is_empty() { "NULL".to_owned() } else { names.join(", ") };
        let who = self.ask(
            OWN,
            &format!(
                "SELECT datname || '|' || count(*) || '|' || min(coalesce(usename, '') || ' from ' || coalesce(host(client_addr), \
                 'this host')) FROM pg_stat_activity WHERE datname IN ({names}) GROUP BY datname;"
            ),
        )?;
        let Some(first) = who.lines().next() else { return Ok(()) };
        let mut parts = first.rsplitn(3, '|');
        let (whose, count, database) =
            (parts.next().unwrap_or_default(), parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        Err(Error::new(format!("`{database}` is in use, by {count} such as {whose}: stop what uses it first")))
    }

    /// Loads dumps.
    pub(super) fn load(&self, source: &mut Source<'_>) -> Result<()> {
        self.client(OWN).write_from(source)
    }

    /// How many rows its tables have now.
    pub(super) fn count(&self, of: &Contents) -> Result<Contents> {
        let mut found = Contents::default();
        for (database, tables) in &of.0 {
            // Names are as the dump has them, with the quotes that they need.
            let question: String = tables.keys().map(|table| format!("SELECT count(*) FROM {table};\n")).collect();
            let answer = self.ask(database, &question)?;
            for (table, rows) in tables.keys().zip(answer.lines()) {
                let rows = rows.parse().map_err(|_| Error::new(format!("`{rows}` is no number of rows")))?;
                found.add(database, table, rows);
            }
        }
        Ok(found)
    }

    /// Loads a backup into a server of its own. Says how long that took, all that a restore does, and what is there then.
    pub(super) fn test(&self, store: &Store, manifest: &Manifest) -> Result<(SignedDuration, Contents)> {
        let attendant = self.job.attendant;
        let programs = Some(folder(manifest)?);
        // The folders of upshift are closed to the user that the server runs as.
        let base = match &self.account {
            Some(account) => account.home.clone(),
            None => self.job.folder.clone(),
        };
        let mut scratch = Scratch::within(self.job, &base, manifest, self.account.as_ref())?;
        attendant.say("loading it into a scratch server");
        let data = scratch.folder.join("data");
        let server = Self { socket: Some(scratch.folder.clone()), programs, account: self.account.clone(), ..*self };
        let fixed = ["--auth=trust", "--username=postgres", "--no-sync", "--encoding=UTF8", "--locale=C.UTF-8"];
        let arguments = fixed.map(str::to_owned).into_iter().chain([format!("--pgdata={data}")]);
        server.program("initdb", arguments).inside(&scratch.folder).ask("")?;
        let arguments =
            ["-D", data.as_str(), "-k", scratch.folder.as_str(), "-c", "listen_addresses=", "-c", "port=5432"];
        let program = server.program("postgres", arguments).inside(&scratch.folder);
        scratch.start(program, &|| server.answers())?;
        let roles = manifest.settings.get(ROLES).map(String::as_str).unwrap_or_default();
        let roles = roles.lines().filter(|role| *role != USER);
        let roles: String = roles.map(|role| format!("CREATE ROLE {};\n", quoted(role))).collect();
        server.ask(OWN, &roles)?;
        let begun = Instant::now();
        store.verify(manifest, attendant)?;
        server.load(&mut store.open(manifest, attendant)?)?;
        let found = server.count(&manifest.contents)?;
        Ok((since(begun), found))
    }

    fn answers(&self) -> bool {
        std::thread::sleep(Duration::from_millis(50));
        let socket = self.socket.as_ref().map(|folder| folder.join(".s.PGSQL.5432"));
        socket.is_none_or(|socket| socket.exists()) && self.ask(OWN, "SELECT 1;").is_ok()
    }

    /// Every database but its own.
    fn all(&self) -> Result<Vec<String>> {
        let own = text(OWN);
        let question = format!(
            "SELECT datname FROM pg_database WHERE NOT datistemplate AND datallowconn AND datname <> {own} ORDER BY 1;"
        );
        let databases: Vec<_> = self.ask(OWN, &question)?.lines().map(str::to_owned).collect();
        if databases.is_empty() { Err(Error::new("the server has no databases but its own")) } else { Ok(databases) }
    }

    fn ask(&self, database: &str, question: &str) -> Result<String> {
        self.client(database).ask(question)
    }

    fn client(&self, database: &str) -> Program<'a> {
        let fixed = ["--no-psqlrc", "--quiet", "--no-align", "--tuples-only", "--no-password", "--set=ON_ERROR_STOP=1"];
        self.program("psql", fixed).env("PGDATABASE", database)
    }

    fn program<S: AsRef<std::ffi::OsStr>>(&self, name: &str, arguments: impl IntoIterator<Item = S>) -> Program<'a> {
        let path = self.programs.as_ref().map(|folder| folder.join(name));
        let mut program = Program::new(self.job, path.as_deref().map_or(name, Utf8Path::as_str), arguments);
        if let Some(account) = &self.account {
            program = program.run_as(account);
        }
        match &self.socket {
            Some(folder) => program.env("PGHOST", folder.as_str()).env("PGPORT", "5432").env("PGUSER", USER),
            None => program,
        }
    }
}

/// The folder with the programs of a backup's release.
fn folder(manifest: &Manifest) -> Result<Utf8PathBuf> {
    let release = release(manifest.version.as_deref().unwrap_or_default());
    let folders = FOLDERS.map(|folder| Utf8PathBuf::from(folder.replace("{}", &release)));
    let found = folders.into_iter().find(|folder| folder.join("initdb").is_file());
    found.ok_or_else(|| Error::new(format!("this host has no PostgreSQL {release} to try the backup on")))
}

/// What of a version has to be the same for a backup to be put back: `15`, and before 10 `9.6`.
pub(super) fn release(version: &str) -> String {
    let number = version.split(|c: char| !c.is_ascii_digit() && c != '.').next().unwrap_or_default();
    let mut parts = number.split('.');
    match (parts.next().unwrap_or_default(), parts.next()) {
        (old, Some(minor)) if old.len() == 1 => format!("{old}.{minor}"),
        (major, _) => major.to_owned(),
    }
}

/// A name in SQL.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text in SQL.
fn text(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// The longest line of a dump that may say what comes.
const LONGEST: usize = 64 * 1024;

/// Passes the dump of a database on and counts its rows: exactly what is in it, whatever the server does meanwhile.
struct Counting {
    contents: Contents,
    database: String,
    /// The line so far, unless it is longer than any that matters.
    line: Vec<u8>,
    /// Whether the dump has just announced the rows of a table.
    is_announced: bool,
    /// The table whose rows go by.
    table: Option<String>,
    rows: u64,
}

impl See for Counting {
    fn see(&mut self, bytes: &[u8]) {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            if self.line.len() < LONGEST {
                self.line.extend_from_slice(part.get(..part.len().min(LONGEST)).unwrap_or_default());
            }
            if part.ends_with(b"\n") {
                let mut line = std::mem::take(&mut self.line);
                self.whole(line.trim_ascii_end());
                line.clear();
                self.line = line;
            }
        }
    }
}

impl Counting {
    fn new(database: &str, contents: Contents) -> Self {
        let (line, database) = (Vec::new(), database.to_owned());
        Self { contents, database, line, is_announced: false, table: None, rows: 0 }
    }

    fn whole(&mut self, line: &[u8]) {
        if let Some(table) = &self.table {
            if line == b"\\." {
                self.contents.add(&self.database, table, self.rows);
                self.table = None;
            } else {
                self.rows += 1;
            }
        } else if line.starts_with(b"-- Data for Name: ") {
            self.is_announced = true;
        } else if let Some(copy) =
            line.strip_prefix(b"COPY ").filter(|_| self.is_announced && line.ends_with(b" FROM stdin;"))
        {
            self.table = Some(name(&String::from_utf8_lossy(copy)).to_owned());
            (self.is_announced, self.rows) = (false, 0);
        }
    }
}

/// The name that a text begins with, up to the first blank outside of quotes.
fn name(text: &str) -> &str {
    let mut is_quoted = false;
    let end = text.find(|c: char| {
        is_quoted ^= c == '"';
        c == ' ' && !is_quoted
    });
    end.and_then(|end| text.get(..end)).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DUMP: &str = r#"--
-- PostgreSQL database dump
--
CREATE FUNCTION public.f() RETURNS void LANGUAGE sql AS $$
COPY public.no (id) FROM stdin;
$$;
--
-- Data for Name: users; Type: TABLE DATA; Schema: public; Owner: nova
--

COPY public.users (id, name) FROM stdin;
1	a\nb
2	\\.
\.


--
-- Data for Name: T a; Type: TABLE DATA; Schema: we ird; Owner: nova
--

COPY "we ird"."T a" (id) FROM stdin;
\.
"#;

    #[test]
    fn rows_are_counted_wherever_the_dump_is_cut_into_pieces() {
        let mut wanted = Contents::default();
        wanted.add("nova", "public.users", 2);
        wanted.add("nova", "\"we ird\".\"T a\"", 0);
        for piece in [1, 3, 64, DUMP.len()] {
            let mut counting = Counting::new("nova", Contents::default());
            DUMP.as_bytes().chunks(piece).for_each(|piece| counting.see(piece));
            assert_eq!(counting.contents, wanted, "by {piece}");
        }
    }

    #[test]
    fn a_backup_fits_servers_of_its_own_release() {
        assert_eq!(release("15.14 (Debian 15.14-0+deb12u1)"), "15");
        assert_eq!(release("9.6.24"), "9.6");
        assert_eq!(release("17rc1"), "17");
    }
}
