//! Who is speaking.

use crate::model::Person;

/// The user of this process, and the terminal it has.
pub(super) fn me() -> Person {
    let name = |variable: &str| std::env::var(variable).ok().filter(|name| !name.is_empty());
    let uid = rustix::process::getuid();
    let user = match name("SUDO_USER") {
        Some(user) if uid.is_root() => format!("{user} as root"),
        _ => passwd_name(uid.as_raw()).or_else(|| name("USER")).unwrap_or_else(|| format!("uid {}", uid.as_raw())),
    };
    let terminal = rustix::termios::ttyname(std::io::stdin(), Vec::new()).ok();
    let terminal = terminal.and_then(|name| name.into_string().ok());
    Person { user, pid: std::process::id(), from: terminal.unwrap_or_else(|| "no terminal".into()) }
}

/// The name of a user, from the file that every system has.
fn passwd_name(uid: u32) -> Option<String> {
    let text = std::fs::read_to_string("/etc/passwd").ok()?;
    text.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == uid.to_string()).then(|| name.to_owned())
    })
}
