//! One line of `sources.list(5)`: `deb [arch=amd64 signed-by=/etc/apt/keyrings/x.gpg] https://host/debian stable main`.

use crate::formula::{Data, Dict};
use crate::states::returns::dict;

/// A repository, as one line says it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) is_disabled: bool,
    /// `deb` or `deb-src`.
    pub(super) kind: String,
    /// `arch=amd64`, `signed-by=…`, `trusted=yes`, in their order.
    options: Vec<String>,
    pub(super) address: String,
    pub(super) release: String,
    pub(super) components: Vec<String>,
    pub(super) comment: String,
}

impl Entry {
    /// Reads a line; `None` if there is no repository in it.
    pub(super) fn parse(line: &str) -> Option<Self> {
        let line = line.trim();
        let (is_disabled, line) = match line.strip_prefix('#') {
            Some(rest) => (true, rest),
            None => (false, line),
        };
        let (line, comment) = match line.find('#').filter(|at| *at > 0) {
            Some(at) => (&line[..at], &line[at + 1..]),
            None => (line, ""),
        };
        let (line, options) = match (line.find('['), line.find(']')) {
            (Some(from), Some(to)) if from < to && matches!(line[..from].trim(), "deb" | "deb-src") => {
                (format!("{} {}", &line[..from], &line[to + 1..]), line[from + 1..to].to_owned())
            }
            _ => (line.to_owned(), String::new()),
        };
        let mut words = line.split_ascii_whitespace().map(str::to_owned);
        let kind = words.next().filter(|kind| matches!(kind.as_str(), "deb" | "deb-src"))?;
        let (address, release) = (words.next()?, words.next()?);
        let options = options.split_ascii_whitespace().map(str::to_owned).collect();
        let comment = comment.trim().to_owned();
        Some(Self { is_disabled, kind, options, address, release, components: words.collect(), comment })
    }

    /// The line.
    pub(super) fn line(&self) -> String {
        let mut words = Vec::new();
        if self.is_disabled {
            words.push("#".to_owned());
        }
        words.push(self.kind.clone());
        if !self.options.is_empty() {
            words.push(format!("[{}]", self.options.join(" ")));
        }
        words.extend([self.address.clone(), self.release.clone()]);
        words.extend(self.components.iter().cloned());
        if !self.comment.is_empty() {
            words.push(format!("#{}", self.comment));
        }
        words.join(" ")
    }

    /// The value of an option.
    fn option(&self, name: &str) -> Option<&str> {
        self.options
            .iter()
            .find_map(|option| option.split_once('=').filter(|(key, _)| *key == name).map(|(_, value)| value))
    }

    /// Sets an option, in its place if it is there.
    pub(super) fn set_option(&mut self, name: &str, value: &str) {
        let new = format!("{name}={value}");
        let is_it = |option: &&mut String| option.split_once('=').is_some_and(|(key, _)| key == name);
        match self.options.iter_mut().find(is_it) {
            Some(option) => *option = new,
            None => self.options.push(new),
        }
    }

    /// The architectures that it is for; all if there are none.
    pub(super) fn architectures(&self) -> Vec<&str> {
        self.option("arch").map(|all| all.split(',').collect()).unwrap_or_default()
    }

    /// The key that the repository is signed by.
    pub(super) fn signed_by(&self) -> &str {
        self.option("signed-by").unwrap_or_default()
    }

    /// Whether the two are of one kind, place and release.
    pub(super) fn is_of(&self, other: &Self) -> bool {
        let address = |entry: &Self| entry.address.trim_end_matches('/').to_owned();
        self.kind == other.kind && address(self) == address(other) && self.release == other.release
    }

    /// Whether the two have a component in common.
    pub(super) fn shares(&self, other: &Self) -> bool {
        self.components.iter().any(|component| other.components.contains(component))
    }

    /// Whether this one says what the other one does, wherever what is in no order stands.
    pub(super) fn is_as(&self, wanted: &Self) -> bool {
        let sorted = |list: &[String]| {
            let mut list = list.to_vec();
            list.sort();
            list
        };
        let plain =
            |entry: &Self| (entry.is_disabled, entry.kind.clone(), entry.address.clone(), entry.release.clone());
        plain(self) == plain(wanted)
            && sorted(&self.components) == sorted(&wanted.components)
            && sorted(&self.options) == sorted(&wanted.options)
    }

    /// What Salt knows of it.
    pub(super) fn facts(&self) -> Dict {
        let list = |items: Vec<&str>| items.into_iter().map(Data::from).collect::<Data>();
        dict([
            ("comps", list(self.components.iter().map(String::as_str).collect())),
            ("disabled", self.is_disabled.into()),
            ("dist", self.release.as_str().into()),
            ("type", self.kind.as_str().into()),
            ("uri", self.address.as_str().into()),
            ("line", self.line().into()),
            ("architectures", list(self.architectures())),
            ("signedby", self.signed_by().into()),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_and_written() {
        for line in [
            "deb http://host/debian stable main contrib",
            "deb [arch=amd64,arm64 signed-by=/etc/apt/keyrings/x.gpg] https://host/debian stable main",
            "# deb-src http://host/debian stable main",
            "deb [trusted=yes] http://198.18.0.1:8000 ./",
            "deb http://host/debian stable main #for tests",
        ] {
            assert_eq!(Entry::parse(line).map(|entry| entry.line()).as_deref(), Some(line));
        }
        let odd = Entry::parse("deb  [ arch=amd64 ]  http://host/  stable   main ").unwrap();
        assert_eq!(odd.line(), "deb [arch=amd64] http://host/ stable main");
    }

    #[test]
    fn what_is_no_repository_is_left_alone() {
        for line in ["", "# a comment", "#", "# deb or not", "deb http://host", "rpm x y z"] {
            assert!(Entry::parse(line).is_none_or(|entry| entry.is_disabled && line.contains("deb or")), "{line}");
        }
    }

    #[test]
    fn the_order_of_components_does_not_count() {
        let one = Entry::parse("deb http://host stable main contrib").unwrap();
        let two = Entry::parse("deb http://host stable contrib main").unwrap();
        assert!(one.is_as(&two));
        assert!(!one.is_as(&Entry { is_disabled: true, ..two }));
    }
}
