//! Everything in formula files that upshift does not have, whether a host comes by it or not.

use std::sync::LazyLock;

use regex::Regex;

use crate::formula::renderer;
use crate::formula::roots::Roots;
use crate::formula::template::functions;

/// A function or renderer that is missing, and where it is used.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Finding {
    /// What is missing: ``the function `x.y` ``.
    pub(super) what: String,
    /// The file within the roots.
    pub(super) file: String,
    /// The line, from one.
    pub(super) line: usize,
}

/// `salt['module.function']` and `salt.module.function(`.
#[expect(clippy::unwrap_used, reason = "the expression does not change")]
static CALL: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"salt(?:\[\s*['"]([A-Za-z_]\w*\.\w+)['"]\s*\]|\.([A-Za-z_]\w*\.\w+)\s*\()"#).unwrap()
});

#[expect(clippy::unwrap_used, reason = "the expression does not change")]
static COMMENT: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"(?s)\{#.*?#\}").unwrap());

/// Looks through every template of the folders that `wanted` begins with.
pub(super) fn scan(roots: &Roots, wanted: &[String]) -> std::io::Result<Vec<Finding>> {
    let folders: Vec<&str> = wanted.iter().map(|sls| sls.split('.').next().unwrap_or_default()).collect();
    let mut findings = Vec::new();
    for root in &roots.0 {
        for file in root.list()? {
            let folder = file.split(['/', '.']).next().unwrap_or_default();
            if !folders.contains(&folder) {
                continue;
            }
            let Some(text) = root.read(&file)?.and_then(|content| String::from_utf8(content).ok()) else { continue };
            findings.extend(in_text(&file, &text));
        }
    }
    findings.sort();
    findings.dedup();
    Ok(findings)
}

fn in_text(file: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    if file.rsplit_once('.').is_some_and(|(_, extension)| extension == "sls")
        && let Err(error) = renderer::check(text)
    {
        findings.push(Finding { what: error.message, file: file.to_owned(), line: 1 });
    }
    // A comment's lines stay, so that those after it keep their numbers.
    let text = COMMENT.replace_all(text, |comment: &regex::Captures<'_>| "\n".repeat(comment[0].matches('\n').count()));
    for (at, line) in text.lines().enumerate() {
        for call in CALL.captures_iter(line) {
            let Some(name) = call.get(1).or_else(|| call.get(2)) else { continue };
            if !functions::is_known(name.as_str()) {
                let what = format!("upshift does not have the function `{}`", name.as_str());
                findings.push(Finding { what, file: file.to_owned(), line: at + 1 });
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_functions_and_renderers_are_found_with_their_lines() {
        let text = "#!mako|yaml\n{# salt['a.b']()\n #}{{ salt['frob.nicate'](1) }}\n{{ salt.frob.other() }}\n";
        let lines: Vec<_> = in_text("x/init.sls", text).into_iter().map(|found| (found.line, found.what)).collect();
        assert_eq!(lines.len(), 3);
        assert_eq!(lines[1], (3, "upshift does not have the function `frob.nicate`".to_owned()));
        assert_eq!(lines[2].0, 4);
    }
}
