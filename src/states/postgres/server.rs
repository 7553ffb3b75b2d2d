//! A server and how to talk to it.

use indexmap::IndexMap;

use crate::states::arguments::text;
use crate::states::{Call, Command, Failed, Host};

/// A server, as the arguments of a state and the options `postgres.*` of the minion tell to reach it.
pub(super) struct Server<'a> {
    host: &'a Host<'a>,
    is_preview: bool,
    /// The user of the host that `psql` runs as, which the server may take as proof of who it is.
    run_as: Option<String>,
    password: Option<String>,
    program: String,
    options: Vec<String>,
}

/// A row: its columns by name; what is nothing in SQL is empty.
pub(super) type Row = IndexMap<String, String>;

impl<'a> Server<'a> {
    /// The server that a state is about, with the database that it is connected to.
    pub(super) fn of(call: &Call<'a>, database: Option<String>) -> Result<Self, Failed> {
        let configured = |name: &str| call.host.formula.config(name).as_ref().and_then(text);
        let option = |argument: &str, name: &str| {
            let given = call.args.text(argument)?.filter(|value| !value.is_empty());
            Ok::<_, Failed>(given.or_else(|| configured(name)).filter(|value| !value.is_empty()))
        };
        let host = option("db_host", "postgres.host")?;
        let is_here = host.as_ref().is_none_or(|host| host.starts_with('/'));
        let run_as = call.args.text("user")?.or_else(|| is_here.then(|| "postgres".to_owned()));
        let database = match database {
            Some(database) => database,
            None => option("maintenance_db", "postgres.maintenance_db")?.unwrap_or_else(|| "postgres".into()),
        };
        let mut options: Vec<String> =
            ["--no-align", "--no-readline", "--no-psqlrc", "--no-password", "--quiet"].map(str::to_owned).into();
        let given = [
            ("--username", option("db_user", "postgres.user")?),
            ("--host", host),
            ("--port", option("db_port", "postgres.port")?),
            ("--dbname", Some(database)),
            ("--set", Some("ON_ERROR_STOP=1".to_owned())),
        ];
        options.extend(given.into_iter().filter_map(|(name, value)| value.map(|value| format!("{name}={value}"))));
        let password = call.args.text("db_password")?.or_else(|| configured("postgres.pass"));
        let program = configured("postgres.bins_dir").map_or_else(|| "psql".to_owned(), |bin| format!("{bin}/psql"));
        Ok(Self { host: call.host, is_preview: call.preview, run_as, password, program, options })
    }

    /// The rows of a query. While nothing may be changed, a server that cannot be asked has none: it may be one that an
    /// earlier state would have started.
    pub(super) fn rows(&self, query: &str) -> Result<Vec<Row>, Failed> {
        let asked = self.say(&format!("COPY ({query}) TO STDOUT WITH CSV HEADER;"));
        let output = match asked {
            Err(Refusal::NoServer(_)) if self.is_preview => return Ok(Vec::new()),
            Err(refusal) => return Err(refusal.why().into()),
            Ok(output) => output,
        };
        let mut reader = csv::Reader::from_reader(output.as_bytes());
        let wrong = |error: csv::Error| Failed::from(format!("cannot read what `psql` answers: {error}"));
        let names = reader.headers().map_err(wrong)?.clone();
        let row = |record: csv::StringRecord| names.iter().zip(&record).map(|(a, b)| (a.into(), b.into())).collect();
        reader.records().map(|record| record.map(row).map_err(wrong)).collect()
    }

    /// Carries out a change; what fails is as it was if the SQL says so.
    pub(super) fn execute(&self, sql: &str) -> Result<(), String> {
        self.say(sql).map(drop).map_err(Refusal::why)
    }

    fn say(&self, sql: &str) -> Result<String, Refusal> {
        let command = self.command(sql).map_err(|failed| Refusal::NoProgram(failed.comment))?;
        let output = self.host.run(command).map_err(|failed| Refusal::NoProgram(failed.comment))?;
        match output.code {
            0 => Ok(output.stdout),
            2 => Err(Refusal::NoServer(cause(&output.stderr).unwrap_or_else(|| output.why()))),
            _ => Err(Refusal::Sql(cause(&output.stderr).unwrap_or_else(|| output.why()))),
        }
    }

    fn command(&self, sql: &str) -> Result<Command, Failed> {
        let mut command = Command::new(&self.program, &self.options).stdin(format!("{sql}\n")).quiet();
        let process = command.process();
        process.env_clear().current_dir("/").env("PGCLIENTENCODING", "UTF8").env("LC_ALL", "C.UTF-8");
        if let Some(path) = std::env::var_os("PATH") {
            process.env("PATH", path);
        }
        if let Some(password) = &self.password {
            process.env("PGPASSWORD", password);
        }
        if let Some(name) = &self.run_as {
            let user = self.host.user(name).ok_or_else(|| format!("User '{name}' is not available"))?;
            user.runs(process);
        }
        Ok(command)
    }
}

/// Why a server did not do something.
enum Refusal {
    NoProgram(String),
    NoServer(String),
    Sql(String),
}

impl Refusal {
    fn why(self) -> String {
        match self {
            Self::NoProgram(why) | Self::NoServer(why) | Self::Sql(why) => why,
        }
    }
}

/// The line that says what is wrong; lines that show where follow it.
fn cause(stderr: &str) -> Option<String> {
    let marks = ["ERROR:", "FATAL:", "error:"];
    let at = |line: &str| marks.iter().find_map(|mark| line.find(mark).map(|at| at + mark.len()));
    stderr.lines().rev().find_map(|line| at(line).map(|at| line[at..].trim().to_owned()))
}

/// A text in SQL, whatever the server makes of backslashes.
pub(super) fn quoted(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    if quoted.contains('\\') { format!("E'{}'", quoted.replace('\\', "\\\\")) } else { format!("'{quoted}'") }
}

/// A name in SQL.
pub(super) fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cause_is_not_the_line_that_shows_where() {
        let stderr = "ERROR:  syntax error at or near \"x\"\nLINE 1: x\n        ^\n";
        assert_eq!(cause(stderr).as_deref(), Some("syntax error at or near \"x\""));
        let stderr = "psql: error: connection to server on socket \"/run/x\" failed: FATAL:  no such role\n";
        assert_eq!(cause(stderr).as_deref(), Some("no such role"));
    }

    #[test]
    fn nothing_leaves_its_quotes() {
        assert_eq!(quoted("o'x"), "'o''x'");
        assert_eq!(quoted(r"o'x\"), r"E'o''x\\'");
        assert_eq!(identifier("a\"b"), "\"a\"\"b\"");
    }
}
