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
    /// Takes these values out. Of one with several lines each line is a secret, since output comes by lines.
    #[must_use]
    pub fn new<'a>(values: impl IntoIterator<Item = &'a str>) -> Self {
        let lines = values.into_iter().flat_map(str::lines).map(str::trim).filter(|line| line.len() >= SHORTEST);
        let mut lines: Vec<&str> = lines.filter(|line| !line.starts_with("-----")).collect();
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
}
