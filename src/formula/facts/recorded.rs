//! Answers from a record, for tests and for hosts that are not there.

use super::{Call, Facts, Refusal};
use crate::formula::{Data, Dict, Error, Kind, Result};

/// Answers that were recorded, or made up.
#[derive(Debug, Clone, Default)]
pub struct Recorded {
    answers: Vec<(Pattern, Data)>,
}

/// Which calls an answer is for: those of one function, with these arguments where any are given.
#[derive(Debug, Clone)]
struct Pattern {
    function: String,
    args: Option<Vec<Data>>,
    kwargs: Option<Vec<(String, Data)>>,
}

impl Pattern {
    fn is_match(&self, call: &Call) -> bool {
        self.function == call.function
            && self.args.as_ref().is_none_or(|args| *args == call.args)
            && self.kwargs.as_ref().is_none_or(|kwargs| *kwargs == call.kwargs)
    }
}

impl Recorded {
    /// Reads a record: a list of `{function, args, kwargs, answer}`. Without `args` or `kwargs`, any are answered; of
    /// several answers to a call, the first is given.
    ///
    /// # Errors
    /// When it is not such a list, with the number of the entry.
    pub fn from_data(record: &Data) -> Result<Self> {
        let wrong = |message: String| Error::new(Kind::Structure, message);
        let entries = match record {
            Data::None => &[],
            record => record.as_list().ok_or_else(|| wrong("recorded facts are a list of calls".to_owned()))?,
        };
        let mut recorded = Self::default();
        for (number, entry) in entries.iter().enumerate() {
            let number = number + 1;
            let Some(entry) = entry.as_dict() else {
                return Err(wrong(format!("recorded fact {number} is a {}, not a mapping", entry.type_name())));
            };
            let pattern = read(entry).map_err(|message| wrong(format!("recorded fact {number}: {message}")))?;
            recorded.answers.push((pattern, entry.get("answer").cloned().unwrap_or_default()));
        }
        Ok(recorded)
    }
}

impl Facts for Recorded {
    fn answer(&self, call: &Call) -> Result<Data, Refusal> {
        let call = normal(call.clone());
        let found = self.answers.iter().find(|(pattern, _)| pattern.is_match(&call));
        found.map(|(_, answer)| answer.clone()).ok_or(Refusal::NotRecorded)
    }

    fn knows(&self, function: &str) -> bool {
        self.answers.iter().any(|(pattern, _)| pattern.function == function)
    }
}

/// The same call with its keyword arguments sorted.
fn normal(mut call: Call) -> Call {
    call.kwargs.sort_by(|one, two| one.0.cmp(&two.0));
    call
}

fn read(entry: &Dict) -> Result<Pattern, String> {
    for key in entry.entries.keys() {
        if !matches!(key.as_str(), Some("function" | "args" | "kwargs" | "answer")) {
            return Err(format!("has the key {key:?}; known are `function`, `args`, `kwargs` and `answer`"));
        }
    }
    let function = entry.get("function").and_then(Data::as_str).ok_or("names no `function`")?.to_owned();
    let args = match entry.get("args") {
        None | Some(Data::None) => None,
        Some(args) => Some(args.as_list().ok_or("`args` is not a list")?.to_vec()),
    };
    let kwargs = match entry.get("kwargs") {
        None | Some(Data::None) => None,
        Some(kwargs) => {
            let kwargs = kwargs.as_dict().ok_or("`kwargs` is not a mapping")?;
            let named = |(name, value): (&Data, &Data)| Some((name.as_str()?.to_owned(), value.clone()));
            let mut named: Vec<_> =
                kwargs.entries.iter().map(named).collect::<Option<_>>().ok_or("a name in `kwargs` is not text")?;
            named.sort_by(|one, two| one.0.cmp(&two.0));
            Some(named)
        }
    };
    Ok(Pattern { function, args, kwargs })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(text: &str) -> Data {
        serde_json::from_str::<serde_json::Value>(text).unwrap().into()
    }

    #[test]
    fn a_call_is_answered_by_its_record() {
        let recorded = Recorded::from_data(&data(
            r#"[{"function": "cmd.run", "args": ["id"], "kwargs": {"b": 1, "a": 2}, "answer": "root"}]"#,
        ))
        .unwrap();
        let mut call = Call {
            function: "cmd.run".to_owned(),
            args: vec!["id".into()],
            kwargs: vec![("a".to_owned(), Data::Int(2)), ("b".to_owned(), Data::Int(1))],
        };
        assert_eq!(recorded.answer(&call), Ok("root".into()));
        call.kwargs.clear();
        assert_eq!(recorded.answer(&call), Err(Refusal::NotRecorded));
        assert_eq!(call.as_record(), r#"{"function":"cmd.run","args":["id"],"answer":"..."}"#);
    }

    #[test]
    fn a_record_that_is_none_says_where() {
        for (text, wanted) in [
            ("3", "recorded facts are a list of calls"),
            ("[{}]", "recorded fact 1: names no `function`"),
            (
                r#"[{"function": "a.b", "arg": []}]"#,
                "recorded fact 1: has the key \"arg\"; known are `function`, `args`, `kwargs` and `answer`",
            ),
        ] {
            assert_eq!(Recorded::from_data(&data(text)).unwrap_err().message, wanted);
        }
    }
}
