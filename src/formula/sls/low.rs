//! The high state as a list of chunks: what is excluded left out, one chunk for every name, put in order.

use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};

use indexmap::{IndexMap, IndexSet};

use super::High;
use super::declare::show;
use super::entries::Entries;
use super::heap::{Heap, Ref, unfit};
use crate::formula::fnmatch;
use crate::formula::template::value;
use crate::formula::{Data, Dict, Error, Kind, Result};

/// How far behind all numbers `order: last` and negative orders are.
const LAST: i128 = 1_000_000;

/// Leaves out what `exclude` names.
pub(super) fn exclude(high: &mut High) -> Result<()> {
    let Some(list) = high.heap.remove(high.root, &Data::from("__exclude__")) else { return Ok(()) };
    let heap = &mut high.heap;
    let mut sls = HashSet::new();
    let mut ids = HashSet::new();
    for item in heap.iterate(list, || "`exclude`".to_owned())? {
        if let Some(name) = heap.as_str(item) {
            sls.insert(name.to_owned());
        }
        let Some((kind, name, entries)) = heap.argument(item) else { continue };
        if entries.len() != 1 || !matches!(kind.as_str(), Some("sls" | "id")) {
            continue;
        }
        let wrong = || unfit(&format!("`{}` in `exclude`", show(kind)), "a name", heap.type_name(name));
        if kind.as_str() == Some("sls") {
            sls.insert(heap.as_str(name).ok_or_else(wrong)?.to_owned());
        } else {
            ids.insert(heap.as_scalar(name).ok_or_else(wrong)?.clone());
        }
    }
    for (id, body) in heap.entries(high.root) {
        if id.as_str().is_some_and(|id| id.starts_with("__")) {
            continue;
        }
        let own = heap.get_str(body, "__sls__").and_then(|own| heap.as_str(own)).unwrap_or_default();
        if !own.is_empty() && sls.iter().any(|pattern| fnmatch::is_match(pattern, own)) {
            ids.insert(id);
        }
    }
    if !ids.is_empty() {
        heap.retain(high.root, |id| !ids.contains(id));
    }
    Ok(())
}

/// The chunks in the order of their IDs.
pub(super) fn compile(high: &High) -> Result<Vec<Dict>> {
    let mut compiler = Compiler { heap: &high.heap, words: Words::default(), seen: HashMap::new(), chunks: Vec::new() };
    for (id, body) in high.heap.entries(high.root) {
        if id.as_str().is_some_and(|id| id.starts_with("__")) {
            continue;
        }
        compiler.body(&id, body).map_err(|error| high.files.locate_body(error, &high.heap, body, &id))?;
    }
    Ok(compiler.chunks)
}

/// The keys that every chunk has: one text each, however many chunks there are.
struct Words {
    state: Data,
    name: Data,
    id: Data,
    function: Data,
    origin: [Data; 3],
}

impl Default for Words {
    fn default() -> Self {
        Self {
            state: "state".into(),
            name: "name".into(),
            id: "__id__".into(),
            function: "fun".into(),
            origin: ["__sls__", "__env__", "__sls_included_from__"].map(Data::from),
        }
    }
}

struct Compiler<'h> {
    heap: &'h Heap,
    words: Words,
    /// The objects that the chunks of one state share.
    seen: HashMap<Ref, Data>,
    chunks: Vec<Dict>,
}

impl<'h> Compiler<'h> {
    fn body(&mut self, id: &Data, body: Ref) -> Result<()> {
        let heap = self.heap;
        if let Some(sls) = heap.get_str(body, "__sls__").filter(|&sls| heap.as_scalar(sls).is_none()) {
            return Err(unfit(&format!("`__sls__` of ID `{}`", show(id)), "text", heap.type_name(sls)));
        }
        for (state, arguments) in heap.as_table(body).into_iter().flat_map(Entries::iter) {
            if !state.as_str().is_some_and(|state| state.starts_with("__")) {
                self.seen.clear();
                self.state(id, state, body, heap.as_list(arguments).unwrap_or_default())?;
            }
        }
        Ok(())
    }

    fn state(&mut self, id: &Data, state: &Data, body: Ref, arguments: &'h [Ref]) -> Result<()> {
        let mut chunk = Dict { entries: IndexMap::with_capacity(arguments.len() + 8), is_ordered: false };
        chunk.insert(self.words.state.clone(), state.clone());
        chunk.insert(self.words.name.clone(), id.clone());
        for key in &self.words.origin {
            if let Some(value) = self.heap.get(body, key) {
                chunk.insert(key.clone(), self.heap.export(value, &mut self.seen)?);
            }
        }
        chunk.insert(self.words.id.clone(), id.clone());
        let mut functions: Vec<&Data> = Vec::new();
        let mut names: IndexSet<Data> = IndexSet::new();
        for &argument in arguments {
            let function = self.heap.as_scalar(argument).filter(|function| function.as_str().is_some());
            functions.extend(function);
            for (key, value) in self.heap.as_table(argument).into_iter().flat_map(Entries::iter) {
                let value = self.heap.export(value, &mut self.seen)?;
                match key.as_str() {
                    Some("names") => names.extend(iterate(&value, &format!("`names` of ID `{}`", show(id)))?),
                    Some("state") => {}
                    Some("name") if value.as_str().is_none() => _ = chunk.insert(key.clone(), id.clone()),
                    _ => _ = chunk.insert(key.clone(), value),
                }
            }
        }
        // There is one function, or none for a state that only requisites named: it makes no chunk.
        let mut push = |mut live: Dict| {
            if let Some(&function) = functions.last() {
                live.insert(self.words.function.clone(), function.clone());
                self.chunks.push(live);
            }
        };
        for (name, number) in names.iter().zip(1_i64..) {
            let mut live = chunk.clone();
            rename(&mut live, name, id)?;
            live.insert("name_order", number);
            push(live);
        }
        if names.is_empty() {
            push(chunk);
        }
        Ok(())
    }
}

/// What Python finds when it goes over data: items, keys, the characters of a text.
fn iterate(data: &Data, what: &str) -> Result<Vec<Data>> {
    match data {
        Data::List(items) => Ok(items.to_vec()),
        Data::Dict(dict) => Ok(dict.entries.keys().cloned().collect()),
        Data::Str(text) => Ok(text.chars().map(|character| character.to_string().into()).collect()),
        other => Err(unfit(what, "a list", other.type_name())),
    }
}

/// Gives a chunk one of its `names`: a name alone, or one with arguments of its own.
fn rename(chunk: &mut Dict, name: &Data, id: &Data) -> Result<()> {
    let Some(entry) = name.as_dict() else {
        chunk.insert("name", name.clone());
        return Ok(());
    };
    let Some((name, arguments)) = entry.entries.first() else {
        return Err(Error::new(
            Kind::Structure,
            format!("an item of `names` of ID `{}` is an empty mapping", show(id)),
        ));
    };
    chunk.insert("name", name.clone());
    let what = format!("`{}` in `names` of ID `{}`", show(name), show(id));
    for argument in iterate(arguments, &what)? {
        match &argument {
            Data::Dict(entries) => {
                chunk.entries.extend(entries.entries.iter().map(|(key, value)| (key.clone(), value.clone())));
            }
            Data::Str(text) if text.is_empty() => {}
            Data::List(items) if items.is_empty() => {}
            other => return Err(unfit(&format!("an argument of {what}"), "`key: value`", other.type_name())),
        }
    }
    Ok(())
}

/// Gives every chunk its final order, and sorts by it.
pub(super) fn order(chunks: &mut Vec<Dict>) -> Result<()> {
    let mut cap: i128 = 1;
    for chunk in chunks.iter() {
        let order = match chunk.get("order") {
            Some(Data::Int(order)) => *order,
            Some(Data::Bool(order)) => i128::from(*order),
            _ => continue,
        };
        if order > cap - 1 && order > 0 {
            cap = order.saturating_add(100);
        }
    }
    for chunk in chunks.iter_mut() {
        place(chunk, cap)?;
    }
    let mut keyed: Vec<(Data, String, Dict)> = Vec::with_capacity(chunks.len());
    for chunk in chunks.drain(..) {
        let name = ["state", "name", "fun"].map(|key| chunk.get(key).map(text).unwrap_or_default()).concat();
        keyed.push((chunk.get("order").cloned().unwrap_or_default(), name, chunk));
    }
    keyed.sort_by(|one, two| compare(&one.0, &two.0).then_with(|| one.1.cmp(&two.1)));
    chunks.extend(keyed.into_iter().map(|(_, _, chunk)| chunk));
    Ok(())
}

fn place(chunk: &mut Dict, cap: i128) -> Result<()> {
    let mut order = match chunk.get("order") {
        // Salt leaves `name_order` in these.
        None => {
            chunk.insert("order", cap);
            return Ok(());
        }
        Some(number @ (Data::Int(_) | Data::Bool(_) | Data::Float(_))) => number.clone(),
        Some(Data::Str(text)) if text.as_ref() == "last" => Data::Int(cap.saturating_add(LAST)),
        Some(Data::Str(text)) if text.as_ref() == "first" => Data::Int(0),
        Some(_) => Data::Int(cap),
    };
    if let Some(number) = chunk.remove("name_order") {
        if !matches!(number, Data::Int(_) | Data::Bool(_) | Data::Float(_)) {
            return Err(unfit("`name_order`", "a number", number.type_name()));
        }
        order = Data::Float(float(&order) + float(&number) / 10_000.0);
    }
    match order {
        Data::Int(number) if number < 0 => order = Data::Int(cap.saturating_add(LAST).saturating_add(number)),
        Data::Float(number) if number < 0.0 => {
            order = Data::Float(float(&Data::Int(cap.saturating_add(LAST))) + number);
        }
        _ => {}
    }
    chunk.insert("order", order);
    Ok(())
}

fn float(number: &Data) -> f64 {
    match number {
        Data::Bool(value) => f64::from(u8::from(*value)),
        #[expect(clippy::cast_precision_loss, reason = "as Python adds a whole number to one with a fraction")]
        Data::Int(number) => *number as f64,
        Data::Float(number) => *number,
        _ => 0.0,
    }
}

/// Compares two numbers exactly, so that the order is a total one; what is not a number comes last.
fn compare(one: &Data, two: &Data) -> Ordering {
    let whole = |number: &Data| match number {
        Data::Bool(value) => Some(i128::from(*value)),
        Data::Int(number) => Some(*number),
        _ => None,
    };
    match (whole(one), whole(two)) {
        (Some(one), Some(two)) => one.cmp(&two),
        (Some(one), None) => compare_float(one, float(two)),
        (None, Some(two)) => compare_float(two, float(one)).reverse(),
        (None, None) => {
            let (one, two) = (float(one), float(two));
            one.partial_cmp(&two).unwrap_or_else(|| one.is_nan().cmp(&two.is_nan()))
        }
    }
}

fn compare_float(whole: i128, float: f64) -> Ordering {
    if float.is_nan() || float >= 1.0e38 {
        return Ordering::Less;
    }
    if float <= -1.0e38 {
        return Ordering::Greater;
    }
    #[expect(clippy::cast_possible_truncation, reason = "checked to be in range")]
    let floor = float.floor() as i128;
    whole.cmp(&floor).then(if float.fract() == 0.0 { Ordering::Equal } else { Ordering::Less })
}

/// Python's `str`.
fn text(data: &Data) -> String {
    data.as_str().map_or_else(|| value::text(&value::from_data(data)), str::to_owned)
}
