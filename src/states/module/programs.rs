//! `cmd.*`, and what else is the work of a program.

use crate::formula::Data;
use crate::formula::facts::split;
use crate::states::arguments::text;
use crate::states::cmd::{Ran, Settings, What};
use crate::states::module::arguments::{Signature, takes};
use crate::states::module::functions::{Function, function};
use crate::states::returns::dict;
use crate::states::{Args, Command, Failed, Host};

const RUN: Signature =
    takes(&["cmd"], &["cwd", "stdin", "runas", "group", "shell", "python_shell", "env", "clean_env"]).and_named();
const SHELL: Signature = takes(&["cmd"], &["cwd", "stdin", "runas", "group", "shell", "env", "clean_env"]).and_named();

pub(super) const FUNCTIONS: &[Function] = &[
    function("cmd.run", RUN, |host, args| Ok(both(&run(host, args, false)?).into())),
    function("cmd.shell", SHELL, |host, args| Ok(both(&run(host, args, true)?).into())),
    function("cmd.run_stdout", RUN, |host, args| Ok(run(host, args, false)?.stdout.into())),
    function("cmd.run_stderr", RUN, |host, args| Ok(run(host, args, false)?.stderr.into())),
    function("cmd.run_all", RUN, |host, args| Ok(run(host, args, false)?.changes().into())),
    function("cmd.retcode", RUN, |host, args| {
        Ok(run(host, args, false)?.code.map_or(Data::None, |code| Data::Int(code.into())))
    }),
    function("sysctl.assign", takes(&["name", "value"], &[]), |host, args| {
        let (name, value) = (args.required("name")?, args.required("value")?);
        let output = host.run(Command::new("sysctl", ["-w", &format!("{name}={value}")]))?;
        if !output.is_success() {
            return Err(format!("sysctl -w failed: {}", output.why()).into());
        }
        Ok(dict([(name, value.into())]).into())
    }),
];

/// Runs the command of a call: in a shell if it asks for one, else the program that its first word names.
fn run(host: &Host<'_>, args: &Args<'_>, in_shell: bool) -> Result<Ran, Failed> {
    let settings = Settings::read(host, *args)?;
    let in_shell = in_shell || args.flag("python_shell", false);
    let what = match args.get("cmd") {
        Some(Data::List(words)) if !in_shell => What::Words(words.iter().filter_map(text).collect()),
        Some(Data::List(words)) => What::Text(words.first().and_then(text).unwrap_or_default()),
        _ if in_shell => What::Text(args.required("cmd")?),
        _ => What::Words(split(&args.required("cmd")?)?),
    };
    settings.run(host, &what)
}

/// What a command says on both its outputs.
fn both(ran: &Ran) -> String {
    match (ran.stdout.as_str(), ran.stderr.as_str()) {
        (out, "") => out.to_owned(),
        ("", err) => err.to_owned(),
        (out, err) => format!("{out}\n{err}"),
    }
}
