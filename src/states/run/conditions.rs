//! `unless`, `onlyif`, `creates` and `check_cmd`: questions to the host that decide whether a state runs, or how it
//! ended.
//!
//! Commands are asked quietly, in a shell. A mapping with `fun` asks one of Salt's functions, as a template does.

use std::path::Path;

use crate::formula::template::value::{from_data, repr};
use crate::formula::{Data, Dict, traverse};
use crate::states::{Failed, Host, Return, arguments};

use super::shell;

/// What one condition says.
struct Verdict {
    is_skipped: bool,
    comment: String,
}

/// What the conditions of a state make of it; `None` if it runs.
///
/// # Errors
/// When a condition cannot be asked.
pub(super) fn skip(host: &Host<'_>, low: &Dict) -> Result<Option<Return>, Failed> {
    let mut verdicts = Vec::new();
    if let Some(entries) = low.get("onlyif") {
        verdicts.push(onlyif(host, low, items(entries))?);
    }
    if let Some(entries) = low.get("unless") {
        verdicts.push(unless(host, low, items(entries))?);
    }
    if let Some(paths) = low.get("creates") {
        verdicts.push(creates(paths));
    }
    if !verdicts.iter().any(|verdict| verdict.is_skipped) {
        return Ok(None);
    }
    let comments: Vec<String> = verdicts.into_iter().map(|verdict| verdict.comment).collect();
    Ok(Some(Return::unchanged(comments.join("\n"))))
}

/// A single entry is a list of one.
fn items(entries: &Data) -> &[Data] {
    entries.as_list().unwrap_or(std::slice::from_ref(entries))
}

/// Every entry has to be true for the state to run.
fn onlyif(host: &Host<'_>, low: &Dict, entries: &[Data]) -> Result<Verdict, Failed> {
    let mut last = None;
    for entry in entries {
        let answer = match entry {
            // What cannot be run is no reason to run the state.
            Data::Str(command) => shell::command(low)?.code(host, command).is_ok_and(|code| code == 0),
            Data::Dict(call) if !call.has("fun") => {
                return Ok(runs(format!("no `fun` argument in onlyif: {}", repr(&from_data(entry)))));
            }
            Data::Dict(call) => ask(host, call)?,
            _ => return Ok(runs("onlyif execution failed, bad type passed")),
        };
        if !answer {
            return Ok(skipped("onlyif condition is false"));
        }
        last = Some(runs("onlyif condition is true"));
    }
    last.ok_or_else(|| empty("onlyif"))
}

/// One entry has to be false for the state to run.
fn unless(host: &Host<'_>, low: &Dict, entries: &[Data]) -> Result<Verdict, Failed> {
    let mut last = None;
    for entry in entries {
        let answer = match entry {
            // What cannot be run is no reason to run the state.
            Data::Str(command) => shell::command(low)?.code(host, command).is_ok_and(|code| code != 0),
            Data::Dict(call) if !call.has("fun") => {
                let comment = format!("no `fun` argument in unless: {}", repr(&from_data(entry)));
                let is_skipped = last.is_some_and(|last: Verdict| last.is_skipped);
                return Ok(Verdict { is_skipped, comment });
            }
            Data::Dict(call) => !ask(host, call)?,
            _ => {
                last = Some(runs("unless condition is false, bad type passed"));
                continue;
            }
        };
        if answer {
            return Ok(runs("unless condition is false"));
        }
        last = Some(skipped("unless condition is true"));
    }
    last.ok_or_else(|| empty("unless"))
}

fn creates(paths: &Data) -> Verdict {
    let is_there = |path: &Data| path.as_str().is_some_and(|path| Path::new(path).exists());
    match paths {
        Data::Str(path) if is_there(paths) => skipped(format!("{path} exists")),
        Data::List(paths) if paths.iter().all(is_there) => skipped("All files in creates exist"),
        _ => runs("Creates files not found"),
    }
}

/// What `check_cmd` makes of what a state came to.
///
/// # Errors
/// When a command cannot be run.
pub(super) fn check(host: &Host<'_>, low: &Dict, commands: &Data, ret: &mut Return) -> Result<(), Failed> {
    ret.result = Some(false);
    let shell = shell::Shell::plain(low);
    for command in items(commands) {
        let command = arguments::text(command).ok_or("`check_cmd` has to be a list of commands")?;
        let is_good = shell.code(host, &command)? == 0;
        ret.result = Some(is_good);
        let ending = if is_good { "succeeded" } else { "failed" };
        ret.comment = format!("check_cmd determined the state {ending}");
        if !is_good {
            break;
        }
    }
    Ok(())
}

/// Whether what a function answers is true. Of a command that failed, nothing is.
fn ask(host: &Host<'_>, call: &Dict) -> Result<bool, Failed> {
    let text = |key: &str| call.get(key).and_then(Data::as_str);
    let function = text("fun").ok_or("`fun` has to be the name of a function")?;
    let args = call.get("args").map(items).unwrap_or_default();
    let is_named = |key: &&str| !matches!(*key, "fun" | "args" | "get_return");
    let entries = call.entries.iter().filter_map(|(key, value)| Some((key.as_str()?, value)));
    let mut named: Vec<(String, Data)> =
        entries.filter(|(key, _)| is_named(key)).map(|(key, value)| (key.to_owned(), value.clone())).collect();
    // The exit code counts, which only one of these functions says.
    let said = match function {
        "cmd.run" | "cmd.shell" | "cmd.run_stdout" | "cmd.run_stderr" | "cmd.run_all" => "cmd.run_all",
        other => other,
    };
    let has = |named: &[(String, Data)], key: &str| named.iter().any(|(name, _)| name == key);
    if matches!(function, "cmd.run" | "cmd.shell") && !has(&named, "redirect_stderr") {
        named.push(("redirect_stderr".to_owned(), true.into()));
    }
    if function == "cmd.shell" {
        named.push(("python_shell".to_owned(), true.into()));
    }
    let mut answer = host.formula.call(said, args, &named).map_err(|error| Failed::from(error.to_string()))?;
    if said == "cmd.run_all" {
        if answer.get("retcode") != Some(&Data::Int(0)) {
            return Ok(false);
        }
        let part = match function {
            "cmd.run_all" => None,
            "cmd.run_stderr" => Some("stderr"),
            _ => Some("stdout"),
        };
        answer = part.map_or(answer.clone(), |part| answer.get(part).cloned().unwrap_or_default());
    }
    let path = text("get_return").filter(|path| !path.is_empty());
    Ok(path.map_or(answer.is_true(), |path| traverse::traverse(&answer, path, ":").is_some_and(Data::is_true)))
}

fn runs(comment: impl Into<String>) -> Verdict {
    Verdict { is_skipped: false, comment: comment.into() }
}

fn skipped(comment: impl Into<String>) -> Verdict {
    Verdict { is_skipped: true, comment: comment.into() }
}

/// Salt fails such a state too.
fn empty(condition: &str) -> Failed {
    format!("An exception occurred in this state: `{condition}` is empty").into()
}
