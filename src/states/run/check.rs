//! What is wrong with a low state, found before anything of it runs: Salt would find it half-way.

use super::keywords;
use crate::formula::sls::{self, Low};
use crate::formula::template::functions;
use crate::formula::{Data, Dict, Error, Kind};
use crate::model::nearest::nearest;
use crate::states::{Args, Function, arguments, find, names};

/// Says everything that upshift cannot do with a low state, at the place of each ID: requisites that nothing meets,
/// functions and arguments that upshift does not have, arguments that are missing or that a function refuses.
///
/// # Errors
/// When there is anything.
pub fn check(low: &Low) -> Result<(), Vec<Error>> {
    let mut errors: Vec<Error> = sls::check(low).err().into_iter().collect();
    for chunk in &low.chunks {
        let text = |key: &str| chunk.get(key).and_then(arguments::text).unwrap_or_default();
        let found = problems(chunk, &format!("{}.{}", text("state"), text("fun")));
        let located = found.into_iter().map(|problem| {
            let message = format!("{} (ID `{}`)", problem.message, text("__id__"));
            let error = Error { message, ..problem };
            low.files.locate(error, &text("__env__"), &text("__sls__"), &text("__id__"))
        });
        for error in located {
            // Every name of `names` has the same problems.
            if !errors.contains(&error) {
                errors.push(error);
            }
        }
    }
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}

fn problems(chunk: &Dict, name: &str) -> Vec<Error> {
    let Some(function) = find(name) else {
        let error = Error::new(Kind::Unsupported, format!("upshift has no state `{name}`"));
        return vec![hinted(error, name, names())];
    };
    let mut problems = Vec::new();
    let refused = |why: String| Error::new(Kind::Structure, format!("`{name}`: {why}"));
    for argument in chunk.entries.keys() {
        problems.extend(unknown(function, argument));
    }
    for required in function.required.iter().filter(|required| !chunk.has(required)) {
        problems.push(Error::new(Kind::Structure, format!("`{name}` needs the argument `{required}`")));
    }
    for key in ["unless", "onlyif"] {
        problems.extend(chunk.get(key).and_then(|entries| condition(key, entries)));
    }
    problems.extend(umask(chunk).map(refused));
    if let Some((key, _)) = chunk.entries.iter().find(|(_, value)| has_slot(value, 2)) {
        let key = arguments::text(key).unwrap_or_default();
        problems.push(Error::new(Kind::Unsupported, format!("`{key}` has a slot (`{SLOT}…`), and upshift has none")));
    }
    if problems.is_empty() {
        problems.extend((function.check)(&Args::new(chunk)).err().map(refused));
    }
    problems
}

/// An argument that neither the function nor every state has.
fn unknown(function: &Function, argument: &Data) -> Option<Error> {
    let named = argument.as_str();
    let is_known = |name: &str| function.has_argument(name) || keywords::is_everywhere(name);
    if function.is_open || named.is_some_and(is_known) {
        return None;
    }
    let argument = arguments::text(argument).unwrap_or_default();
    let own = function.required.iter().chain(function.optional).copied();
    let error = Error::new(Kind::Structure, format!("`{}` has no argument `{argument}`", function.name));
    let hinted = hinted(error, &argument, own.chain(keywords::all()));
    Some(if hinted.hint.is_some() {
        hinted
    } else {
        hinted.hint("leave it out, unless it is one of Salt's: what Salt does not know it takes no notice of")
    })
}

fn hinted<'a>(error: Error, name: &str, known: impl IntoIterator<Item = &'a str>) -> Error {
    match nearest(name, known) {
        Some(near) => error.hint(format!("did you mean `{near}`?")),
        None => error,
    }
}

/// A condition that asks a function which nobody has.
fn condition(key: &str, entries: &Data) -> Option<Error> {
    let entries = entries.as_list().unwrap_or(std::slice::from_ref(entries));
    entries.iter().filter_map(Data::as_dict).find_map(|call| match call.get("fun").and_then(Data::as_str) {
        None => Some(Error::new(Kind::Structure, format!("a mapping in `{key}` has no `fun`"))),
        Some(function) if functions::is_answered(function) => None,
        Some(function) => {
            Some(Error::new(Kind::Unsupported, format!("`{key}` asks `{function}`, which upshift does not have")))
        }
    })
}

fn umask(chunk: &Dict) -> Option<String> {
    let given = chunk.get("umask")?;
    let is_umask = |text: &String| u32::from_str_radix(text, 8).is_ok_and(|mask| mask <= 0o777);
    if arguments::text(given).as_ref().is_some_and(is_umask) {
        return None;
    }
    Some("`umask` has to be octal digits, such as `022`".to_owned())
}

/// How an argument begins that a function is asked for when its state runs.
const SLOT: &str = "__slot__:";

fn has_slot(value: &Data, depth: usize) -> bool {
    match value {
        Data::Str(text) => text.starts_with(SLOT),
        Data::List(items) if depth > 0 => items.iter().any(|item| has_slot(item, depth - 1)),
        Data::Dict(dict) if depth > 0 => dict.entries.values().any(|value| has_slot(value, depth - 1)),
        _ => false,
    }
}
