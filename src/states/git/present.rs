//! `git.present`: a repository, with nothing in it when it is made.

use camino::Utf8Path;
use fs_err as fs;

use super::repository::Repository;
use super::sentences;
use crate::formula::{Data, Dict};
use crate::states::arguments::text;
use crate::states::{Call, Failed, Return};

pub(super) fn present(call: &Call<'_>) -> Result<Return, Failed> {
    let (args, name) = (call.args, call.args.name()?);
    let path = Utf8Path::new(&name);
    let repository = Repository::new(call, &name)?;
    let is_bare = args.flag("bare", true);
    let kind = if is_bare { "bare " } else { "" };
    let mut changes = Dict::default();
    if path.is_dir() {
        if if is_bare { path.join("HEAD").is_file() } else { repository.is_there() } {
            return Ok(Return::unchanged(""));
        }
        if args.flag("force", false) {
            changes.insert("forced init", true);
            if call.preview {
                changes.insert("new", name.as_str());
                let comment = format!(
                    "Target directory {name} exists. Since force=True, the contents of {name} would be deleted, and a \
                     {kind}repository would be initialized in its place."
                );
                return Ok(Return::would(changes, comment));
            }
            if path.is_symlink() { fs::remove_file(path)? } else { fs::remove_dir_all(path)? }
        } else if path.read_dir_utf8()?.next().is_some() {
            return Err(format!(
                "Target '{name}' exists, is non-empty, and is not a git repository. Set the 'force' option to True to \
                 remove this directory's contents and proceed with initializing a repository"
            )
            .into());
        }
    }
    changes.insert("new", name.as_str());
    if call.preview {
        return Ok(Return::would(changes, format!("New {kind}repository would be created")));
    }
    let mut arguments = vec!["init".to_owned()];
    if is_bare {
        arguments.push("--bare".to_owned());
    }
    for (key, option) in [("template", "--template"), ("separate_git_dir", "--separate-git-dir")] {
        arguments.extend(args.text(key)?.map(|value| format!("{option}={value}")));
    }
    arguments.extend(args.get("shared").map(|shared| match shared {
        Data::Int(mode) => format!("--shared=0{mode}"),
        shared => format!("--shared={}", text(shared).unwrap_or_default().to_lowercase()),
    }));
    arguments.push(name.clone());
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    repository.git(&arguments)?;
    let mut actions = vec![format!("Initialized {kind}repository in {name}")];
    actions.extend(args.text("template")?.map(|template| format!("Template directory set to {template}")));
    actions.extend(args.text("separate_git_dir")?.map(|folder| format!("Gitdir set to {folder}")));
    Ok(Return::changed(changes, sentences(&actions)))
}
