//! A repository of this host, and the `git` that is asked about it.

use std::fmt::Write as _;
use std::io::Write as _;

use camino::{Utf8Path, Utf8PathBuf};
use fs_err as fs;
use tempfile::NamedTempFile;

use crate::formula::Data;
use crate::model::hash::Hash;
use crate::states::accounts::User;
use crate::states::web::redacted;
use crate::states::{Args, Call, Command, Failed, Host, Output};

/// Says to `git` what the environment says to it: who logs in.
const HELPER: &str = "credential.helper=!f() { test \"$1\" = get && \
                      printf 'username=%s\\npassword=%s\\n' \"$GIT_LOGIN_USER\" \"$GIT_LOGIN_PASSWORD\"; }; f";

/// What Salt's wrapper gives `ssh` along with a key.
const SSH: &str = "ssh -oStrictHostKeyChecking=no -oPasswordAuthentication=no -oKbdInteractiveAuthentication=no \
                   -oChallengeResponseAuthentication=no";

/// A repository that may not be there yet.
pub(super) struct Repository<'a> {
    host: &'a Host<'a>,
    pub(super) target: Utf8PathBuf,
    user: Option<User>,
    environment: Vec<(std::ffi::OsString, std::ffi::OsString)>,
    login: Option<Login>,
    identities: Vec<Identity>,
}

/// Who logs in to a server.
struct Login {
    user: String,
    password: String,
}

/// A private key.
enum Identity {
    Path(String),
    /// One of the formulas, which goes when it is no longer needed.
    File(NamedTempFile),
}

impl Identity {
    fn path(&self) -> String {
        match self {
            Self::Path(path) => path.clone(),
            Self::File(file) => file.path().to_string_lossy().into_owned(),
        }
    }
}

impl<'a> Repository<'a> {
    /// The repository at a path, worked on as the state says.
    pub(super) fn new(call: &Call<'a>, target: &str) -> Result<Self, Failed> {
        let (host, args) = (call.host, call.args);
        let user = match args.text("user")?.filter(|name| !name.is_empty()) {
            None => None,
            Some(name) => {
                let user = host.user(&name).filter(|user| user.name == name);
                Some(user.ok_or_else(|| Failed::from(format!("User '{name}' is not available")))?)
            }
        };
        let environment = user.as_ref().map(|user| host.login_environment(user, "/bin/sh")).unwrap_or_default();
        let target = target.trim_end_matches('/').into();
        Ok(Self { host, target, user, environment, login: None, identities: Vec::new() })
    }

    /// Prepares to log in to the server of an address. Returns the address without a password.
    pub(super) fn log_in(&mut self, args: &Args<'_>, address: &str) -> Result<String, Failed> {
        let (user, password) = (args.text("https_user")?, args.text("https_pass")?);
        if (user.is_some() || password.is_some()) && !address.starts_with("https://") {
            return Err("Basic Auth only supported for HTTPS".into());
        }
        for identity in args.texts("identity")? {
            self.identities.push(self.identity(&identity)?);
        }
        if let Some(user) = user {
            self.login = Some(Login { user, password: password.unwrap_or_default() });
            return Ok(address.to_owned());
        }
        // One that is in the address would be on the command line of everything that `git` starts.
        let Some((scheme, rest)) = address.split_once("://").filter(|(scheme, _)| scheme.starts_with("http")) else {
            return Ok(address.to_owned());
        };
        let host = rest.split('/').next().unwrap_or_default();
        let Some((login, _)) = host.rsplit_once('@') else { return Ok(address.to_owned()) };
        let (user, password) = login.split_once(':').unwrap_or((login, ""));
        self.login = Some(Login { user: decoded(user), password: decoded(password) });
        Ok(format!("{scheme}://{}", rest.get(login.len() + 1..).unwrap_or_default()))
    }

    fn identity(&self, path: &str) -> Result<Identity, Failed> {
        if path.starts_with("salt://") {
            let content = self.host.content(path).map_err(|_| format!("identity '{path}' does not exist."))?;
            let mut file = NamedTempFile::new()?;
            file.write_all(&content)?;
            if let Some(user) = &self.user {
                std::os::unix::fs::fchown(file.as_file(), Some(user.uid), None)?;
            }
            return Ok(Identity::File(file));
        }
        let path = match (path.strip_prefix("~/"), std::env::var("HOME")) {
            (Some(rest), Ok(home)) => format!("{home}/{rest}"),
            _ => path.to_owned(),
        };
        if !path.starts_with('/') {
            return Err(format!("identity '{path}' is not an absolute path").into());
        }
        Ok(Identity::Path(path))
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let login = self.login.iter().flat_map(|_| ["-c", "credential.helper=", "-c", HELPER]);
        let mut command = Command::new("git", login.chain(arguments.iter().copied()));
        command = command.env("GIT_TERMINAL_PROMPT", "0").envs(self.environment.clone());
        if let Some(user) = &self.user {
            command = command.env("USER", &user.name).env("HOME", &user.home);
        }
        if let Some(login) = &self.login {
            command = command.env("GIT_LOGIN_USER", &login.user).env("GIT_LOGIN_PASSWORD", &login.password);
        }
        let folder = if self.target.is_dir() { self.target.as_str() } else { "/" };
        command.folder(folder).quiet()
    }

    fn start(&self, command: Command) -> Result<Output, Failed> {
        let own = rustix::process::geteuid().as_raw();
        let other = self.user.as_ref().filter(|user| user.uid != own);
        self.host.run(match other {
            Some(user) => command.as_user(user, None),
            None => command,
        })
    }

    /// What `git` says and how it ends, without talking to a server.
    pub(super) fn ask(&self, arguments: &[&str]) -> Result<Output, Failed> {
        self.start(self.command(arguments))
    }

    /// What `git` says.
    ///
    /// # Errors
    /// When it fails, with what it says then.
    pub(super) fn git(&self, arguments: &[&str]) -> Result<String, Failed> {
        said(self.ask(arguments)?)
    }

    /// What `git` says, who may talk to a server: each key is tried until one fits.
    pub(super) fn online(&self, arguments: &[&str]) -> Result<String, Failed> {
        if self.identities.is_empty() {
            return said(self.start(self.command(arguments).merged_if(arguments.first() == Some(&"fetch")))?);
        }
        let (mut errors, mut missing) = (Vec::new(), Vec::new());
        for identity in &self.identities {
            let path = identity.path();
            if !Utf8Path::new(&path).is_file() {
                missing.push(path);
                continue;
            }
            let ssh = format!("{SSH} -i '{}'", path.replace('\'', "'\\''"));
            let command = self.command(arguments).merged_if(arguments.first() == Some(&"fetch"));
            match said(self.start(command.env("GIT_SSH_COMMAND", &ssh))?) {
                Ok(said) => return Ok(said),
                Err(failed) => errors.push(failed.comment),
            }
        }
        let mut comment = format!("Unable to authenticate using identity file:\n\n{}", errors.join("\n"));
        if !missing.is_empty() {
            let gap = if errors.is_empty() { "" } else { "\n\n" };
            let _ = write!(comment, "{gap}The following identity file(s) were not found: {}", missing.join(", "));
        }
        Err(comment.into())
    }

    /// The commit that a name leads to, if it is here.
    pub(super) fn commit(&self, name: &str) -> Result<Option<String>, Failed> {
        let output = self.ask(&["rev-parse", "--verify", "--quiet", &format!("{name}^{{commit}}")])?;
        Ok(output.is_success().then(|| output.stdout.trim().to_owned()))
    }

    /// The commit that is checked out, and the name of the branch; `HEAD` if it is none.
    pub(super) fn head(&self) -> Result<(Option<String>, Option<String>), Failed> {
        let output = self.ask(&["rev-parse", "HEAD", "--abbrev-ref", "HEAD"])?;
        if !output.is_success() {
            return Ok((None, None));
        }
        let mut lines = output.stdout.lines().map(str::to_owned);
        Ok((lines.next(), lines.next()))
    }

    /// Where a remote fetches from.
    pub(super) fn remote(&self, name: &str) -> Result<Option<String>, Failed> {
        let said = self.git(&["remote", "--verbose"])?;
        let fetches = said.lines().filter_map(|line| line.strip_suffix(" (fetch)")?.split_once('\t'));
        Ok(fetches.into_iter().find(|(remote, _)| *remote == name).map(|(_, address)| address.to_owned()))
    }

    /// Makes a remote fetch from an address.
    pub(super) fn set_remote(&self, name: &str, address: &str, is_there: bool) -> Result<(), Failed> {
        if is_there {
            self.git(&["remote", "rm", name])?;
        }
        self.git(&["remote", "add", name, address]).map(drop)
    }

    /// Fetches; says whether any reference changed.
    pub(super) fn fetch(&self, remote: &str, is_forced: bool, what: &[String]) -> Result<bool, Failed> {
        let mut arguments = vec!["fetch"];
        if is_forced {
            arguments.push("--force");
        }
        arguments.push(remote);
        arguments.extend(what.iter().map(String::as_str));
        let said = self.online(&arguments)?;
        let news = |line: &str| {
            let line = line.trim_start_matches([' ', '*', 't']);
            let is_range = line.split_once("..").is_some_and(|(old, _)| !old.is_empty() && super::is_commit(old));
            line.contains("->")
                && (is_range || ["[new tag]", "[new branch]", "[tag update]"].iter().any(|news| line.starts_with(news)))
        };
        Ok(said.lines().any(news))
    }

    /// Clones. What was cloned by half goes the next time.
    pub(super) fn clone(&self, address: &str, options: &[&str]) -> Result<(), Failed> {
        let mark = self.mark();
        if let Some(parent) = mark.parent().filter(|parent| parent.is_dir()) {
            fs::write(parent.join(mark.file_name().unwrap_or_default()), "")?;
        }
        let mut arguments = vec!["clone"];
        arguments.extend(options);
        arguments.extend(["--", address, self.target.as_str()]);
        let cloned = self.online(&arguments);
        if mark.exists() {
            fs::remove_file(mark)?;
        }
        cloned.map(drop)
    }

    /// Finishes or removes what an interrupted clone has left; only what upshift itself began.
    pub(super) fn mend(&self) -> Result<(), Failed> {
        let mark = self.mark();
        if !mark.exists() {
            return Ok(());
        }
        let is_bare = self.target.join("refs").is_dir();
        match self.head()? {
            (Some(_), _) if !is_bare => drop(self.git(&["reset", "--hard"])?),
            (None, _) if self.target.is_dir() => super::empty(&self.target)?,
            _ => {}
        }
        Ok(fs::remove_file(mark)?)
    }

    /// Beside the target, what says that a clone was not finished.
    fn mark(&self) -> Utf8PathBuf {
        let name = Hash::of(self.target.as_str().as_bytes()).to_string();
        self.target.with_file_name(format!(".upshift-{}.part", &name[..16]))
    }

    /// Whether there is a repository with a work tree.
    pub(super) fn is_there(&self) -> bool {
        let git = self.target.join(".git");
        git.is_dir() || fs::read_to_string(git).is_ok_and(|text| text.starts_with("gitdir: /"))
    }

    /// Fetches what the repository has of others.
    pub(super) fn update_submodules(&self) -> Result<(), Failed> {
        let updated = self.online(&["submodule", "update", "--init", "--recursive"]);
        updated.map(drop).map_err(|error| format!("Failed to update submodules: {}", error.comment).into())
    }
}

impl Command {
    /// Makes standard error a part of standard output where that is where the news is.
    fn merged_if(self, is_so: bool) -> Self {
        if is_so { self.merged() } else { self }
    }
}

/// What a program said that ended well.
fn said(output: Output) -> Result<String, Failed> {
    if output.is_success() {
        return Ok(output.stdout);
    }
    let error = if output.stderr.trim().is_empty() { &output.stdout } else { &output.stderr };
    let lines: Vec<String> =
        error.trim().lines().map(|line| line.split(' ').map(clean).collect::<Vec<_>>().join(" ")).collect();
    Err(if lines.is_empty() { output.why() } else { lines.join("\n") }.into())
}

/// A word without a name and password that may be in it.
fn clean(word: &str) -> String {
    match word.find("http") {
        Some(at) => format!("{}{}", &word[..at], redacted(&word[at..])),
        None => word.to_owned(),
    }
}

/// What `%40` and its kind stand for.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let code = after.get(..2).and_then(|code| u8::from_str_radix(std::str::from_utf8(code).ok()?, 16).ok());
        if let Some(byte) = code.filter(|_| *first == b'%') {
            bytes.push(byte);
            rest = after.get(2..).unwrap_or_default();
        } else {
            bytes.push(*first);
            rest = after;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A flag that may also be a word, such as `force_reset: remote-changes`.
pub(super) fn word(args: &Args<'_>, key: &str) -> Option<String> {
    match args.get(key) {
        Some(Data::Str(word)) => Some(word.to_string()),
        _ => None,
    }
}
