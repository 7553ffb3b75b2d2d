//! Folders of inventories, and the variables in `group_vars/` and `host_vars/` beside an inventory.

use camino::{Utf8Path, Utf8PathBuf};

use crate::config::inventory::ansible::data::{Data, Vars};
use crate::config::inventory::ansible::{encrypted, groups, is_encrypted};
use crate::config::source::Source;
use crate::config::yaml;
use crate::error::{Error, Result};

/// Files that Ansible does not take for inventories, by how their names end.
const IGNORED: [&str; 12] =
    [".pyc", ".pyo", ".swp", ".bak", "~", ".rpm", ".md", ".txt", ".rst", ".orig", ".cfg", ".retry"];

/// The names that a file of variables may end in, in the order in which they are looked for.
const ENDINGS: [&str; 4] = ["", ".yml", ".yaml", ".json"];

/// How deep folders are followed.
const MAX_DEPTH: usize = 16;

/// The most files in a folder of inventories or variables.
const MAX_FILES: usize = 10_000;

/// The inventories in a folder and those below it, in the order in which Ansible reads them.
pub(super) fn inventories(folder: &Utf8Path) -> Result<Vec<Utf8PathBuf>> {
    let mut files = Vec::new();
    walk(folder, 0, &mut files, &|name, _| {
        !name.starts_with('.')
            && !["host_vars", "group_vars", "vars_plugins"].contains(&name)
            && !IGNORED.iter().any(|ending| name.ends_with(ending))
    })?;
    Ok(files)
}

/// Reads what `group_vars/` and `host_vars/` in a folder say of groups and hosts.
pub(super) fn variables(folder: &Utf8Path, data: &mut Data) -> Result<()> {
    let below = folder.join("group_vars");
    if below.is_dir() {
        for (name, group) in &mut data.groups {
            group.files = vars_of(&below, name)?;
        }
    }
    let below = folder.join("host_vars");
    if below.is_dir() {
        for (name, host) in &mut data.hosts {
            host.files = vars_of(&below, name)?;
        }
    }
    Ok(())
}

/// What the files of that name say: one file, or all files in a folder.
fn vars_of(folder: &Utf8Path, name: &str) -> Result<Vars> {
    let mut vars = Vars::new();
    if name.contains(['/', '\0']) || name == ".." || name == "." {
        return Ok(vars);
    }
    let paths = ENDINGS.iter().map(|ending| folder.join(format!("{name}{ending}")));
    let Some(path) = paths.into_iter().find(|path| path.exists()) else { return Ok(vars) };
    let mut files = Vec::new();
    if path.is_dir() {
        walk(&path, 0, &mut files, &|name, is_folder| {
            let ending = Utf8Path::new(name).extension();
            let known = ending.is_none_or(|ending| !is_folder && ["yml", "yaml", "json"].contains(&ending));
            !name.starts_with('.') && !name.ends_with('~') && known
        })?;
    } else {
        files.push(path);
    }
    for file in files {
        read(&file, &mut vars)?;
    }
    Ok(vars)
}

/// Reads a file of variables over what is known so far.
fn read(file: &Utf8Path, vars: &mut Vars) -> Result<()> {
    let source = Source::read(file)?;
    if is_encrypted(source.text()) {
        return Err(encrypted(&source.place_at(1, 1), None));
    }
    let Some(node) = yaml::read(&source)?.filter(|node| !node.is_null()) else { return Ok(()) };
    let entries =
        node.map().ok_or_else(|| node.error(format!("wanted a mapping of variables, found {}", node.kind())))?;
    for entry in entries {
        vars.insert(entry.key.clone(), groups::given(entry)?);
    }
    Ok(())
}

/// Every file below a folder that is wanted, sorted by name within each folder.
fn walk(
    folder: &Utf8Path,
    depth: usize,
    files: &mut Vec<Utf8PathBuf>,
    wanted: &dyn Fn(&str, bool) -> bool,
) -> Result<()> {
    if depth > MAX_DEPTH {
        return Err(Error::usage(format!("{folder}: folders nested deeper than {MAX_DEPTH}")));
    }
    let mut paths = Vec::new();
    for entry in fs_err::read_dir(folder.as_std_path())? {
        let path = Utf8PathBuf::from_path_buf(entry?.path())
            .map_err(|path| Error::usage(format!("the name of `{}` is not UTF-8", path.display())))?;
        paths.push(path);
    }
    paths.sort();
    for path in paths {
        let is_folder = path.is_dir();
        if !path.file_name().is_some_and(|name| wanted(name, is_folder)) {
            continue;
        }
        if is_folder {
            walk(&path, depth + 1, files, wanted)?;
        } else if path.is_file() {
            files.push(path);
        }
        if files.len() > MAX_FILES {
            return Err(Error::usage(format!("{folder}: more than {MAX_FILES} files")));
        }
    }
    Ok(())
}
