//! How a command is run, and what comes of it: what Salt's `cmd.run_all` takes and answers.

use std::path::Path;
use std::time::Duration;

use rustix::fs::{Access, access};

use crate::formula::{Data, Dict};
use crate::states::accounts::{Group, User};
use crate::states::arguments::text;
use crate::states::returns::dict;
use crate::states::{Args, Command, Failed, Host, Output};

/// The shell where neither the state nor the grains name one.
const SHELL: &str = "/bin/sh";

/// What is to be run.
#[derive(Debug, Clone)]
pub(in crate::states) enum What {
    /// A text for a shell.
    Text(String),
    /// A program with its arguments.
    Words(Vec<String>),
}

/// How a command is run.
#[derive(Debug, Clone)]
pub(in crate::states) struct Settings<'a> {
    args: Args<'a>,
    shell: String,
    success_codes: Vec<i64>,
    success_stdout: Vec<String>,
    success_stderr: Vec<String>,
}

/// What came of a command.
#[derive(Debug, Clone, Default)]
pub(in crate::states) struct Ran {
    pub(in crate::states) pid: u32,
    /// 0 if the command is to count as successful; `None` if nobody waited for its end.
    pub(in crate::states) code: Option<i32>,
    pub(in crate::states) stdout: String,
    pub(in crate::states) stderr: String,
    pub(in crate::states) timed_out: bool,
}

/// The account that a command runs with.
struct Account {
    user: User,
    group: Option<Group>,
    /// Whether it is another one than ours.
    is_other: bool,
}

/// Says what upshift cannot do before anything runs.
pub(super) fn check(args: &Args<'_>) -> Result<(), String> {
    let entries = args.get("env").and_then(Data::as_list).unwrap_or_default();
    match entries.iter().find(|entry| entry.as_dict().is_some_and(|entry| entry.entries.len() != 1)) {
        Some(_) => Err("an entry of `env` has more than one variable: Salt would set none of them".to_owned()),
        None => Ok(()),
    }
}

impl<'a> Settings<'a> {
    /// The settings among the arguments of a state or an execution function.
    pub(in crate::states) fn read(host: &Host<'_>, args: Args<'a>) -> Result<Self, Failed> {
        let grain = host.formula.grains().get("shell").and_then(Data::as_str);
        let shell = args.text("shell")?.filter(|shell| !shell.is_empty());
        let codes = split(&args, "success_retcodes")?.into_iter().map(|code| code.trim().parse());
        let wrong = |_| Failed::from("success_retcodes must be a list of integers");
        let codes: Vec<i64> = codes.collect::<Result<_, _>>().map_err(wrong)?;
        Ok(Self {
            args,
            shell: shell.unwrap_or_else(|| grain.unwrap_or(SHELL).to_owned()),
            success_codes: if args.get("success_retcodes").is_none() { vec![0] } else { codes },
            success_stdout: split(&args, "success_stdout")?,
            success_stderr: split(&args, "success_stderr")?,
        })
    }

    /// Runs a command and says what came of it.
    pub(in crate::states) fn run(&self, host: &Host<'_>, what: &What) -> Result<Ran, Failed> {
        let mut command = self.command(host, what)?;
        if self.args.flag("bg", false) {
            return Ok(Ran { pid: host.leave(command)?, ..Ran::default() });
        }
        let limit = self.limit()?;
        if let Some(input) = self.args.text("stdin")? {
            let is_raw = self.args.flag("stdin_raw_newlines", false);
            command = command.stdin(if is_raw { input } else { input.replace("\\n", "\n") });
        }
        if self.args.flag("redirect_stderr", false) {
            command = command.merged();
        }
        if self.is_hidden() || self.args.get("output_loglevel").and_then(Data::as_str) == Some("quiet") {
            command = command.quiet();
        }
        let output = host.run(command.timeout(limit.as_ref().map(|(limit, _)| *limit)))?;
        let mut ran = match limit.filter(|_| output.timed_out) {
            Some((_, limit)) => Ran {
                pid: output.pid,
                code: Some(1),
                stdout: format!("{} : Timed out after {limit} seconds", what.shown()),
                stderr: String::new(),
                timed_out: true,
            },
            None => self.ended(output),
        };
        if self.is_hidden() {
            ran.stdout.clear();
            ran.stderr.clear();
        }
        Ok(ran)
    }

    /// Whether nobody is to see what the command says.
    pub(in crate::states) fn is_hidden(&self) -> bool {
        self.args.flag("hide_output", false)
    }

    fn ended(&self, output: Output) -> Ran {
        let Output { pid, code, mut stdout, mut stderr, .. } = output;
        if self.args.flag("rstrip", true) {
            stdout.truncate(stdout.trim_end().len());
            stderr.truncate(stderr.trim_end().len());
        }
        let is_success = self.success_codes.contains(&code.into())
            || self.success_stdout.iter().any(|part| stdout.contains(part))
            || self.success_stderr.iter().any(|part| stderr.contains(part));
        Ran { pid, code: Some(if is_success { 0 } else { code }), stdout, stderr, timed_out: false }
    }

    fn command(&self, host: &Host<'_>, what: &What) -> Result<Command, Failed> {
        if !Path::new(&self.shell).is_file() || access(&self.shell, Access::EXEC_OK).is_err() {
            return Err(format!("The shell {} is not available", self.shell).into());
        }
        let account = self.account(host)?;
        let user = account.as_ref().filter(|_| self.user_name().is_some()).map(|account| &account.user);
        let command = match what {
            What::Text(text) => Command::shell(&self.shell, text),
            What::Words(words) => match words.split_first() {
                Some((program, arguments)) => Command::new(program, arguments),
                None => return Err("there is no command to run".into()),
            },
        };
        let mut command = self.environment(host, command.folder(&self.folder(user)?), user)?;
        if let Some(umask) = self.umask()? {
            command = command.umask(umask);
        }
        Ok(match account.filter(|account| account.is_other || account.group.is_some()) {
            Some(account) => command.as_user(&account.user, account.group.as_ref()),
            None => command,
        })
    }

    fn user_name(&self) -> Option<&'a str> {
        self.args.get("runas").and_then(Data::as_str).filter(|user| !user.is_empty())
    }

    /// Who the command runs as, if it says so.
    fn account(&self, host: &Host<'_>) -> Result<Option<Account>, Failed> {
        let own = rustix::process::geteuid().as_raw();
        if self.args.get("runas").is_some_and(|user| user.is_true() && user.as_str().is_none()) {
            return Err("`runas` has to be the name of a user".into());
        }
        let group = match self.args.text("group")?.filter(|group| !group.is_empty()) {
            None => None,
            Some(name) => {
                let group = host.group(&name).filter(|group| group.name == name);
                Some(group.ok_or_else(|| Failed::from(format!("Group '{name}' is not available")))?)
            }
        };
        let user = match self.user_name() {
            None if group.is_none() => return Ok(None),
            None => host.user(&own.to_string()).ok_or("nobody knows who runs this")?,
            Some(name) => {
                let user = host.user(name).filter(|user| user.name == name);
                user.ok_or_else(|| Failed::from(format!("User '{name}' is not available")))?
            }
        };
        let is_other = user.uid != own;
        Ok(Some(Account { user, group, is_other }))
    }

    /// Where it runs: where it is told to, else at home, else at the root.
    fn folder(&self, user: Option<&User>) -> Result<String, Failed> {
        if let Some(folder) = self.args.text("cwd")?.filter(|folder| !folder.is_empty()) {
            return match Path::new(&folder) {
                path if path.is_absolute() && path.is_dir() => Ok(folder),
                _ => Err(format!("Specified cwd '{folder}' either not absolute or does not exist").into()),
            };
        }
        let home = user.map_or_else(|| std::env::var("HOME").ok(), |user| Some(user.home.clone()));
        let is_usable = |home: &String| Path::new(home).is_dir() && access(home.as_str(), Access::READ_OK).is_ok();
        Ok(home.filter(is_usable).unwrap_or_else(|| "/".to_owned()))
    }

    /// The environment: ours, over it that of the user's login, over it what is given.
    fn environment(&self, host: &Host<'_>, command: Command, user: Option<&User>) -> Result<Command, Failed> {
        let mut command = if self.args.flag("clean_env", false) { command.clean() } else { command };
        if !self.args.flag("reset_system_locale", true) {
            command = command.own_locale();
        }
        if let Some(user) = user {
            command = command.envs(host.login_environment(user, &self.shell));
        }
        for (name, value) in variables(&self.args)? {
            command = command.env(&name, &value);
        }
        if let Some(user) = user {
            command = command.env("USER", &user.name).env("HOME", &user.home);
        }
        let first = self.args.text("prepend_path")?.filter(|first| !first.is_empty());
        Ok(first.into_iter().fold(command, |command, first| command.path_first(&first)))
    }

    fn umask(&self) -> Result<Option<u32>, Failed> {
        // Of a state, the compiler has read it.
        if let Some(umask) = self.args.number("__umask__")? {
            return Ok(u32::try_from(umask & 0o777).ok());
        }
        let Some(umask) = self.args.text("umask")? else { return Ok(None) };
        match umask.trim_start_matches('0') {
            "" => Err("Zero umask is not allowed.".into()),
            digits => match u32::from_str_radix(digits, 8) {
                Ok(umask) => Ok(Some(umask & 0o777)),
                Err(_) => Err(format!("Invalid umask: '{}'", self.args.text("umask")?.unwrap_or_default()).into()),
            },
        }
    }

    /// How long it may take, and how that is written.
    fn limit(&self) -> Result<Option<(Duration, String)>, Failed> {
        let Some(limit) = self.args.get("timeout").filter(|limit| limit.is_true()) else { return Ok(None) };
        let shown = text(limit).unwrap_or_default();
        if !matches!(limit, Data::Int(_) | Data::Float(_)) {
            return Err(format!("Error: timeout {shown} must be a number").into());
        }
        Ok(self.args.seconds("timeout")?.map(|limit| (limit, shown)))
    }
}

impl What {
    /// As Python prints it.
    fn shown(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Words(words) => {
                let words: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
                format!("[{}]", words.join(", "))
            }
        }
    }
}

impl Ran {
    /// Whether it counts as successful.
    pub(in crate::states) fn is_success(&self) -> bool {
        self.code.is_none_or(|code| code == 0)
    }

    /// The changes of a state that runs a command.
    pub(in crate::states) fn changes(&self) -> Dict {
        dict([
            ("pid", Data::Int(self.pid.into())),
            ("retcode", self.code.map_or(Data::None, |code| Data::Int(code.into()))),
            ("stdout", self.stdout.as_str().into()),
            ("stderr", self.stderr.as_str().into()),
        ])
    }

    /// The end of a comment on a command that failed: the one line that says why.
    pub(in crate::states) fn why(&self) -> String {
        if self.timed_out {
            return "its time was up".to_owned();
        }
        let output = Output {
            code: self.code.unwrap_or_default(),
            stdout: self.stdout.clone(),
            stderr: self.stderr.clone(),
            ..Output::default()
        };
        output.why()
    }
}

/// The variables that are given: a mapping, or a list of mappings and names.
fn variables(args: &Args<'_>) -> Result<Vec<(String, String)>, Failed> {
    let mut all: Vec<(&Data, &Data)> = Vec::new();
    match args.get("env") {
        Some(Data::Dict(given)) => all.extend(given.entries.iter()),
        Some(Data::List(items)) => {
            for item in items.iter() {
                match item {
                    Data::Dict(entry) => all.extend(entry.entries.iter()),
                    name => all.push((name, &Data::None)),
                }
            }
        }
        _ => {}
    }
    let variable = |(name, value): (&Data, &Data)| {
        let name = text(name).unwrap_or_default();
        let value = if *value == Data::None { String::new() } else { shown(value) };
        if name.is_empty() || name.contains(['=', '\0']) || value.contains('\0') {
            return Err(format!("illegal environment variable `{name}`").into());
        }
        Ok((name, value))
    };
    all.into_iter().map(variable).collect()
}

/// Python's `str` of anything.
fn shown(value: &Data) -> String {
    text(value).unwrap_or_else(|| format!("{value:?}"))
}

/// A list of texts, which may be one text with commas.
fn split(args: &Args<'_>, key: &str) -> Result<Vec<String>, Failed> {
    match args.get(key) {
        Some(Data::List(_)) => args.texts(key),
        Some(value) => Ok(shown(value).split(',').map(|part| part.trim().to_owned()).collect()),
        None => Ok(Vec::new()),
    }
}
