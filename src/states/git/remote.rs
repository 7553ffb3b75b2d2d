//! What a server has of a repository, and which of it a state wants.

use indexmap::IndexMap;

use super::is_commit;
use super::repository::Repository;
use crate::states::Failed;

/// The references of a repository on a server.
pub(super) struct Remote {
    refs: IndexMap<String, String>,
}

/// What a revision is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Branch,
    Tag,
    /// A commit, of which only the beginning may be known.
    Commit,
}

/// The branch that the local one is to follow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Upstream {
    Any,
    None,
    Named(String),
}

impl Upstream {
    pub(super) fn name(&self) -> Option<&str> {
        match self {
            Self::Named(name) => Some(name),
            Self::Any | Self::None => None,
        }
    }
}

/// The revision that a state wants.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    /// The commit; `None` if the server has no commit at all, or a bare repository has all of them.
    pub(super) commit: Option<String>,
    pub(super) kind: Option<Kind>,
    pub(super) upstream: Upstream,
}

impl Remote {
    /// Asks a server.
    pub(super) fn ask(repository: &Repository<'_>, address: &str) -> Result<Self, Failed> {
        Ok(Self::read(&repository.online(&["ls-remote", address])?))
    }

    pub(super) fn read(said: &str) -> Self {
        let refs = said.lines().filter_map(|line| line.split_once(char::is_whitespace));
        Self { refs: refs.map(|(commit, name)| (name.trim().to_owned(), commit.to_owned())).collect() }
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.refs.get(name).map(String::as_str)
    }

    /// The commit behind a whole name.
    pub(super) fn exact(&self, name: &str) -> Option<String> {
        self.get(name).map(str::to_owned)
    }

    pub(super) fn has_head(&self) -> bool {
        self.refs.contains_key("HEAD")
    }

    /// The branch that the server shows first.
    pub(super) fn default_branch(&self) -> Option<&str> {
        let head = self.get("HEAD")?;
        let mut refs = self.refs.iter().filter(|(_, commit)| *commit == head);
        refs.find_map(|(name, _)| name.strip_prefix("refs/heads/"))
    }

    pub(super) fn tags(&self) -> Vec<&str> {
        let tags = self.refs.keys().filter_map(|name| name.strip_prefix("refs/tags/"));
        tags.filter(|tag| !tag.ends_with("^{}")).collect()
    }

    /// What a revision is on this server.
    pub(super) fn find(&self, rev: &str, remote: &str) -> Wanted {
        let wanted =
            |commit: Option<&str>, kind, upstream| Wanted { commit: commit.map(str::to_owned), kind, upstream };
        if rev == "HEAD" {
            return match self.get("HEAD") {
                Some(head) => wanted(Some(head), Some(Kind::Commit), Upstream::Any),
                None => wanted(None, None, Upstream::None),
            };
        }
        if let Some(commit) = self.get(&format!("refs/heads/{rev}")) {
            return wanted(Some(commit), Some(Kind::Branch), Upstream::Named(format!("{remote}/{rev}")));
        }
        let tag = self.get(&format!("refs/tags/{rev}^{{}}")).or_else(|| self.get(&format!("refs/tags/{rev}")));
        match tag {
            Some(commit) => wanted(Some(commit), Some(Kind::Tag), Upstream::None),
            None if is_commit(rev) => wanted(Some(&rev.to_lowercase()), Some(Kind::Commit), Upstream::None),
            None => wanted(None, None, Upstream::None),
        }
    }
}

impl Wanted {
    /// Whether a commit here is the one that is wanted.
    pub(super) fn is(&self, commit: Option<&str>) -> bool {
        match (commit, self.commit.as_deref()) {
            (None, None) => true,
            (Some(here), Some(wanted)) if self.kind == Some(Kind::Commit) => here.starts_with(wanted),
            (here, wanted) => here == wanted,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAID: &str =
        "aaa\tHEAD\nbbb\trefs/heads/dev\naaa\trefs/heads/main\nccc\trefs/tags/v1\nddd\trefs/tags/v1^{}\n";

    #[test]
    fn a_revision_is_a_branch_before_a_tag_before_a_commit() {
        let remote = Remote::read(SAID);
        let found = |rev: &str| {
            let wanted = remote.find(rev, "origin");
            (wanted.commit.unwrap_or_default(), wanted.kind, wanted.upstream)
        };
        assert_eq!(found("HEAD"), ("aaa".to_owned(), Some(Kind::Commit), Upstream::Any));
        assert_eq!(found("dev"), ("bbb".to_owned(), Some(Kind::Branch), Upstream::Named("origin/dev".to_owned())));
        assert_eq!(found("v1"), ("ddd".to_owned(), Some(Kind::Tag), Upstream::None));
        assert_eq!(found("ABC123"), ("abc123".to_owned(), Some(Kind::Commit), Upstream::None));
        assert_eq!(found("no-such"), (String::new(), None, Upstream::None));
        assert_eq!((remote.default_branch(), remote.tags()), (Some("main"), vec!["v1"]));
    }
}
