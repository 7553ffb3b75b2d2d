//! All SLS of a host, with all they include, merged into one high state.

use std::collections::{HashMap, HashSet};

use super::declare::{self, Origin, Refusal, show};
use super::heap::{Heap, Ref, unfit};
use super::{Rendered, Source};
use crate::formula::fnmatch;
use crate::formula::{Data, Error, Kind, Result};

/// The deepest chain of includes.
const DEEPEST: usize = 200;
/// What Salt starts to number states with.
const FIRST_ORDER: i64 = 10_000;

/// Where the SLS of a compilation are, to name places in errors.
#[derive(Debug, Clone, Default)]
pub struct Files(HashMap<(String, String), File>);

#[derive(Debug, Clone)]
struct File {
    path: String,
    lines: HashMap<String, usize>,
}

impl Files {
    /// Adds the place of an ID to an error, as far as it is known.
    #[must_use]
    pub fn locate(&self, error: Error, saltenv: &str, sls: &str, id: &str) -> Error {
        match self.0.get(&(saltenv.to_owned(), sls.to_owned())) {
            Some(file) => error.at(&file.path, file.lines.get(id).copied().unwrap_or_default(), None),
            None => error,
        }
    }

    /// Adds the place of a body of the high state to an error.
    pub(super) fn locate_body(&self, error: Error, heap: &Heap, body: Ref, id: &Data) -> Error {
        let text = |key| heap.get_str(body, key).and_then(|value| heap.as_str(value)).unwrap_or_default();
        self.locate(error, text("__env__"), text("__sls__"), &show(id))
    }

    /// Every SLS that was rendered, whether or not there was anything in it.
    pub(super) fn sls(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(|(_, sls)| sls.as_str())
    }
}

/// The SLS that was rendered last, while what it includes is looked for.
struct Including<'a> {
    origin: Origin<'a>,
    is_init: bool,
    state: Ref,
    depth: usize,
}

/// What was gathered so far.
pub(super) struct Gather<'a> {
    source: &'a mut dyn Source,
    tops: &'a [(String, Vec<String>)],
    /// The next state's number, if they are numbered at all.
    next_order: Option<i64>,
    rendered: HashSet<(String, String)>,
    pub(super) heap: Heap,
    pub(super) files: Files,
}

impl<'a> Gather<'a> {
    pub(super) fn new(source: &'a mut dyn Source, tops: &'a [(String, Vec<String>)], auto_order: bool) -> Self {
        Self {
            source,
            tops,
            next_order: auto_order.then_some(FIRST_ORDER),
            rendered: HashSet::new(),
            heap: Heap::default(),
            files: Files::default(),
        }
    }

    /// Everything that is named, in the order in which it is named.
    pub(super) fn all(&mut self) -> Result<Ref> {
        let high = self.heap.table(true);
        for (saltenv, names) in self.tops {
            for name in names {
                if !self.is_saltenv(saltenv)? {
                    return Err(Error::new(Kind::Missing, format!("there is no saltenv `{saltenv}`")));
                }
                let mut found = self.matching(saltenv, name)?;
                if found.is_empty() {
                    found.push(name.clone());
                }
                for sls in found {
                    if !self.rendered.contains(&(saltenv.clone(), sls.clone())) {
                        let state = self.one(Origin { saltenv, sls: &sls }, 0)?;
                        self.merge(high, state)?;
                    }
                }
            }
        }
        Ok(high)
    }

    fn is_saltenv(&self, saltenv: &str) -> Result<bool> {
        Ok(saltenv == "base" || self.source.available(saltenv)?.is_some())
    }

    /// The SLS of an environment that a pattern describes.
    fn matching(&self, saltenv: &str, pattern: &str) -> Result<Vec<String>> {
        if !fnmatch::is_pattern(pattern) {
            return Ok(self.source.has(saltenv, pattern)?.then(|| pattern.to_owned()).into_iter().collect());
        }
        let available = self.source.available(saltenv)?.unwrap_or_default();
        Ok(available.iter().filter(|name| fnmatch::is_match(pattern, name)).cloned().collect())
    }

    /// One SLS, with all it includes.
    fn one(&mut self, origin: Origin, depth: usize) -> Result<Ref> {
        let Origin { saltenv, sls } = origin;
        if depth > DEEPEST {
            return Err(Error::new(Kind::Limit, format!("SLS `{sls}` is included {DEEPEST} levels deep")));
        }
        let rendered = self.source.render(saltenv, sls)?;
        let Some(Rendered { data, is_init, path, lines }) = rendered else { return Err(self.unknown(saltenv, sls)) };
        let key = (saltenv.to_owned(), sls.to_owned());
        self.files.0.insert(key.clone(), File { path: path.clone(), lines });
        self.rendered.insert(key);
        if !data.is_true() {
            return Ok(self.heap.table(true));
        }
        let state = self.heap.import(&data).map_err(|error| error.at(&path, 0, None))?;
        if self.heap.as_table(state).is_none() {
            return Err(unfit(&format!("SLS `{sls}`"), "a mapping of IDs", data.type_name()).at(&path, 0, None));
        }
        let includes = self.own(origin, state).map_err(|refusal| self.refused(refusal, origin))?;
        // What is included has its numbers by the time the SLS itself gets them.
        let own = self.heap.entries(state);
        let including = Including { origin, is_init, state, depth };
        for include in includes {
            self.include(&including, include)?;
        }
        if let Some(next) = &mut self.next_order {
            declare::number(&mut self.heap, &own, next)?;
        }
        Ok(state)
    }

    /// Brings what one SLS says itself into the form of the high state, and returns what it includes.
    fn own(&mut self, origin: Origin, state: Ref) -> Result<Vec<Ref>, Refusal> {
        let key = Data::from("include");
        let mut includes = Vec::new();
        if let Some(list) = self.heap.remove(state, &key) {
            let Some(items) = self.heap.as_list(list) else {
                let error = unfit("`include`", "a list of SLS", self.heap.type_name(list));
                return Err(Refusal { id: key, error });
            };
            includes.extend_from_slice(items);
        }
        declare::own_extend(&mut self.heap, state, origin)?;
        declare::own_exclude(&mut self.heap, state)?;
        declare::own_states(&mut self.heap, state, origin)?;
        Ok(includes)
    }

    fn refused(&self, refusal: Refusal, origin: Origin) -> Error {
        self.files.locate(refusal.error, origin.saltenv, origin.sls, &show(&refusal.id))
    }

    /// Renders what one item of `include` names, and merges it in.
    fn include(&mut self, including: &Including, item: Ref) -> Result<()> {
        let Origin { saltenv, sls } = including.origin;
        let located = |files: &Files, error| files.locate(error, saltenv, sls, "include");
        let (include_env, name) = self.include_name(including, item).map_err(|error| located(&self.files, error))?;
        let tops = self.tops;
        let is_top = |saltenv: &str| tops.iter().any(|(top, _)| top == saltenv);
        // Salt looks for the file in the environment of the SLS that includes it, even if another one is named.
        if !is_top(&include_env) && self.matching(&include_env, &name)?.is_empty() {
            return Err(located(&self.files, self.unknown(&include_env, &name)));
        }
        let mut targets = self.matching(saltenv, &name)?;
        if targets.is_empty() {
            targets.push(name);
        }
        for target in targets {
            if self.rendered.contains(&(include_env.clone(), target.clone())) {
                continue;
            }
            let origin = Origin { saltenv: &include_env, sls: &target };
            let state = self.one(origin, including.depth + 1).map_err(|error| located(&self.files, error))?;
            self.included(state, sls).and_then(|()| self.merge(including.state, state))?;
        }
        Ok(())
    }

    /// The environment and the SLS that an item of `include` names: `name`, `.relative` or `{saltenv: name}`.
    fn include_name(&mut self, including: &Including, item: Ref) -> Result<(String, String)> {
        let Origin { saltenv, sls } = including.origin;
        let (include_env, name) = if self.heap.as_table(item).is_some() {
            let (key, name) = self.heap.pop(item).ok_or_else(|| unfit("an `include`", "an SLS", "NoneType"))?;
            (show(&key), name)
        } else {
            (saltenv.to_owned(), item)
        };
        if !self.is_saltenv(&include_env)? {
            let message = format!("SLS `{sls}` includes from saltenv `{include_env}`, which does not exist");
            return Err(Error::new(Kind::Missing, message));
        }
        let Some(name) = self.heap.as_str(name) else {
            return Err(unfit("an `include`", "the name of an SLS", self.heap.type_name(name)));
        };
        let rest = name.trim_start_matches('.');
        let levels = name.len() - rest.len();
        if levels == 0 {
            return Ok((include_env, name.to_owned()));
        }
        let mut parts: Vec<&str> = sls.split('.').collect();
        if including.is_init {
            parts.push("init");
        }
        if levels > parts.len() {
            let message = format!("SLS `{sls}` includes `{name}`, which is above the top of the file roots");
            return Err(Error::new(Kind::Missing, message));
        }
        parts.truncate(parts.len() - levels);
        parts.push(rest);
        Ok((include_env, parts.join(".")))
    }

    /// Notes at every ID of an included SLS what included it.
    fn included(&mut self, state: Ref, by: &str) -> Result<()> {
        for (id, body) in self.heap.entries(state) {
            let Some(name) = id.as_str() else { return Err(self.not_a_name(&id, body)) };
            if !name.starts_with("__") {
                let by = self.heap.scalar(by);
                declare::collect(&mut self.heap, body, "__sls_included_from__", &[by])?;
            }
        }
        Ok(())
    }

    fn not_a_name(&self, id: &Data, body: Ref) -> Error {
        self.files.locate_body(super::verify::not_a_name(id), &self.heap, body, id)
    }

    /// Puts one state into another one. An ID may be in both only if both say the same.
    fn merge(&mut self, into: Ref, state: Ref) -> Result<()> {
        for key in ["__extend__", "__exclude__"] {
            if let Some(items) = self.heap.remove(state, &Data::from(key)) {
                let items = self.heap.iterate(items, || format!("`{key}`"))?;
                declare::collect(&mut self.heap, into, key, &items)?;
            }
        }
        for (id, body) in self.heap.take_entries(state) {
            if let Some(other) = self.heap.get(into, &id)
                && !self.heap.is_equal(other, body)?
            {
                return Err(self.conflict(&id, body, other));
            }
            self.heap.set(into, id, body);
        }
        Ok(())
    }

    fn conflict(&self, id: &Data, body: Ref, other: Ref) -> Error {
        let sls = |body| {
            let sls = self.heap.get_str(body, "__sls__").and_then(|sls| self.heap.as_str(sls));
            sls.unwrap_or_default().to_owned()
        };
        let message = format!(
            "ID `{}` is in SLS `{}` and in SLS `{}`, and an ID may be in one only",
            show(id),
            sls(other),
            sls(body)
        );
        let error = self.files.locate_body(Error::new(Kind::Structure, message), &self.heap, body, id);
        self.files.locate_body(error, &self.heap, other, id)
    }

    fn unknown(&self, saltenv: &str, sls: &str) -> Error {
        let error = Error::new(Kind::Missing, format!("there is no SLS `{sls}` in saltenv `{saltenv}`"));
        // The names only help to say more.
        let available = self.source.available(saltenv).ok().flatten().unwrap_or_default();
        let nearest = available.iter().map(|name| (strsim::jaro_winkler(name, sls), name));
        match nearest.max_by(|one, two| one.0.total_cmp(&two.0)) {
            Some((likeness, name)) if likeness > 0.85 => error.hint(format!("did you mean `{name}`?")),
            _ => error,
        }
    }
}
