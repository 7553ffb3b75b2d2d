//! Values that nobody may read: they are taken out of everything that is shown, logged or kept, wherever they turn up.

use std::borrow::Cow;
use std::fmt;

use aho_corasick::{AhoCorasick, MatchKind};

/// What stands where a secret was.
pub const HIDDEN: &str = "******";

/// A secret that is shorter cannot be told from other text: `a` is everywhere.
const SHORTEST: usize = 4;

/// Secret values, to be taken out of text.
#[derive(Clone, Default)]
pub struct Secrets(Option<AhoCorasick>);

impl Secrets {
    /// Takes these values out. Of one with several lines each line is a secret, since output comes by lines; and so is each
    /// as files and messages quote it.
    #[must_use]
    pub fn new<'a>(values: impl IntoIterator<Item = &'a str>) -> Self {
        let lines = values.into_iter().flat_map(str::lines).map(str::trim).filter(|line| line.len() >= SHORTEST);
        let mut lines: Vec<String> = lines.filter(|line| !line.starts_with("-----")).flat_map(quoted).collect();
        lines.sort_unstable();
        lines.dedup();
        if lines.is_empty() {
            return Self::default();
        }
        Self(AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(lines).ok())
    }

    /// The text without them.
    #[must_use]
    pub fn redact<'t>(&self, text: &'t str) -> Cow<'t, str> {
        match &self.0 {
            Some(secrets) if secrets.is_match(text) => {
                let mut shown = String::with_capacity(text.len());
                secrets.replace_all_with(text, &mut shown, |_, _, shown| {
                    shown.push_str(HIDDEN);
                    true
                });
                shown.into()
            }
            _ => text.into(),
        }
    }
}

impl Secrets {
    /// A unified diff without them. What stood where a secret stands now was one too, and nobody knows it by value:
    /// lines that go where a line with a secret comes are hidden from where the two differ.
    #[must_use]
    pub fn redact_diff(&self, diff: &str) -> String {
        let mut shown: Vec<String> = Vec::new();
        let lines: Vec<&str> = diff.lines().collect();
        for block in lines.chunk_by(|one, two| is_change(one) == is_change(two)) {
            let redacted: Vec<Cow<'_, str>> = block.iter().map(|line| self.redact(line)).collect();
            let secret: Vec<&str> = redacted
                .iter()
                .filter(|line| is_added(line))
                .filter_map(|line| line[1..].split_once(HIDDEN))
                .map(|(before, _)| before)
                .collect();
            for line in &redacted {
                let gone = line.strip_prefix('-').filter(|_| !secret.is_empty() && is_change(line));
                shown.push(match gone {
                    Some(gone) => {
                        let before =
                            secret.iter().find(|before| gone.starts_with(**before)).copied().unwrap_or_default();
                        format!("-{before}{HIDDEN}")
                    }
                    None => line.to_string(),
                });
            }
        }
        let end = if diff.ends_with('\n') { "\n" } else { "" };
        shown.join("\n") + end
    }
}

/// A text as it is, as JSON and double quotes have it, as Python's quotes, as YAML's, and as those of a shell.
fn quoted(text: &str) -> [String; 5] {
    let escaped = text.replace('\\', r"\\");
    let [json, python] = [('"', "\\\""), ('\'', r"\'")].map(|(quote, escape)| escaped.replace(quote, escape));
    [text.to_owned(), json, python, text.replace('\'', "''"), text.replace('\'', r"'\''")]
}

fn is_added(line: &str) -> bool {
    line.starts_with('+') && !line.starts_with("+++ ")
}

fn is_change(line: &str) -> bool {
    is_added(line) || (line.starts_with('-') && !line.starts_with("--- "))
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} secrets", self.0.as_ref().map_or(0, AhoCorasick::patterns_len))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_goes_wherever_it_stands_and_the_longer_one_first() {
        let secrets = Secrets::new(["hunter2", "hunter2-and-more", "abc", "-----BEGIN KEY-----\nbase64text\n"]);
        assert_eq!(secrets.redact("a hunter2 b hunter2-and-more abc"), "a ****** b ****** abc");
        assert_eq!(secrets.redact("-----BEGIN KEY-----\n  base64text"), "-----BEGIN KEY-----\n  ******");
        assert!(matches!(secrets.redact("nothing"), Cow::Borrowed("nothing")));
        assert_eq!(format!("{secrets:?}"), "3 secrets");
    }

    #[test]
    fn a_secret_goes_however_it_is_quoted() {
        let secrets = Secrets::new([r#"it's "a\b""#]);
        for quoted in [r#"it's "a\b""#, r#"it's \"a\\b\""#, r#"it\'s "a\\b""#, r#"it''s "a\b""#, r#"it'\''s "a\b""#] {
            assert_eq!(secrets.redact(&format!("x = '{quoted}'")), "x = '******'", "{quoted}");
        }
        assert_eq!(format!("{:?}", Secrets::new(["hunter2"])), "1 secrets");
    }

    #[test]
    fn what_a_diff_takes_away_where_a_secret_comes_was_a_secret() {
        let secrets = Secrets::new(["hunter3"]);
        let diff = "--- \n+++ \n@@ -1,3 +1,3 @@\n a\n-password = hunter2\n-x\n+password = hunter3\n b\n-c\n+d\n";
        let shown = "--- \n+++ \n@@ -1,3 +1,3 @@\n a\n-password = ******\n-******\n+password = ******\n b\n-c\n+d\n";
        assert_eq!(secrets.redact_diff(diff), shown);
    }
}
