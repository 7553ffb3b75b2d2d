//! Whether any connection may go through a jump host, read from the person's `ssh_config`.
//!
//! Asking `ssh -G` is sure, and costs a third of a connection for every host. Where no file that ssh
//! reads has the word at all, nobody needs to be asked; whatever is in doubt counts as yes.

use std::io;

use camino::{Utf8Path, Utf8PathBuf};

use crate::model::inventory::Ssh;

/// Files that include each other are followed so deep, as ssh does (`ssh_config(5)`, `Include`).
const DEPTH: u32 = 16;

/// Whether the settings of connections may name a jump host.
pub(super) fn are_possible(settings: &Ssh) -> bool {
    if let Some(file) = &settings.config {
        return mentions(file, DEPTH);
    }
    // ssh goes by the password database: where HOME is another folder and this is wrong, too many
    // connections at once are turned away by the jump host, and tried again.
    let home = std::env::var("HOME").ok().filter(|home| home.starts_with('/'));
    let own = home.map(|home| Utf8PathBuf::from(home).join(".ssh/config"));
    own.is_none_or(|own| mentions(&own, DEPTH)) || mentions("/etc/ssh/ssh_config".into(), DEPTH)
}

/// Whether an option, or a line of a file, is about jump hosts.
pub(super) fn is_about(text: &str) -> bool {
    text.to_ascii_lowercase().contains("proxy")
}

fn mentions(file: &Utf8Path, depth: u32) -> bool {
    match std::fs::read_to_string(file) {
        Ok(text) => text.lines().any(|line| is_about(line) || includes(line, depth)),
        Err(error) => error.kind() != io::ErrorKind::NotFound,
    }
}

/// Whether a line includes files that may be about jump hosts. All files of a folder stand for a
/// pattern in it.
fn includes(line: &str, depth: u32) -> bool {
    let line = line.trim_start();
    let Some(patterns) = line.get(..7).filter(|word| word.eq_ignore_ascii_case("include")).map(|_| &line[7..]) else {
        return line.get(..8).is_some_and(|word| word.eq_ignore_ascii_case("\"include"));
    };
    patterns.split([' ', '\t', '=', '"']).filter(|pattern| !pattern.is_empty()).any(|pattern| {
        let folder = Utf8Path::new(pattern).parent().filter(|folder| folder.is_absolute() && depth > 0);
        let Some(folder) = folder.filter(|folder| !folder.as_str().contains(['*', '?', '[', '%', '$'])) else {
            return true;
        };
        match folder.read_dir_utf8() {
            Ok(entries) => entries.into_iter().any(|entry| entry.is_ok_and(|entry| mentions(entry.path(), depth - 1))),
            Err(error) => error.kind() != io::ErrorKind::NotFound,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_jump_host_is_found_wherever_it_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let folder = Utf8Path::from_path(folder.path()).unwrap();
        let mentions = |text: &str| {
            fs_err::write(folder.join("config"), text).unwrap();
            super::mentions(&folder.join("config"), DEPTH)
        };
        fs_err::create_dir_all(folder.join("d/e")).unwrap();
        fs_err::write(folder.join("d/e/f"), "Host a\n  User b\n").unwrap();
        assert!(!mentions("Host a\n  User b\n# Includes nothing\n"));
        assert!(!mentions(&format!("Include {folder}/d/e/*.conf {folder}/none/*\n")));
        for text in
            ["Host a\n proxyJump b\n", "ProxyCommand=nc %h", "include ~/.ssh/more", "\tInclude=more", "\"Include\" x"]
        {
            assert!(mentions(text), "{text}");
        }
        fs_err::write(folder.join("d/e/f"), format!("Include {folder}/d/e/f\n  ProxyJump b\n")).unwrap();
        assert!(mentions(&format!("Include \"{folder}/d/e/*\"\n")));
        assert!(!super::mentions(&folder.join("absent"), DEPTH));
    }
}
