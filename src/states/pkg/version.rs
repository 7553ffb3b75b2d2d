//! What an SLS says of versions: `1.2-3`, `1.2*`, `>=1.2, <2`.
//!
//! Whether a version is the wanted one is decided as Salt decides it, with its rule for epochs that are not given.

use std::cmp::Ordering;

use crate::formula::fnmatch;

/// The order of two versions; `None` if one is not a version.
pub(super) type Order = fn(&str, &str) -> Option<Ordering>;

/// Conditions that all have to hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Conditions(Vec<Condition>);

/// An operator and a version.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Condition {
    operator: String,
    version: String,
}

/// How versions are compared.
#[derive(Debug, Clone, Copy)]
pub(super) struct Comparison {
    pub(super) order: Order,
    /// Whether the part before the colon counts. If it is not said, it does where one is given or an order is asked for.
    pub(super) ignore_epoch: Option<bool>,
}

/// What stands before a version, the longest first.
const OPERATORS: [&str; 10] = ["<=>", "!=", ">=", "<=", ">>", "<<", "<>", ">", "<", "="];

impl Conditions {
    /// Reads them from what an SLS says.
    pub(super) fn parse(text: &str) -> Self {
        let text = text.trim();
        let conditions = text.split(',').filter(|_| !text.is_empty());
        Self(conditions.map(|condition| Condition::parse(condition.trim())).collect())
    }

    /// Whether a version is as wanted; with `or_newer`, a single exact one may be newer too.
    pub(super) fn hold(&self, version: &str, by: Comparison, or_newer: bool) -> bool {
        let or_newer = or_newer && self.0.len() == 1;
        self.0.iter().all(|condition| condition.holds(version, by, or_newer))
    }

    /// Whether they name exactly one version, or a pattern.
    pub(super) fn is_exact(&self) -> bool {
        matches!(self.0.as_slice(), [only] if only.operator == "==")
    }

    /// Whether there is a pattern in them.
    pub(super) fn is_pattern(&self) -> bool {
        self.0.iter().any(|condition| fnmatch::is_pattern(&condition.version))
    }
}

impl Condition {
    fn parse(text: &str) -> Self {
        let operator = OPERATORS.into_iter().find(|operator| text.starts_with(operator)).unwrap_or_default();
        let rest = &text[operator.len()..];
        let version = rest.strip_prefix(char::is_whitespace).unwrap_or(rest);
        let is_one = !version.is_empty() && !version.contains(['<', '>', '=']);
        let (operator, version) = if is_one { (operator, version) } else { ("", text) };
        let operator = if matches!(operator, "" | "=") { "==" } else { operator };
        Self { operator: operator.to_owned(), version: version.to_owned() }
    }

    fn holds(&self, version: &str, by: Comparison, or_newer: bool) -> bool {
        let operator = if or_newer && self.operator == "==" { ">=" } else { &self.operator };
        if operator == "==" && fnmatch::is_match(&self.version, version) {
            return true;
        }
        let asks_for_order = operator.contains(['<', '>']);
        let ignore_epoch = by.ignore_epoch.unwrap_or(!asks_for_order && !self.version.contains(':'));
        let plain = |version| if ignore_epoch { without_epoch(version) } else { version };
        let Some(order) = (by.order)(plain(version), plain(&self.version)) else { return false };
        match operator {
            "==" => order.is_eq(),
            "!=" => order.is_ne(),
            "<" => order.is_lt(),
            "<=" => order.is_le(),
            ">" => order.is_gt(),
            ">=" => order.is_ge(),
            _ => false,
        }
    }
}

fn without_epoch(version: &str) -> &str {
    version.split_once(':').map_or(version, |(_, rest)| rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formula::debian_order;

    fn hold(conditions: &str, version: &str) -> bool {
        Conditions::parse(conditions).hold(version, Comparison { order: debian_order, ignore_epoch: None }, false)
    }

    #[test]
    fn a_version_is_the_wanted_one_as_salt_sees_it() {
        for (conditions, version, wanted) in [
            ("1.2-3", "1.2-3", true),
            ("1.2", "1.2-3", false),
            ("1.2*", "1.2-3", true),
            ("1.2-3", "2:1.2-3", true),
            ("1:1.2-3", "2:1.2-3", false),
            ("=1.2", "1.2", true),
            (">= 1.2", "2:0.1", true),
            ("<2", "2:0.1", false),
            (">=1.2, <2, !=1.5", "1.4", true),
            (">=1.2, <2, !=1.5", "1.5", false),
            ("==1.2", "1.2", false),
            ("<>1.2", "1.3", false),
        ] {
            assert_eq!(hold(conditions, version), wanted, "{conditions} {version}");
        }
    }

    #[test]
    fn updates_are_allowed_to_a_single_exact_version_only() {
        let by = Comparison { order: debian_order, ignore_epoch: None };
        assert!(Conditions::parse("1.2").hold("1.3", by, true));
        assert!(!Conditions::parse("1.2, !=1.5").hold("1.3", by, true));
    }
}
