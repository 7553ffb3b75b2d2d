//! The packages that a state is about: `name` and `version`, `pkgs` or `sources`.

use super::manager::{Kind, Manager};
use super::{apt, yum};
use crate::formula::Data;
use crate::states::arguments::text;
use crate::states::{Args, Failed};

/// A package that is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) name: String,
    /// The version or the conditions for it, if it is not any.
    pub(super) version: Option<String>,
}

impl Wanted {
    /// How Salt names it where it says what it has done.
    pub(super) fn label(&self) -> String {
        match self.version.as_deref().unwrap_or_default() {
            "" => self.name.clone(),
            version if version.starts_with(['<', '>', '=']) => format!("{}{version}", self.name),
            version => format!("{}={version}", self.name),
        }
    }
}

/// The packages of `pkgs`; `None` if it is not given or empty. A name comes once.
pub(super) fn packages(args: Args<'_>) -> Result<Option<Vec<Wanted>>, Failed> {
    let Some(pkgs) = args.get("pkgs").filter(|pkgs| pkgs.is_true()) else { return Ok(None) };
    let invalid = || Failed::from("Invalidly formatted 'pkgs' parameter. See minion log.");
    let items = pkgs.as_list().ok_or_else(invalid)?;
    let mut wanted: Vec<Wanted> = Vec::new();
    for item in items {
        let (name, version) = match item {
            Data::Dict(dict) => dict.only().ok_or_else(invalid)?,
            name => (name, &Data::None),
        };
        let version = match version {
            Data::None => None,
            version => Some(text(version).ok_or_else(invalid)?),
        };
        let name = text(name).filter(|_| !matches!(name, Data::None)).ok_or_else(invalid)?;
        if wanted.iter().any(|other| other.name == name) {
            return Err(format!(
                "You are passing a list of packages that contains duplicated packages names: {name}. This cannot be processed. \
                 In case you are targeting different versions of the same package, please target them individually"
            )
            .into());
        }
        wanted.push(Wanted { name, version });
    }
    Ok(Some(wanted))
}

/// The packages of `pkgs`, or the one that `name` and `version` mean.
pub(super) fn packages_or_name(args: Args<'_>) -> Result<Vec<Wanted>, Failed> {
    if let Some(wanted) = packages(args)? {
        return Ok(wanted);
    }
    let version = args.text("version")?.filter(|version| !version.is_empty());
    Ok(vec![Wanted { name: args.name()?, version }])
}

/// Whether `pkgs` is a list with nothing in it.
pub(super) fn is_empty_list(args: Args<'_>) -> bool {
    args.get("pkgs").and_then(Data::as_list).is_some_and(<[Data]>::is_empty)
}

/// A package that comes from a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Source {
    pub(super) name: String,
    /// `salt://…`, `https://…` or a path.
    pub(super) from: String,
}

/// The packages of `sources`; `None` if it is not given or empty.
pub(super) fn sources(args: Args<'_>) -> Result<Option<Vec<Source>>, Failed> {
    let Some(sources) = args.get("sources").filter(|sources| sources.is_true()) else { return Ok(None) };
    let source = |item: &Data| {
        let (name, from) = item.as_dict()?.only()?;
        Some(Source { name: text(name)?, from: text(from)? })
    };
    let all = sources.as_list().and_then(|items| items.iter().map(source).collect());
    all.map(Some).ok_or_else(|| "Invalidly formatted 'sources' parameter. See minion log.".into())
}

/// What a package file says of itself: name and version.
pub(super) fn file_info(manager: Manager<'_>, path: &str) -> Result<(String, String), Failed> {
    match manager.kind {
        Kind::Apt => apt::file_info(manager.host, path),
        Kind::Yum => yum::file_info(manager.host, path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formula::Dict;

    fn read(pkgs: &str) -> Result<Option<Vec<Wanted>>, Failed> {
        let mut chunk = Dict::default();
        chunk.insert("pkgs", Data::from(serde_json::from_str::<serde_json::Value>(pkgs).unwrap()));
        packages(Args::new(&chunk))
    }

    #[test]
    fn packages_are_names_and_names_with_versions() {
        let wanted =
            read(r#"["one", {"two": "1.2-3"}, {"three": 3.1}, {"four": null}, {"five": ">=1"}]"#).unwrap().unwrap();
        let labels: Vec<String> = wanted.iter().map(Wanted::label).collect();
        assert_eq!(labels, ["one", "two=1.2-3", "three=3.1", "four", "five>=1"]);
        assert_eq!(read("[]"), Ok(None));
    }

    #[test]
    fn a_list_that_is_none_is_refused() {
        for wrong in [r#""one""#, r#"[["one"]]"#, r#"[{"one": 1, "two": 2}]"#, r#"["one", "one"]"#] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
