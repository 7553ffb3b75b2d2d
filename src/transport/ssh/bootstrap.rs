//! Starts upshift on a host, sending it there first when it is not there yet.
//!
//! One channel does for all of it: a few lines of `sh` say whether the program is there, take it from
//! stdin when it is not, and become it.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use openssh::{Child, Session};
use tokio::time::timeout;

use crate::agent::protocol::MARK;
use crate::model::inventory::Login;
use crate::transport::ssh::program::Program;
use crate::transport::ssh::trouble::{Kind, Trouble};

/// The command that starts the agent. It is one line: some login shells take no other.
///
/// It becomes the agent, which says that it is ready; or answers `need MACHINE`, and then wants a line with the
/// size of the compressed program and the program; or `failed REASON`.
pub(super) fn command(program: &Program, login: &Login) -> String {
    let folder = quote(login.folder.as_str());
    let Program { hash, .. } = program;
    let mut script = String::new();
    // Non-interactive shells often have no path to the tools of root.
    let _ = write!(
        script,
        "umask 077; set -f; case :$PATH: in *:/usr/sbin:*) ;; *) PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin; export PATH;; esac; d={folder}; f=$d/agent/{hash}; "
    );
    let _ = write!(script, "say() {{ echo \"{MARK} $*\"; }}; ");
    script += "if ! [ -x \"$f\" ]; then ";
    script += "say need \"$(uname -m)\"; read -r size || exit 1; p=$f.$$; ";
    script += "e=$( { mkdir -p \"$d/agent\" && head -c \"$size\" 2>/dev/null | gzip -dc > \"$p\"; } 2>&1 ); ";
    script += "h=$(sha256sum < \"$p\" 2>/dev/null); ";
    let _ = write!(script, "if [ \"${{h%% *}}\" != {hash} ]; then rm -f \"$p\"; ");
    script += "say failed ${e:-what arrived is not what was sent}; exit 1; fi; ";
    // It is on disk before it has its name: a host that loses power meanwhile has no half of it under that name.
    script +=
        "e=$( { chmod 700 \"$p\" && sync \"$p\" && mv -f \"$p\" \"$f\"; } 2>&1 ) || { say failed $e; exit 1; }; fi; ";
    script += "exec \"$f\" agent serve \"$d\"";
    as_root(&script, login.r#become)
}

/// A command line that runs a script as root where the user may become root, else as the user.
pub(super) fn as_root(script: &str, r#become: bool) -> String {
    let script = quote(script);
    if !r#become {
        return format!("exec /bin/sh -c {script}");
    }
    // The first process is root's, and whoever has it is root: the shell sees that without starting `id`.
    let choose = r#"if [ -O /proc/1 ]; then exec /bin/sh -c "$0"; else exec sudo -n -H /bin/sh -c "$0"; fi"#;
    format!("exec /bin/sh -c {} {script}", quote(choose))
}

/// The exit code of a command that has ended, or is about to; `None` when nobody knows it.
pub(super) async fn exit_code(child: Child<Arc<Session>>) -> Option<i32> {
    match timeout(Duration::from_secs(2), child.wait()).await {
        Ok(Ok(status)) => status.code(),
        // The crate takes 127 for an error of its own.
        Ok(Err(openssh::Error::Remote(_))) => Some(127),
        _ => None,
    }
}

/// Why nothing could be started as root, when that is why.
pub(super) fn no_root(stderr: &str, code: Option<i32>) -> Option<Trouble> {
    if let Some(said) = stderr.lines().find_map(|line| line.trim().strip_prefix("sudo: ")) {
        let trouble = Trouble::new(Kind::Root, format!("sudo does not make this user root: {said}"));
        return Some(
            trouble
                .hint("allow it in sudoers with NOPASSWD, log in as root, or set `become = false` to do without root"),
        );
    }
    (code == Some(127) && stderr.contains("sudo")).then(|| {
        Trouble::new(Kind::Root, "there is no sudo to become root with").hint("log in as root, or install sudo")
    })
}

/// Text as one word of a shell, whichever shell it is.
pub(super) fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_stays_one_word() {
        let text = "it's $(a) `b` \"c\" \\ !d";
        let output = std::process::Command::new("sh").args(["-c", &format!("printf %s {}", quote(text))]).output();
        assert_eq!(String::from_utf8(output.unwrap().stdout).unwrap(), text);
    }
}
