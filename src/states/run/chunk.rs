//! The chunks of a low state, read once for a whole run.

use std::collections::HashMap;
use std::sync::Arc;

use super::State;
use super::requisites::Kind;
use crate::formula::sls::{self, Low, Targets};
use crate::formula::{Data, Dict};
use crate::states::{Function, arguments, find};

/// One chunk of a low state.
pub(super) struct Chunk<'l> {
    /// What it says.
    pub(super) low: &'l Dict,
    pub(super) state: State,
    /// The number of its key in Salt's report. Chunks with the same one are one state.
    pub(super) tag: usize,
    pub(super) function: Option<&'static Function>,
    /// What it waits for, in the order in which that is run.
    pub(super) requisites: Vec<Requisite>,
    /// Whether it is tried out before something else runs.
    pub(super) has_prerequired: bool,
    pub(super) failhard: Option<bool>,
    pub(super) is_parallel: bool,
    /// Whether nothing of it may be changed.
    pub(super) is_preview: bool,
}

/// The requisites of one kind.
pub(super) struct Requisite {
    pub(super) kind: Kind,
    pub(super) targets: Vec<Target>,
}

/// What a requisite names.
pub(super) struct Target {
    pub(super) state: String,
    pub(super) name: String,
    /// The chunks that it means.
    pub(super) chunks: Arc<[usize]>,
    /// Whether there is such a thing: an SLS may be there without any chunks.
    pub(super) is_there: bool,
}

impl Chunk<'_> {
    /// The chunks that requisites of a kind name, as often as they do.
    pub(super) fn targets(&self, kind: Kind) -> impl Iterator<Item = usize> {
        let requisites = self.requisites.iter().filter(move |requisite| requisite.kind == kind);
        requisites.flat_map(Requisite::chunks)
    }
}

impl Requisite {
    /// The chunks that it names.
    pub(super) fn chunks(&self) -> impl Iterator<Item = usize> {
        self.targets.iter().flat_map(|target| target.chunks.iter().copied())
    }
}

/// The chunks of a low state, without the requisites that are disabled.
pub(super) fn all<'l>(low: &'l Low, disabled: &'l [String]) -> Vec<Chunk<'l>> {
    let mut reader = Reader { targets: Targets::of(low), known: HashMap::new(), tags: HashMap::new(), disabled };
    low.chunks.iter().map(|chunk| reader.chunk(chunk)).collect()
}

/// The chunks that a requisite means, and whether there is such a thing.
type Found = (Arc<[usize]>, bool);

struct Reader<'l> {
    targets: Targets<'l>,
    /// The chunks that were found already, by state and name.
    known: HashMap<(String, String), Found>,
    tags: HashMap<String, usize>,
    disabled: &'l [String],
}

impl<'l> Reader<'l> {
    fn chunk(&mut self, low: &'l Dict) -> Chunk<'l> {
        let text = |key: &str| low.get(key).and_then(arguments::text).unwrap_or_default();
        let state = State {
            sls: text("__sls__"),
            id: text("__id__"),
            module: text("state"),
            function: text("fun"),
            name: text("name"),
        };
        let function = find(&format!("{}.{}", state.module, state.function));
        let next = self.tags.len();
        let takes = |argument: &str| function.is_some_and(|function| function.has_argument(argument));
        Chunk {
            low,
            tag: *self.tags.entry(state.tag()).or_insert(next),
            requisites: self.requisites(low, function.is_some_and(|function| function.watch.is_some())),
            has_prerequired: low.get("prerequired").is_some_and(Data::is_true),
            failhard: low.get("failhard").map(Data::is_true),
            is_parallel: low.get("parallel").is_some_and(Data::is_true),
            is_preview: !takes("test") && low.get("test") == Some(&Data::Bool(true)),
            state,
            function,
        }
    }

    fn requisites(&mut self, low: &Dict, can_watch: bool) -> Vec<Requisite> {
        let mut requisites: Vec<Requisite> = Vec::new();
        for kind in Kind::ALL {
            let targets = self.kind(low, kind);
            // What does nothing when it watches something only requires it.
            let kind = match kind {
                Kind::Watch if !can_watch => Kind::Require,
                Kind::WatchAny if !can_watch => Kind::RequireAny,
                kind => kind,
            };
            match requisites.iter_mut().find(|requisite| requisite.kind == kind) {
                Some(requisite) => requisite.targets.extend(targets),
                None if targets.is_empty() => {}
                None => requisites.push(Requisite { kind, targets }),
            }
        }
        requisites.sort_by_key(|requisite| requisite.kind);
        requisites
    }

    fn kind(&mut self, low: &Dict, kind: Kind) -> Vec<Target> {
        let items = low.get(kind.name()).and_then(Data::as_list).unwrap_or_default();
        if self.disabled.iter().any(|disabled| disabled == kind.name()) {
            return Vec::new();
        }
        let named = items.iter().filter_map(|item| sls::target(item, kind.name()).transpose());
        // What cannot be read is refused before anything runs.
        named.flatten().map(|(state, name)| self.target(state, name)).collect()
    }

    fn target(&mut self, state: &str, name: &str) -> Target {
        let (state, name) = (state.to_owned(), name.to_owned());
        let targets = &self.targets;
        let (chunks, is_there) = self.known.entry((state.clone(), name.clone())).or_insert_with(|| {
            let chunks: Arc<[usize]> = targets.find(&state, &name).into();
            let is_there = !chunks.is_empty() || targets.is_rendered(&state, &name);
            (chunks, is_there)
        });
        Target { chunks: Arc::clone(chunks), is_there: *is_there, state, name }
    }
}
