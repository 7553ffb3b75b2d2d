//! Repositories of `dnf` and `yum`: sections of `/etc/yum.repos.d/*.repo`.

use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use fs_err as fs;
use indexmap::IndexMap;

use super::warning;
use crate::formula::{Data, Dict};
use crate::states::arguments::{EVERY_STATE, text};
use crate::states::disk::{self, Attributes};
use crate::states::pkg::{Manager, is_true};
use crate::states::returns::{dict, old_new};
use crate::states::{Args, Call, Failed, Return};

/// Where the files are; the first folder that is there gets the new ones.
const FOLDERS: [&str; 2] = ["/etc/yum/repos.d", "/etc/yum.repos.d"];

/// Arguments that say nothing of the repository itself, besides those of every state.
const OTHERS: &[&str] = &[
    "name",
    "humanname",
    "disabled",
    "enabled",
    "state",
    "fun",
    "order",
    "refresh",
    "refresh_db",
    "aptkey",
    "allow_insecure_key",
    "clean_file",
    "consolidate",
    "file",
    "key_url",
    "comments",
    "ppa",
    "copr",
];

/// The settings of one repository.
type Settings = IndexMap<String, String>;

/// A file: what stands before the first section, and the sections with their comments.
#[derive(Debug, Default, PartialEq, Eq)]
struct File {
    header: String,
    sections: IndexMap<String, (Settings, Vec<String>)>,
}

impl File {
    fn parse(content: &str) -> Self {
        let mut file = Self::default();
        for line in content.lines() {
            let trimmed = line.trim();
            let last = file.sections.last_mut().map(|(_, section)| section);
            if let Some(name) = trimmed.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                file.sections.insert(name.to_owned(), Default::default());
            } else if let Some(comment) = trimmed.strip_prefix('#') {
                match last {
                    Some((_, comments)) => comments.push(comment.trim().to_owned()),
                    None => file.header.extend([trimmed, "\n"]),
                }
            } else if let Some((settings, _)) = last.filter(|_| !trimmed.is_empty()) {
                match trimmed.split_once('=').filter(|_| !line.starts_with([' ', '\t'])) {
                    Some((key, value)) => {
                        settings.insert(key.trim().to_lowercase(), value.trim().to_owned());
                    }
                    // A value that goes on.
                    None => {
                        if let Some((_, value)) = settings.last_mut() {
                            value.extend(["\n", trimmed]);
                        }
                    }
                }
            }
        }
        file
    }

    fn text(&self) -> String {
        let mut text = self.header.clone();
        for (name, (settings, comments)) in &self.sections {
            text.extend(["[", name, "]\n"]);
            for (key, value) in settings {
                text.extend([key, "=", &value.replace('\n', "\n "), "\n"]);
            }
            for comment in comments {
                text.extend(["# ", comment, "\n"]);
            }
            text.push('\n');
        }
        text
    }
}

/// The file that has a repository.
fn find(name: &str) -> Result<Option<(Utf8PathBuf, File)>, Failed> {
    for folder in FOLDERS {
        for entry in Utf8Path::new(folder).read_dir_utf8().into_iter().flatten().flatten() {
            if entry.path().extension() == Some("repo") {
                let file = File::parse(&fs::read_to_string(entry.path())?);
                if file.sections.contains_key(name) {
                    return Ok(Some((entry.into_path(), file)));
                }
            }
        }
    }
    Ok(None)
}

pub(super) fn managed(call: &Call<'_>, manager: Manager<'_>, is_disabled: bool) -> Result<Return, Failed> {
    let name = call.args.name()?;
    let wanted = wanted(call.args, &name, is_disabled)?;
    let comments = comments(call.args);
    let found = find(&name)?;
    let before = found.as_ref().and_then(|(_, file)| file.sections.get(&name)).cloned();
    let is_right = |(settings, said): &(Settings, Vec<String>)| {
        wanted.iter().all(|(key, value)| has(settings, key, value)) && comments.as_ref().is_none_or(|it| it == said)
    };
    if before.as_ref().is_some_and(is_right) {
        return Ok(Return::unchanged(format!("Package repo '{name}' already configured")));
    }
    let changes = changes(before.as_ref().map(|(settings, _)| settings), &wanted, &name);
    if call.preview {
        return Ok(Return::would(changes, warning(&name, "would be configured")));
    }
    let wrong = |what: &str| Failed::from(format!("Failed to configure repo '{name}': {what}"));
    let (path, mut file) = if let Some(found) = found {
        found
    } else {
        let folder = FOLDERS.into_iter().find(|folder| Utf8Path::new(folder).exists());
        let folder = folder.ok_or_else(|| wrong("there is neither /etc/yum/repos.d nor /etc/yum.repos.d"))?;
        if !wanted.contains_key("baseurl") && !wanted.contains_key("mirrorlist") {
            return Err(wrong(
                "The repo does not exist and needs to be created, but either a baseurl or a mirrorlist needs to be given",
            ));
        }
        (format!("{folder}/{name}.repo").into(), File::default())
    };
    let (settings, said) = file.sections.entry(name.clone()).or_default();
    for (one, other) in [("baseurl", "mirrorlist"), ("mirrorlist", "baseurl")] {
        if wanted.contains_key(one) {
            settings.shift_remove(other);
        }
    }
    settings.extend(wanted);
    *said = comments.unwrap_or_else(|| std::mem::take(said));
    disk::replace(&path, file.text().as_bytes(), Attributes::default())?;
    let refresh = call.args.chunk().get("refresh_db").or(call.args.chunk().get("refresh"));
    if refresh.is_some_and(Data::is_true) {
        manager.refresh(Duration::ZERO).map_err(|failed| failed.after(changes.clone()))?;
    }
    Ok(Return::changed(changes, format!("Configured package repo '{name}'")))
}

/// The settings that a state asks for: whatever it says that means nothing else.
fn wanted(args: Args<'_>, name: &str, is_disabled: bool) -> Result<Settings, Failed> {
    let mut settings = Settings::new();
    for (key, value) in &args.chunk().entries {
        let Some(key) = key.as_str().filter(|key| !OTHERS.contains(key) && !key.starts_with("__")) else { continue };
        let value = match value {
            Data::Bool(value) => i32::from(*value).to_string(),
            Data::List(items) => items.iter().filter_map(text).collect::<Vec<_>>().join(" "),
            value => text(value).ok_or_else(|| format!("`{key}` has to be text"))?,
        };
        if !EVERY_STATE.contains(&key) {
            settings.insert(key.to_owned(), value);
        }
    }
    if settings.contains_key("baseurl") && settings.contains_key("mirrorlist") {
        return Err(format!(
            "Failed to configure repo '{name}': Only one of 'mirrorlist' and 'baseurl' can be specified"
        )
        .into());
    }
    settings.insert("name".to_owned(), args.text("humanname")?.unwrap_or_else(|| name.to_owned()));
    settings.insert("enabled".to_owned(), i32::from(!is_disabled).to_string());
    Ok(settings)
}

fn comments(args: Args<'_>) -> Option<Vec<String>> {
    let comments = match args.get("comments")? {
        Data::List(items) => items.iter().filter_map(text).collect(),
        single => text(single).into_iter().collect::<Vec<_>>(),
    };
    Some(comments.iter().map(|comment| comment.trim_start_matches('#').trim().to_owned()).collect())
}

/// Whether a setting is as wanted; a repository is enabled if it does not say otherwise.
fn has(settings: &Settings, key: &str, value: &str) -> bool {
    let switches = ["enabled", "gpgcheck", "repo_gpgcheck", "sslverify", "skip_if_unavailable"];
    match settings.get(key) {
        None => key == "enabled" && value == "1",
        Some(there) if switches.contains(&key) => is_true(&there.as_str().into()) == is_true(&value.into()),
        Some(there) => there == value,
    }
}

fn changes(before: Option<&Settings>, wanted: &Settings, name: &str) -> Dict {
    let Some(before) = before else { return dict([("repo", name.into())]) };
    let different = wanted.iter().filter(|(key, value)| !has(before, key, value));
    let old = |key: &str| before.get(key).map_or(Data::None, |old| old.as_str().into());
    different.map(|(key, value)| (key.as_str().into(), old_new(old(key), value.as_str()))).collect()
}

pub(super) fn absent(call: &Call<'_>) -> Result<Return, Failed> {
    let name = call.args.name()?;
    if call.args.get("keyid").is_some() {
        return Err("Repo key management is not implemented for this platform".into());
    }
    let Some((path, mut file)) = find(&name)? else {
        return Ok(Return::unchanged(format!("Package repo {name} is absent")));
    };
    if call.preview {
        return Ok(Return::would(Dict::default(), warning(&name, "will be removed")));
    }
    file.sections.shift_remove(&name);
    if file.sections.is_empty() {
        disk::remove_if_there(&path)?;
    } else {
        disk::replace(&path, file.text().as_bytes(), Attributes::default())?;
    }
    Ok(Return::changed(dict([("repo", name.as_str().into())]), format!("Removed repo {name}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str =
        "# mine\n[one]\nname=One\nbaseurl=https://a\n https://b\ngpgcheck=1\n# said\n\n[two]\nname=Two\n\n";

    #[test]
    fn a_file_is_read_and_written() {
        let file = File::parse(FILE);
        assert_eq!(file.text(), FILE);
        let (settings, comments) = &file.sections["one"];
        assert_eq!(settings["baseurl"], "https://a\nhttps://b");
        assert_eq!(comments, &["said"]);
    }

    #[test]
    fn a_switch_is_the_same_however_it_is_written() {
        let file = File::parse(FILE);
        let (settings, _) = &file.sections["one"];
        assert!(has(settings, "gpgcheck", "1") && has(settings, "gpgcheck", "true") && !has(settings, "gpgcheck", "0"));
        assert!(has(settings, "enabled", "1") && !has(settings, "enabled", "0"));
    }

    #[test]
    fn settings_are_what_means_nothing_else() {
        let mut chunk = Dict::default();
        for (key, value) in [("name", "one"), ("humanname", "One"), ("baseurl", "https://a"), ("require", "x")] {
            chunk.insert(key, value);
        }
        chunk.insert("gpgcheck", true);
        let settings = wanted(Args::new(&chunk), "one", false).unwrap();
        let lines: Vec<String> = settings.iter().map(|(key, value)| format!("{key}={value}")).collect();
        assert_eq!(lines, ["baseurl=https://a", "gpgcheck=1", "name=One", "enabled=1"]);
    }
}
