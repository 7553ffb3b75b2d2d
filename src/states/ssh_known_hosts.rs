//! `ssh_known_hosts.*`: which keys hosts have, as `ssh` is to expect them.
//!
//! The file is read and written here, in the format of `sshd(8)`; keys that are not given come from `ssh-keyscan(1)`.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use camino::{Utf8Path, Utf8PathBuf};
use fs_err as fs;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;
use sha2::Digest as _;

use crate::formula::{Data, Dict};
use crate::states::accounts::User;
use crate::states::disk::{Attributes, create_folder, replace};
use crate::states::returns::dict;
use crate::states::{Args, Call, Command, Failed, Function, Return, random};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("ssh_known_hosts.absent", absent).takes(&["user", "config"]),
    Function::new("ssh_known_hosts.present", present)
        .takes(&[
            "user",
            "fingerprint",
            "key",
            "port",
            "enc",
            "config",
            "hash_known_hosts",
            "timeout",
            "fingerprint_hash_type",
        ])
        .checks(check),
];

/// A key of a host, as a line of the file or of `ssh-keyscan` says it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    /// Names and addresses, or the hash of one.
    hosts: String,
    kind: String,
    key: String,
}

/// The file, and what it has.
struct File {
    path: Utf8PathBuf,
    user: Option<User>,
    /// `None` if there is none.
    text: Option<String>,
}

/// How often a host is asked for its keys.
const ATTEMPTS: usize = 5;

const DEFAULT_PORT: i64 = 22;

fn check(args: &Args<'_>) -> Result<(), String> {
    match args.get("fingerprint_hash_type").and_then(Data::as_str).map(str::to_lowercase).as_deref() {
        None | Some("md5" | "sha1" | "sha256" | "sha512") => Ok(()),
        Some(other) => Err(format!("The fingerprint_hash_type {other} is not supported.")),
    }
}

fn present(call: &Call<'_>) -> Result<Return, Failed> {
    let (name, key, fingerprint) = (call.args.name()?, call.args.text("key")?, call.args.text("fingerprint")?);
    let (kind, port) = (call.args.text("enc")?, call.args.number("port")?.filter(|port| *port != 0));
    let is_hashed = call.args.flag("hash_known_hosts", true);
    let (config, mut file) = (config(&call.args)?, File::of(call)?);
    // When it is applied, the key counts alone.
    if call.preview && key.is_some() && fingerprint.is_some() {
        return Err("Specify either \"key\" or \"fingerprint\", not both.".into());
    }
    if key.is_some() && kind.is_none() {
        return Err("Required argument \"enc\" if using \"key\" argument.".into());
    }
    let address = address(&name, port);
    let stored = file.entries(&address);
    let hash = call.args.text("fingerprint_hash_type")?.unwrap_or_else(|| "sha256".into()).to_lowercase();
    let has_fingerprint =
        |entries: &[Entry], wanted: &str| entries.iter().any(|entry| entry.fingerprint(&hash) == wanted);
    if call.preview {
        let is_there = match (&key, &fingerprint) {
            (Some(key), _) => stored.iter().any(|entry| entry.key == *key),
            (None, Some(wanted)) => has_fingerprint(&stored, wanted),
            (None, None) => true,
        };
        return Ok(match (stored.is_empty(), is_there) {
            (true, _) => Return::would(Dict::default(), format!("Key for {name} is set to be added to {config}")),
            (false, true) => Return::unchanged(format!("Host {name} is already in {config}")),
            (false, false) => {
                Return::would(Dict::default(), format!("Key for {name} is set to be updated in {config}"))
            }
        });
    }
    if port.is_some_and(|port| port != DEFAULT_PORT) && is_hashed {
        return Err("argument port can not be used in conjunction with argument hash_known_hosts".into());
    }
    let of_kind = |entry: &&Entry| kind.as_ref().is_none_or(|kind| entry.kind == *kind);
    let mut stored_keys: Vec<&str> = stored.iter().filter(of_kind).map(|entry| entry.key.as_str()).collect();
    let is_known = match (&key, &fingerprint) {
        _ if stored.is_empty() => false,
        (Some(key), _) => stored_keys.contains(&key.as_str()),
        (None, Some(wanted)) => has_fingerprint(&stored, wanted),
        (None, None) => false,
    };
    let exists = || Ok(Return::unchanged(format!("{name} already exists in {config}")));
    if is_known {
        return exists();
    }
    let new = if let (Some(key), Some(kind)) = (&key, &kind) {
        vec![Entry { hosts: name.clone(), kind: kind.clone(), key: key.clone() }]
    } else {
        let found = ask(call, &name, kind.as_deref(), port, is_hashed)?;
        if found.is_empty() {
            return Err("Unable to receive remote host keys".into());
        }
        if fingerprint.as_ref().is_some_and(|wanted| !has_fingerprint(&found, wanted)) {
            let what = "Remote host public keys found but none of their fingerprints match the one you have provided";
            return Err(what.into());
        }
        let mut keys: Vec<&str> = found.iter().map(|entry| entry.key.as_str()).collect();
        keys.sort_unstable();
        stored_keys.sort_unstable();
        if fingerprint.is_none() && !stored.is_empty() && keys == stored_keys {
            return exists();
        }
        found
    };
    file.remove(&address, kind.as_deref());
    for entry in &new {
        let is_plain = is_hashed || port.is_none_or(|port| port == DEFAULT_PORT) || entry.hosts.contains(':');
        let hosts = if is_plain { entry.hosts.clone() } else { self::address(&entry.hosts, port) };
        file.add(&Entry { hosts, ..entry.clone() });
    }
    if key.is_some() && is_hashed {
        file.hash()?;
    }
    file.write()?;
    let described = |entry: &Entry| described(entry, key.is_none().then_some(hash.as_str()));
    let old =
        if stored.is_empty() { Data::None } else { stored.iter().map(|old| described_known(old, &hash)).collect() };
    let changes = dict([("old", old), ("new", new.iter().map(described).collect())]);
    let first = new.first().map_or("", |entry| entry.key.as_str());
    let comment = match (&key, &fingerprint, &kind) {
        (Some(_), ..) => format!("{name}'s key saved to {config} (key: {first})"),
        (_, Some(_), _) => {
            let fingerprint = new.first().map(|entry| entry.fingerprint(&hash)).unwrap_or_default();
            format!("{name}'s key saved to {config} (fingerprint: {fingerprint})")
        }
        (_, _, Some(kind)) => format!("{name}'s {kind} key saved to {config} (key: {first})"),
        _ => format!("{name}'s key(s) saved to {config}"),
    };
    Ok(Return::changed(changes, comment))
}

fn absent(call: &Call<'_>) -> Result<Return, Failed> {
    let (name, config) = (call.args.name()?, config(&call.args)?);
    let would = || Return::would(Dict::default(), format!("Key for {name} is set to be removed from {config}"));
    let user = call.args.text("user")?.filter(|user| !user.is_empty());
    if call.preview && user.is_some_and(|user| call.host.user(&user).is_none()) {
        // A state before this one may make the user.
        return Ok(would());
    }
    let mut file = File::of(call)?;
    let known = file.entries(&name);
    if known.is_empty() {
        return Ok(Return::unchanged("Host is already absent"));
    }
    if call.preview {
        return Ok(would());
    }
    let before = file.text.clone().unwrap_or_default();
    let removed = file.remove(&name, None);
    // As `ssh-keygen -R` leaves it, for whoever removed too much.
    let backup = Utf8PathBuf::from(format!("{}.old", file.path));
    replace(&backup, before.as_bytes(), file.attributes(0o600))?;
    file.write()?;
    let lines: Vec<String> = removed.iter().map(|number| format!("# Host {name} found: line {number}\n")).collect();
    let comment = format!("{}{} updated.\nOriginal contents retained as {backup}", lines.concat(), file.path);
    let old = known.iter().map(|entry| described_known(entry, "sha256")).collect();
    Ok(Return::changed(dict([("old", old), ("new", Data::None)]), comment))
}

/// The file as the state names it.
fn config(args: &Args<'_>) -> Result<String, Failed> {
    let user = args.text("user")?.filter(|user| !user.is_empty());
    let default = if user.is_some() { ".ssh/known_hosts" } else { "/etc/ssh/ssh_known_hosts" };
    let config = args.text("config")?.filter(|config| !config.is_empty()).unwrap_or_else(|| default.into());
    if user.is_none() && !config.starts_with('/') {
        return Err("If not specifying a \"user\", specify an absolute \"config\".".into());
    }
    Ok(config)
}

/// How a host is called in the file.
fn address(name: &str, port: Option<i64>) -> String {
    match port {
        Some(port) if port != DEFAULT_PORT => format!("[{name}]:{port}"),
        _ => name.to_owned(),
    }
}

/// Asks a host for its keys.
fn ask(
    call: &Call<'_>,
    name: &str,
    kind: Option<&str>,
    port: Option<i64>,
    is_hashed: bool,
) -> Result<Vec<Entry>, Failed> {
    let timeout = call.args.number("timeout")?.unwrap_or(5);
    let mut arguments = Vec::new();
    if let Some(port) = port {
        arguments.extend(["-p".to_owned(), port.to_string()]);
    }
    if let Some(kind) = kind {
        arguments.extend(["-t".to_owned(), kind.to_owned()]);
    }
    if is_hashed {
        arguments.push("-H".to_owned());
    }
    arguments.extend(["-T".to_owned(), timeout.to_string(), "--".to_owned(), name.to_owned()]);
    // It may ask for several kinds of keys, one after the other.
    let limit = Duration::from_secs(timeout.unsigned_abs().saturating_mul(10).max(60));
    for _ in 0..ATTEMPTS {
        let output = call.host.run(Command::new("ssh-keyscan", &arguments).quiet().timeout(Some(limit)))?;
        let found: Vec<Entry> = output.stdout.lines().filter_map(Entry::parse).filter(Entry::has_key).collect();
        if !found.is_empty() || !output.stderr.is_empty() {
            return Ok(found);
        }
    }
    Ok(Vec::new())
}

impl Entry {
    fn parse(line: &str) -> Option<Self> {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [hosts, kind, key, ..] = fields.as_slice() else { return None };
        let is_entry = !hosts.starts_with(['#', '@']);
        is_entry.then(|| Self { hosts: (*hosts).to_owned(), kind: (*kind).to_owned(), key: (*key).to_owned() })
    }

    /// Whether what stands for the key can be one: if not, nobody knows the host by it, and a new key takes its place.
    fn has_key(&self) -> bool {
        BASE64.decode(&self.key).is_ok()
    }

    /// Whether it is about a host: by name, pattern or hash.
    fn is_of(&self, host: &str) -> bool {
        let host = host.to_ascii_lowercase();
        if let Some(hashed) = self.hosts.strip_prefix("|1|") {
            let hash = hashed.split_once('|').and_then(|(salt, _)| hash_of(&BASE64.decode(salt).ok()?, &host));
            return hash.is_some_and(|hash| hash == self.hosts);
        }
        let mut is_it = false;
        for pattern in self.hosts.to_ascii_lowercase().split(',') {
            match pattern.strip_prefix('!') {
                Some(pattern) if matches(pattern.as_bytes(), host.as_bytes()) => return false,
                Some(_) => {}
                None => is_it |= matches(pattern.as_bytes(), host.as_bytes()),
            }
        }
        is_it
    }

    /// The hash of the key, in pairs of digits.
    fn fingerprint(&self, hash: &str) -> String {
        let key = BASE64.decode(&self.key).unwrap_or_default();
        let digest = match hash {
            "md5" => md5::Md5::digest(&key).to_vec(),
            "sha1" => Sha1::digest(&key).to_vec(),
            "sha512" => sha2::Sha512::digest(&key).to_vec(),
            _ => sha2::Sha256::digest(&key).to_vec(),
        };
        digest.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(":")
    }
}

/// What Salt says of a key; `hash` is that of its fingerprint.
fn described(entry: &Entry, hash: Option<&str>) -> Data {
    let mut all = dict([
        ("hostname", entry.hosts.as_str().into()),
        ("enc", entry.kind.as_str().into()),
        ("key", entry.key.as_str().into()),
    ]);
    if let Some(hash) = hash {
        all.insert("fingerprint", entry.fingerprint(hash));
    }
    all.into()
}

fn described_known(entry: &Entry, hash: &str) -> Data {
    described(entry, Some(hash))
}

/// Whether a name fits a pattern with `*` and `?`.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    match (pattern, name) {
        ([], []) => true,
        ([b'*', rest @ ..], _) => (0..=name.len()).any(|at| matches(rest, &name[at..])),
        ([b'?', rest @ ..], [_, more @ ..]) => matches(rest, more),
        ([one, rest @ ..], [other, more @ ..]) => one == other && matches(rest, more),
        _ => false,
    }
}

/// A name that only who knows it can tell.
fn hash_of(salt: &[u8], host: &str) -> Option<String> {
    let mut mac = Hmac::<Sha1>::new_from_slice(salt).ok()?;
    mac.update(host.as_bytes());
    let hash: [u8; 20] = mac.finalize().into_bytes().into();
    Some(format!("|1|{}|{}", BASE64.encode(salt), BASE64.encode(hash)))
}

impl File {
    fn of(call: &Call<'_>) -> Result<Self, Failed> {
        let name = call.args.text("user")?.filter(|user| !user.is_empty());
        let config = Utf8PathBuf::from(config(&call.args)?);
        let user = name.as_ref().and_then(|name| call.host.user(name));
        let path = match (&user, &name) {
            _ if config.is_absolute() => config,
            (Some(user), _) => Utf8Path::new(&user.home).join(config),
            (None, name) => return Err(format!("User {} does not exist", name.as_deref().unwrap_or_default()).into()),
        };
        let text = if path.is_file() { Some(fs::read_to_string(&path)?) } else { None };
        Ok(Self { path, user, text })
    }

    fn entries(&self, host: &str) -> Vec<Entry> {
        let lines = self.text.as_deref().unwrap_or_default().lines();
        lines.filter_map(Entry::parse).filter(|entry| entry.has_key() && entry.is_of(host)).collect()
    }

    /// Takes out the lines about a host, all or those of one kind. Returns the numbers of the lines.
    fn remove(&mut self, host: &str, kind: Option<&str>) -> Vec<usize> {
        let Some(text) = self.text.take() else { return Vec::new() };
        let is_it =
            |line: &str| Entry::parse(line).is_some_and(|it| it.is_of(host) && kind.is_none_or(|kind| it.kind == kind));
        let removed = text.lines().enumerate().filter(|(_, line)| is_it(line)).map(|(at, _)| at + 1).collect();
        self.text = Some(text.split_inclusive('\n').filter(|line| !is_it(line)).collect());
        removed
    }

    fn add(&mut self, entry: &Entry) {
        let text = self.text.get_or_insert_default();
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        *text += &format!("{} {} {}\n", entry.hosts, entry.kind, entry.key);
    }

    /// Hashes every name of the file that is not a pattern, as `ssh-keygen -H` does.
    fn hash(&mut self) -> Result<(), Failed> {
        let Some(text) = self.text.take() else { return Ok(()) };
        let mut hashed = String::new();
        for line in text.lines() {
            let rest = line.trim_start().split_once(char::is_whitespace);
            let is_name = |hosts: &str| !hosts.starts_with(['#', '@', '|']) && !hosts.contains(['*', '?', '!']);
            let Some((hosts, rest)) = rest.filter(|(hosts, _)| is_name(hosts)) else {
                hashed += &format!("{line}\n");
                continue;
            };
            for host in hosts.split(',') {
                let host =
                    hash_of(&random::bytes::<20>()?, &host.to_ascii_lowercase()).unwrap_or_else(|| host.to_owned());
                hashed += &format!("{host} {rest}\n");
            }
        }
        self.text = Some(hashed);
        Ok(())
    }

    fn attributes(&self, mode: u32) -> Attributes {
        let user = self.user.as_ref().filter(|_| rustix::process::geteuid().is_root());
        Attributes { uid: user.map(|user| user.uid), gid: user.map(|user| user.gid), mode: Some(mode) }
    }

    fn write(&self) -> Result<(), Failed> {
        if let Some(folder) = self.path.parent().filter(|folder| !folder.is_dir()) {
            let mode = if self.user.is_some() { 0o700 } else { 0o755 };
            create_folder(folder, self.attributes(mode), Attributes::default())?;
        }
        let mut attributes = self.attributes(0o600);
        if self.path.exists() {
            attributes.mode = None;
        }
        Ok(replace(&self.path, self.text.as_deref().unwrap_or_default().as_bytes(), attributes)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> File {
        File { path: Utf8PathBuf::new(), user: None, text: Some(text.to_owned()) }
    }

    #[test]
    fn a_host_is_found_by_name_pattern_port_and_hash() {
        let lines = "# x\ngit.example,10.0.0.1 ssh-rsa AAAA\n*.lab,!no.lab ssh-rsa BBBB\n[h]:2222 ssh-rsa CCCC\n\
                     @revoked * ssh-rsa DDDD\n";
        let keys = |host: &str| file(lines).entries(host).into_iter().map(|entry| entry.key).collect::<Vec<_>>();
        assert_eq!(keys("Git.example"), ["AAAA"]);
        assert_eq!(keys("a.lab"), ["BBBB"]);
        assert!(keys("no.lab").is_empty() && keys("h").is_empty());
        assert_eq!(keys("[h]:2222"), ["CCCC"]);
    }

    #[test]
    fn a_hashed_file_has_the_same_hosts() {
        let mut file = file("git.example,10.0.0.1 ssh-rsa AAAA\n*.lab ssh-rsa BBBB\n");
        file.hash().unwrap();
        assert_eq!(file.text.as_deref().unwrap().lines().count(), 3);
        assert!(!file.text.as_deref().unwrap().contains("git.example"));
        assert_eq!((file.entries("git.example").len(), file.entries("10.0.0.1").len()), (1, 1));
        assert_eq!(file.remove("10.0.0.1", Some("ssh-rsa")), [2]);
        assert!(file.remove("git.example", Some("ssh-ed25519")).is_empty());
    }

    #[test]
    fn what_is_no_key_is_replaced_and_known_by_nobody() {
        let mut file = file("git.example ssh-rsa NO_KEY\n");
        assert!(file.entries("git.example").is_empty());
        assert_eq!(file.remove("git.example", Some("ssh-rsa")), [1]);
    }

    #[test]
    fn a_fingerprint_is_in_pairs_of_digits() {
        let entry = Entry::parse("h ssh-rsa AAAA").unwrap();
        assert_eq!(entry.fingerprint("md5"), "69:3e:9a:f8:4d:3d:fc:c7:1e:64:0e:00:5b:dc:5e:2e");
    }
}
