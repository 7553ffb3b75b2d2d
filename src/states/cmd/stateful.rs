//! Commands that say themselves whether they changed something: the last line of their output, or all of it as JSON.

use crate::formula::facts::split;
use crate::formula::{Data, Dict};
use crate::states::arguments::text;
use crate::states::{Args, Failed, Return};

/// Whether a command says itself what it changed.
#[derive(Debug, Clone, Default)]
pub(super) struct Stateful {
    pub(super) is_so: bool,
    /// The command that takes its place in a preview.
    pub(super) in_preview: Option<String>,
}

impl Stateful {
    pub(super) fn read(args: &Args<'_>) -> Self {
        match args.get("stateful") {
            Some(Data::Bool(is_so)) => Self { is_so: *is_so, in_preview: None },
            Some(Data::List(items)) => {
                let first = items.first().and_then(Data::as_dict);
                let in_preview = first.and_then(|first| text(first.get("test_name")?));
                Self { is_so: !items.is_empty(), in_preview }
            }
            _ => Self::default(),
        }
    }
}

/// What a state came to by what its command says of itself.
pub(super) fn reinterpreted(ran: Return) -> Result<Return, Failed> {
    let result = ran.result;
    let say = |result, changes, comment: String| Return { result, changes, comment };
    let said = |key| ran.changes.get(key).and_then(Data::as_str).unwrap_or_default();
    let out = said("stdout");
    if out.is_empty() {
        return Ok(say(result, Dict::default(), said("stderr").to_owned()));
    }
    let (mut data, kept) = match serde_json::from_str::<Data>(out) {
        // A text that is all JSON is not shown again.
        Ok(Data::Dict(data)) => (Dict::clone(&data), None),
        Ok(_) => {
            let comment = "script JSON output must be a JSON object (e.g., {})!";
            return Ok(say(Some(false), Dict::default(), comment.to_owned()));
        }
        Err(_) => {
            let end = out.trim_end().rfind('\n');
            let Some(data) = pairs(end.map_or(out, |end| &out[end + 1..])) else {
                let comment = "Failed parsing script output! Stdout must be JSON or a line of name=value pairs.";
                return Ok(say(Some(false), ran.changes, comment.to_owned()));
            };
            // Of a single line all but the last character is kept, as by Salt.
            let end = end.or_else(|| out.char_indices().next_back().map(|(at, _)| at));
            (data, end)
        }
    };
    let is_changed = match data.get("changed") {
        None => false,
        Some(value) => is_true(value).map_err(|error| Failed::from(error).after(ran.changes.clone()))?,
    };
    let comment = data.remove("comment").and_then(|comment| text(&comment)).unwrap_or_default();
    if !is_changed {
        return Ok(say(result, Dict::default(), comment));
    }
    let out = kept.and_then(|end| out.get(..end)).unwrap_or_default();
    data.insert("stdout", out);
    for (key, value) in ran.changes.entries {
        data.entries.entry(key).or_insert(value);
    }
    Ok(say(result, data, comment))
}

/// The words of a line such as `changed=yes comment='all new'`.
fn pairs(line: &str) -> Option<Dict> {
    let words = split(line).ok()?;
    let pair = |word: &String| {
        let (name, value) = word.split_once('=').filter(|(_, value)| !value.contains('='))?;
        Some((Data::from(name), Data::from(value)))
    };
    words.iter().map(pair).collect()
}

fn is_true(value: &Data) -> Result<bool, String> {
    let shown = text(value).unwrap_or_else(|| format!("{value:?}"));
    match shown.to_lowercase().as_str() {
        "true" | "yes" | "1" => Ok(true),
        "false" | "no" | "0" => Ok(false),
        _ => Err(format!("Failed parsing boolean value: {shown}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::states::returns::dict;

    fn told(stdout: &str) -> Result<Return, Failed> {
        let changes = dict([("retcode", Data::Int(0)), ("stdout", stdout.into()), ("stderr", "".into())]);
        reinterpreted(Return { result: Some(true), changes, comment: "run".to_owned() })
    }

    #[test]
    fn the_last_line_says_whether_something_changed() {
        let changed = told("first\nchanged=yes comment='all new' to=2\n").unwrap();
        assert_eq!((changed.result, changed.comment.as_str()), (Some(true), "all new"));
        assert_eq!(changed.changes.get("stdout"), Some(&"first".into()));
        assert_eq!(changed.changes.get("to"), Some(&"2".into()));
        let unchanged = told("first\nchanged=no comment=same").unwrap();
        assert_eq!((unchanged.changes, unchanged.comment.as_str()), (Dict::default(), "same"));
    }

    #[test]
    fn all_of_it_may_be_json() {
        let changed = told(r#"{"changed": true, "comment": "new", "old": 1}"#).unwrap();
        assert_eq!(
            (changed.changes.get("stdout"), changed.changes.get("old")),
            (Some(&"".into()), Some(&Data::Int(1)))
        );
        assert_eq!(told("[1]").unwrap().result, Some(false));
    }

    #[test]
    fn what_says_neither_has_failed() {
        let failed = told("all is well").unwrap();
        assert_eq!(failed.result, Some(false));
        assert_eq!(failed.changes.get("stdout"), Some(&"all is well".into()));
        assert!(told("changed=perhaps").is_err());
    }
}
