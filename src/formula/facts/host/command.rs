//! `cmd.*`: the commands of a formula itself.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::process::{self, Failure, Output, PATIENCE};
use super::{Function, Refusal, accounts, failed, function, mapping};
use crate::formula::Data;
use crate::formula::template::functions::arguments::Default::{Bool, None, Required};
use crate::formula::template::functions::arguments::{Arguments, Parameter, Signature, takes};
use crate::formula::template::value::{entries, is_list, is_mapping, items, repr, text};

const RUN: &[Parameter] = &[
    ("cmd", Required),
    ("cwd", None),
    ("stdin", None),
    ("runas", None),
    ("group", None),
    ("shell", None),
    ("python_shell", None),
    ("env", None),
    ("clean_env", Bool(false)),
    ("template", None),
    ("rstrip", Bool(true)),
    ("umask", None),
];
const SHELL: &[Parameter] = &[
    ("cmd", Required),
    ("cwd", None),
    ("stdin", None),
    ("runas", None),
    ("group", None),
    ("shell", None),
    ("env", None),
    ("clean_env", Bool(false)),
    ("template", None),
    ("rstrip", Bool(true)),
    ("umask", None),
];
const ONE: Signature = takes(&[("cmd", Required)]);

pub(super) const FUNCTIONS: &[Function] = &[
    function("cmd.run", takes(RUN).and_more_named(), |arguments| {
        let output = run(arguments, false, is_option(arguments, "redirect_stderr", true))?;
        if is_option(arguments, "raise_err", false) && output.code != 0 {
            return failed(output.out);
        }
        Ok(shown(arguments, output.out))
    }),
    function("cmd.shell", takes(SHELL).and_more_named(), |arguments| {
        Ok(shown(arguments, run(arguments, true, true)?.out))
    }),
    function("cmd.run_stdout", takes(RUN).and_more_named(), |arguments| {
        Ok(shown(arguments, run(arguments, false, false)?.out))
    }),
    function("cmd.run_stderr", takes(RUN).and_more_named(), |arguments| {
        Ok(shown(arguments, run(arguments, false, false)?.err))
    }),
    function("cmd.run_all", takes(RUN).and_more_named(), |arguments| {
        let output = run(arguments, false, is_option(arguments, "redirect_stderr", false))?;
        Ok(mapping([
            ("pid", Data::Int(output.id.into())),
            ("retcode", Data::Int(output.code.into())),
            ("stdout", shown(arguments, output.out)),
            ("stderr", shown(arguments, output.err)),
        ]))
    }),
    function("cmd.retcode", takes(RUN).and_more_named(), |arguments| {
        Ok(Data::Int(run(arguments, false, false)?.code.into()))
    }),
    function("cmd.which", ONE, |arguments| Ok(which(&arguments.text("cmd")?).map_or(Data::None, Data::from))),
    function("cmd.has_exec", ONE, |arguments| Ok(which(&arguments.text("cmd")?).is_some().into())),
    function("cmd.which_bin", takes(&[("cmds", Required)]), |arguments| {
        let found = items(arguments.get("cmds"))?.iter().find_map(|name| which(&text(name)));
        Ok(found.map_or(Data::None, Data::from))
    }),
];

fn is_option(arguments: &Arguments, name: &str, otherwise: bool) -> bool {
    arguments.other(name).map_or(otherwise, minijinja::Value::is_true)
}

/// What a command said, unless the call wants it hidden.
fn shown(arguments: &Arguments, said: String) -> Data {
    if is_option(arguments, "hide_output", false) { Data::from("") } else { said.into() }
}

fn run(arguments: &Arguments, in_shell: bool, is_merged: bool) -> Result<Output, Refusal> {
    for name in ["stdin", "group", "template", "umask"] {
        if arguments.some(name).is_some_and(|value| !value.is_undefined()) {
            return failed(format!("upshift runs no command with `{name}` while it renders"));
        }
    }
    let mut command = command(arguments, in_shell)?;
    let asked = arguments.other("timeout").and_then(|timeout| f64::try_from(timeout.clone()).ok());
    let asked = asked.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let mut output = match process::run(&mut command, is_merged, asked.unwrap_or(PATIENCE)) {
        Ok(output) => output,
        Err(Failure::Start(error)) => {
            let named = repr(arguments.get("cmd"));
            return failed(format!("Unable to run command {named}, reason: {error}"));
        }
        Err(Failure::Timeout) => {
            let named = text(arguments.get("cmd"));
            let Some(asked) = asked else {
                return failed(format!("`{named}` took longer than {} seconds", PATIENCE.as_secs()));
            };
            let out = format!("{named} : Timed out after {} seconds", asked.as_secs());
            return Ok(Output { id: 0, code: 1, out, err: String::new() });
        }
    };
    if arguments.get("rstrip").is_undefined() || arguments.is_true("rstrip")? {
        output.out.truncate(output.out.trim_end().len());
        output.err.truncate(output.err.trim_end().len());
    }
    let successes = arguments.other("success_retcodes").map_or_else(|| Ok(Vec::new()), items)?;
    if successes.iter().any(|code| code.as_i64() == Some(output.code.into())) {
        output.code = 0;
    }
    Ok(output)
}

fn command(arguments: &Arguments, in_shell: bool) -> Result<Command, Refusal> {
    let given = arguments.get("cmd");
    if !given.is_true() {
        return failed("there is no command to run");
    }
    let is_shell = in_shell || matches!(arguments.get("python_shell"), value if value.is_true());
    let words = if is_list(given) {
        let words: Vec<String> = items(given)?.iter().map(text).collect();
        // As Python does: with a shell, the first item is the script.
        if is_shell { [shell(arguments), vec!["-c".to_owned()], words].concat() } else { words }
    } else if is_shell {
        [shell(arguments), vec!["-c".to_owned(), arguments.text("cmd")?]].concat()
    } else {
        split(&arguments.text("cmd")?).map_err(|message| Refusal::Failed(message.to_owned()))?
    };
    let user = arguments.some("runas").map(text).filter(|user| *user != current_user());
    let words = match &user {
        Some(user) if accounts::is_user(user) => {
            [["runuser", "-u", user, "--"].map(str::to_owned).to_vec(), words].concat()
        }
        Some(user) => return failed(format!("User '{user}' is not available")),
        Option::None => words,
    };
    let Some((program, rest)) = words.split_first().filter(|(program, _)| !program.is_empty()) else {
        return failed("there is no command to run");
    };
    let mut command = Command::new(program);
    if arguments.is_true("clean_env")? {
        command.env_clear();
    }
    process::clean(&mut command).args(rest).current_dir(directory(arguments, user.as_deref())?);
    if let Some(user) = &user {
        command.env("USER", user).env("HOME", accounts::home(user).unwrap_or_else(|| "/".to_owned()));
    }
    for (name, value) in environment(arguments)? {
        command.env(name, value);
    }
    if let Some(first) = arguments.other("prepend_path") {
        command.env("PATH", format!("{}:{}", text(first), std::env::var("PATH").unwrap_or_default()));
    }
    Ok(command)
}

/// The shell of a call: the one it names, else our own, as with Salt.
fn shell(arguments: &Arguments) -> Vec<String> {
    let own = || std::env::var("SHELL").ok().filter(|shell| Path::new(shell).is_file());
    vec![arguments.some("shell").map(text).or_else(own).unwrap_or_else(|| "/bin/sh".to_owned())]
}

/// The variables of a call: a mapping, or a list of mappings.
fn environment(arguments: &Arguments) -> Result<Vec<(String, String)>, Refusal> {
    let given = arguments.get("env");
    let mappings = match given {
        given if is_mapping(given) => vec![given.clone()],
        given if is_list(given) => items(given)?,
        _ => Vec::new(),
    };
    let variables = mappings.iter().flat_map(entries);
    let value = |value: &minijinja::Value| if value.is_none() { String::new() } else { text(value) };
    let variables: Vec<_> = variables.map(|(name, given)| (text(&name), value(&given))).collect();
    let is_variable =
        |(name, value): &(String, String)| !name.is_empty() && !name.contains(['=', '\0']) && !value.contains('\0');
    Ok(variables.into_iter().filter(is_variable).collect())
}

/// Where a command runs: where it says, else at home, else at `/`.
fn directory(arguments: &Arguments, user: Option<&str>) -> Result<String, Refusal> {
    if let Some(directory) = arguments.some("cwd").filter(|directory| directory.is_true()).map(text) {
        if directory.starts_with('/') && Path::new(&directory).is_dir() {
            return Ok(directory);
        }
        return failed(format!("Specified cwd '{directory}' either not absolute or does not exist"));
    }
    let home = match user {
        Some(user) => accounts::home(user),
        Option::None => std::env::var("HOME").ok(),
    };
    let is_usable = |home: &String| rustix::fs::access(home.as_str(), rustix::fs::Access::READ_OK).is_ok();
    Ok(home.filter(|home| is_usable(home) && Path::new(home).is_dir()).unwrap_or_else(|| "/".to_owned()))
}

fn current_user() -> String {
    accounts::name_of(rustix::process::getuid().as_raw()).unwrap_or_default()
}

/// Where a program is, by the path and the usual places.
pub(super) fn which(name: &str) -> Option<String> {
    const USUAL: &[&str] = &["/sbin", "/bin", "/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin"];
    let is_program = |path: &str| {
        std::fs::metadata(path).is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
            && rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok()
    };
    if name.is_empty() {
        return Option::None;
    }
    if is_program(name) {
        return Some(name.to_owned());
    }
    let path = std::env::var("PATH").unwrap_or_default();
    let places =
        path.split(':').chain(USUAL.iter().copied().filter(|usual| path.split(':').all(|place| place != *usual)));
    let name = name.trim_start_matches('/');
    places.map(|place| format!("{}/{name}", place.trim_end_matches('/'))).find(|path| is_program(path))
}

/// The words of a command, as Python's `shlex` parts them.
///
/// # Errors
/// When a quotation does not end.
pub fn split(command: &str) -> Result<Vec<String>, &'static str> {
    let mut words = Vec::new();
    let mut word: Option<String> = Option::None;
    let mut characters = command.chars();
    while let Some(character) = characters.next() {
        match character {
            ' ' | '\t' | '\r' | '\n' => words.extend(word.take()),
            '\\' => word.get_or_insert_default().push(characters.next().ok_or("No escaped character")?),
            '\'' | '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match characters.next().ok_or("No closing quotation")? {
                        end if end == character => break,
                        '\\' if character == '"' => {
                            let escaped = characters.next().ok_or("No escaped character")?;
                            if !matches!(escaped, '"' | '\\') {
                                word.push('\\');
                            }
                            word.push(escaped);
                        }
                        other => word.push(other),
                    }
                }
            }
            other => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn a_command_is_parted_as_by_python() {
        assert_eq!(split(r#"a 'b c' "d\"e\f" g\ h "" #i"#).unwrap(), ["a", "b c", "d\"e\\f", "g h", "", "#i"]);
        assert!(split("a 'b").is_err());
    }
}
