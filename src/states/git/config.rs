//! `git.config_set` and `git.config_unset`: settings of a repository or of a user.

use indexmap::IndexMap;

use super::repository::Repository;
use crate::formula::{Data, Dict};
use crate::states::arguments::text;
use crate::states::returns::dict;
use crate::states::{Call, Failed, Return};

/// Where a setting is.
struct Place<'a> {
    repository: Repository<'a>,
    is_global: bool,
}

impl<'a> Place<'a> {
    fn read(call: &Call<'a>) -> Result<Self, Failed> {
        let is_global = call.args.flag("global", false);
        let repo = call.args.text("repo")?.filter(|repo| !repo.is_empty());
        if !is_global && repo.is_none() {
            return Err("Non-global config options require the 'repo' argument to be set".into());
        }
        Ok(Self { repository: Repository::new(call, repo.as_deref().unwrap_or("/"))?, is_global })
    }

    fn command<'b>(&self, arguments: &[&'b str]) -> Vec<&'b str> {
        let place = if self.is_global { "--global" } else { "--local" };
        [&["config", place], arguments].concat()
    }

    /// The values of a key; `None` if there is none.
    fn values(&self, key: &str) -> Result<Option<Vec<String>>, Failed> {
        let output = self.repository.ask(&self.command(&["--get-all", key]))?;
        match output.code {
            1 => Ok(None),
            _ => Ok(Some(output.stdout.trim_end().lines().map(str::to_owned).collect())),
        }
    }

    /// The values of all keys that match an expression.
    fn matching(&self, key: &str, value: Option<&str>) -> Result<IndexMap<String, Vec<String>>, Failed> {
        let arguments: Vec<&str> = ["--get-regexp", key].into_iter().chain(value).collect();
        let output = self.repository.ask(&self.command(&arguments))?;
        let mut found: IndexMap<String, Vec<String>> = IndexMap::new();
        for (key, value) in output.stdout.lines().filter_map(|line| line.split_once(char::is_whitespace)) {
            found.entry(key.to_owned()).or_default().push(value.to_owned());
        }
        Ok(found)
    }
}

fn list(values: &[String]) -> Data {
    values.iter().map(|value| Data::from(value.as_str())).collect()
}

/// As Python prints a list of texts.
fn printed(values: &[String]) -> String {
    let values: Vec<String> = values.iter().map(|value| format!("'{value}'")).collect();
    format!("[{}]", values.join(", "))
}

pub(super) fn set(call: &Call<'_>) -> Result<Return, Failed> {
    let (args, key) = (call.args, call.args.name()?);
    let (desired, shown) = match (args.get("value"), args.get("multivar")) {
        (Some(_), Some(_)) => return Err("Only one of 'value' and 'multivar' is permitted".into()),
        (Some(value), None) => {
            let value = text(value).ok_or("`value` has to be text")?;
            let shown = format!("'{value}'");
            (vec![value], shown)
        }
        (None, Some(Data::List(_))) => {
            let values = args.texts("multivar")?;
            let shown = printed(&values);
            (values, shown)
        }
        (None, Some(values)) => {
            let values = text(values).unwrap_or_default();
            let values: Vec<String> = values.split(',').map(str::to_owned).collect();
            let shown = printed(&values);
            (values, shown)
        }
        (None, None) => return Err("one of `value` and `multivar` is needed".into()),
    };
    let place = Place::read(call)?;
    let called = format!("{}'{key}'", if place.is_global { "Global key " } else { "" });
    let before = place.values(&key)?;
    if before.as_ref() == Some(&desired) {
        return Ok(Return::unchanged(format!("{called} is already set to {shown}")));
    }
    let old = before.as_deref().map_or(Data::None, list);
    let how = if before.is_none() { "added as" } else { "set to" };
    if call.preview {
        let changes = dict([("old", old), ("new", list(&desired))]);
        return Ok(Return::would(changes, format!("{called} would be {how} {shown}")));
    }
    let low = if place.is_global { format!("global key '{key}'") } else { format!("'{key}'") };
    for (at, value) in desired.iter().enumerate() {
        let how = if at == 0 { "--replace-all" } else { "--add" };
        place
            .repository
            .git(&place.command(&[how, &key, value]))
            .map_err(|error| format!("Failed to set {low} to {shown}: {}", error.comment))?;
    }
    let after = place.values(&key)?.unwrap_or_default();
    let changes = dict([(key.as_str(), dict([("old", old), ("new", list(&after))]).into())]);
    if after != desired {
        return Err(Failed::from(format!("Failed to set {low} to {shown}")).after(changes));
    }
    Ok(Return::changed(changes, format!("{called} was {how} {shown}")))
}

pub(super) fn unset(call: &Call<'_>) -> Result<Return, Failed> {
    let (args, name) = (call.args, call.args.name()?);
    let value = args.text("value_regex")?;
    let is_all = args.flag("all", false);
    let place = Place::read(call)?;
    let key = format!("^{}$", name.trim_start_matches('^').trim_end_matches('$'));
    let matching = place.matching(&key, value.as_deref())?;
    if matching.is_empty() {
        return Ok(Return::unchanged("No matching keys are set"));
    }
    let several = |found: &IndexMap<String, Vec<String>>, least: usize| {
        let found = found.iter().filter(|(_, values)| values.len() >= least);
        found.map(|(key, values)| format!("{key} ({})", values.join(", "))).collect::<Vec<_>>().join("; ")
    };
    let greedy = several(&matching, 2);
    if !is_all && !greedy.is_empty() {
        return Err(match value {
            Some(_) => format!(
                "Multiple values are matched by value_regex for the following keys (set 'all' to True to force removal): \
                 {greedy}"
            ),
            None => {
                format!("Multivar(s) matched by the key expression (set 'all' to True to force removal): {greedy}")
            }
        }
        .into());
    }
    if call.preview {
        let changes = matching.iter().map(|(key, values)| (key.as_str().into(), list(values))).collect();
        return Ok(Return::would(changes, format!("{} key(s) would have value(s) unset", matching.len())));
    }
    let before = place.matching(&key, None)?;
    let how = if is_all { "--unset-all" } else { "--unset" };
    for key in matching.keys() {
        let arguments: Vec<&str> = [how, key].into_iter().chain(value.as_deref()).collect();
        place
            .repository
            .git(&place.command(&arguments))
            .map_err(|error| format!("Failed to unset '{key}': {}", error.comment))?;
    }
    let after = place.matching(&key, None)?;
    let mut changes = Dict::default();
    for (key, values) in &before {
        let left = after.get(key);
        let gone: Vec<String> =
            values.iter().filter(|value| left.is_none_or(|left| !left.contains(value))).cloned().collect();
        if !gone.is_empty() {
            changes.insert(key.as_str(), list(&gone));
        }
    }
    let still = place.matching(&key, value.as_deref())?;
    if !still.is_empty() {
        return Err(Failed::from(format!("Failed to unset value(s): {}", several(&still, 1))).after(changes));
    }
    Ok(Return::changed(changes, "Value(s) successfully unset"))
}
