//! What `pip` is asked for: `six`, `six>=1.10,<2`, `git+https://…`; and which version is as wanted, by PEP 440.

use std::cmp::Ordering;

use camino::Utf8Path;

/// One package that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Requirement {
    /// As the SLS has it.
    pub(super) text: String,
    /// Its name; `None` if only `pip` can say it, as behind an address.
    name: Option<String>,
    /// Operators and versions that all have to hold.
    conditions: Vec<(String, String)>,
}

/// The longest first.
const OPERATORS: [&str; 8] = ["===", "==", "!=", ">=", "<=", "~=", ">", "<"];

impl Requirement {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim().to_owned();
        let is_place = text.contains("://")
            || text.contains(" @ ")
            || text.starts_with(['/', '.'])
            || Utf8Path::new(&text).extension() == Some("whl");
        if is_place {
            return Ok(Self { text, name: None, conditions: Vec::new() });
        }
        let plain = text.split(';').next().unwrap_or_default();
        let end = plain.find(['=', '<', '>', '!', '~', '[', ' ', '(']).unwrap_or(plain.len());
        let (name, rest) = plain.split_at(end);
        let rest = rest.trim();
        let rest = match rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((_, rest)) => rest.trim(),
            None => rest,
        };
        let rest = rest.trim_start_matches('(').trim_end_matches(')');
        let condition = |part: &str| {
            let part = part.trim();
            let operator = OPERATORS.into_iter().find(|operator| part.starts_with(operator))?;
            Some((operator.to_owned(), part[operator.len()..].trim().to_owned()))
        };
        let conditions = rest.split(',').filter(|part| !part.trim().is_empty()).map(condition).collect::<Option<_>>();
        match conditions {
            Some(conditions) if !name.is_empty() => Ok(Self { name: Some(name.to_owned()), text, conditions }),
            _ if text.contains('=') && !text.contains("==") => {
                Err(format!("Invalid version specification in package {text}. '=' is not supported, use '==' instead."))
            }
            _ => Err(format!("`{text}` is nothing that pip could install")),
        }
    }

    /// The name, as Salt lists it.
    pub(super) fn name(&self) -> String {
        let name = self.name.as_deref().unwrap_or(&self.text);
        let word = |c: char| c.is_ascii_alphanumeric() || c == '.';
        name.split(|c| !word(c)).filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-")
    }

    /// The name by which packages are the same.
    pub(super) fn normalized(&self) -> Option<String> {
        self.name.as_deref().map(normalized)
    }

    /// Whether only one version will do.
    pub(super) fn is_exact(&self) -> bool {
        self.conditions.iter().any(|(operator, version)| operator.starts_with("==") && !version.ends_with('*'))
    }

    /// Whether a version is as wanted.
    pub(super) fn fits(&self, version: &str) -> bool {
        self.conditions.iter().all(|(operator, wanted)| fits(version, operator, wanted))
    }
}

/// The name by which packages are the same: `Foo_Bar` is `foo-bar`.
pub(super) fn normalized(name: &str) -> String {
    let parts = name.split(['-', '_', '.']).filter(|part| !part.is_empty());
    parts.collect::<Vec<_>>().join("-").to_lowercase()
}

fn fits(version: &str, operator: &str, wanted: &str) -> bool {
    if operator == "===" {
        return version == wanted;
    }
    if let Some(prefix) = wanted.strip_suffix(".*") {
        let begins = release(version).starts_with(&release(prefix));
        return if operator == "!=" { !begins } else { begins };
    }
    let public = version.split('+').next().unwrap_or(version);
    let order = compare(if wanted.contains('+') { version } else { public }, wanted);
    match operator {
        "==" => order.is_eq(),
        "!=" => order.is_ne(),
        ">=" => order.is_ge(),
        "<=" => order.is_le(),
        ">" => order.is_gt(),
        "<" => order.is_lt(),
        "~=" => {
            let mut prefix = release(wanted);
            prefix.pop();
            order.is_ge() && release(version).starts_with(&prefix)
        }
        _ => false,
    }
}

/// The numbers of a version: `1.10.0` of `v1!1.10.0rc1`.
fn release(version: &str) -> Vec<u64> {
    let version = version.trim_start_matches(['v', 'V']);
    let version = version.split_once('!').map_or(version, |(_, rest)| rest);
    let end = version.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(version.len());
    version[..end].split('.').filter_map(|part| part.parse().ok()).collect()
}

fn compare(one: &str, two: &str) -> Ordering {
    let epoch = |version: &str| version.split_once('!').and_then(|(epoch, _)| epoch.parse::<u64>().ok()).unwrap_or(0);
    let (mut left, mut right) = (release(one), release(two));
    let length = left.len().max(right.len());
    left.resize(length, 0);
    right.resize(length, 0);
    epoch(one).cmp(&epoch(two)).then(left.cmp(&right)).then_with(|| phase(one).cmp(&phase(two)))
}

/// Where a version stands before or after its release: `.dev1`, `a1`, `b1`, `rc1`, nothing, `.post1`.
fn phase(version: &str) -> (i8, u64) {
    let version = version.split('+').next().unwrap_or(version).to_lowercase();
    let start = version.find(|c: char| c.is_ascii_alphabetic()).filter(|start| *start > 0);
    let Some(rest) = start.map(|start| &version[start..]) else { return (0, 0) };
    let digits: String = rest.chars().skip_while(|c| !c.is_ascii_digit()).take_while(char::is_ascii_digit).collect();
    let rank = match rest.chars().take_while(char::is_ascii_alphabetic).collect::<String>().as_str() {
        "dev" => -4,
        "a" | "alpha" => -3,
        "b" | "beta" => -2,
        "rc" | "c" | "pre" | "preview" => -1,
        _ => 1,
    };
    (rank, digits.parse().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_as_wanted_by_pep_440() {
        for (requirement, version, wanted) in [
            ("six", "1.0", true),
            ("six==1.10", "1.10.0", true),
            ("six==1.10", "1.10.1", false),
            ("six==1.10.*", "1.10.1", true),
            ("six>=1.9,<2", "1.10", true),
            ("six>=1.9,<2", "2.0", false),
            ("six~=1.4.2", "1.4.9", true),
            ("six~=1.4.2", "1.5", false),
            ("six>1.0rc1", "1.0", true),
            ("six<1.0", "1.0.dev3", true),
            ("six!=1.0", "1.0.post1", true),
            ("six[extra] >= 1", "1.0", true),
        ] {
            assert_eq!(Requirement::parse(requirement).unwrap().fits(version), wanted, "{requirement} {version}");
        }
    }

    #[test]
    fn names_are_the_same_however_they_are_written() {
        assert_eq!(Requirement::parse("Foo_Bar==1").unwrap().normalized().as_deref(), Some("foo-bar"));
        assert_eq!(Requirement::parse("git+https://host/x.git@v1").unwrap().normalized(), None);
        assert!(Requirement::parse("six=1").is_err());
    }
}
