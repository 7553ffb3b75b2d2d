//! `file.accumulated`: texts that are kept for a file until a state that requires them writes it.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use super::printed;
use crate::formula::{Data, Dict};
use crate::states::{Args, Call, Failed, Function, Host, Return};

pub(super) const ACCUMULATED: Function =
    Function::new("file.accumulated", accumulated).requires(&["filename", "text"]).takes_anything();

/// The texts that are kept, by the file that they are for.
#[derive(Debug, Default)]
pub(in crate::states) struct Accumulators(Mutex<BTreeMap<String, Vec<Accumulator>>>);

/// Texts for a file under one name.
#[derive(Debug, Clone, Default)]
struct Accumulator {
    name: String,
    texts: Vec<Data>,
    /// The IDs of the states that they are for.
    receivers: Vec<String>,
}

impl Host<'_> {
    /// The texts that are kept for a file, by the name that they have.
    ///
    /// Those that require the state `id` are alone in it where there are any.
    pub(in crate::states) fn accumulated(&self, file: &str, id: &str) -> Vec<(String, Vec<Data>)> {
        let files = self.accumulators.0.lock().unwrap_or_else(PoisonError::into_inner);
        let all = files.get(file).map(Vec::as_slice).unwrap_or_default();
        let is_for = |accumulator: &&Accumulator| accumulator.receivers.iter().any(|receiver| receiver == id);
        let own: Vec<&Accumulator> = all.iter().filter(is_for).collect();
        let chosen = if own.is_empty() { all.iter().collect() } else { own };
        chosen.into_iter().map(|one| (one.name.clone(), one.texts.clone())).collect()
    }

    /// All texts that are kept for a file, by the name that they have: what a template of it sees.
    pub(in crate::states) fn accumulator(&self, file: &str) -> Option<Data> {
        let files = self.accumulators.0.lock().unwrap_or_else(PoisonError::into_inner);
        let texts = |one: &Accumulator| (one.name.as_str().into(), one.texts.clone().into());
        Some(files.get(file)?.iter().map(texts).collect::<Dict>().into())
    }
}

fn accumulated(call: &Call<'_>) -> Result<Return, Failed> {
    let name = call.args.name()?;
    let file = call.args.required("filename")?;
    let Some(text) = call.args.get("text") else { return Err("No text supplied for accumulator".into()) };
    let receivers = receivers(&call.args);
    if !receivers.iter().any(|(kind, _)| kind == "file") {
        let part = |key: &str| call.args.chunk().get(key).map(printed).unwrap_or_default();
        return Err(format!("Orphaned accumulator {name} in {}:{}", part("__sls__"), part("__id__")).into());
    }
    let texts = match text {
        Data::List(items) => items.to_vec(),
        one => vec![one.clone()],
    };
    let mut files = call.host.accumulators.0.lock().unwrap_or_else(PoisonError::into_inner);
    let accumulators = files.entry(file.clone()).or_default();
    let at = accumulators.iter().position(|known| known.name == name).unwrap_or_else(|| {
        accumulators.push(Accumulator { name: name.clone(), ..Accumulator::default() });
        accumulators.len() - 1
    });
    let Some(accumulator) = accumulators.get_mut(at) else { return Err("no accumulator".into()) };
    accumulator.receivers.extend(receivers.into_iter().map(|(_, id)| id));
    let before = accumulator.texts.len();
    for text in texts {
        if !accumulator.texts.contains(&text) {
            accumulator.texts.push(text);
        }
    }
    let is_new = accumulator.texts.len() > before;
    Ok(Return::unchanged(if is_new {
        format!("Accumulator {name} for file {file} was charged by text")
    } else {
        String::new()
    }))
}

/// The states that the texts are for, with the module that each is of.
fn receivers(args: &Args<'_>) -> Vec<(String, String)> {
    let given = ["require_in", "watch_in"].into_iter().filter_map(|key| args.get(key)?.as_list());
    let entries = given.flatten().filter_map(Data::as_dict).flat_map(|requisite: &Dict| &requisite.entries);
    entries.map(|(kind, id)| (printed(kind), printed(id))).collect()
}
