//! `webutil.*`: users in files of `htpasswd(1)`.
//!
//! `htpasswd` makes and compares hashes; it is given passwords on its standard input, and the file is replaced here, once.

use camino::Utf8Path;
use fs_err as fs;

use crate::states::disk::{self, Attributes};
use crate::states::returns::dict;
use crate::states::{Args, Call, Command, Failed, Function, Return};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("webutil.user_exists", user_exists)
        .requires(&["htpasswd_file"])
        .takes(&["password", "options", "force", "runas", "update"])
        .checks(check),
    Function::new("webutil.user_absent", user_absent).requires(&["htpasswd_file"]).takes(&["runas"]),
];

/// The options of `htpasswd` that say how a password is hashed.
const HASHES: &str = "mB25dsp";

fn check(args: &Args<'_>) -> Result<(), String> {
    let options = args.text("options").map_err(|failed| failed.comment)?.unwrap_or_default();
    match options.chars().find(|option| !HASHES.contains(*option)) {
        Some(option) => Err(format!("upshift has no `{option}` in `options`; it has {HASHES}")),
        None => Ok(()),
    }
}

fn user_exists(call: &Call<'_>) -> Result<Return, Failed> {
    let args = &call.args;
    let (name, file) = (user(args)?, args.required("htpasswd_file")?);
    let text = read(Utf8Path::new(&file))?;
    let is_there = text.lines().any(|line| is_of(line, &name));
    let (force, update) = (args.flag("force", false), args.flag("update", false));
    if is_there && !force && (!update || has_password(call, &name, &file)?) {
        return Ok(Return::unchanged("User already known"));
    }
    let changes = dict([(name.as_str(), true.into())]);
    if call.preview {
        return Ok(Return::would(changes, format!("User '{name}' is set to be added to htpasswd file")));
    }
    let said = htpasswd(call, &["n"], &[&name])?;
    let new = said.lines().find(|line| is_of(line, &name)).ok_or("`htpasswd` did not say what the user's line is")?;
    let mut is_put = false;
    let mut lines: String = text
        .lines()
        .filter(|line| !is_of(line, &name) || !std::mem::replace(&mut is_put, true))
        .map(|line| format!("{}\n", if is_of(line, &name) { new } else { line }))
        .collect();
    if !is_put {
        lines += &format!("{new}\n");
    }
    write(call, &file, &lines)?;
    let verb = if is_there { "Updating" } else { "Adding" };
    Ok(Return::changed(changes, format!("{verb} password for user {name}")))
}

fn user_absent(call: &Call<'_>) -> Result<Return, Failed> {
    let (name, file) = (user(&call.args)?, call.args.required("htpasswd_file")?);
    let text = read(Utf8Path::new(&file))?;
    if !text.lines().any(|line| is_of(line, &name)) {
        return Ok(Return::unchanged("User already not in file"));
    }
    let changes = dict([(name.as_str(), true.into())]);
    if call.preview {
        return Ok(Return::would(changes, format!("User '{name}' is set to be removed from htpasswd file")));
    }
    let lines: String = text.split_inclusive('\n').filter(|line| !is_of(line, &name)).collect();
    write(call, &file, &lines)?;
    Ok(Return::changed(changes, format!("Deleting password for user {name}")))
}

fn user(args: &Args<'_>) -> Result<String, Failed> {
    let name = args.name()?;
    if name.contains([':', '\n']) { Err(format!("`{name}` cannot be the name of a user").into()) } else { Ok(name) }
}

fn is_of(line: &str, user: &str) -> bool {
    line.split_once(':').is_some_and(|(name, _)| name == user)
}

fn read(file: &Utf8Path) -> Result<String, Failed> {
    match fs::read_to_string(file) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        text => Ok(text.unwrap_or_default()),
    }
}

/// Whether the file has this password for the user. Nothing tells but the exit code: 3 is another password.
fn has_password(call: &Call<'_>, name: &str, file: &str) -> Result<bool, Failed> {
    let output = call.host.run(command(call, &["v"], &[file, name])?)?;
    match output.code {
        0 => Ok(true),
        3 => Ok(false),
        _ => Err(output.why().into()),
    }
}

fn htpasswd(call: &Call<'_>, options: &[&str], arguments: &[&str]) -> Result<String, Failed> {
    let output = call.host.run(command(call, options, arguments)?)?;
    if output.is_success() { Ok(output.stdout) } else { Err(output.why().into()) }
}

fn command(call: &Call<'_>, options: &[&str], arguments: &[&str]) -> Result<Command, Failed> {
    let password = call.args.required("password")?;
    if password.contains('\n') {
        return Err("a password of `htpasswd` has no line breaks".into());
    }
    let options = format!("-i{}{}", options.concat(), call.args.text("options")?.unwrap_or_default());
    let mut command = Command::new("htpasswd", [&[options.as_str()], arguments].concat());
    if let Some(name) = call.args.text("runas")? {
        let user = call.host.user(&name).ok_or_else(|| format!("User '{name}' is not available"))?;
        user.runs(command.process());
    }
    Ok(command.stdin(format!("{password}\n")).quiet())
}

/// Replaces the file. A new one belongs to who would have run `htpasswd`.
fn write(call: &Call<'_>, file: &str, lines: &str) -> Result<(), Failed> {
    let file = Utf8Path::new(file);
    let owner = match call.args.text("runas")?.filter(|_| !file.exists()) {
        None => Attributes::default(),
        Some(name) => {
            let user = call.host.user(&name).ok_or_else(|| format!("User '{name}' is not available"))?;
            Attributes { uid: Some(user.uid), gid: Some(user.gid), mode: None }
        }
    };
    Ok(disk::replace(file, lines.as_bytes(), owner)?)
}
