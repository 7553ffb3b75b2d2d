//! `cmd.run`.

use std::path::Path;

use crate::formula::Data;
use crate::states::cmd::stateful::{Stateful, reinterpreted};
use crate::states::cmd::{Settings, What};
use crate::states::returns::dict;
use crate::states::{Call, Failed, Return};

pub(super) fn run(call: &Call<'_>) -> Result<Return, Failed> {
    run_as(call, &Stateful::read(&call.args))
}

/// Runs it because something else has changed. What it says is read even in a preview, which runs nothing.
pub(super) fn watch(call: &Call<'_>) -> Result<Return, Failed> {
    let stateful = Stateful { in_preview: None, ..Stateful::read(&call.args) };
    run_as(call, &stateful)
}

fn run_as(call: &Call<'_>, stateful: &Stateful) -> Result<Return, Failed> {
    let name = call.args.name()?;
    let name = stateful.in_preview.clone().filter(|_| call.preview).unwrap_or(name);
    if !matches!(call.args.get("env"), None | Some(Data::List(_) | Data::Dict(_))) {
        return Err("Invalidly-formatted 'env' parameter. See documentation.".into());
    }
    if call.preview && stateful.in_preview.is_none() {
        let comment = format!("Command \"{name}\" would have been executed");
        let would = Return::would(dict([("cmd", name.into())]), comment);
        return Ok(if stateful.is_so {
            Return { changes: dict::<&str>([]), comment: String::new(), ..would }
        } else {
            would
        });
    }
    if let Some(folder) = call.args.text("cwd")?.filter(|folder| !folder.is_empty() && !Path::new(folder).is_dir()) {
        return Err(format!("Desired working directory \"{folder}\" is not available").into());
    }
    let settings = Settings::read(call.host, call.args)?;
    let mut ran = settings.run(call.host, &What::Text(name.clone()))?;
    let is_done = ran.is_success();
    if ran.timed_out && call.args.flag("ignore_timeout", false) && !settings.is_hidden() {
        ran.code = Some(0);
    }
    let comment = if ran.is_success() {
        format!("Command \"{name}\" run")
    } else {
        format!("Command \"{name}\" run: {}", ran.why())
    };
    let mut done = Return { result: Some(ran.is_success()), changes: ran.changes(), comment };
    if stateful.is_so {
        done = reinterpreted(done)?;
    }
    if call.preview && is_done && !done.changes.entries.is_empty() {
        done.result = None;
    }
    Ok(done)
}
