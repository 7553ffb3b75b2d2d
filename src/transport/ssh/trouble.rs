//! Why a host could not be reached, in words that tell where to look.
//!
//! `ssh` says what went wrong in English and in its log; what it says is told apart here and nowhere
//! else. What is not recognised keeps ssh's own words.

use std::fmt;

/// Where it went wrong, which is where a person has to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The name has no address.
    Name,
    /// Nothing answers at that address and port.
    Connect,
    /// Something answers there, and then says nothing.
    Silent,
    /// The host, or the jump host, turns connections away for now.
    Busy,
    /// The host's key is unknown, or not the one that is known.
    HostKey,
    /// The host does not let this user in.
    Login,
    /// The user may not become root.
    Root,
    /// `ssh` cannot work with what it was given.
    Settings,
    /// upshift cannot run there.
    Agent,
    /// Another run has the host.
    Held,
    /// The connection was there, and is gone.
    Lost,
    /// Something on the machine upshift runs on.
    Local,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Name => "no address",
            Self::Connect => "no connection",
            Self::Silent => "silent",
            Self::Busy => "busy",
            Self::HostKey => "host key",
            Self::Login => "no login",
            Self::Root => "no root",
            Self::Settings => "settings",
            Self::Agent => "no agent",
            Self::Held => "held",
            Self::Lost => "lost",
            Self::Local => "here",
        })
    }
}

/// What an sshd that has too many connections leaves in the log of those that it closes.
const TURNED_AWAY: [&str; 6] = [
    "exchange_identification",
    "Connection closed by",
    "Connection reset by",
    "Exceeded MaxStartups",
    "Not allowed at this time",
    "Broken pipe",
];

/// Why a host could not be reached.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Trouble {
    /// Where it went wrong.
    pub kind: Kind,
    /// What happened, without the host's name where that can be helped: equal causes read the same.
    pub why: String,
    /// One thing to do about it.
    pub hint: Option<String>,
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}

impl Trouble {
    pub(in crate::transport) fn new(kind: Kind, why: impl Into<String>) -> Self {
        Self { kind, why: why.into(), hint: None }
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// An agent that says something else than it was asked: no answer never means success.
    pub(crate) fn nonsense() -> Self {
        Self::new(Kind::Agent, "upshift there answers something else than it was asked")
    }

    /// Whether another try in a moment may do better.
    pub(super) fn passes(&self) -> bool {
        self.kind == Kind::Busy
    }

    /// What `ssh` meant by what it wrote when it could not connect.
    pub(super) fn of_log(log: &str, host: &str) -> Self {
        let lines: Vec<&str> = log.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        let has = |text: &str| lines.iter().any(|line| line.contains(text));
        let after = |text: &str| lines.iter().find_map(|line| line.split_once(text)).map(|(_, rest)| rest.trim());
        if has("REMOTE HOST IDENTIFICATION HAS CHANGED") {
            return Self::new(Kind::HostKey, "its host key is not the one in known_hosts")
                .hint(format!("find out why; if the host was made anew, `ssh-keygen -R {host}` forgets the old key"));
        }
        if has("Host key verification failed") || has("host key is known for") {
            return Self::new(Kind::HostKey, "its host key is not in known_hosts")
                .hint(format!("`ssh {host}` shows the key: compare it with the host's own, then accept it"));
        }
        if has("Permission denied (") || has("Too many authentication failures") {
            let methods = after("Permission denied (").map(|rest| rest.trim_end_matches([')', '.']));
            let why = methods.map_or("it does not let this user in".to_owned(), |methods| {
                format!("it does not let this user in (it takes {})", methods.replace(',', ", "))
            });
            return Self::new(Kind::Login, why)
                .hint(format!("`ssh -o BatchMode=yes {host}` has to work without a question; `user` and `key` are set in the inventory"));
        }
        if let Some(reason) = after("Could not resolve hostname ") {
            let reason = reason.split_once(": ").map_or(reason, |(_, reason)| reason);
            return Self::new(Kind::Name, format!("its name has no address: {}", lower(reason)))
                .hint("give it an `address` in the inventory, or a `HostName` in ssh_config");
        }
        // What a jump host says of the way from there; after it, its own end of the connection closes too.
        if let Some(reason) = after("open failed: ") {
            let reason = reason.strip_prefix("connect failed: ").unwrap_or(reason);
            return Self::new(Kind::Connect, format!("{}, says the jump host", lower(reason)));
        }
        if has("timed out during banner exchange") || has("banner exchange") && has("timed out") {
            return Self::new(Kind::Silent, "it takes the connection and then says nothing")
                .hint("it may be frozen or out of memory: look at its console");
        }
        if let Some(reason) = after("connect to host ") {
            let reason = reason.rsplit_once(": ").map_or(reason, |(_, reason)| reason);
            return Self::new(Kind::Connect, lower(reason));
        }
        if TURNED_AWAY.iter().any(|words| has(words)) {
            return Self::new(Kind::Busy, "it closes connections before it knows who asks")
                .hint("sshd turns some away beyond `MaxStartups`: `[ssh]` with a lower `at-once` in the inventory");
        }
        if has("timed out") {
            return Self::new(Kind::Connect, "connection timed out");
        }
        let said = lines.last().map_or("ssh ended without a word", |line| line);
        Self::new(Kind::Settings, format!("ssh: {said}"))
    }
}

fn lower(text: &str) -> String {
    let text = text.trim_end_matches('.');
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ssh_says_is_told_apart() {
        let cases = [
            ("ssh: connect to host 198.18.1.3 port 22: No route to host", Kind::Connect, "no route to host"),
            ("ssh: connect to host 198.18.1.3 port 22: Connection refused\r\n", Kind::Connect, "connection refused"),
            ("ssh: Could not resolve hostname nohost: Name or service not known", Kind::Name, "not known"),
            (
                "Connection timed out during banner exchange\r\nConnection to 198.18.1.3 port 22 timed out",
                Kind::Silent,
                "nothing",
            ),
            (
                "kex_exchange_identification: read: Connection reset by peer\nConnection reset by 198.18.1.3 port 22",
                Kind::Busy,
                "closes",
            ),
            (
                "kex_exchange_identification: Connection closed by remote host\nConnection closed by UNKNOWN port 65535",
                Kind::Busy,
                "closes",
            ),
            (
                "channel 0: open failed: connect failed: No route to host\nstdio forwarding failed\nkex_exchange_identification: Connection closed by remote host",
                Kind::Connect,
                "no route to host, says the jump host",
            ),
            ("root@cmp001: Permission denied (publickey,password).", Kind::Login, "publickey, password"),
            (
                "No ED25519 host key is known for cmp001 and you have requested strict checking.\nHost key verification failed.",
                Kind::HostKey,
                "not in known_hosts",
            ),
            (
                "@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\nHost key verification failed.",
                Kind::HostKey,
                "not the one",
            ),
            ("/root/.ssh/config: line 3: Bad configuration option: hots", Kind::Settings, "Bad configuration option"),
            ("", Kind::Settings, "without a word"),
        ];
        for (log, kind, words) in cases {
            let trouble = Trouble::of_log(log, "cmp001");
            assert_eq!(trouble.kind, kind, "{log}");
            assert!(trouble.why.contains(words), "{log}: {}", trouble.why);
        }
    }
}
