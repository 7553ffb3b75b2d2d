//! Host patterns: `cmp[001-080,090]` unfolded into names, and names folded into patterns.
//!
//! Whatever [`fold`] writes, [`unfold`] reads back as the same names.

use std::collections::BTreeMap;
use std::fmt::Write;

/// The most hosts one pattern may unfold into, so that a slip such as `cmp[1-9999999999]` is an
/// error and not a full memory.
pub const MAX_HOSTS: usize = 100_000;

/// The most brackets in one pattern.
const MAX_BRACKETS: usize = 16;

/// Splits a list at the commas that stand outside brackets; parts are trimmed.
pub fn split(list: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0_usize;
    list.split(move |c| {
        match c {
            '[' => depth += 1,
            ']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        c == ',' && depth == 0
    })
    .map(str::trim)
}

/// The names that a list of patterns stands for, in its order.
///
/// A number with leading zeros keeps its width; several brackets in one pattern multiply.
///
/// # Errors
///
/// Says what is wrong with the pattern: brackets, numbers, or more than [`MAX_HOSTS`] names.
pub fn unfold(list: &str) -> Result<Vec<String>, String> {
    let mut names = Vec::new();
    if list.trim().is_empty() {
        return Ok(names);
    }
    for pattern in split(list) {
        if pattern.matches('[').count() > MAX_BRACKETS {
            return Err(format!("a host pattern with more than {MAX_BRACKETS} brackets"));
        }
        unfold_one(pattern, "", &mut names).map_err(|error| format!("host pattern `{pattern}`: {error}"))?;
    }
    Ok(names)
}

fn unfold_one(pattern: &str, before: &str, names: &mut Vec<String>) -> Result<(), String> {
    let Some((prefix, rest)) = pattern.split_once('[') else {
        if pattern.contains(']') {
            return Err("`]` without `[`".into());
        }
        let name = format!("{before}{pattern}");
        check_name(&name)?;
        if names.len() >= MAX_HOSTS {
            return Err(format!("more than {MAX_HOSTS} hosts"));
        }
        names.push(name);
        return Ok(());
    };
    let (ranges, rest) = rest.split_once(']').ok_or("`[` without `]`")?;
    let before = format!("{before}{prefix}");
    for range in ranges.split(',') {
        let (start, end) = range.split_once('-').unwrap_or((range, range));
        let (first, last) = (number(start)?, number(end)?);
        if last < first {
            return Err(format!("the range `{range}` runs backwards"));
        }
        let width = width(start);
        if width > 1 && end.len() != start.len() {
            return Err(format!("the range `{range}` has ends of different widths"));
        }
        for number in first..=last {
            unfold_one(rest, &format!("{before}{number:0width$}"), names)?;
        }
    }
    Ok(())
}

/// The width a number is written with: its length when it has leading zeros, else what it needs.
fn width(number: &str) -> usize {
    if number.starts_with('0') { number.len() } else { 1 }
}

fn number(text: &str) -> Result<u64, String> {
    if text.is_empty() || text.len() > 18 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(format!("wanted a number such as `7` or `007`, found `{text}`"));
    }
    text.parse().map_err(|_| format!("wanted a number, found `{text}`"))
}

/// Checks that a host can have that name: letters, digits, `.`, `-`, `_`, and no odd first character.
///
/// # Errors
///
/// Names the character that does not belong.
pub fn check_name(name: &str) -> Result<(), String> {
    let plain = |c: char| c.is_ascii_alphanumeric();
    match name.chars().find(|c| !plain(*c) && !"._-".contains(*c)) {
        Some(c) => Err(format!("`{c}` cannot be part of a name")),
        None if name.len() > 253 => Err("longer than 253 characters".into()),
        None if name.starts_with(plain) => Ok(()),
        None => Err(format!("wanted a name that starts with a letter or digit, found `{name}`")),
    }
}

/// A name cut at its last number: `cmp007.example` is `cmp`, `007`, `.example`.
fn cut(name: &str) -> Option<(&str, &str, &str)> {
    let end = name.rfind(|c: char| c.is_ascii_digit())? + 1;
    let start = name[..end].rfind(|c: char| !c.is_ascii_digit()).map_or(0, |at| at + 1);
    // A number too long for `unfold` is left alone; so is one that only belongs to a bracket.
    (end - start <= 18).then(|| (&name[..start], &name[start..end], &name[end..]))
}

/// The shortest pattern for these names, sorted by name with numbers as numbers.
#[must_use]
pub fn fold<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let mut series: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
    for name in names {
        match cut(name) {
            Some((prefix, number, suffix)) => series.entry((prefix, suffix)).or_default().push(number),
            None => series.entry((name, "")).or_default().push(""),
        }
    }
    let mut folded = Folder::default();
    for ((prefix, suffix), mut numbers) in series {
        // Numbers of one value and two widths, `7` and `07`, are two hosts.
        numbers.sort_unstable_by_key(|text| (text.parse::<u64>().unwrap_or(0), text.len()));
        numbers.dedup();
        for number in numbers {
            folded.add(prefix, number, suffix);
        }
    }
    folded.finish()
}

/// A pattern for these names that unfolds in the same order.
#[must_use]
pub fn fold_in_order<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let mut folded = Folder::default();
    for name in names {
        match cut(name) {
            Some((prefix, number, suffix)) => folded.add(prefix, number, suffix),
            None => folded.add(name, "", ""),
        }
    }
    folded.finish()
}

/// A prefix, a suffix, and the ranges of numbers between them, each as its first and last.
type Series<'a> = (&'a str, &'a str, Vec<(&'a str, &'a str)>);

/// Builds a pattern from names one after another, joining neighbours.
#[derive(Default)]
struct Folder<'a> {
    done: String,
    /// The series being built.
    series: Option<Series<'a>>,
}

impl<'a> Folder<'a> {
    fn add(&mut self, prefix: &'a str, number: &'a str, suffix: &'a str) {
        match &mut self.series {
            // A name without a number, `ctl`, begins like `ctl01` and is no part of its series.
            Some((p, s, ranges)) if *p == prefix && *s == suffix && !number.is_empty() && !ranges[0].0.is_empty() => {
                match ranges.last_mut() {
                    Some((first, last)) if follows(first, last, number) => *last = number,
                    _ => ranges.push((number, number)),
                }
            }
            _ => {
                self.close();
                self.series = Some((prefix, suffix, vec![(number, number)]));
            }
        }
    }

    fn close(&mut self) {
        let Some((prefix, suffix, ranges)) = self.series.take() else { return };
        if !self.done.is_empty() {
            self.done.push(',');
        }
        self.done.push_str(prefix);
        let plain = matches!(ranges[..], [(first, last)] if first == last);
        if !plain {
            self.done.push('[');
        }
        for (at, (first, last)) in ranges.iter().enumerate() {
            let comma = if at == 0 { "" } else { "," };
            let _ = if first == last {
                write!(self.done, "{comma}{first}")
            } else {
                write!(self.done, "{comma}{first}-{last}")
            };
        }
        if !plain {
            self.done.push(']');
        }
        self.done.push_str(suffix);
    }

    fn finish(mut self) -> String {
        self.close();
        self.done
    }
}

/// Whether `next` is what unfolding a range from `first` names after `last`.
fn follows(first: &str, last: &str, next: &str) -> bool {
    let width = width(first);
    // A padded range keeps its width at both ends.
    if width > 1 && next.len() != first.len() {
        return false;
    }
    last.parse::<u64>().is_ok_and(|last| next == format!("{:0width$}", last + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_names_its_hosts_in_its_order() {
        assert_eq!(
            unfold("cmp[009-011,090].x, ctl1").unwrap(),
            ["cmp009.x", "cmp010.x", "cmp011.x", "cmp090.x", "ctl1"]
        );
        assert_eq!(unfold("r[1-2]c[1-2]").unwrap(), ["r1c1", "r1c2", "r2c1", "r2c2"]);
    }

    #[test]
    fn a_slip_in_a_pattern_is_an_error_and_not_a_full_memory() {
        for pattern in [
            "a[1-9999999999]",
            "a[1-1000]b[1-1000]",
            "a[2-1]",
            "a[01-100]",
            "a[1",
            "a]",
            "a[x]",
            "a[]",
            "ä",
            "-a",
            "a,,b",
        ] {
            assert!(unfold(pattern).is_err(), "{pattern}");
        }
    }

    #[test]
    fn names_fold_to_the_shortest_pattern() {
        let fold = |names: &[&str]| super::fold(names.iter().copied());
        assert_eq!(fold(&["cmp002", "cmp001", "ctl", "cmp090"]), "cmp[001-002,090],ctl");
        assert_eq!(fold(&["a9", "a10", "a11"]), "a[9-11]");
        assert_eq!(fold(&["a099", "a100"]), "a[099-100]");
        assert_eq!(fold(&["a7"]), "a7");
        assert_eq!(fold(&["ctl", "ctl01", "ctl02"]), "ctl,ctl[01-02]");
        assert_eq!(fold_in_order(["ctl", "ctl01"]), "ctl,ctl01");
        assert_eq!(fold_in_order(["a3", "a1", "a2"]), "a[3,1-2]");
    }

    proptest::proptest! {
        #[test]
        fn folding_never_loses_or_invents_a_host(names in proptest::collection::vec("[a-c]{0,1}[0-9]{1,3}(\\.[a-b][0-2]?)?|[a-c]", 0..30)) {
            let in_order = fold_in_order(names.iter().map(String::as_str));
            proptest::prop_assert_eq!(&unfold(&in_order).unwrap(), &names);
            let mut sorted = unfold(&fold(names.iter().map(String::as_str))).unwrap();
            sorted.sort();
            let mut wanted = names.clone();
            wanted.sort();
            wanted.dedup();
            proptest::prop_assert_eq!(sorted, wanted);
        }
    }
}
