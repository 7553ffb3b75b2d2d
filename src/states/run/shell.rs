//! The commands of conditions: how they are run follows from arguments that their state has for itself.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use crate::formula::{Data, Dict};
use crate::states::{Args, Command, Failed, Host, arguments};

/// How to run the commands of a state's conditions.
pub(super) struct Shell<'l> {
    low: &'l Dict,
    /// Arguments of the state that are not for its conditions.
    excluded: Vec<String>,
    /// Whether the state's own arguments count at all.
    is_plain: bool,
}

/// How the commands of `unless` and `onlyif` are run: with the state's own `cwd`, `runas`, `env`, `prepend_path`,
/// `timeout`, `success_retcodes` and `shell`, but for those in `cmd_opts_exclude`.
pub(super) fn command(low: &Dict) -> Result<Shell<'_>, Failed> {
    let excluded = Args::new(low).texts("cmd_opts_exclude")?;
    Ok(Shell { low, excluded, is_plain: false })
}

impl<'l> Shell<'l> {
    /// How the commands of `check_cmd` are run: as the user that `runas` names, and nothing else of the state counts.
    pub(super) fn plain(low: &'l Dict) -> Self {
        Self { low, excluded: Vec::new(), is_plain: true }
    }

    /// What a command ends with.
    ///
    /// # Errors
    /// When it cannot be run.
    pub(super) fn code(&self, host: &Host<'_>, command: &str) -> Result<i32, Failed> {
        let shell = match self.text("shell") {
            Some(shell) => shell,
            None => host
                .formula
                .call("grains.get", &["shell".into()], &[])
                .ok()
                .and_then(|shell| shell.as_str().map(str::to_owned))
                .filter(|shell| !shell.is_empty())
                .unwrap_or_else(|| "/bin/sh".to_owned()),
        };
        if !is_program(&shell) {
            return Err(format!("The shell {shell} is not available").into());
        }
        // `runas` counts for all commands of the state, whatever is excluded.
        let user = Args::new(self.low).text("runas")?;
        let mut asked = as_user(host, user.as_deref(), &shell, command)?;
        let directory = self.directory(host, user.as_deref())?;
        asked.process().current_dir(directory);
        for (name, value) in self.variables() {
            asked = asked.env(&name, &value);
        }
        if let Some(first) = self.text("prepend_path") {
            let path = std::env::var("PATH").unwrap_or_default();
            asked = asked.env("PATH", &format!("{first}:{path}"));
        }
        let output = host.run(asked.timeout(self.timeout()?).quiet())?;
        let is_success = |code: &i64| *code == i64::from(output.code);
        Ok(if output.timed_out {
            1
        } else if self.successes().iter().any(is_success) {
            0
        } else {
            output.code
        })
    }

    /// An argument of the state, if it counts.
    fn get(&self, key: &str) -> Option<&'l Data> {
        let counts = !self.is_plain && !self.excluded.iter().any(|excluded| excluded == key);
        if counts { Args::new(self.low).get(key) } else { None }
    }

    fn text(&self, key: &str) -> Option<String> {
        self.get(key).and_then(arguments::text).filter(|text| !text.is_empty())
    }

    /// Where a command runs: where the state says, else at home, else at `/`.
    fn directory(&self, host: &Host<'_>, user: Option<&str>) -> Result<String, Failed> {
        if let Some(directory) = self.text("cwd") {
            if directory.starts_with('/') && Path::new(&directory).is_dir() {
                return Ok(directory);
            }
            return Err(format!("Specified cwd '{directory}' either not absolute or does not exist").into());
        }
        let home = match user {
            Some(user) => host.user(user).map(|user| user.home),
            None => std::env::var("HOME").ok(),
        };
        let is_usable = |home: &String| {
            Path::new(home).is_dir() && rustix::fs::access(home.as_str(), rustix::fs::Access::READ_OK).is_ok()
        };
        Ok(home.filter(is_usable).unwrap_or_else(|| "/".to_owned()))
    }

    /// The variables that `env` sets: a mapping, or a list of mappings.
    fn variables(&self) -> Vec<(String, String)> {
        let mappings = match self.get("env") {
            Some(Data::Dict(variables)) => vec![variables.as_ref()],
            Some(Data::List(items)) => items.iter().filter_map(Data::as_dict).collect(),
            _ => Vec::new(),
        };
        let text = |value: &Data| if *value == Data::None { Some(String::new()) } else { arguments::text(value) };
        let variables = mappings.into_iter().flat_map(|mapping| &mapping.entries);
        variables.filter_map(|(name, value)| Some((arguments::text(name)?, text(value)?))).collect()
    }

    fn timeout(&self) -> Result<Option<Duration>, Failed> {
        if self.get("timeout").is_some() { Args::new(self.low).seconds("timeout") } else { Ok(None) }
    }

    /// The exit codes that count as 0.
    fn successes(&self) -> Vec<i64> {
        let text = match self.get("success_retcodes") {
            Some(Data::List(codes)) => codes.iter().filter_map(arguments::text).collect::<Vec<_>>().join(","),
            codes => codes.and_then(arguments::text).unwrap_or_default(),
        };
        text.split(',').filter_map(|code| code.trim().parse().ok()).collect()
    }
}

/// A command in a shell, run by a user if it is not our own.
fn as_user(host: &Host<'_>, user: Option<&str>, shell: &str, command: &str) -> Result<Command, Failed> {
    let Some(name) = user else { return Ok(Command::shell(shell, command)) };
    let user = host.user(name).ok_or_else(|| format!("User '{name}' is not available"))?;
    let asked = if user.uid == rustix::process::geteuid().as_raw() {
        Command::shell(shell, command)
    } else {
        Command::new("runuser", ["-u", &user.name, "--", shell, "-c", command])
    };
    Ok(asked.env("HOME", &user.home).env("USER", &user.name).env("LOGNAME", &user.name))
}

fn is_program(path: &str) -> bool {
    std::fs::metadata(path).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}
