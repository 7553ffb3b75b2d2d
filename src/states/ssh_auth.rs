//! `ssh_auth.*`: keys that may log in as a user.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use camino::{Utf8Path, Utf8PathBuf};
use fs_err as fs;
use indexmap::IndexMap;

use crate::formula::{Data, Dict};
use crate::states::accounts::User;
use crate::states::disk::{Attributes, create_folder, replace};
use crate::states::returns::dict;
use crate::states::{Args, Call, Failed, Function, Return};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("ssh_auth.absent", absent)
        .requires(&["user"])
        .takes(&["enc", "comment", "source", "options", "config", "fingerprint_hash_type"])
        .checks(check),
    Function::new("ssh_auth.manage", manage).requires(&["ssh_keys", "user"]).takes(&[
        "enc",
        "comment",
        "options",
        "config",
        "fingerprint_hash_type",
    ]),
    Function::new("ssh_auth.present", present)
        .requires(&["user"])
        .takes(&["enc", "comment", "source", "options", "config", "fingerprint_hash_type"])
        .checks(check),
];

/// A key and what stands around it on its line.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Key {
    options: Vec<String>,
    kind: String,
    /// The key itself, in base64.
    id: String,
    comment: String,
}

/// The names of kinds of keys, and what else may be said for some.
const KINDS: [(&str, &[&str]); 20] = [
    ("ssh-rsa", &["r", "rsa"]),
    ("ssh-dss", &["d", "dsa", "dss"]),
    ("ecdsa-sha2-nistp256", &["e", "ecdsa"]),
    ("ecdsa-sha2-nistp384", &[]),
    ("ecdsa-sha2-nistp521", &[]),
    ("ssh-ed25519", &["ed25519"]),
    ("rsa-sha2-512", &[]),
    ("rsa-sha2-256", &[]),
    ("rsa-sha2-512-cert-v01@openssh.com", &[]),
    ("rsa-sha2-256-cert-v01@openssh.com", &[]),
    ("ssh-rsa-cert-v01@openssh.com", &[]),
    ("ecdsa-sha2-nistp256-cert-v01@openssh.com", &[]),
    ("ecdsa-sha2-nistp384-cert-v01@openssh.com", &[]),
    ("ecdsa-sha2-nistp521-cert-v01@openssh.com", &[]),
    ("sk-ecdsa-sha2-nistp256@openssh.com", &[]),
    ("sk-ecdsa-sha2-nistp256-cert-v01@openssh.com", &[]),
    ("ssh-ed25519-cert-v01@openssh.com", &[]),
    ("sk-ssh-ed25519@openssh.com", &[]),
    ("sk-ssh-ed25519-cert-v01@openssh.com", &[]),
    ("ssh-dss-cert-v01@openssh.com", &[]),
];

/// What is to be done with a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Add,
    Update,
    Nothing,
}

fn check(args: &Args<'_>) -> Result<(), String> {
    let source = args.get("source").and_then(Data::as_str).unwrap_or_default();
    match source.split_once("://") {
        Some((scheme, _)) if scheme != "salt" => Err(format!("upshift has no `source` of {scheme}://")),
        _ => Ok(()),
    }
}

fn present(call: &Call<'_>) -> Result<Return, Failed> {
    let (name, user) = (call.args.name()?, call.args.required("user")?);
    match source(call)? {
        None => add(call, &name, &user),
        Some((source, keys)) => add_all(call, &name, &user, &source, keys),
    }
}

/// Has one key on the list.
fn add(call: &Call<'_>, name: &str, user: &str) -> Result<Return, Failed> {
    let key = Key::named(&call.args, name)?;
    let mut file = File::of(call, user)?;
    let id = &key.id;
    let (step, change, done) = match file.put(&key) {
        Step::Nothing => {
            let comment = format!("The authorized host key {id} is already present for user {user}");
            return Ok(Return::unchanged(comment));
        }
        Step::Update => ("updated", "Updated", "updated"),
        Step::Add => ("added", "New", "added"),
    };
    if call.preview {
        return Ok(Return::would(Dict::default(), format!("Key {id} for user {user} is set to be {step}")));
    }
    file.write()?;
    let comment = format!("The authorized host key {id} for user {user} was {done}");
    Ok(Return::changed(dict([(id.as_str(), change.into())]), comment))
}

/// Has all keys of another file on the list.
fn add_all(call: &Call<'_>, name: &str, user: &str, source: &str, keys: Vec<Key>) -> Result<Return, Failed> {
    let options = call.args.texts("options")?;
    let mut file = File::of(call, user)?;
    let mut steps = Vec::new();
    for mut key in keys {
        if !options.is_empty() {
            key.options.clone_from(&options);
        }
        key.kind = kind(&key.kind)?;
        steps.push((file.put(&key), key.id));
    }
    let todo = |(step, key): &(Step, String)| match step {
        Step::Add => format!("Set to add: {key}\n"),
        Step::Update => format!("Set to update: {key}\n"),
        Step::Nothing => String::new(),
    };
    let is_all = |wanted: Step| steps.iter().all(|(step, _)| *step == wanted);
    if is_all(Step::Nothing) {
        return Ok(Return::unchanged(if call.preview {
            format!("All host keys in file {source} are already present")
        } else {
            format!("The authorized host key {name} is already present for user {user}")
        }));
    }
    if call.preview {
        return Ok(Return::would(Dict::default(), steps.iter().map(todo).collect::<String>()));
    }
    file.write()?;
    let is_update = steps.iter().any(|(step, _)| *step == Step::Update);
    let (change, done) = if is_update { ("Updated", "updated") } else { ("New", "added") };
    let comment = format!("The authorized host key {name} for user {user} was {done}");
    Ok(Return::changed(dict([(name, change.into())]), comment))
}

fn absent(call: &Call<'_>) -> Result<Return, Failed> {
    let (name, user) = (call.args.name()?, call.args.required("user")?);
    if let Some((source, None)) = content(call)? {
        return Ok(Return::unchanged(format!("Source file {source} is missing: it names no key to remove")));
    }
    let (id, keys) = if let Some((_, keys)) = source(call)? {
        (name, keys.into_iter().map(|key| key.id).collect())
    } else {
        let id = Key::parse(&name).map_or_else(|| first_word(&name).0.to_owned(), |key| key.id);
        (id.clone(), vec![id])
    };
    let mut file = File::of(call, &user)?;
    let there: Vec<&String> = keys.iter().filter(|key| file.keys().contains_key(*key)).collect();
    if call.preview {
        let from_source = call.args.flag("source", false);
        return Ok(match (there.as_slice(), from_source) {
            ([], false) => Return::unchanged("Key is already absent"),
            ([], true) => {
                let source = call.args.required("source")?;
                Return::unchanged(format!("All host keys in file {source} are already absent"))
            }
            (_, false) => Return::would(Dict::default(), format!("Key {id} for user {user} is set for removal")),
            (there, true) => {
                let lines = there.iter().map(|key| format!("Set to remove: {key}\n"));
                Return::would(Dict::default(), lines.collect::<String>())
            }
        });
    }
    if there.is_empty() {
        return Ok(Return::unchanged("Key not present"));
    }
    for key in there {
        file.remove(key);
    }
    file.write()?;
    Ok(Return::changed(dict([(id, "Removed".into())]), "Key removed"))
}

fn manage(call: &Call<'_>) -> Result<Return, Failed> {
    let (wanted, user) = (call.args.texts("ssh_keys")?, call.args.required("user")?);
    let words: Vec<&str> = wanted.iter().flat_map(|line| line.split(' ')).collect();
    let mut file = File::of(call, &user)?;
    let mut changes = Dict::default();
    let mut said = Vec::new();
    let surplus: Vec<String> = file.keys().into_keys().filter(|key| !words.contains(&key.as_str())).collect();
    for key in &surplus {
        file.remove(key);
        if call.preview {
            said = vec![format!("{key} Key set for removal")];
        } else {
            changes.insert(key.as_str(), "Key removed");
        }
    }
    let mut is_changed = !surplus.is_empty();
    for line in &wanted {
        let key = Key::named(&call.args, line)?;
        let (step, id) = (file.put(&key), &key.id);
        is_changed |= step != Step::Nothing;
        let (verb, change) = if step == Step::Add { ("added", "New") } else { ("updated", "Updated") };
        match step {
            Step::Nothing => said.push(format!("The authorized host key {id} is already present for user {user}")),
            _ if call.preview => said.push(format!("Key {id} for user {user} is set to be {verb}")),
            _ => drop(changes.insert(id.as_str(), change)),
        }
    }
    let said = said.join("\n");
    if !is_changed {
        return Ok(Return::unchanged(said));
    }
    if call.preview {
        return Ok(Return::would(changes, said));
    }
    file.write()?;
    Ok(Return::changed(changes, said))
}

/// A file by its name, and what is in it.
type Named = (String, Option<Vec<u8>>);

/// The file that a state takes keys from, and what is in it, if it is there.
fn content(call: &Call<'_>) -> Result<Option<Named>, Failed> {
    let Some(source) = call.args.text("source")?.filter(|source| !source.is_empty()) else { return Ok(None) };
    let content = match source.strip_prefix("salt://") {
        Some(path) => call.host.formula.read_file(path)?,
        None => fs::read(&source).ok(),
    };
    Ok(Some((source, content)))
}

/// The file that a state takes keys from, with those keys.
fn source(call: &Call<'_>) -> Result<Option<(String, Vec<Key>)>, Failed> {
    let Some((source, content)) = content(call)? else { return Ok(None) };
    let content = content.ok_or_else(|| format!("Failed to add the ssh key. Source file {source} is missing"))?;
    let keys: Vec<Key> = String::from_utf8_lossy(&content).lines().filter_map(Key::of_line).collect();
    if keys.is_empty() {
        return Err(format!("No keys detected in {source}. Is file properly formatted?").into());
    }
    Ok(Some((source, keys)))
}

impl Key {
    /// The key that a name means, which is a whole line, or the key itself with perhaps a comment.
    fn named(args: &Args<'_>, name: &str) -> Result<Self, Failed> {
        let mut key = Self::parse(name).map_or_else(
            || {
                let (id, comment) = first_word(name);
                let kind = args.text("enc")?.unwrap_or_else(|| "ssh-rsa".into());
                Ok::<_, Failed>(Self { options: Vec::new(), kind, id: id.to_owned(), comment: comment.to_owned() })
            },
            Ok,
        )?;
        if key.options.is_empty() {
            key.options = args.texts("options")?;
        }
        if key.comment.is_empty() {
            key.comment = args.text("comment")?.unwrap_or_default();
        }
        key.kind = kind(&key.kind)?;
        if BASE64.decode(&key.id).is_err() {
            return Err("Invalid public ssh key, most likely has spaces or invalid syntax".into());
        }
        Ok(key)
    }

    /// A key in a line that has its kind; options stand before it.
    fn parse(line: &str) -> Option<Self> {
        let start = line.char_indices().map(|(at, _)| at).find(|at| is_kind(&line[*at..]))?;
        let options = line[..start].trim_end();
        let options = if options.is_empty() { Vec::new() } else { options.split(',').map(str::to_owned).collect() };
        let (kind, rest) = first_word(&line[start..]);
        let (key, comment) = first_word(rest);
        Some(Self { options, kind: kind.to_owned(), id: key.to_owned(), comment: comment.trim_end().to_owned() })
    }

    /// A key of a file; spaces within its comment count once.
    fn of_line(line: &str) -> Option<Self> {
        let line = line.trim();
        if line.starts_with('#') {
            return None;
        }
        let mut key = Self::parse(line).filter(|key| BASE64.decode(&key.id).is_ok())?;
        key.comment = key.comment.split_whitespace().collect::<Vec<_>>().join(" ");
        Some(key)
    }

    fn line(&self) -> String {
        let options = self.options.join(",");
        let space = if options.is_empty() { "" } else { " " };
        format!("{options}{space}{} {} {}\n", self.kind, self.id, self.comment)
    }
}

/// Whether a text begins with the kind of a key and goes on after it.
fn is_kind(text: &str) -> bool {
    let rest = text.strip_prefix("sk-").unwrap_or(text);
    let Some(rest) = rest.strip_prefix("ssh-").or_else(|| rest.strip_prefix("ecds")) else { return false };
    let end = rest.find(|char: char| !(char.is_alphanumeric() || "_@.-".contains(char))).unwrap_or(rest.len());
    end > 0 && rest[end..].starts_with(char::is_whitespace) && !rest[end..].trim().is_empty()
}

fn first_word(text: &str) -> (&str, &str) {
    let text = text.trim_start();
    let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    (word, rest.trim_start())
}

/// The proper name of a kind of keys.
fn kind(name: &str) -> Result<String, String> {
    let found = KINDS.iter().find(|(kind, others)| *kind == name || others.contains(&name));
    found.map(|(kind, _)| (*kind).to_owned()).ok_or_else(|| format!("Incorrect encryption key type '{name}'."))
}

/// A user's list of keys.
struct File {
    /// Nobody of that name is there; in a preview there may be by then.
    user: Option<User>,
    path: Utf8PathBuf,
    /// What it has; `None` if there is no such file.
    text: Option<String>,
}

impl File {
    fn of(call: &Call<'_>, name: &str) -> Result<Self, Failed> {
        let config = call.args.text("config")?.unwrap_or_else(|| ".ssh/authorized_keys".into());
        let Some(user) = call.host.user(name) else {
            return Ok(Self { user: None, path: Utf8PathBuf::new(), text: None });
        };
        let path = Utf8Path::new(&user.home).join(expanded(&config, &user)?);
        let text = if path.is_file() { Some(fs::read_to_string(&path)?) } else { None };
        Ok(Self { user: Some(user), path, text })
    }

    /// The keys that are there; of one that is there twice, the last.
    fn keys(&self) -> IndexMap<String, Key> {
        let lines = self.text.as_deref().unwrap_or_default().lines();
        lines.filter_map(Key::of_line).map(|key| (key.id.clone(), key)).collect()
    }

    /// Has a key on the list.
    fn put(&mut self, key: &Key) -> Step {
        let text = self.text.take().unwrap_or_default();
        let there = text.lines().filter_map(Key::of_line).rfind(|there| there.id == key.id);
        let (step, text) = match there {
            Some(there) if there.line() == key.line() => (Step::Nothing, text),
            Some(_) => {
                let is_it = |line: &str| Key::of_line(line).is_some_and(|there| there.id == key.id);
                let line = |line: &str| if is_it(line) { key.line() } else { format!("{line}\n") };
                (Step::Update, text.lines().map(str::trim).filter(|text| !text.is_empty()).map(line).collect())
            }
            None => {
                let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
                (Step::Add, format!("{text}{end}{}", key.line()))
            }
        };
        self.text = Some(text);
        step
    }

    /// Takes a key from the list.
    fn remove(&mut self, key: &str) {
        let text = self.text.take().unwrap_or_default();
        let is_it = |line: &str| Key::of_line(line).is_some_and(|there| there.id == key);
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !is_it(line));
        self.text = Some(lines.fold(String::new(), |text, line| text + line + "\n"));
    }

    /// Puts the list in its place; what is new there belongs to the user, and nobody else may read it.
    fn write(&self) -> Result<(), Failed> {
        let failed = "Failed to add the ssh key. Is the home directory available, and/or does the key file exist?";
        let user = self.user.as_ref().ok_or(failed)?;
        let home = Utf8Path::new(&user.home);
        if self.path.starts_with(home) && !home.is_dir() {
            return Err(failed.into());
        }
        let is_root = rustix::process::geteuid().is_root();
        let own =
            |mode| Attributes { uid: is_root.then_some(user.uid), gid: is_root.then_some(user.gid), mode: Some(mode) };
        if let Some(folder) = self.path.parent().filter(|folder| !folder.is_dir()) {
            create_folder(folder, own(0o700), Attributes::default())?;
        }
        let attributes = if self.path.exists() { Attributes::default() } else { own(0o600) };
        Ok(replace(&self.path, self.text.as_deref().unwrap_or_default().as_bytes(), attributes)?)
    }
}

/// The path of a list, in which `%u` and `%h` stand for the user and the home.
fn expanded(config: &str, user: &User) -> Result<String, String> {
    let mut path = String::new();
    let mut chars = config.chars();
    while let Some(char) = chars.next() {
        match (char, (char == '%').then(|| chars.next()).flatten()) {
            ('%', Some('%')) => path.push('%'),
            ('%', Some('u')) => path.push_str(&user.name),
            ('%', Some('h')) => path.push_str(&user.home),
            ('%', Some(other)) => {
                return Err(format!("AuthorizedKeysFile path: unknown token character \"%{other}\""));
            }
            ('%', None) => return Err("AuthorizedKeysFile path: Last character can't be escape character".into()),
            (char, _) => path.push(char),
        }
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = "from=\"10.0.0.0/8\",no-pty ssh-ed25519 AAAAC3Nz joe at  home\n";

    fn file(text: &str) -> File {
        File { user: None, path: Utf8PathBuf::new(), text: Some(text.to_owned()) }
    }

    #[test]
    fn a_line_is_options_kind_key_and_comment() {
        let key = Key::of_line(LINE).unwrap();
        assert_eq!((key.options.len(), key.kind.as_str(), key.comment.as_str()), (2, "ssh-ed25519", "joe at home"));
        assert_eq!(Key::of_line("# ssh-rsa AAAA"), None);
        assert_eq!(Key::of_line("ssh-rsa no*base64"), None);
        assert_eq!(Key::parse("AAAAC3Nz joe"), None);
    }

    #[test]
    fn a_key_is_added_once_and_updated_in_its_place() {
        let mut file = file("# mine\n\nssh-rsa AAAA old\nssh-rsa BBBB");
        let key =
            |comment: &str| Key { options: vec![], kind: "ssh-rsa".into(), id: "AAAA".into(), comment: comment.into() };
        assert_eq!(file.put(&key("old")), Step::Nothing);
        assert_eq!(file.put(&Key { id: "CCCC".into(), ..key("") }), Step::Add);
        assert_eq!(file.put(&key("new")), Step::Update);
        assert_eq!(file.text.as_deref(), Some("# mine\nssh-rsa AAAA new\nssh-rsa BBBB\nssh-rsa CCCC\n"));
        file.remove("BBBB");
        assert_eq!(file.text.as_deref(), Some("# mine\nssh-rsa AAAA new\nssh-rsa CCCC\n"));
        assert_eq!(file.put(&Key { id: "CCCC".into(), ..key("") }), Step::Nothing);
    }

    #[test]
    fn kinds_have_short_names() {
        assert_eq!(kind("ecdsa"), Ok("ecdsa-sha2-nistp256".into()));
        assert_eq!(kind("rsa"), Ok("ssh-rsa".into()));
        assert!(kind("ssh-foo").is_err());
    }
}
