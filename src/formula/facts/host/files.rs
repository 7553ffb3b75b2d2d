//! `file.*`: what is on the host's disks.

use std::io::Read as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use super::{Answer, Function, Refusal, accounts, failed, function, mapping, texts};
use crate::formula::regex::{Options, Regex};
use crate::formula::template::functions::arguments::Default::{Bool, Int, None, Required, Text};
use crate::formula::template::functions::arguments::{Arguments, Signature, takes};
use crate::formula::template::functions::hashing::hexadecimal;
use crate::formula::template::value::{is_list, items};
use crate::formula::{Data, Dict};

const PATH: Signature = takes(&[("path", Required)]);
const OF: Signature = takes(&[("path", Required), ("follow_symlinks", Bool(true))]);
const SUM: Signature = takes(&[("path", Required), ("form", Text("sha256")), ("chunk_size", Int(0))]);
const STATS: Signature = takes(&[("path", Required), ("hash_type", None), ("follow_symlinks", Bool(true))]);

const LINES: Signature = takes(&[("path", Required), ("regex", Required), ("lchar", Text(""))]);
const SEARCH: Signature = takes(&[
    ("path", Required),
    ("pattern", Required),
    ("flags", Int(MULTILINE)),
    ("bufsize", None),
    ("ignore_if_missing", Bool(false)),
    ("multiline", Bool(false)),
]);

/// Python's number of `re.MULTILINE`.
const MULTILINE: i64 = 8;

/// The largest file that is read into a template.
const LARGEST: u64 = 16 << 20;

pub(super) const FUNCTIONS: &[Function] = &[
    function("file.file_exists", PATH, |arguments| Ok(path(arguments)?.is_file().into())),
    function("file.directory_exists", PATH, |arguments| Ok(path(arguments)?.is_dir().into())),
    function("file.is_link", PATH, |arguments| Ok(path(arguments)?.is_symlink().into())),
    function("file.access", takes(&[("path", Required), ("mode", Required)]), access),
    function("file.readlink", takes(&[("path", Required), ("canonicalize", Bool(false))]), read_link),
    function("file.read", takes(&[("path", Required), ("binary", Bool(false))]), |arguments| {
        Ok(content(Path::new(&arguments.text("path")?))?.into())
    }),
    function("file.readdir", PATH, read_directory),
    function("file.contains", takes(&[("path", Required), ("text", Required)]), |arguments| {
        let path = path(arguments)?;
        let wanted = arguments.text("text")?;
        let is_readable = path.is_file() && rustix::fs::access(&path, rustix::fs::Access::READ_OK).is_ok();
        Ok((is_readable && content(&path)?.contains(wanted.trim())).into())
    }),
    function("file.contains_regex", LINES, |arguments| {
        let (path, lead) = (path(arguments)?, arguments.text("lchar")?);
        let wanted = regex(&arguments.text("regex")?, Options::default())?;
        let is_readable = path.is_file() && rustix::fs::access(&path, rustix::fs::Access::READ_OK).is_ok();
        let text = if is_readable { content(&path)? } else { String::new() };
        for line in text.split_inclusive('\n') {
            if wanted.is_match(line.trim_start_matches(|first| lead.contains(first))).map_err(gave_up)? {
                return Ok(true.into());
            }
        }
        Ok(false.into())
    }),
    function("file.search", SEARCH, search),
    function("file.check_hash", takes(&[("path", Required), ("file_hash", Required)]), check_hash),
    function("file.get_hash", SUM, |arguments| sum(&path(arguments)?, &arguments.text("form")?)),
    function("file.get_sum", SUM, |arguments| {
        let path = path(arguments)?;
        if path.is_file() { sum(&path, &arguments.text("form")?) } else { Ok("File not found".into()) }
    }),
    function("file.get_mode", OF, |arguments| stat(arguments, "mode")),
    function("file.get_user", OF, |arguments| stat(arguments, "user")),
    function("file.get_group", OF, |arguments| stat(arguments, "group")),
    function("file.get_uid", OF, |arguments| stat(arguments, "uid")),
    function("file.get_gid", OF, |arguments| stat(arguments, "gid")),
    function("file.stats", STATS, |arguments| {
        let mut stats = stats(arguments)?;
        if arguments.is_true("hash_type")? {
            let sum = sum(&path(arguments)?, &arguments.text("hash_type")?)?;
            let before = stats.entries.get_index_of(&Data::from("type")).unwrap_or_default();
            stats.entries.shift_insert(before, "sum".into(), sum);
        }
        Ok(stats.into())
    }),
];

/// The path of a call, where `~` is home.
fn path(arguments: &Arguments) -> Result<PathBuf, Refusal> {
    let path = arguments.text("path")?;
    if path.contains('\0') {
        return failed("embedded null byte");
    }
    let Some(rest) = path.strip_prefix('~') else { return Ok(path.into()) };
    let (user, rest) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let home = if user.is_empty() { std::env::var("HOME").ok() } else { accounts::home(user) };
    Ok(home.map_or_else(|| PathBuf::from(&path), |home| PathBuf::from(home.trim_end_matches('/').to_owned() + rest)))
}

fn access(arguments: &Arguments) -> Answer {
    use rustix::fs::Access;
    let path = path(arguments)?;
    if !path.is_absolute() {
        return failed("Path to link must be absolute.");
    }
    let mode = arguments.get("mode");
    let wanted = match (mode.as_str(), mode.as_i64()) {
        (Some("f"), _) | (_, Some(0)) => Access::EXISTS,
        (Some("r"), _) | (_, Some(4)) => Access::READ_OK,
        (Some("w"), _) | (_, Some(2)) => Access::WRITE_OK,
        (Some("x"), _) | (_, Some(1)) => Access::EXEC_OK,
        _ => return failed("Invalid mode specified."),
    };
    Ok(rustix::fs::access(&path, wanted).is_ok().into())
}

fn read_link(arguments: &Arguments) -> Answer {
    let path = path(arguments)?;
    if !path.is_absolute() {
        return failed(format!("Path to link must be absolute: {}", path.display()));
    }
    if !path.is_symlink() {
        return failed(format!("A valid link was not specified: {}", path.display()));
    }
    let found = if arguments.is_true("canonicalize")? { Ok(real(&path, 0)) } else { path.read_link() };
    found.map(|target| target.to_string_lossy().as_ref().into()).or_else(|error| failed(error.to_string()))
}

/// Whether a file has something that an expression describes.
fn search(arguments: &Arguments) -> Answer {
    let path = path(arguments)?;
    if !path.exists() {
        let is_fine = arguments.is_true("ignore_if_missing")?;
        return if is_fine { Ok(false.into()) } else { failed(format!("File not found: {}", path.display())) };
    }
    let given = arguments.get("flags");
    let flags = if is_list(given) { items(given)? } else { vec![given.clone()] };
    let has = |name: &str, number: i64| {
        flags.iter().any(|flag| match flag.as_str() {
            Some(text) => text.eq_ignore_ascii_case(name),
            Option::None => flag.as_i64().is_some_and(|flags| flags & number != 0),
        })
    };
    let options = Options {
        ignore_case: has("IGNORECASE", 2),
        multi_line: has("MULTILINE", MULTILINE) || arguments.is_true("multiline")?,
        dot_all: has("DOTALL", 16),
        verbose: has("VERBOSE", 64),
        ..Options::default()
    };
    let wanted = regex(&arguments.text("pattern")?, options)?;
    Ok(wanted.is_match(&content(&path)?).map_err(gave_up)?.into())
}

fn regex(pattern: &str, options: Options) -> Result<Regex, Refusal> {
    Regex::new(pattern, options).map_err(|error| Refusal::Failed(format!("`{pattern}` is {error}")))
}

#[expect(clippy::needless_pass_by_value, reason = "it is what an error is mapped with")]
fn gave_up(error: crate::formula::regex::Error) -> Refusal {
    Refusal::Failed(error.to_string())
}

/// Whether a file has a checksum: `md5=…`, or one whose length says what it is.
fn check_hash(arguments: &Arguments) -> Answer {
    let given = arguments.text("file_hash")?;
    let (form, wanted) = match (given.split_once([':', '=']), given.len()) {
        (Some(parts), _) => parts,
        (Option::None, 32) => ("md5", given.as_str()),
        (Option::None, 40) => ("sha1", given.as_str()),
        (Option::None, 56) => ("sha224", given.as_str()),
        (Option::None, 64) => ("sha256", given.as_str()),
        (Option::None, 96) => ("sha384", given.as_str()),
        (Option::None, 128) => ("sha512", given.as_str()),
        _ => {
            return failed(format!(
                "Hash {given} (length: {}) could not be matched to a supported hash type",
                given.len()
            ));
        }
    };
    Ok((sum(&path(arguments)?, form)?.as_str() == Some(wanted)).into())
}

/// The text of a file.
fn content(path: &Path) -> Result<String, Refusal> {
    let broken = |error: std::io::Error| {
        let code = error.raw_os_error().unwrap_or_default();
        let message = error.to_string();
        let message = message.split(" (os error").next().unwrap_or_default();
        Refusal::Failed(format!("[Errno {code}] {message}: '{}'", path.display()))
    };
    let file = fs_err::File::open(path).map_err(|error| {
        let code = error.raw_os_error();
        broken(code.map_or(error, std::io::Error::from_raw_os_error))
    })?;
    let mut bytes = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(broken)?;
    if bytes.len() as u64 > LARGEST {
        return failed(format!("{} is larger than {LARGEST} bytes", path.display()));
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(text),
        Err(_) => failed(format!("{} is not UTF-8", path.display())),
    }
}

/// Where a path leads, as far as there is something.
fn real(path: &Path, links: usize) -> PathBuf {
    const MOST_LINKS: usize = 40;
    if let Ok(real) = path.canonicalize() {
        return real;
    }
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return path.to_owned() };
    match path.read_link() {
        Ok(target) if links < MOST_LINKS => real(&parent.join(target), links + 1),
        _ => real(parent, links).join(name),
    }
}

fn read_directory(arguments: &Arguments) -> Answer {
    let path = path(arguments)?;
    if !path.is_absolute() {
        return failed("Dir path must be absolute.");
    }
    if !path.is_dir() {
        return failed(format!("A valid directory was not specified: {}", path.display()));
    }
    let entries = fs_err::read_dir(&path).map_err(|error| Refusal::Failed(error.to_string()))?;
    let names = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    Ok(texts([".".to_owned(), "..".to_owned()].into_iter().chain(names)))
}

fn sum(path: &Path, form: &str) -> Answer {
    fn of<D: sha2::Digest>(mut file: fs_err::File) -> std::io::Result<String> {
        let mut hash = D::new();
        let mut chunk = vec![0; 64 << 10];
        loop {
            match file.read(&mut chunk)? {
                0 => return Ok(hexadecimal(&hash.finalize())),
                read => hash.update(chunk.get(..read).unwrap_or_default()),
            }
        }
    }
    let file = fs_err::File::open(path).map_err(|error| Refusal::Failed(error.to_string()))?;
    let sum = match form {
        "md5" => of::<md5::Md5>(file),
        "sha1" => of::<sha1::Sha1>(file),
        "sha224" => of::<sha2::Sha224>(file),
        "sha256" => of::<sha2::Sha256>(file),
        "sha384" => of::<sha2::Sha384>(file),
        "sha512" => of::<sha2::Sha512>(file),
        other => return failed(format!("Invalid hash type: {other}")),
    };
    sum.map(Data::from).or_else(|error| failed(error.to_string()))
}

fn stat(arguments: &Arguments, key: &str) -> Answer {
    Ok(stats(arguments)?.get(key).cloned().unwrap_or_default())
}

#[expect(clippy::cast_precision_loss, reason = "Salt's times are floats too")]
fn stats(arguments: &Arguments) -> Result<Dict, Refusal> {
    let path = path(arguments)?;
    let follows = arguments.is_true("follow_symlinks")?;
    let missing = || Refusal::Failed(format!("Path not found: {}", path.display()));
    let direct = std::fs::symlink_metadata(&path).map_err(|_| missing())?;
    let found = if follows { std::fs::metadata(&path).unwrap_or(direct) } else { direct };
    let time = |seconds: i64, nanoseconds: i64| Data::Float(seconds as f64 + nanoseconds as f64 / 1e9);
    let kind = match found.file_type() {
        kind if kind.is_dir() => "dir",
        kind if kind.is_char_device() => "char",
        kind if kind.is_block_device() => "block",
        kind if kind.is_symlink() => "link",
        kind if kind.is_fifo() => "pipe",
        kind if kind.is_socket() => "socket",
        _ => "file",
    };
    let target = if follows { Some(real(&path, 0)) } else { std::path::absolute(&path).ok() };
    let stats = [
        ("inode", Data::Int(found.ino().into())),
        ("uid", Data::Int(found.uid().into())),
        ("gid", Data::Int(found.gid().into())),
        ("group", accounts::group_name_of(found.gid()).map_or_else(|| Data::Int(found.gid().into()), Data::from)),
        ("user", accounts::name_of(found.uid()).map_or_else(|| Data::Int(found.uid().into()), Data::from)),
        ("atime", time(found.atime(), found.atime_nsec())),
        ("mtime", time(found.mtime(), found.mtime_nsec())),
        ("ctime", time(found.ctime(), found.ctime_nsec())),
        ("size", Data::Int(found.size().into())),
        ("mode", format!("{:04o}", found.mode() & 0o7777).into()),
        ("type", kind.into()),
        ("target", target.unwrap_or(path).to_string_lossy().as_ref().into()),
    ];
    match mapping(stats) {
        Data::Dict(stats) => Ok(stats.as_ref().clone()),
        _ => Ok(Dict::default()),
    }
}
