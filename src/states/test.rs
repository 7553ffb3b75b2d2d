//! `test.*`: states that only say something. Requisites, conditions and reports can be tried with them.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};

use indexmap::IndexMap;

use crate::formula::template::value;
use crate::formula::{Data, Dict};
use crate::states::returns::{dict, old_new};
use crate::states::{Call, Failed, Function, Return, arguments};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("test.nop", |_| Ok(Return::unchanged("Success!"))).takes_anything().watches(watch),
    Function::new("test.succeed_without_changes", |call| Ok(Return::unchanged(comment(call, "Success!"))))
        .takes(&["comment"])
        .takes_anything()
        .watches(watch),
    Function::new("test.fail_without_changes", |call| {
        let testing = "If we weren't testing, this would be a failure!".to_owned();
        Err(if call.preview { testing } else { comment(call, "Failure!") }.into())
    })
    .takes(&["comment"])
    .takes_anything()
    .watches(watch),
    Function::new("test.succeed_with_changes", |call| {
        let testing = "If we weren't testing, this would be successful with changes";
        Ok(if call.preview {
            Return::would(pretended(), testing)
        } else {
            Return::changed(pretended(), comment(call, "Success!"))
        })
    })
    .takes(&["comment"])
    .takes_anything()
    .watches(watch),
    Function::new("test.fail_with_changes", |call| {
        if call.preview {
            return Ok(Return::would(pretended(), "If we weren't testing, this would be failed with changes"));
        }
        Err(Failed::from(comment(call, "Failure!")).after(pretended()))
    })
    .takes(&["comment"])
    .takes_anything()
    .watches(watch),
    Function::new("test.configurable_test_state", configurable)
        .takes(&["changes", "result", "comment", "allow_test_mode_failure"])
        .watches(watch),
    Function::new("test.show_notification", |call| {
        let text = call.args.get("text").filter(|text| text.is_true()).ok_or("Missing required argument text.")?;
        Ok(Return::unchanged(said(text)))
    })
    .takes(&["text"])
    .takes_anything()
    .watches(watch),
    Function::new("test.check_pillar", check_pillar)
        .takes(&["present", "boolean", "integer", "string", "listing", "dictionary", "verbose"])
        .watches(watch),
    Function::new("test.mod_watch", watch).takes(&["result", "comment", "changes"]).takes_anything().watches(watch),
];

/// What the states say that pretend to have changed something.
fn pretended() -> Dict {
    dict([("testing", old_new("Unchanged", "Something pretended to change"))])
}

fn comment(call: &Call<'_>, otherwise: &str) -> String {
    call.args.chunk().get("comment").map_or_else(|| otherwise.to_owned(), said)
}

/// A comment as Salt says it: a list has a line for each of its items.
fn said(comment: &Data) -> String {
    let text = |data: &Data| arguments::text(data).unwrap_or_else(|| value::repr(&value::from_data(data)));
    match comment {
        Data::None => String::new(),
        Data::List(lines) => lines.iter().map(text).collect::<Vec<_>>().join("\n"),
        comment => text(comment),
    }
}

fn watch(call: &Call<'_>) -> Result<Return, Failed> {
    let given = call.args.chunk();
    let watched = || given.get("__reqs__").cloned().unwrap_or_else(|| Data::from(Vec::new()));
    let changes = given.get("changes").cloned();
    let changes = changes.unwrap_or_else(|| dict([("Requisites with changes", watched())]).into());
    let no_mapping = "An exception occurred in this state: 'Changes' should be a dictionary.";
    Ok(Return {
        result: given.get("result").map_or(Some(true), truth),
        changes: changes.as_dict().ok_or(no_mapping)?.clone(),
        comment: comment(call, "Watch statement fired."),
    })
}

/// A result as Salt says it.
fn truth(result: &Data) -> Option<bool> {
    if *result == Data::None { None } else { Some(result.is_true()) }
}

fn configurable(call: &Call<'_>) -> Result<Return, Failed> {
    let is_changed = choice(call, "changes")?;
    let result = choice(call, "result")?;
    let mut ret = Return { result: Some(result), changes: Dict::default(), comment: comment(call, "") };
    if is_changed {
        ret.changes = pretended();
    }
    if call.preview {
        let is = |key: &str, value: bool| call.args.chunk().get(key) == Some(&Data::Bool(value));
        ret.result = if call.args.flag("allow_test_mode_failure", false) && is("result", false) {
            Some(false)
        } else if is("changes", false) {
            Some(true)
        } else {
            None
        };
        if ret.comment.is_empty() {
            "This is a test".clone_into(&mut ret.comment);
        }
    }
    Ok(ret)
}

/// A boolean, or one by chance.
fn choice(call: &Call<'_>, key: &str) -> Result<bool, Failed> {
    match call.args.chunk().get(key) {
        None => Ok(true),
        Some(Data::Bool(chosen)) => Ok(*chosen),
        Some(Data::Str(text)) if text.eq_ignore_ascii_case("random") => {
            Ok(RandomState::new().build_hasher().finish().is_multiple_of(2))
        }
        Some(_) => Err(format!(
            "You have specified the state option '{key}' with invalid arguments. It must be either True, False, or \
             'Random'"
        )
        .into()),
    }
}

/// A type that a key of the pillar is to have: the argument that lists such keys, its name in Python, and whether a
/// value has it.
type Type = (&'static str, &'static str, fn(&Data) -> bool);

const TYPES: [Type; 6] = [
    ("present", "None", |_| true),
    ("boolean", "<class 'bool'>", |value| matches!(value, Data::Bool(_))),
    ("integer", "<class 'int'>", |value| matches!(value, Data::Int(_) | Data::Bool(_))),
    ("string", "(<class 'str'>,)", |value| matches!(value, Data::Str(_))),
    ("listing", "<class 'list'>", |value| matches!(value, Data::List(_))),
    ("dictionary", "<class 'dict'>", |value| matches!(value, Data::Dict(_))),
];

fn check_pillar(call: &Call<'_>) -> Result<Return, Failed> {
    if !TYPES.iter().any(|(argument, ..)| call.args.flag(argument, false)) {
        return Err("Missing required argument text.".into());
    }
    let mut failed = IndexMap::new();
    let mut fine = IndexMap::new();
    for (argument, name, is_of_type) in TYPES {
        for key in call.args.texts(argument)? {
            let asked = call.host.formula.call("pillar.get", &[key.as_str().into(), Data::None], &[]);
            match asked.map_err(|error| Failed::from(error.to_string()))? {
                Data::None => _ = failed.insert(key, "missing".to_owned()),
                value if is_of_type(&value) => _ = fine.insert(key, name),
                _ => _ = failed.insert(key, format!("not {name}")),
            }
        }
    }
    let mut lines: Vec<_> = failed.iter().map(|(key, wrong)| format!("Pillar key \"{key}\" is {wrong}.\n")).collect();
    if call.args.flag("verbose", false) && !fine.is_empty() {
        lines.push("Those keys passed the check:\n".to_owned());
        lines.extend(fine.iter().map(|(key, name)| format!("- {key} ({name})\n")));
    }
    Ok(Return { result: Some(failed.is_empty()), changes: Dict::default(), comment: lines.concat() })
}
