//! Which of two package versions is newer, as Debian's `dpkg`, `rpm` and Python's `LooseVersion` see it.

use std::cmp::Ordering;

use minijinja::{Error, Value};

use super::super::value::text;
use super::arguments::Default::{Bool, Required};
use super::arguments::{Arguments, Signature, takes};
use super::traverse::get as entry;
use super::{Function, recordable};

const COMPARE: Signature =
    takes(&[("pkg1", Required), ("pkg2", Required), ("ignore_epoch", Bool(false))]).and_more_named();
const COMPARE_RPM: Signature = takes(&[("ver1", Required), ("ver2", Required), ("ignore_epoch", Bool(false))]);

pub(super) const FUNCTIONS: &[Function] = &[
    recordable("pkg.version_cmp", COMPARE, |context, arguments| {
        let family = entry(&context.grains, &Value::from("os_family")).map(|family| text(&family));
        let order = match family.as_deref() {
            Some("Debian") | None => debian,
            Some("RedHat" | "Suse") => rpm,
            Some(_) => loose,
        };
        compared(arguments, "pkg1", "pkg2", order)
    }),
    recordable("lowpkg.version_cmp", COMPARE_RPM, |_, arguments| compared(arguments, "ver1", "ver2", rpm)),
];

fn compared(
    arguments: &Arguments,
    one: &str,
    two: &str,
    order: fn(&str, &str) -> Option<Ordering>,
) -> Result<Value, Error> {
    let (mut one, mut two) = (arguments.text(one)?, arguments.text(two)?);
    if arguments.is_true("ignore_epoch")? {
        for version in [&mut one, &mut two] {
            if let Some((_, rest)) = version.split_once(':') {
                *version = rest.to_owned();
            }
        }
    }
    Ok(order(&one, &two).map_or(Value::from(()), |order| Value::from(order as i8)))
}

/// The order of two Debian versions; `None` if one is not a version.
#[must_use]
pub fn debian(one: &str, two: &str) -> Option<Ordering> {
    let (one, two) = (debian_parts(one)?, debian_parts(two)?);
    let order = one.0.cmp(&two.0).then_with(|| debian_part(one.1, two.1));
    Some(order.then_with(|| debian_part(one.2, two.2)))
}

/// Epoch, version and revision.
fn debian_parts(version: &str) -> Option<(u32, &str, &str)> {
    let version = version.trim();
    let (epoch, rest) = match version.split_once(':') {
        Some((epoch, rest)) => (epoch.parse().ok().filter(|epoch| *epoch <= i32::MAX.unsigned_abs())?, rest),
        None => (0, version),
    };
    let (upstream, revision) = rest.rsplit_once('-').unwrap_or((rest, ""));
    // Characters that no version should have are none of `dpkg`'s business when it compares.
    let has_parts = version.is_empty() || (!upstream.is_empty() && !rest.ends_with('-'));
    (has_parts && !version.contains(char::is_whitespace)).then_some((epoch, upstream, revision))
}

/// Text and numbers in turn; `~` comes before the end, letters before everything else.
fn debian_part(one: &str, two: &str) -> Ordering {
    let weight = |character: Option<char>| match character {
        Some('~') => -1,
        Some(letter) if letter.is_ascii_alphabetic() => i64::from(letter as u32),
        Some(digit) if digit.is_ascii_digit() => 0,
        Some(other) => i64::from(other as u32) + 256,
        None => 0,
    };
    let is_digit = |character: Option<char>| character.is_some_and(|c| c.is_ascii_digit());
    let (mut one, mut two) = (one, two);
    while !one.is_empty() || !two.is_empty() {
        loop {
            let (left, right) = (one.chars().next(), two.chars().next());
            if (left.is_none() || is_digit(left)) && (right.is_none() || is_digit(right)) {
                break;
            }
            match weight(left).cmp(&weight(right)) {
                Ordering::Equal => (one, two) = (skip(one), skip(two)),
                other => return other,
            }
        }
        let ((left, rest_one), (right, rest_two)) = (number(one), number(two));
        match compare_numbers(left, right) {
            Ordering::Equal => (one, two) = (rest_one, rest_two),
            other => return other,
        }
    }
    Ordering::Equal
}

fn skip(text: &str) -> &str {
    let mut characters = text.chars();
    characters.next();
    characters.as_str()
}

/// The digits a text begins with, and what follows.
fn number(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()))
}

/// The order of two numbers of any length.
fn compare_numbers(one: &str, two: &str) -> Ordering {
    let (one, two) = (one.trim_start_matches('0'), two.trim_start_matches('0'));
    one.len().cmp(&two.len()).then_with(|| one.cmp(two))
}

/// The order of two RPM versions (`epoch:version-release`). Releases count if both have one.
#[must_use]
pub fn rpm(one: &str, two: &str) -> Option<Ordering> {
    let (one, two) = (rpm_parts(one), rpm_parts(two));
    let order = compare_numbers(one.0, two.0).then_with(|| rpm_part(one.1, two.1));
    let has_releases = !one.2.is_empty() && !two.2.is_empty();
    Some(order.then_with(|| if has_releases { rpm_part(one.2, two.2) } else { Ordering::Equal }))
}

fn rpm_parts(version: &str) -> (&str, &str, &str) {
    let (epoch, rest) = version.split_once(':').unwrap_or(("0", version));
    let epoch = if epoch.bytes().all(|byte| byte.is_ascii_digit()) { epoch } else { "0" };
    let (version, release) = rest.split_once('-').unwrap_or((rest, ""));
    (epoch, version, release)
}

/// Runs of digits and runs of letters in turn; `~` comes before everything, `^` after the end and before the rest.
fn rpm_part(one: &str, two: &str) -> Ordering {
    let (mut one, mut two) = (one, two);
    let is_separator = |c: char| !c.is_ascii_alphanumeric() && c != '~' && c != '^';
    loop {
        one = one.trim_start_matches(is_separator);
        two = two.trim_start_matches(is_separator);
        match (one.starts_with('~'), two.starts_with('~')) {
            (true, true) => {
                (one, two) = (skip(one), skip(two));
                continue;
            }
            (true, false) => return Ordering::Less,
            (false, true) => return Ordering::Greater,
            (false, false) => {}
        }
        match (one.starts_with('^'), two.starts_with('^')) {
            (true, true) => {
                (one, two) = (skip(one), skip(two));
                continue;
            }
            (true, false) => return if two.is_empty() { Ordering::Greater } else { Ordering::Less },
            (false, true) => return if one.is_empty() { Ordering::Less } else { Ordering::Greater },
            (false, false) => {}
        }
        if one.is_empty() || two.is_empty() {
            return one.len().min(1).cmp(&two.len().min(1));
        }
        let is_number = one.starts_with(|c: char| c.is_ascii_digit());
        let run = |text: &str| {
            let ends = |c: char| if is_number { !c.is_ascii_digit() } else { !c.is_ascii_alphabetic() };
            text.find(ends).unwrap_or(text.len())
        };
        let ((left, rest_one), (right, rest_two)) = (one.split_at(run(one)), two.split_at(run(two)));
        if right.is_empty() {
            // A number is newer than letters.
            return if is_number { Ordering::Greater } else { Ordering::Less };
        }
        match if is_number { compare_numbers(left, right) } else { left.cmp(right) } {
            Ordering::Equal => (one, two) = (rest_one, rest_two),
            other => return other,
        }
    }
}

/// Python's `LooseVersion`: numbers and other text in turn, dots left out.
#[expect(clippy::unnecessary_wraps, reason = "the shape of every order")]
fn loose(one: &str, two: &str) -> Option<Ordering> {
    let (one, two) = (loose_parts(one), loose_parts(two));
    let is_number = |part: &&str| part.starts_with(|c: char| c.is_ascii_digit());
    if one.iter().chain(&two).all(is_number) {
        let unequal = one.iter().zip(&two).map(|(one, two)| compare_numbers(one, two)).find(|order| order.is_ne());
        return Some(unequal.unwrap_or_else(|| one.len().cmp(&two.len())));
    }
    // Where there is text, Salt compares the numbers as text too, filled up to eight digits.
    let filled = |part: &&str| {
        if is_number(part) { format!("{:0>8}", part.trim_start_matches('0')) } else { (*part).to_owned() }
    };
    Some(one.iter().map(filled).cmp(two.iter().map(filled)))
}

fn loose_parts(version: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = version;
    while let Some(first) = rest.chars().next() {
        let same = |c: char| match first {
            c0 if c0.is_ascii_digit() => c.is_ascii_digit(),
            c0 if c0.is_ascii_lowercase() => c.is_ascii_lowercase(),
            '.' => false,
            _ => !c.is_ascii_digit() && !c.is_ascii_lowercase() && c != '.',
        };
        let end = rest.find(|c| !same(c)).filter(|end| *end > 0).unwrap_or(if first == '.' { 1 } else { rest.len() });
        let (part, after) = rest.split_at(end);
        if part != "." {
            parts.push(part);
        }
        rest = after;
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debian_versions_are_ordered_as_by_dpkg() {
        for (one, two, wanted) in [
            ("1.0", "1.0", Ordering::Equal),
            ("1.0~rc1", "1.0", Ordering::Less),
            ("1:0.9", "2.0", Ordering::Greater),
            ("1.0-1", "1.0-1ubuntu1", Ordering::Less),
            ("1.2.10", "1.2.9", Ordering::Greater),
            ("1.0a", "1.0+", Ordering::Less),
            ("5.10.0-8-amd64", "4.12", Ordering::Greater),
            ("", "1", Ordering::Less),
            ("1.0", "1.0-0", Ordering::Equal),
        ] {
            assert_eq!(debian(one, two), Some(wanted), "{one} {two}");
        }
        assert_eq!(debian("a:1", "1"), None);
    }

    #[test]
    fn rpm_versions_are_ordered_as_by_rpm() {
        for (one, two, wanted) in [
            ("1.0", "1.0.1", Ordering::Less),
            ("1.0~rc1", "1.0", Ordering::Less),
            ("1.0^git1", "1.0", Ordering::Greater),
            ("1.0-1.el7", "1.0-2.el7", Ordering::Less),
            ("1.0", "1.0-2.el7", Ordering::Equal),
            ("1.a", "1.1", Ordering::Less),
            ("1:1.0", "2.0", Ordering::Greater),
        ] {
            assert_eq!(rpm(one, two), Some(wanted), "{one} {two}");
        }
    }
}
