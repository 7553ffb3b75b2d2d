//! Checksums that formulas give for what they fetch: `source_hash`, as a checksum or as a file of them.

use regex::Regex;

use crate::formula::template::functions::hashing;
use crate::states::source::Source;
use crate::states::{Failed, Host, web};

/// Salt's ways to make a checksum, and how many digits each has.
const ALGORITHMS: [(&str, usize); 6] =
    [("md5", 32), ("sha1", 40), ("sha224", 56), ("sha256", 64), ("sha384", 96), ("sha512", 128)];

/// The checksum that a content has to have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Checksum {
    /// `sha256`.
    pub(super) algorithm: &'static str,
    /// Hexadecimal digits, the letters small.
    pub(super) digits: String,
}

/// What a file of checksums is searched for.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Names<'a> {
    /// The entry itself, `source_hash_name`.
    pub(super) entry: Option<&'a str>,
    /// The file that is managed.
    pub(super) file: Option<&'a str>,
    /// Where its content comes from.
    pub(super) source: Option<&'a str>,
}

/// The checksum of a content, in hexadecimal digits.
pub(super) fn of(algorithm: &str, content: &[u8]) -> String {
    hashing::digest(algorithm, content).unwrap_or_default()
}

fn of_length(length: usize) -> Option<&'static str> {
    ALGORITHMS.iter().find(|(_, digits)| *digits == length).map(|(name, _)| *name)
}

impl Checksum {
    /// Whether a content has this checksum.
    pub(super) fn fits(&self, content: &[u8]) -> bool {
        of(self.algorithm, content) == self.digits
    }

    /// The digits that a content really has.
    pub(super) fn actual(&self, content: &[u8]) -> String {
        of(self.algorithm, content)
    }

    /// A checksum as an SLS gives it: `sha256=…` or the digits alone.
    fn parse(text: &str) -> Result<Self, Failed> {
        let ((algorithm, length), digits) = match text.split_once('=') {
            Some((name, digits)) => {
                let (name, digits) = (name.trim(), digits.trim());
                let known = ALGORITHMS.into_iter().find(|(known, _)| *known == name);
                (known.ok_or_else(|| unknown(name, digits))?, digits)
            }
            None => ((of_length(text.len()).ok_or_else(|| unreadable(text))?, text.len()), text),
        };
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(unreadable(text));
        }
        if digits.len() != length {
            let fitting = of_length(digits.len()).ok_or_else(|| unreadable(text))?;
            return Err(format!(
                "Invalid length ({}) for hash type '{algorithm}'. Either remove the hash type and simply use \
                 '{digits}' as the source_hash, or change the hash type to '{fitting}'",
                digits.len()
            )
            .into());
        }
        Ok(Self { algorithm, digits: digits.to_ascii_lowercase() })
    }
}

impl Host<'_> {
    /// The checksum that `source_hash` gives: itself, or out of the file of checksums that it leads to.
    ///
    /// # Errors
    /// When it is neither, or the file has none.
    pub(super) fn checksum(&self, given: &str, names: Names<'_>) -> Result<Checksum, Failed> {
        let is_file = given.starts_with('/') || given.contains("://");
        if !is_file {
            return Checksum::parse(given);
        }
        let content = match Source::parse(given)? {
            Source::Formula(path) => self.formula.read_file(&path)?,
            Source::Local(path) => fs_err::read(&path).ok(),
            Source::Web(address) => Some(web::get(&address, true)?),
        };
        let missing = || Failed::from(format!("Source hash file {} not found", web::redacted(given)));
        let content = content.ok_or_else(missing)?;
        extract(&String::from_utf8_lossy(&content), names).ok_or_else(|| unreadable(given))
    }
}

/// The checksum that a file of them has for a name, or else the first one in it.
pub(super) fn extract(text: &str, names: Names<'_>) -> Option<Checksum> {
    let digits = Regex::new("(?i)(?:^|[^a-z0-9])([a-f0-9]{32,128})(?:$|[^a-z0-9])").ok()?;
    let base = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
    let source = names.source.map(|source| base(source.split(['?', '#']).next().unwrap_or_default()));
    let file = names.file.map(base);
    let mut found: [Option<Checksum>; 4] = Default::default();
    for line in text.lines().map(str::trim) {
        let Some(digits) = digits.captures(line).and_then(|found| found.get(1)).map(|found| found.as_str()) else {
            continue;
        };
        let Some(algorithm) = of_length(digits.len()) else { continue };
        let is_for = [
            names.entry.is_some_and(|entry| is_entry(line, entry, entry, " \t")),
            names.file.zip(file.as_deref()).is_some_and(|(whole, base)| is_entry(line, base, whole, " \t\\/*")),
            names.source.zip(source.as_deref()).is_some_and(|(whole, base)| is_entry(line, base, whole, " \t\\/*")),
            true,
        ];
        for (place, _) in found.iter_mut().zip(is_for).filter(|(place, is_for)| *is_for && place.is_none()) {
            *place = Some(Checksum { algorithm, digits: digits.to_ascii_lowercase() });
        }
    }
    found.into_iter().flatten().next()
}

/// Whether a line ends in a name, or begins with the whole of it.
fn is_entry(line: &str, name: &str, whole: &str, separators: &str) -> bool {
    let ends = line.strip_suffix(name).is_some_and(|before| before.ends_with(|end| separators.contains(end)));
    ends || line.strip_prefix(whole).is_some_and(|after| after.starts_with(char::is_whitespace))
}

fn unreadable(given: &str) -> Failed {
    let given = web::redacted(given);
    let lengths: Vec<String> = ALGORITHMS.iter().map(|(name, digits)| format!("{name} ({digits})")).collect();
    format!(
        "Source hash {given} format is invalid. It has to be a hash, <hash_type>=<hash>, or the path or URI of a file of \
         hashes. The hash types and their lengths are: {}",
        lengths.join(", ")
    )
    .into()
}

fn unknown(name: &str, digits: &str) -> Failed {
    let known: Vec<&str> = ALGORITHMS.iter().map(|(name, _)| *name).collect();
    format!(
        "Invalid hash type '{name}'. Supported hash types are: {}. Either remove the hash type and simply use '{digits}' \
         as the source_hash, or change the hash type to a supported type.",
        known.join(", ")
    )
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MD5: &str = "acbd18db4cc2f85cedef654fccc4a4d8";

    #[test]
    fn a_checksum_is_known_by_its_length() {
        let foo = Checksum { algorithm: "md5", digits: MD5.to_owned() };
        assert!(foo.fits(b"foo") && !foo.fits(b"bar"));
        assert_eq!(Checksum::parse(&MD5.to_uppercase()), Ok(foo.clone()));
        assert_eq!(Checksum::parse(&format!("md5={MD5}")), Ok(foo));
        for wrong in ["md5=12", "sha9=12", "xyz", "", &format!("sha1={MD5}")] {
            assert!(Checksum::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_file_of_checksums_is_searched_by_name_and_then_by_place() {
        let (one, two) = ("1".repeat(64), "2".repeat(64));
        let text = format!("# sums\n{one}  ./dir1/foo.txt\n{two} *./dir2/foo.txt\nbar.txt: {MD5}\n");
        let found = |names: Names<'_>| extract(&text, names).unwrap().digits;
        assert_eq!(found(Names { entry: Some("*./dir2/foo.txt"), ..Names::default() }), two);
        assert_eq!(found(Names { file: Some("/srv/foo.txt"), ..Names::default() }), one);
        assert_eq!(found(Names { source: Some("http://host/dir/foo.txt?x=1"), ..Names::default() }), one);
        assert_eq!(found(Names { file: Some("/srv/other"), ..Names::default() }), one);
        assert_eq!(extract("nothing here", Names::default()), None);
    }
}
