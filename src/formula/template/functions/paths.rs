//! The functions of `file.*` that only look at a path's text.

use minijinja::{Error, Value};

use super::super::Context;
use super::arguments::Default::Required;
use super::arguments::{Arguments, Signature, takes, wrong};
use super::{Function, plain};

const PATH: Signature = takes(&[("path", Required)]);

pub(super) const FUNCTIONS: &[Function] = &[
    plain("file.dirname", PATH, |_, arguments| Ok(Value::from(dirname(&path(arguments)?)))),
    plain("file.basename", PATH, |_, arguments| {
        let path = path(arguments)?;
        Ok(Value::from(path.rsplit('/').next().unwrap_or_default()))
    }),
    plain("file.normpath", PATH, |_, arguments| Ok(Value::from(normal(&path(arguments)?)))),
    plain("file.join", takes(&[]).and_more(), join),
];

fn path(arguments: &Arguments) -> Result<String, Error> {
    own_text(arguments.get("path"))
}

fn own_text(value: &Value) -> Result<String, Error> {
    let value = super::arguments::defined(value)?;
    value.as_str().map(str::to_owned).ok_or_else(|| {
        let kind = super::super::value::type_name(value);
        wrong(format!("expected str, bytes or os.PathLike object, not {kind}"))
    })
}

/// `os.path.dirname`.
pub(super) fn dirname(path: &str) -> &str {
    let Some(end) = path.rfind('/') else { return "" };
    let head = path.get(..=end).unwrap_or_default();
    let trimmed = head.trim_end_matches('/');
    if trimmed.is_empty() { head } else { trimmed }
}

/// `os.path.normpath`: no `.`, no `..` that has something before it, no slash too many.
pub(super) fn normal(path: &str) -> String {
    if path.is_empty() {
        return ".".to_owned();
    }
    // POSIX leaves two slashes at the beginning to the system; three are one.
    let root = match path.len() - path.trim_start_matches('/').len() {
        0 => "",
        2 => "//",
        _ => "/",
    };
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/').filter(|part| !matches!(*part, "" | ".")) {
        if part != ".." || (root.is_empty() && parts.last().is_none_or(|last| *last == "..")) {
            parts.push(part);
        } else {
            parts.pop();
        }
    }
    let normal = format!("{root}{}", parts.join("/"));
    if normal.is_empty() { ".".to_owned() } else { normal }
}

/// `os.path.join` of two.
pub(super) fn joined(path: &str, part: &str) -> String {
    if part.starts_with('/') || path.is_empty() {
        return part.to_owned();
    }
    format!("{path}{}{part}", if path.ends_with('/') { "" } else { "/" })
}

fn join(_: &Context, arguments: &Arguments) -> Result<Value, Error> {
    let Some((first, more)) = arguments.more.split_first() else {
        return Err(wrong("join() missing 1 required positional argument: 'a'"));
    };
    let mut path = own_text(first)?;
    for part in more {
        path = joined(&path, &own_text(part)?);
    }
    Ok(Value::from(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_taken_apart_as_in_python() {
        for (path, wanted) in
            [("/a/b", "/a"), ("/a", "/"), ("a", ""), ("/a/", "/a"), ("//a", "//"), ("a//b", "a"), ("", "")]
        {
            assert_eq!(dirname(path), wanted, "{path}");
        }
        for (path, wanted) in [
            ("", "."),
            ("a/./b/../c", "a/c"),
            ("../a", "../a"),
            ("/../a", "/a"),
            ("//a", "//a"),
            ("///a", "/a"),
            ("a/../..", ".."),
            ("./", "."),
        ] {
            assert_eq!(normal(path), wanted, "{path}");
        }
        assert_eq!(joined("a/", "b"), "a/b");
        assert_eq!(joined("a", ""), "a/");
        assert_eq!(joined("a", "/b"), "/b");
    }
}
