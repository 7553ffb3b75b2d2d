//! `grains.*`: grains that people give a host, in `/etc/salt/grains`.
//!
//! A grain that was set counts for the grain states after it, for what the templates of files ask with `salt['grains.get']`,
//! and for whatever reads grains in the next run: the SLS of this one were compiled before.

use std::sync::{Mutex, PoisonError};

use camino::{Utf8Path, Utf8PathBuf};
use fs_err as fs;

use crate::formula::traverse::traverse;
use crate::formula::yaml::{self, Layout, Mappings};
use crate::formula::{Data, Dict};
use crate::states::arguments::{shown, text};
use crate::states::disk::{self, Attributes};
use crate::states::returns::dict;
use crate::states::{Args, Call, Failed, Function, Host, Return};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("grains.exists", exists).takes(&["delimiter"]),
    Function::new("grains.present", present).requires(&["value"]).takes(&["delimiter", "force"]),
    Function::new("grains.absent", absent).takes(&["delimiter", "destructive", "force"]),
    Function::new("grains.append", append).requires(&["value"]).takes(&["convert", "delimiter"]),
    Function::new("grains.list_present", list_present).requires(&["value"]).takes(&["delimiter"]),
    Function::new("grains.list_absent", list_absent).requires(&["value"]).takes(&["delimiter"]),
];

/// What separates the keys of a grain within grains.
const DELIMITER: char = ':';

/// The grains as this run has changed them; nothing as long as it has not.
#[derive(Debug, Default)]
pub(super) struct Changed(Mutex<Option<Data>>);

fn exists(call: &Call<'_>) -> Result<Return, Failed> {
    match get(call.host, &name(&call.args)?) {
        Some(_) => Ok(Return::unchanged("Grain exists")),
        None => Err("Grain does not exist".into()),
    }
}

fn present(call: &Call<'_>) -> Result<Return, Failed> {
    let (name, value) = (name(&call.args)?, value(&call.args));
    let there = get(call.host, &name);
    if there.as_ref() == Some(&value) {
        return Ok(Return::unchanged("Grain is already set"));
    }
    let change = Change::plan(call.host, &name, Some(&value), call.args.flag("force", false))?;
    if call.preview {
        let (changes, added) = match there {
            None => (dict([("new", name.as_str().into())]), "added"),
            Some(_) => (dict([("changed", dict([(name.as_str(), value)]).into())]), "changed"),
        };
        return Ok(Return::would(changes, format!("Grain {name} is set to be {added}")));
    }
    let changes = change.apply(call.host)?;
    Ok(Return::changed(changes, format!("Set grain {name} to {}", shown(&value))))
}

fn absent(call: &Call<'_>) -> Result<Return, Failed> {
    let name = name(&call.args)?;
    let is_destructive = call.args.get("destructive") == Some(&Data::Bool(true));
    match get(call.host, &name) {
        None => return Ok(Return::unchanged(format!("Grain {name} does not exist"))),
        Some(Data::None) if !is_destructive => return Ok(Return::unchanged("Grain is already set")),
        Some(_) => {}
    }
    let wanted = if is_destructive { None } else { Some(&Data::None) };
    let change = Change::plan(call.host, &name, wanted, call.args.flag("force", false))?;
    let (changes, what) = if is_destructive {
        (dict([("deleted", name.as_str().into())]), format!("Grain {name}"))
    } else {
        let changes = dict([("grain", name.as_str().into()), ("value", Data::None)]);
        (changes, format!("Value for grain {name}"))
    };
    if call.preview {
        let end = if is_destructive { "" } else { " (None)" };
        return Ok(Return::would(changes, format!("{what} is set to be deleted{end}")));
    }
    change.apply(call.host)?;
    let done = if is_destructive { "was deleted" } else { "was set to None" };
    Ok(Return::changed(changes, format!("{what} {done}")))
}

fn append(call: &Call<'_>) -> Result<Return, Failed> {
    let (name, value) = (name(&call.args)?, value(&call.args));
    let said = shown(&value);
    let items = match get(call.host, &name) {
        None => return Err(format!("Grain {name} does not exist").into()),
        Some(Data::List(items)) => Some((*items).clone()),
        Some(_) if call.args.get("convert") != Some(&Data::Bool(true)) => {
            return Err(format!("Grain {name} is not a valid list").into());
        }
        Some(_) => None,
    };
    if items.as_ref().is_some_and(|items| items.contains(&value)) {
        return Ok(Return::unchanged(format!("Value {said} is already in the list for grain {name}")));
    }
    let changes = dict([("added", value.clone())]);
    if call.preview {
        let comment = match items {
            Some(_) => format!("Value {said} in grain {name} is set to be added"),
            None => format!("Grain {name} is set to be converted to list and value {said} will be added"),
        };
        return Ok(Return::would(changes, comment));
    }
    let items = match items {
        Some(mut items) => {
            match &value {
                Data::List(more) => items.extend(more.iter().cloned()),
                value => items.push(value.clone()),
            }
            items
        }
        None => get(call.host, &name).into_iter().filter(|there| *there != Data::None).chain([value]).collect(),
    };
    Change::plan(call.host, &name, Some(&items.into()), true)?.apply(call.host)?;
    Ok(Return::changed(changes, format!("Value {said} was added to grain {name}")))
}

fn list_present(call: &Call<'_>) -> Result<Return, Failed> {
    let (name, value) = (name(&call.args)?, value(&call.args));
    let there = get(call.host, &name);
    let mut items = match &there {
        None => Vec::new(),
        Some(Data::List(items)) => (**items).clone(),
        Some(_) => return Err(format!("Grain {name} is not a valid list").into()),
    };
    let is_list = matches!(value, Data::List(_));
    let (known, new): (Vec<Data>, Vec<Data>) = list(&value).into_iter().partition(|value| items.contains(value));
    if new.is_empty() {
        return Ok(Return::unchanged(format!("Value {} is already in grain {name}", shown(&value))));
    }
    let missing = if is_list { new.clone().into() } else { value };
    if call.preview {
        let comment = match &there {
            Some(there) if there.is_true() => {
                format!("Value {} is set to be appended to grain {name}", shown(&missing))
            }
            _ => format!("Grain {name} is set to be added"),
        };
        return Ok(Return::would(dict([("new", there.unwrap_or_else(|| "".into()))]), comment));
    }
    items.extend(new);
    let changes = Change::plan(call.host, &name, Some(&items.into()), true)?.apply(call.host)?;
    let without = if known.is_empty() {
        String::new()
    } else {
        format!("Removed value {} from update due to value found in \"{name}\".\n", shown(&known.into()))
    };
    let comment = format!("{without}Append value {} to grain {name}", shown(&missing));
    Ok(Return::changed(dict([("new", changes.into())]), comment))
}

fn list_absent(call: &Call<'_>) -> Result<Return, Failed> {
    let (name, value) = (name(&call.args)?, value(&call.args));
    let mut items = match get(call.host, &name) {
        Some(Data::List(items)) if !items.is_empty() => (*items).clone(),
        Some(there) if there.is_true() => return Err(format!("Grain {name} is not a valid list").into()),
        _ => return Ok(Return::unchanged(format!("Grain {name} does not exist"))),
    };
    let (mut said, mut deleted) = (Vec::new(), Vec::new());
    for value in list(&value) {
        let Some(at) = items.iter().position(|item| *item == value) else {
            said.push(format!("Value {} is absent from grain {name}", shown(&value)));
            continue;
        };
        items.remove(at);
        said.push(if call.preview {
            format!("Value {} in grain {name} is set to be deleted", shown(&value))
        } else {
            format!("Value {} was deleted from grain {name}", shown(&value))
        });
        deleted.push(value);
    }
    let said = said.join("\n");
    if deleted.is_empty() {
        return Ok(Return::unchanged(said));
    }
    let changes = dict([("deleted", deleted.into())]);
    if call.preview {
        return Ok(Return::would(changes, said));
    }
    Change::plan(call.host, &name, Some(&items.into()), true)?.apply(call.host)?;
    Ok(Return::changed(changes, said))
}

/// The name of a grain, with colons between the keys that lead to it.
fn name(args: &Args<'_>) -> Result<String, Failed> {
    let name = args.name()?;
    Ok(match args.text("delimiter")?.filter(|delimiter| !delimiter.is_empty()) {
        Some(delimiter) => name.replace(&delimiter, ":"),
        None => name,
    })
}

fn value(args: &Args<'_>) -> Data {
    args.chunk().get("value").cloned().unwrap_or_default().unordered()
}

fn list(value: &Data) -> Vec<Data> {
    match value {
        Data::List(items) => (**items).clone(),
        value => vec![value.clone()],
    }
}

fn all(host: &Host<'_>) -> Data {
    let changed = host.grains.0.lock().unwrap_or_else(PoisonError::into_inner);
    changed.clone().unwrap_or_else(|| host.formula.grains().clone())
}

fn get(host: &Host<'_>, name: &str) -> Option<Data> {
    traverse(&all(host), name, &DELIMITER.to_string()).cloned()
}

/// The grain that stands under a name as it is, colons and all.
pub(super) fn read(host: &Host<'_>, key: &str) -> Option<Data> {
    all(host).get(key).cloned()
}

/// Sets such a grain, whatever it was.
pub(super) fn set(host: &Host<'_>, key: String, value: Data) -> Result<(), Failed> {
    Change { key, value: Some(value) }.apply(host).map(drop)
}

/// What becomes of one of the grains that stand in the file: a value, or nothing.
#[derive(Debug, PartialEq)]
struct Change {
    key: String,
    value: Option<Data>,
}

impl Change {
    /// What giving a grain a value comes to, or taking it out. What is a list or a mapping, or has to become one, is only
    /// replaced by force.
    fn plan(host: &Host<'_>, name: &str, wanted: Option<&Data>, by_force: bool) -> Result<Self, Failed> {
        Self::of(&all(host), name, wanted, by_force)
    }

    fn of(grains: &Data, name: &str, wanted: Option<&Data>, by_force: bool) -> Result<Self, Failed> {
        let get = |name: &str| traverse(grains, name, ":").cloned();
        let is_complex = |value: &Data| matches!(value, Data::List(_) | Data::Dict(_));
        if let Some(there) = get(name).filter(|there| *there != Data::None && !by_force) {
            if is_complex(&there) {
                let why = "exists but is a dict or a list. Use 'force=True' to overwrite.";
                return Err(format!("The key '{name}' {why}").into());
            }
            if wanted.is_some_and(is_complex) {
                let why = "exists and the given value is a dict or a list. Use 'force=True' to overwrite.";
                return Err(format!("The key '{name}' {why}").into());
            }
        }
        let (mut key, mut value) = (name, wanted.cloned());
        while let Some((above, last)) = key.rsplit_once(DELIMITER) {
            let there = get(above).unwrap_or_else(|| Dict::default().into());
            value = Some(within(above, there, last, value, by_force)?);
            key = above;
        }
        Ok(Self { key: key.to_owned(), value })
    }

    /// Writes the file, and has the rest of the run know. Returns what the grain is now, as a mapping.
    fn apply(self, host: &Host<'_>) -> Result<Dict, Failed> {
        let path = file(host);
        let mut there = match fs::read_to_string(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Dict::default(),
            text => yaml::load(&text?, Mappings::Plain)
                .map_err(|error| {
                    format!("Unable to read existing grains file: {path}:{}: {}", error.line, error.message)
                })?
                .as_dict()
                .cloned()
                .unwrap_or_default(),
        };
        let mut known = all(host).as_dict().cloned().unwrap_or_default();
        for grains in [&mut there, &mut known] {
            match &self.value {
                Some(value) => drop(grains.insert(self.key.as_str(), value.clone())),
                None => drop(grains.remove(&self.key)),
            }
        }
        if let Some(folder) = path.parent().filter(|folder| !folder.is_dir()) {
            disk::create_folder(folder, Attributes::default(), Attributes::default())?;
        }
        let text = yaml::dump(&there.into(), &Layout { flow: Some(false), ..Layout::default() });
        disk::replace(&path, text.as_bytes(), Attributes::default())?;
        host.formula.set_grain(&self.key, self.value.as_ref());
        *host.grains.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(known.into());
        Ok(dict([(self.key, self.value.unwrap_or_default())]))
    }
}

/// A grain with another value under a key of it.
fn within(name: &str, there: Data, key: &str, value: Option<Data>, by_force: bool) -> Result<Data, Failed> {
    let alone = |value: Option<Data>| Data::from(dict([(key, value.unwrap_or_default())]));
    let put = |dict: &mut Dict| match &value {
        Some(value) => drop(dict.insert(key, value.clone())),
        None => drop(dict.remove(key)),
    };
    match there {
        Data::Dict(there) => {
            let mut there = (*there).clone();
            put(&mut there);
            Ok(there.into())
        }
        Data::List(items) => {
            let mut items = (*items).clone();
            let mut is_put = false;
            for item in &mut items {
                let mapping = item.as_dict().filter(|mapping| mapping.has(key)).cloned();
                if item.as_str() == Some(key) {
                    *item = alone(value.clone());
                    is_put = true;
                } else if let Some(mut mapping) = mapping {
                    put(&mut mapping);
                    *item = mapping.into();
                    is_put = true;
                }
            }
            if !is_put {
                items.push(alone(value));
            }
            Ok(items.into())
        }
        there if by_force || there.as_str() == Some(key) => Ok(alone(value)),
        there => Err(format!(
            "The key '{name}' value is '{}', which is different from the provided key '{key}'. Use 'force=True' to \
             overwrite.",
            shown(&there)
        )
        .into()),
    }
}

/// The file, beside the configuration of the minion.
fn file(host: &Host<'_>) -> Utf8PathBuf {
    let config = host.formula.option("conf_file").as_ref().and_then(text);
    let config = Utf8PathBuf::from(config.unwrap_or_else(|| "/etc/salt/minion".to_owned()));
    let folder = if config.is_dir() { config.as_path() } else { config.parent().unwrap_or(Utf8Path::new("/etc/salt")) };
    folder.join("grains")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grains(text: &str) -> Data {
        yaml::load(text, Mappings::Plain).unwrap()
    }

    #[test]
    fn a_nested_grain_is_set_within_what_is_there() {
        let there = grains("{a: {b: 1, l: [x, {y: 1}]}, s: word}");
        let set = |name: &str, value: &str, by_force| {
            Change::of(&there, name, Some(&grains(value)), by_force).map(|change| (change.key, change.value.unwrap()))
        };
        assert_eq!(set("a:c:d", "5", false), Ok(("a".into(), grains("{b: 1, l: [x, {y: 1}], c: {d: 5}}"))));
        assert_eq!(set("a:l:x", "5", false), Ok(("a".into(), grains("{b: 1, l: [{x: 5}, {y: 1}]}"))));
        assert_eq!(set("a:l:z", "5", false), Ok(("a".into(), grains("{b: 1, l: [x, {y: 1}, {z: 5}]}"))));
        assert_eq!(set("s:word", "5", false), Ok(("s".into(), grains("{word: 5}"))));
        assert!(set("s:other", "5", false).unwrap_err().comment.contains("which is different"));
        assert_eq!(set("s:other", "5", true), Ok(("s".into(), grains("{other: 5}"))));
    }

    #[test]
    fn lists_and_mappings_are_only_replaced_by_force() {
        let there = grains("{a: {b: 1}, s: word}");
        let refused =
            |name: &str, value: &str| Change::of(&there, name, Some(&grains(value)), false).unwrap_err().comment;
        assert!(refused("a", "5").contains("is a dict or a list"));
        assert!(refused("s", "[5]").contains("the given value is a dict or a list"));
        let taken_out = Change::of(&there, "a:b", None, false).unwrap();
        assert_eq!(taken_out, Change { key: "a".into(), value: Some(Dict::default().into()) });
        assert_eq!(Change::of(&there, "s", None, false).unwrap(), Change { key: "s".into(), value: None });
    }

    #[test]
    fn grains_are_kept_in_the_file_with_what_else_is_in_it() {
        let sandbox = crate::states::sandbox::Sandbox::new();
        sandbox.write("grains", "roles:\n- old\nother: 1\n");
        let nested = sandbox.state("grains.present", "{name: 'a:b', value: {c: 1}}", false, &[]);
        assert_eq!(nested.comment, "Set grain a:b to {'c': 1}");
        assert_eq!(sandbox.read("grains"), "a:\n  b:\n    c: 1\nother: 1\nroles:\n- old\n");
        // Each of these is a run of its own here, whose grains the file is not among.
        let list = sandbox.state("grains.list_present", "{name: roles, value: [web, db]}", false, &[]);
        assert_eq!(list.comment, "Append value ['web', 'db'] to grain roles");
        assert!(sandbox.read("grains").ends_with("roles:\n- web\n- db\n"));
        let missing = sandbox.state("grains.append", "{name: none, value: 1}", false, &[]);
        assert_eq!((missing.result, missing.comment.as_str()), (Some(false), "Grain none does not exist"));
    }
}
