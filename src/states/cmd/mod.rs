//! `cmd.*`: the commands of a formula itself.
//!
//! A command runs exactly when its state is carried out, once; a preview runs none but the one that `stateful` names for it.

mod run;
mod script;
mod settings;
mod stateful;

use crate::states::{Args, Function, Return};

pub(super) use settings::{Ran, Settings, What};

/// What Salt's `cmd.run` takes, with what it passes on to the function that runs commands. `user` means nothing to it,
/// but is found in formulas that were written for a Salt where it was called so.
const RUN: &[&str] = &[
    "bg",
    "clean_env",
    "cwd",
    "env",
    "group",
    "hide_output",
    "ignore_retcode",
    "ignore_timeout",
    "output_loglevel",
    "password",
    "prepend_path",
    "quiet",
    "redirect_stderr",
    "reset_system_locale",
    "rstrip",
    "runas",
    "shell",
    "stateful",
    "stdin",
    "stdin_raw_newlines",
    "success_retcodes",
    "success_stderr",
    "success_stdout",
    "timeout",
    "umask",
    "use_vt",
    "user",
];

/// The same for scripts.
const SCRIPT: &[&str] = &[
    "args",
    "bg",
    "context",
    "cwd",
    "defaults",
    "env",
    "group",
    "hide_output",
    "output_loglevel",
    "password",
    "quiet",
    "reset_system_locale",
    "runas",
    "saltenv",
    "shell",
    "source",
    "stateful",
    "stdin",
    "stdin_raw_newlines",
    "success_retcodes",
    "success_stderr",
    "success_stdout",
    "template",
    "timeout",
    "umask",
    "use_vt",
    "user",
];

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("cmd.run", run::run).takes(RUN).checks(settings::check).watches(run::watch),
    Function::new("cmd.wait", |_| Ok(Return::unchanged(""))).takes(RUN).checks(settings::check).watches(run::watch),
    Function::new("cmd.watch", |_| Ok(Return::unchanged(""))).takes(RUN).checks(settings::check).watches(run::watch),
    Function::new("cmd.script", script::run).takes(SCRIPT).checks(check_script).watches(script::watch),
    Function::new("cmd.wait_script", |_| Ok(Return::unchanged("")))
        .takes(SCRIPT)
        .checks(check_script)
        .watches(script::watch),
];

fn check_script(args: &Args<'_>) -> Result<(), String> {
    settings::check(args)?;
    script::check(args)
}
