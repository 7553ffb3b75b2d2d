//! Repositories of `apt`: lines of `sources.list(5)`.

use std::time::Duration;

use camino::Utf8Path;

use super::entry::Entry;
use super::sources::Sources;
use super::{keys, warning};
use crate::formula::{Data, Dict};
use crate::states::arguments::text;
use crate::states::pkg::{Manager, is_there};
use crate::states::returns::{dict, old_new};
use crate::states::{Args, Call, Failed, Return};

const FOLDER: &str = "/etc/apt";

pub(super) fn managed(call: &Call<'_>, manager: Manager<'_>, is_disabled: bool) -> Result<Return, Failed> {
    let name = call.args.name()?;
    let wanted = wanted(call.args, &name, is_disabled)?;
    let mut sources = Sources::read(Utf8Path::new(FOLDER))?;
    let file = call.args.text("file")?;
    let file = file.as_deref().map(Utf8Path::new);
    let clean = file.filter(|_| call.args.flag("clean_file", false));
    let before = sources.find(&wanted).map(|(_, entry)| entry.clone());
    let is_unclean = clean.is_some_and(|file| sources.has_others(file, &name));
    if let Some(there) = before.as_ref().filter(|_| !is_unclean) {
        let has_comment = !call.args.chunk().has("comments") || there.comment == wanted.comment;
        if there.is_as(&wanted) && has_comment {
            return Ok(Return::unchanged(format!("Package repo '{name}' already configured")));
        }
    }
    if call.preview {
        return Ok(Return::would(changes(before.as_ref(), &wanted, &name), warning(&name, "would be configured")));
    }
    let failed = |failed: Failed| Failed::from(format!("Failed to configure repo '{name}': {}", failed.comment));
    let has_apt_key = call.args.flag("aptkey", true) && is_there("apt-key");
    keys::add(call.host, call.args, wanted.signed_by(), has_apt_key).map_err(failed)?;
    if let Some(file) = clean {
        sources.clear(file)?;
    }
    if call.args.flag("consolidate", false) {
        sources.consolidate();
    }
    let at = sources.find_to_change(&wanted);
    sources.put(wanted.clone(), at, file)?;
    sources.save()?;
    let changes = changes(before.as_ref(), &wanted, &name);
    let refresh = call.args.chunk().get("refresh_db").or(call.args.chunk().get("refresh"));
    if refresh.is_none_or(Data::is_true) {
        manager.refresh(Duration::ZERO).map_err(|error| failed(error).after(changes.clone()))?;
    }
    Ok(Return::changed(changes, format!("Configured package repo '{name}'")))
}

/// The entry that a state asks for.
fn wanted(args: Args<'_>, name: &str, is_disabled: bool) -> Result<Entry, Failed> {
    let mut wanted = Entry::parse(name).ok_or_else(|| {
        let what = "is not valid. This must be the complete repo entry as seen in the sources file";
        Failed::from(format!("Failed to configure repo '{name}': Name {name} {what}"))
    })?;
    wanted.is_disabled = is_disabled;
    if let Some(release) = args.text("dist")? {
        wanted.release = release;
    }
    if args.get("comps").is_some() {
        wanted.components = list(args, "comps")?;
    }
    if args.get("architectures").is_some() {
        wanted.set_option("arch", &list(args, "architectures")?.join(","));
    }
    if let Some(path) = args.text("signedby")?.filter(|path| !path.is_empty()) {
        wanted.set_option("signed-by", &path);
    }
    if let Some(comments) = args.get("comments") {
        let comments = match comments {
            Data::List(items) => items.iter().filter_map(text).collect::<Vec<_>>().join(" "),
            single => text(single).unwrap_or_default(),
        };
        comments.trim().clone_into(&mut wanted.comment);
    }
    Ok(wanted)
}

/// What is written with commas between, or as a list.
fn list(args: Args<'_>, key: &str) -> Result<Vec<String>, Failed> {
    let all = args.texts(key)?.join(",");
    Ok(all.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect())
}

/// What is different afterwards.
fn changes(before: Option<&Entry>, now: &Entry, name: &str) -> Dict {
    let Some(before) = before else { return dict([("repo", name.into())]) };
    let (old, new) = (before.facts(), now.facts());
    let different = new.entries.into_iter().filter(|(key, value)| old.entries.get(key) != Some(value));
    different
        .map(|(key, value)| (key.clone(), old_new(old.entries.get(&key).cloned().unwrap_or_default(), value)))
        .collect()
}

pub(super) fn absent(call: &Call<'_>, manager: Manager<'_>) -> Result<Return, Failed> {
    let name = call.args.name()?;
    let unwanted = Entry::parse(&name);
    let mut sources = Sources::read(Utf8Path::new(FOLDER))?;
    let there = unwanted.as_ref().and_then(|unwanted| {
        let mut architectures = unwanted.architectures();
        architectures.sort_unstable();
        sources.find(unwanted).map(|(_, entry)| entry).filter(|entry| {
            let mut others = entry.architectures();
            others.sort_unstable();
            others == architectures
        })
    });
    let (Some(unwanted), Some(_)) = (&unwanted, there) else {
        return Ok(Return::unchanged(format!("Package repo {name} is absent")));
    };
    if call.preview {
        return Ok(Return::would(Dict::default(), warning(&name, "will be removed")));
    }
    sources.take_out(unwanted);
    sources.save()?;
    let mut changes = dict([("repo", name.as_str().into())]);
    let refreshed = manager.refresh(Duration::ZERO);
    let mut comment = format!("Removed repo {name}");
    let ids = call.args.texts("keyid")?;
    if !ids.is_empty() {
        let has_apt_key = call.args.flag("aptkey", true) && is_there("apt-key");
        let folder = call.args.text("keydir")?;
        for id in &ids {
            let removed = keys::remove(id, folder.as_deref(), has_apt_key);
            removed.map_err(|failed| Failed {
                comment: format!("{comment}, but failed to remove key: {}", failed.comment),
                changes: changes.clone(),
            })?;
        }
        let ids = ids.join(", ");
        changes.insert("keyid", ids.as_str());
        comment = format!("{comment}, and keyid {ids}");
    }
    refreshed.map_err(|failed| failed.after(changes.clone()))?;
    Ok(Return::changed(changes, comment))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str, said: &[(&str, &str)]) -> Result<String, Failed> {
        let mut chunk = Dict::default();
        for (key, value) in said {
            chunk.insert(*key, *value);
        }
        wanted(Args::new(&chunk), name, false).map(|entry| entry.line())
    }

    #[test]
    fn arguments_count_more_than_the_name() {
        let line =
            entry("deb http://host stable main", &[("comps", "main, contrib"), ("architectures", "amd64,arm64")]);
        assert_eq!(line.as_deref(), Ok("deb [arch=amd64,arm64] http://host stable main contrib"));
        let line = entry(
            "deb [arch=i386 trusted=yes] http://host stable main",
            &[("dist", "sid"), ("architectures", "amd64")],
        );
        assert_eq!(line.as_deref(), Ok("deb [arch=amd64 trusted=yes] http://host sid main"));
        assert!(entry("http://host stable main", &[]).is_err());
    }

    #[test]
    fn changes_are_what_is_different() {
        let (old, new) = (Entry::parse("deb http://a stable main"), Entry::parse("deb http://a stable main contrib"));
        let changes = changes(old.as_ref(), new.as_ref().unwrap(), "name");
        let keys: Vec<_> = changes.entries.keys().filter_map(Data::as_str).collect();
        assert_eq!(keys, ["comps", "line"]);
    }
}
