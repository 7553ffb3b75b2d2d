//! What an SLS says to a state, read as Salt's functions read it.

use std::time::Duration;

use crate::formula::template::value;
use crate::formula::{Data, Dict};
use crate::states::{Failed, Function};

/// The arguments that belong to a state as such, and that no function is given.
pub(super) const EVERY_STATE: &[&str] = &[
    "state",
    "fun",
    "order",
    "onchanges",
    "onchanges_any",
    "onfail",
    "onfail_any",
    "onfail_all",
    "onfail_stop",
    "prereq",
    "prerequired",
    "watch",
    "watch_any",
    "require",
    "require_any",
    "listen",
    "onchanges_in",
    "onfail_in",
    "prereq_in",
    "watch_in",
    "require_in",
    "listen_in",
    "check_cmd",
    "cmd_opts_exclude",
    "failhard",
    "onlyif",
    "unless",
    "creates",
    "retry",
    "parallel",
    "reload_modules",
    "reload_grains",
    "reload_pillar",
    "runas",
    "runas_password",
    "fire_event",
    "saltenv",
    "umask",
    "use",
    "use_in",
    "__env__",
    "__sls__",
    "__id__",
    "__sls_included_from__",
    "__prereq__",
    "__prerequired__",
    "__umask__",
];

/// The arguments of one state: its chunk of the low state.
#[derive(Debug, Clone, Copy)]
pub struct Args<'a> {
    chunk: &'a Dict,
}

impl<'a> Args<'a> {
    /// The arguments in a chunk.
    #[must_use]
    pub fn new(chunk: &'a Dict) -> Self {
        Self { chunk }
    }

    /// The whole chunk.
    #[must_use]
    pub fn chunk(&self) -> &'a Dict {
        self.chunk
    }

    /// An argument; `None` as well if it is given as nothing, which is what most of them are by default.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&'a Data> {
        self.chunk.get(key).filter(|value| !matches!(value, Data::None))
    }

    /// The arguments that a function has no name for, and that are none of every state's: template variables.
    pub(super) fn others(&self, function: &Function) -> Dict {
        let is_other = |key: &Data| {
            let known = [&["name"], function.required, function.optional, EVERY_STATE];
            key.as_str().is_some_and(|key| !known.into_iter().any(|names| names.contains(&key)))
        };
        let entries = self.chunk.entries.iter().filter(|(key, _)| is_other(key));
        entries.map(|(key, value)| (key.clone(), value.clone())).collect()
    }

    /// What the state is about: a path, a package, a command.
    ///
    /// # Errors
    /// When it is neither text nor a number.
    pub fn name(&self) -> Result<String, Failed> {
        self.required("name")
    }

    /// A text that has to be there.
    ///
    /// # Errors
    /// When it is not there, or is a list or a mapping.
    pub fn required(&self, key: &str) -> Result<String, Failed> {
        self.text(key)?.ok_or_else(|| format!("the argument `{key}` is missing").into())
    }

    /// A text. A number or a boolean becomes what Python's `str` makes of it.
    ///
    /// # Errors
    /// When it is a list or a mapping.
    pub fn text(&self, key: &str) -> Result<Option<String>, Failed> {
        self.get(key).map(|value| text(value).ok_or_else(|| wrong(key, "text", value))).transpose()
    }

    /// What an argument means where Python asks `if argument:`.
    #[must_use]
    pub fn flag(&self, key: &str, default: bool) -> bool {
        self.chunk.get(key).map_or(default, Data::is_true)
    }

    /// A whole number, also one that is written as text.
    ///
    /// # Errors
    /// When it is something else.
    pub fn number(&self, key: &str) -> Result<Option<i64>, Failed> {
        let Some(value) = self.get(key) else { return Ok(None) };
        let number = match value {
            Data::Int(number) => i64::try_from(*number).ok(),
            Data::Str(text) => text.trim().parse().ok(),
            _ => None,
        };
        number.map(Some).ok_or_else(|| wrong(key, "a whole number", value))
    }

    /// A number of seconds.
    ///
    /// # Errors
    /// When it is not a number, or negative.
    pub fn seconds(&self, key: &str) -> Result<Option<Duration>, Failed> {
        let Some(value) = self.get(key) else { return Ok(None) };
        #[expect(clippy::cast_precision_loss, reason = "no timeout is that long")]
        let seconds = match value {
            Data::Int(number) => Some(*number as f64),
            Data::Float(number) => Some(*number),
            Data::Str(text) => text.trim().parse().ok(),
            _ => None,
        };
        let read = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        read.map(Some).ok_or_else(|| wrong(key, "a number of seconds", value))
    }

    /// A list of texts; a single one is a list of one.
    ///
    /// # Errors
    /// When something in it is a list or a mapping.
    pub fn texts(&self, key: &str) -> Result<Vec<String>, Failed> {
        match self.get(key) {
            None => Ok(Vec::new()),
            Some(Data::List(items)) => {
                items.iter().map(|item| text(item).ok_or_else(|| wrong(key, "a list of texts", item))).collect()
            }
            Some(value) => Ok(vec![text(value).ok_or_else(|| wrong(key, "text or a list of texts", value))?]),
        }
    }

    /// A file mode. Salt takes the digits of a number as octal ones: `644` and `'0644'` are the same.
    ///
    /// # Errors
    /// When it is not one.
    pub fn mode(&self, key: &str) -> Result<Option<u32>, Failed> {
        let Some(text) = self.text(key)? else { return Ok(None) };
        let digits = text.trim_matches(['\'', '"']).trim_start_matches(['0', 'o', 'O']);
        let mode = if digits.is_empty() { Some(0) } else { u32::from_str_radix(digits, 8).ok() };
        let mode = mode.filter(|mode| *mode <= 0o7777);
        mode.map(Some).ok_or_else(|| format!("`{key}` has to be a file mode such as `0644`, not `{text}`").into())
    }
}

/// Python's `str` of a value that is neither a list nor a mapping.
pub(super) fn text(value: &Data) -> Option<String> {
    match value {
        Data::Str(text) => Some(text.to_string()),
        Data::Bool(value) => Some(if *value { "True" } else { "False" }.to_owned()),
        Data::Int(number) => Some(number.to_string()),
        Data::Float(number) => Some(crate::formula::template::value::float_text(*number)),
        Data::None => Some("None".to_owned()),
        Data::List(_) | Data::Dict(_) => None,
    }
}

/// Python's `repr` of a value, as Salt's comments show lists, mappings and the texts in them.
pub(super) fn repr(value: &Data) -> String {
    value::repr(&value::from_data(value))
}

/// Python's `str` of a value.
pub(super) fn shown(value: &Data) -> String {
    text(value).unwrap_or_else(|| repr(value))
}

fn wrong(key: &str, wanted: &str, found: &Data) -> Failed {
    format!("`{key}` has to be {wanted}, not a {}", found.type_name()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(entries: &[(&str, Data)]) -> Dict {
        entries.iter().map(|(key, value)| (Data::from(*key), value.clone())).collect()
    }

    #[test]
    fn a_mode_is_octal_whether_it_is_quoted_or_not() {
        for (given, wanted) in [
            (Data::Int(644), 0o644),
            ("0644".into(), 0o644),
            ("'0755'".into(), 0o755),
            ("0o1777".into(), 0o1777),
            (Data::Int(0), 0),
        ] {
            let chunk = chunk(&[("mode", given.clone())]);
            assert_eq!(Args::new(&chunk).mode("mode"), Ok(Some(wanted)), "{given:?}");
        }
        let chunk = chunk(&[("mode", "rw-r--r--".into())]);
        assert!(Args::new(&chunk).mode("mode").is_err());
    }

    #[test]
    fn nothing_is_the_same_as_not_given() {
        let chunk = chunk(&[("user", Data::None), ("makedirs", false.into())]);
        let args = Args::new(&chunk);
        assert_eq!(args.text("user"), Ok(None));
        assert_eq!((args.flag("makedirs", true), args.flag("replace", true)), (false, true));
    }
}
