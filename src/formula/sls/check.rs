//! What Salt would find out only while it runs: requisites that nothing meets, and states that wait for each other.

use std::collections::HashMap;

use super::Low;
use super::declare::show;
use super::heap::unfit;
use super::targets::Targets;
use crate::formula::{Data, Dict, Error, Kind, Result};

/// Requisites that a state waits for.
const KINDS: [&str; 11] = [
    "require",
    "require_any",
    "watch",
    "watch_any",
    "prereq",
    "prerequired",
    "onfail",
    "onfail_any",
    "onfail_all",
    "onchanges",
    "onchanges_any",
];
/// How many missing requisites an error lists.
const LISTED: usize = 10;

/// Refuses requisites that no state meets, and cycles of requisites. Everything here is about a run: Salt's low
/// state is the same with and without them.
///
/// # Errors
/// When a requisite is missing or goes in a circle.
pub fn check(low: &Low) -> Result<()> {
    let mut graph = Graph::of(low);
    let mut missing = Vec::new();
    for (index, chunk) in low.chunks.iter().enumerate() {
        let found = graph.chunk(index, chunk).and_then(|mut found| {
            found.extend(graph.listen(chunk)?);
            Ok(found)
        });
        let found = found.map_err(|error| locate(low, error, chunk))?;
        missing.extend(found.into_iter().map(|target| (chunk, target)));
    }
    if let Some((first, _)) = missing.first() {
        return Err(locate(low, not_met(&missing), first));
    }
    let Some(cycle) = graph.cycle() else { return Ok(()) };
    let chunks: Vec<&Dict> = cycle.iter().filter_map(|&index| low.chunks.get(index)).collect();
    let names: Vec<String> = chunks.iter().map(|chunk| label(chunk)).collect();
    let message = match names.as_slice() {
        [one] => format!("{one} waits for itself"),
        several => format!("states wait for each other: {}, and that for the first", several.join(" waits for ")),
    };
    let error = Error::new(Kind::Structure, message);
    Err(chunks.first().map(|first| locate(low, error.clone(), first)).unwrap_or(error))
}

fn not_met(missing: &[(&Dict, String)]) -> Error {
    let message = match missing {
        [(chunk, target)] => format!("{} has `{target}`, and there is no such state", label(chunk)),
        several => {
            let lines: Vec<String> = several
                .iter()
                .take(LISTED)
                .map(|(chunk, target)| format!("\n  {} has `{target}`", label(chunk)))
                .collect();
            let more = several.len().saturating_sub(LISTED);
            let more = if more > 0 { format!("\n  and {more} more") } else { String::new() };
            format!("{} requisites name states that are not there:{}{more}", several.len(), lines.concat())
        }
    };
    Error::new(Kind::Missing, message)
}

fn label(chunk: &Dict) -> String {
    format!("`{}: {}` (SLS `{}`)", text(chunk, "state"), text(chunk, "__id__"), text(chunk, "__sls__"))
}

fn locate(low: &Low, error: Error, chunk: &Dict) -> Error {
    low.files.locate(error, text(chunk, "__env__"), text(chunk, "__sls__"), text(chunk, "__id__"))
}

fn text<'c>(chunk: &'c Dict, key: &str) -> &'c str {
    chunk.get(key).and_then(Data::as_str).unwrap_or_default()
}

/// What is done to a target before something else can go on.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Turn {
    /// It runs.
    Run,
    /// It is tried out.
    Trial,
    /// It is tried out if anything wants that of it, along with what waits for it; else it runs.
    WithTrial,
}

/// What has to happen before what.
///
/// A node is a chunk that runs, a chunk that is only tried out for a `prereq`, or a target, by which all chunks that
/// have it share the search for it.
struct Graph<'l> {
    low: &'l Low,
    found: Targets<'l>,
    targets: HashMap<(&'l str, &'l str, Turn), Option<usize>>,
    before: Vec<Vec<usize>>,
}

impl<'l> Graph<'l> {
    fn of(low: &'l Low) -> Self {
        let before = vec![Vec::new(); low.chunks.len() * 2];
        Self { low, found: Targets::of(low), targets: HashMap::new(), before }
    }

    /// Adds what one chunk waits for, and returns what of it is not there.
    fn chunk(&mut self, index: usize, chunk: &'l Dict) -> Result<Vec<String>> {
        let mut missing = Vec::new();
        for kind in KINDS {
            let Some(requisites) = chunk.get(kind) else {
                continue;
            };
            for requisite in items(requisites, kind)? {
                let Some((state, name)) = target(requisite, kind)? else { continue };
                let turn = if kind == "prereq" { Turn::Trial } else { Turn::Run };
                let Some(node) = self.target(state, name, turn) else {
                    missing.push(format!("{kind}: {state}: {name}"));
                    continue;
                };
                self.needs(index, node);
                // A state that is tried out waits for all but those for whose sake that is done.
                if kind != "prerequired" {
                    let turn = if kind == "prereq" { Turn::Trial } else { Turn::WithTrial };
                    let node = self.target(state, name, turn).unwrap_or(node);
                    self.needs(self.low.chunks.len() + index, node);
                }
            }
        }
        Ok(missing)
    }

    fn needs(&mut self, node: usize, other: usize) {
        if let Some(before) = self.before.get_mut(node) {
            before.push(other);
        }
    }

    /// The node of a target, made once; `None` if no chunk is it.
    fn target(&mut self, state: &'l str, name: &'l str, turn: Turn) -> Option<usize> {
        if let Some(known) = self.targets.get(&(state, name, turn)) {
            return *known;
        }
        let is_tried_out = |chunk: usize| match turn {
            Turn::Run => false,
            Turn::Trial => true,
            Turn::WithTrial => self.low.chunks.get(chunk).is_some_and(|chunk| chunk.has("prerequired")),
        };
        let count = self.low.chunks.len();
        let chunks = self.found.find(state, name);
        let is_there = !chunks.is_empty() || self.found.is_rendered(state, name);
        let node = is_there.then_some(self.before.len());
        if is_there {
            let nodes = chunks.into_iter().map(|chunk| if is_tried_out(chunk) { count + chunk } else { chunk });
            self.before.push(nodes.collect());
        }
        self.targets.insert((state, name, turn), node);
        node
    }

    /// What a chunk listens to, or lets listen, that is not there. Names alone may be missing.
    fn listen(&self, chunk: &Dict) -> Result<Vec<String>> {
        let mut missing = Vec::new();
        for kind in ["listen", "listen_in"] {
            let Some(requisites) = chunk.get(kind) else { continue };
            for requisite in items(requisites, kind)? {
                let Some(entries) = requisite.as_dict() else {
                    if kind == "listen" {
                        continue;
                    }
                    return Err(unfit(&format!("an item of `{kind}`"), "`state: ID`", requisite.type_name()));
                };
                for (state, name) in &entries.entries {
                    if !self.is_listened_to(state, name) {
                        missing.push(format!("{kind}: {}: {}", show(state), show(name)));
                    }
                }
            }
        }
        Ok(missing)
    }

    fn is_listened_to(&self, state: &Data, name: &Data) -> bool {
        let (Some(state), Some(name)) = (state.as_str(), name.as_str()) else { return false };
        self.found.named(name).any(|chunk| text(chunk, "state") == state)
    }

    /// The chunks of one cycle, in the order in which they wait for each other.
    fn cycle(&self) -> Option<Vec<usize>> {
        let mut is_open = vec![false; self.before.len()];
        let mut is_done = vec![false; self.before.len()];
        for start in 0..self.before.len() {
            let mut path = vec![(start, 0)];
            while let Some((node, next)) = path.last_mut() {
                let node = *node;
                if is_done[node] {
                    path.pop();
                    continue;
                }
                is_open[node] = true;
                let Some(&before) = self.before[node].get(*next) else {
                    is_open[node] = false;
                    is_done[node] = true;
                    path.pop();
                    continue;
                };
                *next += 1;
                if is_open[before] {
                    let nodes = path.iter().map(|(node, _)| *node).skip_while(|&node| node != before);
                    return Some(self.chunks(nodes));
                }
                path.push((before, 0));
            }
        }
        None
    }

    /// The chunks among nodes, each once.
    fn chunks(&self, nodes: impl Iterator<Item = usize>) -> Vec<usize> {
        let count = self.low.chunks.len();
        let mut chunks = Vec::new();
        for node in nodes.filter(|&node| node < count * 2) {
            let chunk = node % count;
            if !chunks.contains(&chunk) {
                chunks.push(chunk);
            }
        }
        chunks
    }
}

/// The items of a requisite. Salt goes over whatever it finds, so a text would be a requisite for every character,
/// none of which anything can listen to.
fn items<'c>(requisites: &'c Data, kind: &str) -> Result<&'c [Data]> {
    if !requisites.is_true() || (kind == "listen" && requisites.as_list().is_none()) {
        return Ok(&[]);
    }
    requisites.as_list().ok_or_else(|| unfit(&format!("`{kind}`"), "a list", requisites.type_name()))
}

/// The kind of state and the name that an item of a requisite gives; `None` for one without a name.
///
/// # Errors
/// When it is neither a name nor `state: name`.
pub fn target<'c>(requisite: &'c Data, kind: &str) -> Result<Option<(&'c str, &'c str)>> {
    if let Some(name) = requisite.as_str() {
        return Ok(Some(("id", name)));
    }
    let Some((state, name)) = requisite.as_dict().and_then(|entries| entries.entries.first()) else {
        return Err(unfit(&format!("an item of `{kind}`"), "`state: ID`", requisite.type_name()));
    };
    let Some(state) = state.as_str() else {
        return Err(unfit(&format!("a target of `{kind}`"), "text", state.type_name()));
    };
    let state = state.split('.').next().unwrap_or(state);
    match name {
        Data::None => Ok(None),
        Data::Str(name) => Ok(Some((state, name))),
        other => Err(unfit(&format!("`{state}` in `{kind}`"), "an ID", other.type_name())),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::table::Table;
    use super::check;

    fn refusal(ids: &[(&str, Value)]) -> Option<String> {
        check(&Table::of(&[("a", ids), ("empty", &[])]).low(&["a"]).unwrap()).err().map(|error| error.to_string())
    }

    #[test]
    fn a_target_is_found_by_id_name_pattern_and_sls() {
        let targets = json!([{"file": "y"}, {"file": "/etc/*"}, {"sls": "empty"}, "y", {"pkg": null}]);
        let ids = [
            ("include", json!(["empty"])),
            ("x", json!({"cmd.run": [{ "require": targets }]})),
            ("y", json!({"file.managed": [{"name": "/etc/y"}]})),
        ];
        assert_eq!(refusal(&ids), None);
    }

    #[test]
    fn a_missing_target_is_refused() {
        let ids = [("x", json!({"cmd.run": [{"onchanges": [{"file": "y"}]}]})), ("y", json!("pkg.installed"))];
        let expected = "a.sls:1: `cmd: x` (SLS `a`) has `onchanges: file: y`, and there is no such state";
        assert_eq!(refusal(&ids).unwrap(), expected);
    }

    #[test]
    fn a_cycle_is_refused_with_all_that_wait() {
        let id = |target: &str| json!({"cmd.run": [{"require": [{ "cmd": target }]}]});
        let ids = [("x", id("y")), ("y", id("z")), ("z", id("x"))];
        let expected = "a.sls:1: states wait for each other: `cmd: x` (SLS `a`) waits for `cmd: y` (SLS `a`) \
                        waits for `cmd: z` (SLS `a`), and that for the first";
        assert_eq!(refusal(&ids).unwrap(), expected);
        assert_eq!(
            refusal(&[("x", json!({"cmd.run": [{"watch": [{"sls": "a"}]}]}))]).unwrap(),
            "a.sls:1: `cmd: x` (SLS `a`) waits for itself"
        );
    }

    #[test]
    fn a_prereq_is_no_cycle() {
        let ids = [("x", json!({"cmd.run": [{"prereq": [{"file": "y"}]}]})), ("y", json!("file.managed"))];
        assert_eq!(refusal(&ids), None);
        let waits = json!({"file.managed": [{"require_any": [{"cmd": "x"}]}]});
        assert!(refusal(&[ids[0].clone(), ("y", waits)]).unwrap().contains("wait for each other"));
    }

    #[test]
    fn what_a_prereq_tries_out_may_wait_for_one_another() {
        let prereq = json!({"cmd.run": [{"prereq": [{"pkg": "y"}, {"file": "z"}]}]});
        let waits = json!({"file.managed": [{"require": [{"pkg": "y"}]}]});
        assert_eq!(refusal(&[("x", prereq), ("y", json!("pkg.installed")), ("z", waits)]), None);
    }
}
