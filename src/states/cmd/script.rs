//! `cmd.script`: a script of the formulas, of this host or from the web.

use std::fs::Permissions;
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt as _, fchown};
use std::path::Path;

use tempfile::TempPath;

use crate::formula::facts::split;
use crate::formula::{Data, Dict};
use crate::states::cmd::stateful::{Stateful, reinterpreted};
use crate::states::cmd::{Ran, Settings, What};
use crate::states::{Args, Call, Failed, Return};

/// Removes the script it is given first when what follows has ended.
const CLEANING: &str = "script=\"$1\"; shift; trap 'rm -f -- \"$script\"' EXIT; \"$@\"";

/// Says what upshift cannot do before anything runs.
pub(super) fn check(args: &Args<'_>) -> Result<(), String> {
    match args.get("template").and_then(Data::as_str) {
        None | Some("" | "jinja") => Ok(()),
        Some(other) => Err(format!("upshift has no template engine `{other}`")),
    }
}

pub(super) fn run(call: &Call<'_>) -> Result<Return, Failed> {
    run_as(call, &Stateful::read(&call.args))
}

/// Runs it because something else has changed. What it says is read even in a preview, which runs nothing.
pub(super) fn watch(call: &Call<'_>) -> Result<Return, Failed> {
    run_as(call, &Stateful { in_preview: None, ..Stateful::read(&call.args) })
}

fn run_as(call: &Call<'_>, stateful: &Stateful) -> Result<Return, Failed> {
    let args = call.args;
    let name = args.name()?;
    let name = stateful.in_preview.clone().filter(|_| call.preview).unwrap_or(name);
    if !matches!(args.get("env"), None | Some(Data::List(_) | Data::Dict(_))) {
        return Err("Invalidly-formatted 'env' parameter. See documentation.".into());
    }
    let variables = variables(&args)?;
    if call.preview && stateful.in_preview.is_none() {
        let comment = if stateful.is_so { String::new() } else { format!("Command '{name}' would have been executed") };
        return Ok(Return::would(Dict::default(), comment));
    }
    let folder = args.text("cwd")?.filter(|folder| !folder.is_empty());
    if let Some(folder) = folder.as_deref().filter(|folder| !Path::new(folder).is_dir()) {
        return Err(format!("Desired working directory \"{folder}\" is not available").into());
    }
    let source = args.text("source")?.unwrap_or_else(|| name.clone());
    let Ok(mut content) = call.host.content(&source) else {
        let comment = format!("Unable to cache script {source} from saltenv 'base'");
        let mut changes = Ran { code: Some(1), ..Ran::default() }.changes();
        changes.insert("cache_error", true);
        return Err(Failed::from(comment).after(changes));
    };
    if args.text("template")?.is_some_and(|template| !template.is_empty()) {
        content = call.host.rendered(&source, content, &variables.into())?;
    }
    let script = file(call, &source, folder.as_deref(), &content)?;
    let settings = Settings::read(call.host, args)?;
    let path = script.to_string_lossy().into_owned();
    let words = [vec![path.clone()], arguments(&args, &name)?].concat();
    let what = match words.as_slice() {
        _ if args.flag("bg", false) => {
            let clean = ["/bin/sh", "-c", CLEANING, "upshift-script", &path].map(str::to_owned).to_vec();
            script.keep().map_err(|error| error.error)?;
            What::Words([clean, words].concat())
        }
        // A shell knows what to do with a script that names no interpreter.
        [path] => What::Text(path.clone()),
        _ => What::Words(words),
    };
    let ran = settings.run(call.host, &what)?;
    let comment =
        if ran.is_success() { format!("Command '{name}' run") } else { format!("Command '{name}' run: {}", ran.why()) };
    let mut done = Return { result: Some(ran.is_success()), changes: ran.changes(), comment };
    if stateful.is_so {
        done = reinterpreted(done)?;
    }
    if call.preview && ran.is_success() && !done.changes.entries.is_empty() {
        done.result = None;
    }
    Ok(done)
}

/// What the template finds besides what every template does: `defaults`, and `context` over them.
fn variables(args: &Args<'_>) -> Result<Dict, Failed> {
    let mut variables = Dict::default();
    for name in ["defaults", "context"] {
        match args.get(name) {
            Some(Data::Dict(given)) => variables.entries.extend(given.entries.clone()),
            Some(given) if given.is_true() => {
                return Err(format!("Invalidly-formatted '{name}' parameter. Must be formed as a dict.").into());
            }
            _ => {}
        }
    }
    Ok(variables)
}

/// The script as a file that only whoever runs it can read.
fn file(call: &Call<'_>, source: &str, folder: Option<&str>, content: &[u8]) -> Result<TempPath, Failed> {
    let path = source.split('?').next().unwrap_or_default();
    let suffix = Path::new(path).extension().map_or_else(String::new, |end| format!(".{}", end.to_string_lossy()));
    let folder = folder.map_or_else(std::env::temp_dir, Into::into);
    let mut file = tempfile::Builder::new().prefix("upshift-").suffix(&suffix).tempfile_in(folder)?;
    file.write_all(content)?;
    file.as_file().set_permissions(Permissions::from_mode(0o500))?;
    if let Some(user) = call.args.text("runas")?.and_then(|user| call.host.user(&user)) {
        fchown(file.as_file(), Some(user.uid), None)?;
    }
    // Closed, or it could not be run: it is busy while somebody may write to it.
    Ok(file.into_temp_path())
}

/// What the script is given: `args`, or what follows the first word of the name.
fn arguments(args: &Args<'_>, name: &str) -> Result<Vec<String>, Failed> {
    let text = match args.get("args").filter(|given| given.is_true()) {
        Some(Data::List(_)) => return args.texts("args"),
        Some(_) => args.text("args")?.unwrap_or_default(),
        None => name.split_once(' ').map_or("", |(_, rest)| rest).to_owned(),
    };
    split(&text).map_err(Failed::from)
}
