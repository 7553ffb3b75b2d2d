//! `pip.*`: packages of Python.
//!
//! Salt takes the Python that it runs with itself if it is not told another; here that is the host's `python3`.

mod requirement;

use std::collections::BTreeMap;

use crate::formula::{Data, Dict};
use crate::states::arguments::text;
use crate::states::pkg::user_named;
use crate::states::returns::{dict, old_new};
use crate::states::{Args, Call, Command, Failed, Function, Output, Return};

use requirement::Requirement;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("pip.installed", installed).takes(&[
        "bin_env",
        "cache_dir",
        "cert",
        "cwd",
        "editable",
        "env_vars",
        "extra_args",
        "extra_index_url",
        "find_links",
        "force_reinstall",
        "global_options",
        "ignore_installed",
        "index_url",
        "install_options",
        "no_binary",
        "no_cache_dir",
        "no_deps",
        "no_index",
        "pip_bin",
        "pkgs",
        "pre_releases",
        "proxy",
        "reload_modules",
        "requirements",
        "target",
        "timeout",
        "trusted_host",
        "upgrade",
        "user",
    ]),
    Function::new("pip.removed", removed).takes(&["bin_env", "cwd", "proxy", "timeout", "user"]),
    Function::new("pip.uptodate", uptodate).takes(&["bin_env", "cwd", "user"]),
];

/// Arguments that are options of `pip install` with a value, which may come several times.
const WITH_VALUE: [(&str, &str); 14] = [
    ("proxy", "--proxy"),
    ("timeout", "--timeout"),
    ("find_links", "--find-links"),
    ("index_url", "--index-url"),
    ("extra_index_url", "--extra-index-url"),
    ("target", "--target"),
    ("cert", "--cert"),
    ("global_options", "--global-option"),
    ("install_options", "--install-option"),
    ("trusted_host", "--trusted-host"),
    ("cache_dir", "--cache-dir"),
    ("no_binary", "--no-binary"),
    ("requirements", "--requirement"),
    ("editable", "--editable"),
];

/// Arguments that are options of `pip install` without one.
const WITHOUT_VALUE: [(&str, &str); 7] = [
    ("no_index", "--no-index"),
    ("upgrade", "--upgrade"),
    ("force_reinstall", "--force-reinstall"),
    ("ignore_installed", "--ignore-installed"),
    ("no_deps", "--no-deps"),
    ("pre_releases", "--pre"),
    ("no_cache_dir", "--no-cache-dir"),
];

fn installed(call: &Call<'_>) -> Result<Return, Failed> {
    let args = call.args;
    if args.get("requirements").is_some() || args.get("editable").is_some() {
        return files(call);
    }
    let wanted = match args.get("pkgs").filter(|pkgs| pkgs.is_true()) {
        None => vec![args.name()?],
        Some(Data::List(_)) => args.texts("pkgs")?,
        Some(_) => return Err("pkgs argument must be formatted as a list".into()),
    };
    let wanted: Vec<Requirement> =
        wanted.iter().map(|text| Requirement::parse(text)).collect::<Result<_, _>>().map_err(Failed::from)?;
    let there = list(call, &[])?;
    let again = ["force_reinstall", "ignore_installed"].iter().any(|key| args.flag(key, false));
    let upgrade = args.flag("upgrade", false);
    let newer = if upgrade && !again { list(call, &["--outdated"])? } else { BTreeMap::new() };
    let is_right = |wanted: &&Requirement| {
        let name = wanted.normalized();
        let version = name.as_ref().and_then(|name| there.get(name));
        !again
            && version.is_some_and(|version| wanted.fits(version))
            && !name.is_some_and(|name| newer.contains_key(&name) && !wanted.is_exact())
    };
    let (right, targets): (Vec<&Requirement>, Vec<&Requirement>) = wanted.iter().partition(is_right);
    let mut comments: Vec<String> =
        right.iter().map(|wanted| format!("Python package {} was already installed", wanted.text)).collect();
    if targets.is_empty() {
        let newest = if upgrade { " and up-to-date" } else { "" };
        comments.push(format!("All specified packages are already installed{newest}"));
        return Ok(Return::unchanged(comments.join("\n")));
    }
    if call.preview {
        let comment = match wanted.as_slice() {
            [only] => format!("Python package {} is set to be installed", only.text),
            many => many.iter().fold("Python package(s) set to be installed:".to_owned(), |text, wanted| {
                format!("{text}\n{}", wanted.text)
            }),
        };
        return Ok(Return::would(Dict::default(), comment));
    }
    let mut arguments = install_arguments(args)?;
    arguments.push("--".to_owned());
    arguments.extend(targets.iter().map(|wanted| wanted.text.clone()));
    let output = run(call, &arguments)?;
    if !output.is_success() {
        let names: Vec<&str> = targets.iter().map(|wanted| wanted.text.as_str()).collect();
        comments.push(format!("Failed to install packages: {}. Error: {}", names.join(", "), output.why()));
        return Err(comments.join("\n").into());
    }
    let now = list(call, &[])?;
    let mut changes = Dict::default();
    for wanted in targets {
        match wanted.normalized() {
            None => drop(changes.insert(format!("{}==???", wanted.text), "Installed")),
            Some(name) => match now.get(&name) {
                None => comments.push(format!(
                    "There was no error installing package '{}' although it does not show when calling 'pip.freeze'.",
                    wanted.text
                )),
                // What was there already and has stayed is no change.
                Some(version) if there.get(&name) == Some(version) && !again => {}
                Some(version) => drop(changes.insert(format!("{}=={version}", wanted.name()), "Installed")),
            },
        }
    }
    comments.push("All packages were successfully installed".to_owned());
    Ok(Return::changed(changes, comments.join("\n")))
}

/// Installs what a file lists, or a checkout.
fn files(call: &Call<'_>) -> Result<Return, Failed> {
    let (requirements, editable) = (call.args.text("requirements")?, call.args.text("editable")?);
    if call.preview {
        let file = requirements.iter().map(|file| format!("Requirements file '{file}' will be processed."));
        let checkout = editable.iter().map(|from| {
            format!("Package will be installed in editable mode (i.e. setuptools \"develop mode\") from {from}.")
        });
        return Ok(Return::would(Dict::default(), file.chain(checkout).collect::<Vec<_>>().join(" ")));
    }
    let fetched = match &requirements {
        Some(file) if file.contains("://") => Some(crate::states::pkg::fetch(call.host, file)?),
        _ => None,
    };
    let mut arguments = install_arguments(call.args)?;
    if let (Some(file), Some(fetched)) = (&requirements, &fetched) {
        arguments
            .iter_mut()
            .filter(|argument| *argument == file)
            .for_each(|argument| *argument = fetched.path.to_string());
    }
    let output = run(call, &arguments)?;
    if !output.is_success() {
        let file = requirements.iter().map(|file| format!("Unable to process requirements file \"{file}\""));
        let checkout = editable.iter().map(|from| format!("Unable to install from VCS checkout {from}."));
        let comments: Vec<String> = file.chain(checkout).chain([format!("Error: {}", output.why())]).collect();
        return Err(comments.join(" ").into());
    }
    let mut changes = Dict::default();
    let mut comments = Vec::new();
    if let Some(file) = requirements {
        if is_changed(&output.stdout) {
            changes.insert("requirements", true);
            comments.push(format!("Successfully processed requirements file {file}."));
        } else {
            comments.push("Requirements were already installed.".to_owned());
        }
    }
    if let Some(from) = editable {
        comments.push(format!("Package successfully installed from VCS checkout {from}."));
        changes.insert("editable", true);
    }
    Ok(Return::changed(changes, comments.join(" ")))
}

/// Whether `pip` has done more than to look.
fn is_changed(said: &str) -> bool {
    const LOOKED: [&str; 7] = [
        "Requirement already satisfied",
        "Requirement already up-to-date",
        "Requirement not upgraded",
        "Collecting",
        "Cloning",
        "Cleaning up...",
        "Looking in indexes",
    ];
    let mut lines = said.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.any(|line| !LOOKED.iter().any(|looked| line.starts_with(looked)))
}

fn install_arguments(args: Args<'_>) -> Result<Vec<String>, Failed> {
    let mut arguments = vec!["install".to_owned()];
    for (key, option) in WITH_VALUE {
        arguments.extend(args.texts(key)?.into_iter().flat_map(|value| [option.to_owned(), value]));
    }
    let flags = WITHOUT_VALUE.into_iter().filter(|(key, _)| args.flag(key, false));
    arguments.extend(flags.map(|(_, option)| option.to_owned()));
    arguments.extend(args.texts("extra_args")?);
    Ok(arguments)
}

fn removed(call: &Call<'_>) -> Result<Return, Failed> {
    let name = call.args.name()?;
    let there = list(call, &[]).map_err(|failed| format!("Error uninstalling '{name}': {}", failed.comment))?;
    if !there.contains_key(&requirement::normalized(&name)) {
        return Ok(Return::unchanged("Package is not installed."));
    }
    if call.preview {
        return Ok(Return::would(Dict::default(), format!("Package {name} is set to be removed")));
    }
    let output = run(call, &["uninstall", "-y", "--", &name].map(str::to_owned))?;
    if !output.is_success() {
        return Err(format!("Could not remove package. {}", output.why()).into());
    }
    Ok(Return::changed(dict([(name, Data::from("Removed"))]), "Package was successfully removed."))
}

fn uptodate(call: &Call<'_>) -> Result<Return, Failed> {
    let outdated: Vec<String> = list(call, &["--outdated"])?.into_keys().collect();
    if outdated.is_empty() {
        return Ok(Return::unchanged("System is already up-to-date."));
    }
    if call.preview {
        return Ok(Return::would(Dict::default(), "System update will be performed"));
    }
    let before = list(call, &[])?;
    let mut arguments = ["install", "-U", "--"].map(str::to_owned).to_vec();
    arguments.extend(outdated);
    let output = run(call, &arguments)?;
    let now = list(call, &[])?;
    let version = |of: &BTreeMap<String, String>, name: &str| of.get(name).cloned().unwrap_or_default();
    let changed = now.iter().filter(|(name, version)| before.get(*name) != Some(version));
    let changes: Dict =
        changed.map(|(name, new)| (name.as_str().into(), old_new(version(&before, name), new.as_str()))).collect();
    if output.is_success() && !changes.entries.is_empty() {
        return Ok(Return::changed(changes, "Upgrade successful."));
    }
    Err(Failed { comment: format!("Upgrade failed. {}", output.why()), changes })
}

/// The packages that are there, or with `--outdated` those of which there is something newer; by normalized name.
fn list(call: &Call<'_>, options: &[&str]) -> Result<BTreeMap<String, String>, Failed> {
    let mut arguments = vec!["list".to_owned(), "--format=json".to_owned()];
    arguments.extend(options.iter().map(|&option| option.to_owned()));
    let output = run(call, &arguments)?;
    let listed = serde_json::from_str::<serde_json::Value>(output.stdout.trim()).ok().filter(|_| output.is_success());
    let listed = Data::from(listed.ok_or_else(|| format!("cannot list the packages of pip: {}", output.why()))?);
    let entry = |item: &Data| {
        let name = item.get("name")?.as_str()?;
        Some((requirement::normalized(name), item.get("version")?.as_str()?.to_owned()))
    };
    Ok(listed.as_list().unwrap_or_default().iter().filter_map(entry).collect())
}

fn run(call: &Call<'_>, arguments: &[String]) -> Result<Output, Failed> {
    let program = program(call.args)?;
    let (first, rest) = program.split_first().ok_or("there is no program to run")?;
    let all = rest.iter().chain(arguments);
    let mut command = Command::new(first, all).env("PIP_DISABLE_PIP_VERSION_CHECK", "1").env("PIP_NO_INPUT", "1");
    if arguments.first().is_some_and(|first| first == "list") {
        command = command.quiet();
    }
    if let Some(folder) = call.args.text("cwd")? {
        command = command.folder(&folder);
    }
    if let Some(variables) = call.args.get("env_vars").and_then(Data::as_dict) {
        let pairs = variables.entries.iter().filter_map(|(name, value)| Some((text(name)?, text(value)?)));
        command = pairs.fold(command, |command, (name, value)| command.env(&name, &value));
    }
    call.host.run(match user_named(call)? {
        Some(user) => command.env("HOME", &user.home).as_user(&user, None),
        None => command,
    })
}

/// The program: a virtual environment, a Python, or `pip` itself.
fn program(args: Args<'_>) -> Result<Vec<String>, Failed> {
    let Some(given) = args.text("bin_env")?.or(args.text("pip_bin")?) else {
        return Ok(["python3", "-m", "pip"].map(str::to_owned).to_vec());
    };
    let module = |python: String| vec![python, "-m".to_owned(), "pip".to_owned()];
    let path = camino::Utf8Path::new(&given);
    if path.is_dir() {
        let places = ["python", "bin/python", "bin/python3"].map(|place| path.join(place));
        let found = places.into_iter().find(|place| place.is_file());
        return found
            .map(|python| module(python.into_string()))
            .ok_or_else(|| format!("Could not find a pip binary in virtualenv {given}").into());
    }
    let is_python = path.file_name().is_some_and(|name| name.contains("python"));
    Ok(if is_python { module(given) } else { vec![given] })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pip_that_has_only_looked_has_changed_nothing() {
        assert!(!is_changed("Looking in indexes: x\nRequirement already satisfied: six in /usr/lib\n"));
        assert!(is_changed("Collecting six\nSuccessfully installed six-1\n"));
    }

    #[test]
    fn options_are_those_of_pip() {
        let mut chunk = Dict::default();
        chunk.insert("upgrade", true);
        chunk.insert("index_url", "https://host/simple");
        chunk.insert("no_deps", false);
        let arguments = install_arguments(Args::new(&chunk)).unwrap();
        assert_eq!(arguments, ["install", "--index-url", "https://host/simple", "--upgrade"]);
    }
}
