//! Encrypted values of a pillar: `#!yaml|gpg` as Salt has it, through the person's own gpg, and the same with their age.
//!
//! What was opened once is kept for the life of the process, since every host of a cloud has the same values.

use std::collections::HashMap;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use super::error::{Error, Kind, Result};
use super::{Data, Dict};
use crate::model::hash::Hash;

/// Names the file with the age identities.
const IDENTITY: &str = "UPSHIFT_AGE_IDENTITY";

/// Where they are otherwise, below the home of the person.
const IDENTITY_FILE: &str = ".config/upshift/age.txt";

/// How values are encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cipher {
    Gpg,
    Age,
}

static OPENED: LazyLock<Mutex<HashMap<Hash, Arc<str>>>> = LazyLock::new(Mutex::default);

impl Cipher {
    /// The renderer's name.
    pub(super) fn named(name: &str) -> Option<Self> {
        match name {
            "gpg" => Some(Self::Gpg),
            "age" => Some(Self::Age),
            _ => None,
        }
    }

    fn marks(self) -> (&'static str, &'static str) {
        match self {
            Self::Gpg => ("-----BEGIN PGP MESSAGE-----", "-----END PGP MESSAGE-----"),
            Self::Age => ("-----BEGIN AGE ENCRYPTED FILE-----", "-----END AGE ENCRYPTED FILE-----"),
        }
    }

    /// The data with every encrypted value opened.
    ///
    /// # Errors
    /// When one cannot be opened; what names it is its place, and never its content.
    pub(super) fn open(self, data: &Data) -> Result<Data> {
        Ok(match data {
            Data::Str(text) if text.contains(self.marks().0) => self.open_text(text)?.into(),
            Data::List(items) => items.iter().map(|item| self.open(item)).collect::<Result<Data>>()?,
            Data::Dict(dict) => {
                let mut opened = Dict { is_ordered: dict.is_ordered, ..Dict::default() };
                for (key, value) in &dict.entries {
                    let named = |error: Error| Error { message: format!("{}: {}", shown(key), error.message), ..error };
                    opened.entries.insert(key.clone(), self.open(value).map_err(named)?);
                }
                opened.into()
            }
            other => other.clone(),
        })
    }

    fn open_text(self, text: &str) -> Result<String> {
        let (begin, end) = self.marks();
        let mut opened = String::new();
        let mut rest = text;
        while let Some((before, found)) = rest.split_once(begin) {
            let Some((body, after)) = found.split_once(end) else { break };
            opened.push_str(before);
            // In a text between quotes, lines end in what YAML leaves as it is.
            let body = body.replace("\\n", "\n");
            opened.push_str(&self.one(&format!("{begin}{body}{end}\n"))?);
            rest = after;
        }
        opened.push_str(rest);
        // A value that is nothing but an encrypted one ends where that does, as in Salt.
        Ok(if rest.trim().is_empty() { opened.trim_end_matches('\n').to_owned() } else { opened })
    }

    fn one(self, message: &str) -> Result<Arc<str>> {
        let hash = Hash::of(message.as_bytes());
        let opened = || OPENED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(text) = opened().get(&hash) {
            return Ok(Arc::clone(text));
        }
        let text: Arc<str> = match self {
            Self::Gpg => gpg(message),
            Self::Age => age(message),
        }?
        .into();
        opened().insert(hash, Arc::clone(&text));
        Ok(text)
    }
}

/// The values of a pillar that came out of encrypted ones.
#[must_use]
pub fn opened_in(pillar: &Data) -> Vec<String> {
    let opened = OPENED.lock().unwrap_or_else(PoisonError::into_inner);
    let mut found = Vec::new();
    if !opened.is_empty() {
        find(pillar, &opened.values().collect::<Vec<_>>(), &mut found);
    }
    found
}

fn find(data: &Data, opened: &[&Arc<str>], found: &mut Vec<String>) {
    match data {
        Data::Str(text) => {
            let within = opened.iter().filter(|value| !value.trim().is_empty() && text.contains(value.trim_end()));
            found.extend(within.map(|value| value.trim_end().to_owned()));
        }
        Data::List(items) => items.iter().for_each(|item| find(item, opened, found)),
        Data::Dict(dict) => dict.entries.values().for_each(|value| find(value, opened, found)),
        _ => {}
    }
}

fn shown(key: &Data) -> String {
    key.as_str().map_or_else(|| format!("{key:?}"), str::to_owned)
}

fn cannot(why: impl std::fmt::Display) -> Error {
    Error::new(Kind::Template, format!("an encrypted value cannot be opened: {why}"))
}

/// Asks the person's gpg, with their agent and keys.
fn gpg(message: &str) -> Result<String> {
    let mut gpg = Command::new("gpg");
    gpg.args(["--batch", "--no-tty", "--quiet", "--decrypt"]);
    opened_by(gpg, message).map_err(|error| error.hint("`gpg --list-secret-keys` lists the keys that there are"))
}

/// Asks the person's age, with their identity.
fn age(message: &str) -> Result<String> {
    let home = || Some(PathBuf::from(std::env::var_os("HOME")?).join(IDENTITY_FILE));
    let identity = std::env::var_os(IDENTITY).map(PathBuf::from).or_else(home).unwrap_or_default();
    let mut age = Command::new("age");
    age.arg("--decrypt").arg("--identity").arg(identity);
    let hint = format!("`{IDENTITY}` names the file with the identity; otherwise it is `~/{IDENTITY_FILE}`");
    opened_by(age, message).map_err(|error| error.hint(hint))
}

/// What a program makes of a message.
fn opened_by(mut program: Command, message: &str) -> Result<String> {
    let name = program.get_program().to_string_lossy().into_owned();
    let mut child = program
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| cannot(format!("cannot start `{name}`: {error}")))?;
    if let Some(mut stdin) = child.stdin.take() {
        let message = message.to_owned();
        std::thread::spawn(move || stdin.write_all(message.as_bytes()));
    }
    let output = child.wait_with_output().map_err(cannot)?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let last = said.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("it gave no reason").to_owned();
        return Err(cannot(format!("`{name}`: {last}")));
    }
    String::from_utf8(output.stdout).map_err(|_| cannot("it is not text"))
}
