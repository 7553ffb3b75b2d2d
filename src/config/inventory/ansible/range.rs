//! Host patterns: `web[01:50].example.com:2222` is fifty hosts and a port.

use std::fmt::Display;

use crate::model::pattern::MAX_HOSTS;

/// The most ranges in one pattern.
const MAX_RANGES: usize = 16;

/// The letters that a range can run over, in Python's order.
const LETTERS: &str = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

/// The names that a pattern stands for, and the port behind it.
pub(super) fn hosts(pattern: &str) -> Result<(Vec<String>, Option<u16>), String> {
    let (names, port) = split_port(pattern)?;
    if names.matches('[').count() > MAX_RANGES {
        return Err(format!("a host pattern with more than {MAX_RANGES} ranges"));
    }
    let mut hosts = Vec::new();
    expand(names, String::new(), &mut hosts).map_err(|why| format!("host pattern `{pattern}`: {why}"))?;
    Ok((hosts, port))
}

/// A pattern without its port: what stands behind the one colon that is in no bracket.
fn split_port(pattern: &str) -> Result<(&str, Option<u16>), String> {
    let Some((names, port)) = pattern.rsplit_once(':') else { return Ok((pattern, None)) };
    let mut depth = 0_usize;
    let mut colons = 0;
    for c in pattern.chars() {
        match c {
            '[' => depth += 1,
            ']' => depth = depth.saturating_sub(1),
            ':' if depth == 0 => colons += 1,
            _ => {}
        }
    }
    if colons != 1 || depth != 0 || port.contains(']') {
        return Ok((pattern, None));
    }
    if port.is_empty() || !port.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(format!("`{pattern}`: wanted a port after `:`"));
    }
    let port = port.parse().ok().filter(|port| *port > 0);
    Ok((names, Some(port.ok_or_else(|| format!("`{pattern}`: wanted a port from 1 to 65535"))?)))
}

fn expand(pattern: &str, before: String, hosts: &mut Vec<String>) -> Result<(), String> {
    let Some((head, rest)) = pattern.split_once('[') else {
        if hosts.len() >= MAX_HOSTS {
            return Err(format!("more than {MAX_HOSTS} hosts"));
        }
        hosts.push(before + pattern);
        return Ok(());
    };
    let (range, tail) = rest.split_once(']').ok_or("`[` without `]`")?;
    let bounds: Vec<_> = range.split(':').collect();
    let (first, last, step) = match bounds[..] {
        [first, last] => (first, last, 1),
        [first, last, step] => (first, last, number(step)?),
        _ => return Err(format!("wanted a range such as `[01:50]`, found `[{range}]`")),
    };
    if step == 0 {
        return Err(format!("the range `[{range}]` has a step of 0"));
    }
    let step = usize::try_from(step).unwrap_or(usize::MAX);
    let mut each = |name: &dyn Display| expand(tail, format!("{before}{head}{name}"), hosts);
    if let (Some(first), Some(last)) = (letter(first), letter(last)) {
        let letters = LETTERS.get(first..=last).filter(|_| first <= last);
        let letters = letters.ok_or_else(|| format!("the range `[{range}]` runs backwards"))?;
        return letters.chars().step_by(step).try_for_each(|letter| each(&letter));
    }
    let width = if first.len() > 1 && first.starts_with('0') { first.len() } else { 1 };
    if width > 1 && last.len() != first.len() {
        return Err(format!("the range `[{range}]` has ends of different widths"));
    }
    // Without a first number, a range begins at 0.
    let (first, last) = (if first.is_empty() { 0 } else { number(first)? }, number(last)?);
    if last < first {
        return Err(format!("the range `[{range}]` runs backwards"));
    }
    (first..=last).step_by(step).try_for_each(|number| each(&format!("{number:0width$}")))
}

/// The place of a single letter in Python's order.
fn letter(text: &str) -> Option<usize> {
    if text.len() == 1 { LETTERS.find(text) } else { None }
}

fn number(text: &str) -> Result<u64, String> {
    if text.is_empty() || text.len() > 18 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(format!("wanted a number such as `7` or `007`, found `{text}`"));
    }
    text.parse().map_err(|_| format!("wanted a number, found `{text}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(pattern: &str) -> String {
        match hosts(pattern) {
            Ok((names, port)) => names.join(" ") + &port.map_or(String::new(), |port| format!(" port {port}")),
            Err(why) => why,
        }
    }

    #[test]
    fn ranges_are_those_of_ansible() {
        assert_eq!(said("web[08:11].x:2222"), "web08.x web09.x web10.x web11.x port 2222");
        assert_eq!(said("db-[a:c]"), "db-a db-b db-c");
        assert_eq!(said("a[1:10:4]"), "a1 a5 a9");
        assert_eq!(said("a[:2]b[y:z]"), "a0by a0bz a1by a1bz a2by a2bz");
        assert_eq!(said("[2001:db8::1]:22").split(' ').next(), Some("host"));
        assert_eq!(said("2001:db8::1"), "2001:db8::1");
    }

    #[test]
    fn a_slip_in_a_range_is_an_error_and_not_a_full_memory() {
        for pattern in [
            "a[1:9999999999]",
            "a[0:999]b[0:999]",
            "a[3:1]",
            "a[1",
            "a[1-3]",
            "a[1:3:0]",
            "a[01:100]",
            "a[c:a]",
            "a:",
            "a:x",
            "a:70000",
        ] {
            assert!(hosts(pattern).is_err(), "{pattern}");
        }
    }
}
