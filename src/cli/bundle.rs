//! `upshift bundle`: all that is kept of a run in one archive for the post-mortem, without anything that looks like a secret.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use camino::{Utf8Path, Utf8PathBuf};
use flate2::Compression;
use flate2::write::GzEncoder;
use fs_err::os::unix::fs::OpenOptionsExt as _;
use regex::{Captures, Regex};

use super::project;
use crate::error::{Error, Exit, Result};
use crate::journal::Run;
use crate::model::secrets::{HIDDEN, Secrets};

/// What a run keeps for people: everything but the locks, sockets and spools of its steps.
const KEPT: [&str; 6] = ["journal.jsonl", "plan.json", "events.jsonl", "report.html", "hosts", "probes"];

/// `password: x`, `"OS_PASSWORD":"x"`, `--token=x`.
static NAMED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let name = r"(?i)[\w-]*(?:pass(?:word|wd|phrase)?|secret|token|api[-_]?key|private[-_]?key|credential)[\w-]*";
    Regex::new(&format!(r#"({name}\\?["']?\s*[:=]\s*)(\\?"(?:[^"\\]|\\[^"])*\\?"|'[^']*'|[^\s,;}}"'\\]+)"#)).ok()
});

/// `https://user:password@host`.
static ADDRESS: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"([a-z][a-z0-9+.-]*://)[^\s/@]+@").ok());

/// A private key, in a file or as a JSON string.
static KEY: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(?s)-----BEGIN [A-Z ]*PRIVATE KEY-----.*?-----END [A-Z ]*PRIVATE KEY-----").ok());

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Values that stand beside a name such as password, secret, token or key, passwords in addresses, and private keys are
replaced by ******, wherever they turn up. Look through it nevertheless before it leaves the house.")]
pub(super) struct Bundle {
    /// The run; the newest when it is left out
    run: Option<String>,
    /// The archive; RUN.tar.gz here when it is not given
    #[arg(short, long, value_name = "FILE")]
    output: Option<Utf8PathBuf>,
}

impl Bundle {
    pub(super) fn main(self) -> Result<Exit> {
        let run = project::runs().find(self.run.as_deref())?;
        let file = self.output.unwrap_or_else(|| format!("{}.tar.gz", run.id).into());
        let texts = texts(&run)?;
        let secrets: BTreeSet<String> = texts.iter().flat_map(|(_, text)| named(text)).collect();
        let secrets = Secrets::new(secrets.iter().map(String::as_str));
        let part = file.with_extension("part");
        let archive = fs_err::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&part)?;
        let mut archive = tar::Builder::new(GzEncoder::new(archive, Compression::default()));
        for (name, text) in &texts {
            append(&mut archive, &format!("{}/{name}", run.id), redacted(&secrets, text).as_bytes())?;
        }
        archive.into_inner()?.finish()?.sync_all()?;
        fs_err::rename(&part, &file)?;
        super::print(&format!("{file}: {} files of run {}\n", texts.len(), run.id))?;
        Ok(Exit::Done)
    }
}

/// The texts of a run by their path in its folder, its report among them.
fn texts(run: &Run) -> Result<Vec<(String, String)>> {
    let timing = super::report::timing(run, &run.read()?, crate::engine::clock::real_now())?;
    let mut texts = vec![("report.txt".to_owned(), crate::report::text::render(&timing))];
    for kept in KEPT {
        let path = run.folder.join(kept);
        if path.is_dir() {
            for entry in path.read_dir_utf8()? {
                add(entry?.path(), &run.folder, &mut texts)?;
            }
        } else if path.exists() {
            add(&path, &run.folder, &mut texts)?;
        }
    }
    texts.sort();
    Ok(texts)
}

fn add(path: &Utf8Path, folder: &Utf8Path, texts: &mut Vec<(String, String)>) -> Result<()> {
    let name = path.strip_prefix(folder).map_err(|_| Error::new(Exit::Bug, format!("{path} is not in {folder}")))?;
    texts.push((name.to_string(), String::from_utf8_lossy(&fs_err::read(path)?).into_owned()));
    Ok(())
}

fn append(archive: &mut tar::Builder<impl std::io::Write>, name: &str, bytes: &[u8]) -> Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_size(bytes.len() as u64);
    header.set_mode(0o600);
    header.set_mtime(crate::engine::clock::real_now().as_second().unsigned_abs());
    Ok(archive.append_data(&mut header, name, bytes)?)
}

/// The values in a text that stand beside the name of a secret.
fn named(text: &str) -> Vec<String> {
    let Some(pattern) = &*NAMED else { return Vec::new() };
    let value = |found: Captures<'_>| found[2].trim_matches(['"', '\'', '\\']).to_owned();
    pattern.captures_iter(text).map(value).filter(|value| value.len() > 5 && !is_word(value)).collect()
}

/// What stands beside such a name and is no secret.
fn is_word(value: &str) -> bool {
    value.starts_with("{{") || value.starts_with('$') || value.chars().all(|c| c == '*')
}

fn redacted(secrets: &Secrets, text: &str) -> String {
    let text = secrets.redact(text);
    let apply = |pattern: &Option<Regex>, text: &str, with: &str| match pattern {
        Some(pattern) => pattern.replace_all(text, with).into_owned(),
        None => HIDDEN.to_owned(),
    };
    let text = apply(&KEY, &text, HIDDEN);
    let text = apply(&ADDRESS, &text, &format!("${{1}}{HIDDEN}@"));
    apply(&NAMED, &text, &format!("${{1}}\"{HIDDEN}\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_secret_by_its_name_is_nowhere() {
        let texts = [
            r#"{"env":{"OS_PASSWORD":"hunter2-and-more","OS_USER":"admin"}}"#,
            "mysql --password=hunter2-and-more\nlogin with hunter2-and-more\n",
            "git clone https://ops:hunter2-and-more@git.example.net/x",
            "-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----",
        ];
        let secrets: Vec<String> = texts.iter().flat_map(|text| named(text)).collect();
        let secrets = Secrets::new(secrets.iter().map(String::as_str));
        let all = texts.map(|text| redacted(&secrets, text)).join("\n");
        assert!(!all.contains("hunter2") && !all.contains("AAAA"), "{all}");
        assert!(all.contains("OS_USER\":\"admin\"") && all.contains("https://******@git.example.net/x"), "{all}");
    }
}
