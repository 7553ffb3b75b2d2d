//! `include_pat` and `exclude_pat`: which paths below a folder count.

use crate::formula::fnmatch;
use crate::formula::regex::{Options, Regex};
use crate::states::{Args, Failed};

/// Patterns of paths, relative to a folder: shell patterns, or regular expressions after `E@`.
#[derive(Debug, Default)]
pub(super) struct Patterns(Vec<Pattern>);

#[derive(Debug)]
enum Pattern {
    Shell(String),
    Expression(Regex),
}

impl Patterns {
    /// The patterns of an argument.
    ///
    /// # Errors
    /// When one of them is no expression.
    pub(super) fn read(args: &Args<'_>, argument: &str) -> Result<Self, Failed> {
        let patterns = args.texts(argument)?.into_iter().filter(|pattern| !pattern.is_empty());
        patterns.map(|pattern| Pattern::parse(&pattern)).collect::<Result<_, _>>().map(Self)
    }

    /// Whether there are none, which is not the same as matching nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether one of them is of this path.
    pub(super) fn has(&self, path: &str) -> bool {
        self.0.iter().any(|pattern| match pattern {
            Pattern::Shell(pattern) => fnmatch::is_match(pattern, path),
            Pattern::Expression(expression) => expression.is_match(path).unwrap_or(false),
        })
    }
}

impl Pattern {
    fn parse(pattern: &str) -> Result<Self, Failed> {
        let Some(expression) = pattern.strip_prefix("E@") else { return Ok(Self::Shell(pattern.to_owned())) };
        let expression = Regex::new(expression, Options::default());
        expression
            .map(Self::Expression)
            .map_err(|error| format!("`{pattern}` is no regular expression: {error}").into())
    }
}

/// What counts: what is included, unless it is excluded as well.
#[derive(Debug, Default)]
pub(super) struct Selection {
    pub(super) include: Patterns,
    pub(super) exclude: Patterns,
}

impl Selection {
    /// Both arguments.
    ///
    /// # Errors
    /// When one of them has what is no expression.
    pub(super) fn read(args: &Args<'_>) -> Result<Self, Failed> {
        Ok(Self { include: Patterns::read(args, "include_pat")?, exclude: Patterns::read(args, "exclude_pat")? })
    }

    /// Whether a path counts.
    pub(super) fn has(&self, path: &str) -> bool {
        (self.include.is_empty() || self.include.has(path)) && !self.exclude.has(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_excluded_counts_not_even_if_it_is_included() {
        let patterns = |patterns: &[&str]| Patterns(patterns.iter().map(|one| Pattern::parse(one).unwrap()).collect());
        let selection = Selection { include: patterns(&["*.conf", "E@^d/"]), exclude: patterns(&["E@secret"]) };
        let cases = [("a.conf", true), ("x/a.conf", true), ("d/b", true), ("b", false), ("d/secret", false)];
        for (path, counts) in cases {
            assert_eq!(selection.has(path), counts, "{path}");
        }
        assert!(Selection::default().has("anything"));
    }
}
