//! `environ.setenv`: variables that the commands of later states find in their environment.
//!
//! Nothing is kept beyond the run, as with Salt, and this process's own environment stays as it is.

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use crate::formula::{Data, Dict};
use crate::states::{Args, Call, Failed, Function, Return};

pub(super) const FUNCTIONS: &[Function] = &[Function::new("environ.setenv", setenv)
    .requires(&["value"])
    .takes(&["clear_all", "false_unsets", "permanent", "update_minion"])
    .checks(|args| wanted(args).map(drop).map_err(|failed| failed.comment))];

/// What was set and unset so far in this run; `None` is a variable that there is no more.
#[derive(Debug, Default)]
pub(super) struct Environment(Mutex<BTreeMap<String, Option<String>>>);

impl Environment {
    /// Gives a command what was set, unless it sets the same itself.
    pub(super) fn apply(&self, command: &mut Command) {
        for (name, value) in self.0.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            if command.get_envs().any(|(known, _)| known == name.as_str()) {
                continue;
            }
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
    }

    /// The variables that a command would find.
    fn current(&self) -> BTreeMap<String, String> {
        let lossy = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
        let mut current: BTreeMap<_, _> =
            std::env::vars_os().map(|(name, value)| (lossy(name), lossy(value))).collect();
        for (name, value) in self.0.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            match value {
                Some(value) => current.insert(name.clone(), value.clone()),
                None => current.remove(name),
            };
        }
        current
    }
}

/// The variables that are wanted; `None` is one that is to be empty, or not there.
fn wanted(args: &Args<'_>) -> Result<BTreeMap<String, Option<String>>, Failed> {
    let of = |name: &str, value: &Data| match value {
        _ if name.is_empty() || name.contains(['=', '\0']) => {
            Err(Failed::from(format!("`{name}` cannot be the name of a variable")))
        }
        Data::Str(value) if value.contains('\0') => Err("Failed to set environ variables".into()),
        Data::Str(value) => Ok((name.to_owned(), Some(value.to_string()))),
        Data::Bool(false) => Ok((name.to_owned(), None)),
        _ => Err(format!("the value of `{name}` has to be text or false").into()),
    };
    match args.get("value") {
        Some(Data::Dict(values)) => {
            values.entries.iter().map(|(name, value)| of(name.as_str().unwrap_or_default(), value)).collect()
        }
        Some(value @ (Data::Str(_) | Data::Bool(false))) => of(&args.name()?, value).map(|one| BTreeMap::from([one])),
        _ => Err("Environ value must be string, dict or False".into()),
    }
}

fn setenv(call: &Call<'_>) -> Result<Return, Failed> {
    let wanted = wanted(&call.args)?;
    let unsets = call.args.flag("false_unsets", false);
    let current = call.host.environment.current();
    // A variable that is not there is as good as an empty one, unless it is said to be so by `false`.
    let is_right = |name: &String, value: &Option<String>| match (value, current.get(name)) {
        (Some(value), there) => value == there.map_or("", String::as_str),
        (None, there) if unsets => there.is_none(),
        (None, there) => there.is_some_and(String::is_empty),
    };
    let mut all: BTreeMap<String, Option<String>> = BTreeMap::new();
    let mut changed = Vec::new();
    if call.args.flag("clear_all", false) {
        changed.extend(current.keys().filter(|name| !wanted.contains_key(*name)).cloned());
        all.extend(changed.iter().map(|name| (name.clone(), None)));
    }
    changed.extend(wanted.iter().filter(|(name, value)| !is_right(name, value)).map(|(name, _)| name.clone()));
    all.extend(wanted);
    if !unsets {
        for value in all.values_mut() {
            value.get_or_insert_default();
        }
    }
    let said = |(name, value): (&String, &Option<String>)| {
        (Data::from(name.as_str()), value.as_deref().map_or(Data::None, Data::from))
    };
    let changes: Dict = all.iter().filter(|(name, _)| changed.contains(name)).map(said).collect();
    if call.preview {
        return Ok(if changes.entries.is_empty() {
            Return::unchanged("Environ values are already set with the correct values")
        } else {
            Return::would(changes, "Environ values will be changed")
        });
    }
    if changes.entries.is_empty() {
        return Ok(Return::unchanged("Environ values were already set with the correct values"));
    }
    let changes = all.iter().map(said).collect();
    call.host.environment.0.lock().unwrap_or_else(PoisonError::into_inner).extend(all);
    Ok(Return::changed(changes, "Environ values were set"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_finds_what_was_set_unless_it_says_otherwise() {
        let set = [
            ("ONE".to_owned(), Some("1".to_owned())),
            ("TWO".to_owned(), None),
            ("LC_ALL".to_owned(), Some("x".to_owned())),
        ];
        let environment = Environment(Mutex::new(set.into()));
        let mut command = Command::new("true");
        command.env("LC_ALL", "C");
        environment.apply(&mut command);
        let set: Vec<_> = command
            .get_envs()
            .map(|(name, value)| (name.to_str().unwrap(), value.map(|v| v.to_str().unwrap())))
            .collect();
        assert_eq!(set, [("LC_ALL", Some("C")), ("ONE", Some("1")), ("TWO", None)]);
        assert_eq!(environment.current().get("ONE").map(String::as_str), Some("1"));
    }
}
