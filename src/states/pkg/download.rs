//! `pkg.downloaded`: packages are in `apt`'s cache, whether they are installed or not.

use std::collections::BTreeMap;

use super::latest;
use super::manager::{How, Kind, Manager, Options, Target, What, is_true, problem};
use super::version::Conditions;
use super::wanted::{self, Wanted};
use crate::formula::{Data, Dict};
use crate::states::{Call, Failed, Return};

const CACHE: &str = "/var/cache/apt/archives";

pub(super) fn downloaded(call: &Call<'_>) -> Result<Return, Failed> {
    if wanted::is_empty_list(call.args) {
        return Ok(Return::unchanged("No packages to download provided"));
    }
    let manager = Manager::of(call.host)?;
    if manager.kind != Kind::Apt {
        return Err("upshift has `pkg.downloaded` for hosts with apt only".into());
    }
    let wanted = wanted::packages_or_name(call.args)?;
    let has_versions = wanted.iter().any(|wanted| wanted.version.is_some());
    let comparison = manager.comparison(call.args.get("ignore_epoch").map(Data::is_true));
    let missing = || {
        let cached = cached(std::fs::read_dir(CACHE));
        let is_missing = |wanted: &&Wanted| {
            let there = cached.get(&wanted.name).map(Vec::as_slice).unwrap_or_default();
            let Some(version) = &wanted.version else { return there.is_empty() };
            let conditions = Conditions::parse(version);
            !there.iter().any(|version| conditions.hold(version, comparison, false))
        };
        wanted.iter().filter(is_missing).collect::<Vec<_>>()
    };
    let targets = missing();
    if targets.is_empty() {
        let versions = if has_versions { " (matching specified versions)" } else { "" };
        return Ok(Return::unchanged(format!("All specified packages{versions} are already downloaded")));
    }
    let names = targets.iter().map(|wanted| wanted.name.as_str()).collect::<Vec<_>>().join(", ");
    if call.preview {
        return Ok(Return::would(Dict::default(), format!("The following packages would be downloaded: {names}")));
    }
    if call.args.get("refresh").is_some_and(is_true) {
        manager.refresh(latest::valid_time(call.args)?)?;
    }
    let options = Options { download_only: true, ..Options::read(call.args)? };
    let target = |wanted: &&Wanted| Target {
        name: wanted.name.clone(),
        what: wanted.version.clone().map_or(What::Best, What::Version),
        how: How::Forward,
    };
    let errors = manager.install(&targets.iter().map(target).collect::<Vec<_>>(), &options)?;
    if !errors.is_empty() {
        return Err(problem("Problem encountered installing package(s)", &errors));
    }
    let failed = missing();
    if !failed.is_empty() {
        let labels = failed.iter().map(|wanted| wanted.label()).collect::<Vec<_>>().join(", ");
        return Err(format!("The following packages failed to download: {labels}").into());
    }
    Ok(Return::changed(Dict::default(), format!("Packages downloaded: {names}")))
}

/// The packages in the cache, with their versions: `NAME_VERSION_ARCHITECTURE.deb`, a colon being `%3a`.
fn cached(entries: std::io::Result<std::fs::ReadDir>) -> BTreeMap<String, Vec<String>> {
    let mut cached: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for entry in entries.into_iter().flatten().flatten() {
        let file = entry.file_name().to_string_lossy().into_owned();
        let mut parts = file.strip_suffix(".deb").unwrap_or_default().split('_');
        if let (Some(name), Some(version), Some(_)) = (parts.next(), parts.next(), parts.next()) {
            cached.entry(name.to_owned()).or_default().push(version.replace("%3a", ":"));
        }
    }
    cached
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_of_cached_files_have_name_and_version() {
        let folder = tempfile::tempdir().unwrap();
        for file in ["zsh_1%3a5.8-3_amd64.deb", "lock", "partial.deb"] {
            std::fs::write(folder.path().join(file), "").unwrap();
        }
        let cached: Vec<_> = cached(std::fs::read_dir(folder.path())).into_iter().collect();
        assert_eq!(cached, [("zsh".to_owned(), vec!["1:5.8-3".to_owned()])]);
    }
}
