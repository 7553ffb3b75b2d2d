//! Pillar trees: the top file, includes, and how the files are merged into one pillar.

use indexmap::IndexMap;

use super::error::{Error, Kind, Result};
use super::matcher::Host;
use super::merge::{Strategy, merge};
use super::template::Engine;
use super::{Data, Dict, fnmatch, renderer, top};

/// How pillar files become one pillar: the minion options that Salt has for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// `pillar_source_merging_strategy`.
    pub strategy: Strategy,
    /// `pillar_merge_lists`.
    pub merge_lists: bool,
    /// `pillar_includes_override_sls`.
    pub includes_win: bool,
}

/// The deepest chain of includes.
const DEEPEST: usize = 100;

/// The pillar of one host. The engine's roots are the pillar's, and its pillar what templates of the tree see, which
/// in Salt is what was given on the command line; `given` is merged over the tree.
///
/// # Errors
/// When a file is missing, cannot be rendered, or is no mapping.
pub fn compile(engine: &Engine, host: &Host<'_>, given: &Data, options: Options) -> Result<Data> {
    let mut tree =
        Tree { engine, options, names: names(engine)?, rendered: IndexMap::new(), may_be_missing: Vec::new() };
    let pillar = if given.is_true() { given.clone() } else { Dict::default().into() };
    // As in Salt, a tree without a top file is a pillar of nothing.
    let Some(found) = read(engine, top::FILE)? else { return Ok(pillar) };
    let nothing = Data::None;
    let first = renderer::render_pillar(engine, "", &found, &nothing)?;
    let tops = top::gather(first, |name| {
        let found = sls(engine, name)?.ok_or_else(|| missing(name))?;
        Ok(vec![(name.to_owned(), renderer::render_pillar(engine, "", &found, &nothing)?)])
    })?;
    let (chosen, may_be_missing) = top::pillar(&tops, host)?;
    tree.may_be_missing = may_be_missing;
    let mut pillar = pillar;
    for pattern in chosen {
        let matches = tree.matching(&pattern);
        let matches = if matches.is_empty() { vec![pattern] } else { matches };
        for name in matches {
            if let Some(data) = tree.file(&name, &nothing, 0)? {
                pillar = tree.merged(&pillar, &data)?;
            }
        }
    }
    if given.is_true() { tree.merged(&pillar, given) } else { Ok(pillar) }
}

struct Tree<'a> {
    engine: &'a Engine,
    options: Options,
    /// Every SLS there is.
    names: Vec<String>,
    /// What was rendered so far, without what it includes.
    rendered: IndexMap<String, Data>,
    may_be_missing: Vec<String>,
}

/// One line of an `include`.
struct Include {
    name: String,
    /// Where the included data goes: `a:b` puts it under `b` of `a`.
    key: Option<String>,
    /// Variables for its template.
    defaults: Option<Data>,
}

impl Tree<'_> {
    fn matching(&self, pattern: &str) -> Vec<String> {
        self.names.iter().filter(|name| fnmatch::is_match(pattern, name)).cloned().collect()
    }

    fn merged(&self, base: &Data, over: &Data) -> Result<Data> {
        merge(self.options.strategy, base, over, self.options.merge_lists)
    }

    /// The data of one file with what it includes; `None` if it is missing and may be.
    fn file(&mut self, name: &str, defaults: &Data, depth: usize) -> Result<Option<Data>> {
        if depth > DEEPEST {
            return Err(Error::new(Kind::Limit, format!("pillar files include one another more than {DEEPEST} deep")));
        }
        let Some(found) = sls(self.engine, name)? else {
            let may_be_missing = self.may_be_missing.iter().any(|missing| missing == name);
            return if may_be_missing { Ok(None) } else { Err(missing(name)) };
        };
        let data = renderer::render_pillar(self.engine, name, &found, defaults)?;
        let Data::Dict(dict) = data else {
            return Err(Error::new(Kind::Structure, "a pillar file is a mapping").at(&found.path, 0, None));
        };
        let mut own = Dict::clone(&dict);
        let includes = own.remove("include");
        let own = Data::from(own);
        self.rendered.insert(name.to_owned(), own.clone());
        let includes = match includes {
            None => return Ok(Some(own)),
            Some(Data::List(includes)) => includes,
            Some(_) => return Err(Error::new(Kind::Structure, "`include` is not a list").at(&found.path, 0, None)),
        };
        let mut all = Vec::new();
        let mut defaults = defaults.clone();
        for line in includes.iter() {
            let include = include(line).map_err(|error| error.at(&found.path, 0, None))?;
            // In Salt, the defaults of one line stay for the lines after it.
            if let Some(own) = include.defaults {
                defaults = own;
            }
            for name in self.included(&include.name, name, found.is_init) {
                let data = match self.rendered.get(&name) {
                    Some(data) => Some(data.clone()),
                    None => self.file(&name, &defaults, depth + 1)?,
                };
                all.extend(data.filter(Data::is_true).map(|data| under(data, include.key.as_deref())));
            }
        }
        if self.options.includes_win {
            all.insert(0, own);
        } else {
            all.push(own);
        }
        let mut all = all.into_iter();
        let first = all.next().unwrap_or_default();
        all.try_fold(first, |base, over| self.merged(&base, &over)).map(Some)
    }

    /// The files that a line of an include means: as it is written, and relative to the file it is in.
    fn included(&self, include: &str, within: &str, is_init: bool) -> Vec<String> {
        let mut names = self.matching(&include.trim_start_matches('.').replace('/', "."));
        let relative = include.strip_prefix('.').map(|rest| {
            let folder = if is_init { within } else { within.rsplit_once('.').map_or("", |(folder, _)| folder) };
            if folder.is_empty() { rest.to_owned() } else { format!("{folder}.{rest}") }
        });
        let name = relative.unwrap_or_else(|| include.to_owned());
        names.extend(self.matching(&name));
        if names.is_empty() { vec![name] } else { names }
    }
}

fn include(line: &Data) -> Result<Include> {
    let wrong = || Error::new(Kind::Structure, format!("an include names an SLS, and {line:?} does not"));
    match line {
        Data::Str(name) => Ok(Include { name: name.to_string(), key: None, defaults: None }),
        Data::Dict(dict) => {
            let (name, settings) = dict.entries.first().ok_or_else(wrong)?;
            let Data::Dict(settings) = settings else { return Err(wrong()) };
            Ok(Include {
                name: name.as_str().ok_or_else(wrong)?.to_owned(),
                key: settings.get("key").and_then(Data::as_str).map(str::to_owned),
                defaults: Some(settings.get("defaults").cloned().unwrap_or_default()),
            })
        }
        _ => Err(wrong()),
    }
}

fn under(data: Data, key: Option<&str>) -> Data {
    let Some(key) = key else { return data };
    key.rsplit(':').fold(data, |data, part| {
        let mut outer = Dict::default();
        outer.insert(part, data);
        outer.into()
    })
}

fn names(engine: &Engine) -> Result<Vec<String>> {
    engine.context().roots.sls_names().map_err(|error| Error::new(Kind::Missing, error.to_string()))
}

fn sls(engine: &Engine, name: &str) -> Result<Option<super::roots::Found>> {
    engine.context().roots.sls(name).map_err(|error| Error::new(Kind::Missing, error.to_string()))
}

fn read(engine: &Engine, path: &str) -> Result<Option<super::roots::Found>> {
    let text = engine.context().roots.text(path).map_err(|error| Error::new(Kind::Missing, error.to_string()))?;
    Ok(text.map(|text| super::roots::Found { path: path.to_owned(), is_init: false, text }))
}

fn missing(name: &str) -> Error {
    Error::new(Kind::Missing, format!("the pillar has no SLS `{name}`"))
}
