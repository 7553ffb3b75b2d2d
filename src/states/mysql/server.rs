//! A server and how to talk to it.
//!
//! The client reads credentials from a file in memory that only it and upshift can open, and SQL from its standard input.

use std::fs::{File, Permissions};
use std::io::{self, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::PermissionsExt as _;

use indexmap::IndexMap;
use rustix::fs::MemfdFlags;

use crate::formula::Data;
use crate::states::arguments::text;
use crate::states::{Call, Command, Failed, Host};

/// A server, as the arguments of a state and the options `mysql.*` of the minion tell to reach it.
#[derive(Clone)]
pub(super) struct Server<'a> {
    host: &'a Host<'a>,
    default_file: Option<String>,
    /// Options of the client, by the names that they have in an option file.
    options: IndexMap<&'static str, String>,
}

/// What a server says when it does not do something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    /// The number of the error; `None` if not even the client could be run.
    pub(super) code: Option<u32>,
    message: String,
}

/// A row: its columns by name. What is nothing in SQL is `NULL`.
pub(super) type Row = IndexMap<String, String>;

/// The names of an option: as an argument, in the minion's configuration, in an option file.
const OPTIONS: [(&str, &str, &str); 7] = [
    ("connection_host", "mysql.host", "host"),
    ("connection_user", "mysql.user", "user"),
    ("connection_pass", "mysql.pass", "password"),
    ("connection_port", "mysql.port", "port"),
    ("connection_db", "mysql.db", "database"),
    ("connection_unix_socket", "mysql.unix_socket", "socket"),
    ("connection_charset", "mysql.charset", "default-character-set"),
];

/// Both the server and the client that reads SQL have to see a backslash in a text as what it is in [`quoted`].
const PLAIN_QUOTES: &str = "SET SESSION sql_mode = REPLACE(@@SESSION.sql_mode, 'NO_BACKSLASH_ESCAPES', '');\n";

impl<'a> Server<'a> {
    /// The server that a state is about.
    pub(super) fn of(call: &Call<'a>) -> Result<Self, Failed> {
        // An option file that the state names is not to be overridden by the minion's configuration.
        let is_configured = !call.args.chunk().has("connection_default_file");
        let configured = |name: &str| call.host.formula.config(name).filter(Data::is_true);
        let mut options = IndexMap::from([("default-character-set", "utf8mb4".to_owned())]);
        for (argument, name, option) in OPTIONS {
            let value = match call.args.chunk().get(argument) {
                Some(value) => Some(value.clone()),
                None if is_configured || argument == "connection_charset" => configured(name),
                None => None,
            };
            let Some(value) = value.filter(Data::is_true) else { continue };
            let value = text(&value).ok_or_else(|| format!("`{argument}` has to be text"))?;
            options.insert(option, value);
        }
        let default_file = match call.args.text("connection_default_file")? {
            Some(file) => Some(file),
            None if is_configured => configured("mysql.default_file").as_ref().and_then(text),
            None => None,
        };
        Ok(Self { host: call.host, default_file, options })
    }

    /// The same server, with another password.
    pub(super) fn with_password(&self, password: &str) -> Self {
        let mut options = self.options.clone();
        options.insert("password", password.to_owned());
        Self { options, ..self.clone() }
    }

    /// The same server, with a database to begin with.
    pub(super) fn with_database(&self, database: &str) -> Self {
        let mut options = self.options.clone();
        options.insert("database", database.to_owned());
        Self { options, ..self.clone() }
    }

    /// Lets the server carry out SQL as it is. Returns what the client writes, and what the server says if it refuses.
    pub(super) fn say(&self, sql: &str, header: bool) -> (String, Result<(), Refusal>) {
        let ran = self.client(sql, header);
        match ran {
            Err(failed) => (String::new(), Err(Refusal { code: None, message: failed.comment })),
            Ok(output) if output.is_success() => (output.stdout, Ok(())),
            Ok(output) => {
                let refusal = Refusal::parse(&output.stderr);
                (output.stdout.clone(), Err(refusal.unwrap_or(Refusal { code: None, message: output.why() })))
            }
        }
    }

    /// Lets the server carry out a change; its texts are [`quoted`].
    pub(super) fn execute(&self, sql: &str) -> Result<(), Refusal> {
        self.say(&format!("{PLAIN_QUOTES}{sql}"), false).1
    }

    /// The rows of one query; its texts are [`quoted`].
    pub(super) fn rows(&self, sql: &str) -> Result<Vec<Row>, Refusal> {
        let (output, said) = self.say(&format!("{PLAIN_QUOTES}{sql}"), true);
        said.map(|()| table(&output))
    }

    /// The lines of queries without names of columns; their texts are [`quoted`].
    pub(super) fn lines(&self, sql: &str) -> (Vec<String>, Result<(), Refusal>) {
        let (output, said) = self.say(&format!("{PLAIN_QUOTES}{sql}"), false);
        (output.lines().map(unescaped).collect(), said)
    }

    fn client(&self, sql: &str, header: bool) -> Result<crate::states::Output, Failed> {
        let file = self.option_file()?;
        let path = format!("--defaults-file=/proc/{}/fd/{}", std::process::id(), file.as_raw_fd());
        let header = if header { "--column-names" } else { "--skip-column-names" };
        // MySQL's client takes a login path for more than any option file, if there is one.
        let command = Command::new(program(), [&path, "--batch", header, "--binary-mode"])
            .env("MYSQL_TEST_LOGIN_FILE", "/nonexistent")
            .stdin(format!("{sql}\n"))
            .quiet();
        self.host.run(command)
    }

    /// An option file that has no name and is gone with its handle.
    fn option_file(&self) -> Result<File, Failed> {
        let mut text = String::new();
        if let Some(file) = &self.default_file {
            // The client passes over a file that is not there and would then try as somebody else.
            if !camino::Utf8Path::new(file).is_file() {
                return Err(format!("the file {file} does not exist").into());
            }
            text += &format!("!include {file}\n");
        }
        text += "[client]\n";
        for (option, value) in &self.options {
            text += &format!("{option}={}\n", option_value(value));
        }
        let file = rustix::fs::memfd_create("upshift", MemfdFlags::CLOEXEC).map_err(io::Error::from)?;
        let mut file = File::from(file);
        // The client ignores option files that everybody may write to, as new ones in memory are.
        file.set_permissions(Permissions::from_mode(0o600))?;
        file.write_all(text.as_bytes())?;
        Ok(file)
    }
}

impl Refusal {
    /// Reads `ERROR 1045 (28000) at line 1: Access denied …`.
    fn parse(stderr: &str) -> Option<Self> {
        let line = stderr.lines().find_map(|line| line.strip_prefix("ERROR "))?;
        let (about, message) = line.split_once(": ")?;
        Some(Self { code: about.split(' ').next()?.parse().ok(), message: message.trim().to_owned() })
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.code {
            Some(code) => write!(f, "MySQL Error {code}: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

impl From<Refusal> for Failed {
    fn from(refusal: Refusal) -> Self {
        refusal.to_string().into()
    }
}

/// The client: newer hosts have it under `MariaDB`'s name alone.
fn program() -> &'static str {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let is_there = |name: &&str| std::env::split_paths(&path).any(|folder| folder.join(name).is_file());
    ["mysql", "mariadb"].into_iter().find(is_there).unwrap_or("mysql")
}

/// The rows that the client writes, with the names of their columns first.
pub(super) fn table(output: &str) -> Vec<Row> {
    let mut lines = output.lines().map(|line| line.split('\t').map(unescaped).collect::<Vec<_>>());
    let names = lines.next().unwrap_or_default();
    lines.map(|values| names.iter().cloned().zip(values).collect()).collect()
}

/// A text in SQL.
pub(super) fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('\'');
    for char in text.chars() {
        match char {
            '\\' => quoted.push_str("\\\\"),
            '\'' => quoted.push_str("\\'"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\0' => quoted.push_str("\\0"),
            '\u{1a}' => quoted.push_str("\\Z"),
            char => quoted.push(char),
        }
    }
    quoted.push('\'');
    quoted
}

/// The name of a database, table or column in SQL.
pub(super) fn identifier(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// An account in SQL.
pub(super) fn account(user: &str, host: &str) -> String {
    format!("{}@{}", quoted(user), quoted(host))
}

/// A value in an option file.
fn option_value(value: &str) -> String {
    let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n").replace('\r', "\\r");
    format!("\"{}\"", value.replace('\t', "\\t"))
}

/// A value as the client writes it.
fn unescaped(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    let mut chars = value.chars();
    while let Some(char) = chars.next() {
        match (char, char == '\\').1.then(|| chars.next()).flatten() {
            None => text.push(char),
            Some('n') => text.push('\n'),
            Some('t') => text.push('\t'),
            Some('0') => text.push('\0'),
            Some(other) => text.push(other),
        }
    }
    text
}

/// Whether a version is at least another one: `10.11.19-MariaDB` and `10.4`.
pub(super) fn is_at_least(version: &str, least: &[u32]) -> bool {
    let numbers = version.split(|char: char| !char.is_ascii_digit() && char != '.').next().unwrap_or_default();
    let numbers: Vec<u32> = numbers.split('.').map_while(|number| number.parse().ok()).collect();
    numbers.as_slice() >= least
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_said_as_the_library_says_it() {
        let stderr = "mysql: [Warning] something\nERROR 1064 (42000) at line 2: You have an error: near 'x'\n";
        let refusal = Refusal::parse(stderr).unwrap();
        assert_eq!(refusal.to_string(), "MySQL Error 1064: You have an error: near 'x'");
        assert_eq!(Refusal::parse("nothing"), None);
    }

    #[test]
    fn nothing_leaves_its_quotes() {
        assert_eq!(quoted("o'x\\\n"), r"'o\'x\\\n'");
        assert_eq!(identifier("a`b"), "`a``b`");
        assert_eq!(option_value("a\"b\\#c"), r#""a\"b\\#c""#);
        assert_eq!(unescaped(r"a\tb\\n"), "a\tb\\n");
    }

    #[test]
    fn versions_are_compared_by_their_numbers() {
        assert!(is_at_least("10.11.19-MariaDB-0+deb12u1", &[10, 4]));
        assert!(!is_at_least("10.3.39-MariaDB", &[10, 4]));
        assert!(is_at_least("8.0.11", &[8, 0, 11]) && !is_at_least("5.7.44-log", &[8, 0, 11]));
    }
}
