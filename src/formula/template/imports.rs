//! Names of templates, and `import_yaml`, `import_json`, `import_text`, `load_yaml`, `load_json`, `load_text`.

use std::collections::HashSet;

use minijinja::{Environment, Error, ErrorKind, State, Value};

use super::engine::{Shared, Variables, lock};
use super::value;
use crate::formula::Data;
use crate::formula::yaml::{self, Mappings};

/// Where relative names begin.
///
/// Salt counts `./x` and `../x` from `tpldir`, a global of the whole rendering, which every template that is read for
/// the first time under an absolute name sets anew.
#[derive(Debug, Default)]
pub(super) struct Paths {
    base: Option<String>,
    read: HashSet<String>,
}

impl From<Option<&str>> for Paths {
    fn from(tpldir: Option<&str>) -> Self {
        Self { base: tpldir.map(str::to_owned), read: HashSet::new() }
    }
}

impl Paths {
    /// The path within the roots; of what steps out of them, a name that no file has.
    pub(super) fn resolve(&mut self, name: &str) -> String {
        let first = name.split('/').next().unwrap_or_default();
        if first != "." && first != ".." {
            let name = normal(name.strip_prefix("salt://").unwrap_or(name)).unwrap_or_else(|| name.to_owned());
            if self.read.insert(name.clone()) {
                let folder = name.rsplit_once('/').map_or(".", |(folder, _)| folder);
                self.base = Some(folder.to_owned());
            }
            return name;
        }
        let base = self.base.as_deref().unwrap_or_default();
        let path = self.base.as_ref().and_then(|_| normal(&format!("{base}/{name}")));
        path.unwrap_or_else(|| name.to_owned())
    }

    /// The folder that `tpldir` names by now.
    fn folder(&self) -> Option<&str> {
        self.base.as_deref()
    }
}

/// A path without `.` and `..`; `None` if it leads out of the roots.
fn normal(path: &str) -> Option<String> {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "." | "" => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// Adds the functions that the translation puts in place of Salt's tags.
pub(super) fn add(env: &mut Environment<'_>, shared: &Shared) {
    for (name, read) in
        [("yaml", load_yaml as fn(&str) -> Result<Value, Error>), ("json", load_json), ("text", load_text)]
    {
        let shared = Shared::clone(shared);
        env.add_function(format!("__load_{name}"), move |text: Value| read(&value::text(&text)));
        env.add_function(
            format!("__import_{name}"),
            move |state: &mut State<'_, '_>, name: String, with_context: Option<bool>| {
                read(&rendered(state, &shared, &name, with_context.unwrap_or(false))?)
            },
        );
    }
}

/// The text of another template.
fn rendered(state: &State<'_, '_>, shared: &Shared, name: &str, with_context: bool) -> Result<String, Error> {
    let template = state.get_template(name)?;
    let variables: Variables = if with_context {
        let names = state.known_variables();
        names.iter().filter_map(|name| Some((name.to_string(), state.lookup(name)?))).collect()
    } else {
        without_context(shared, template.name())
    };
    template.render(Value::from(variables))
}

/// What a template that is imported without context finds: what Salt gave the first one, and its own place.
pub(super) fn without_context(shared: &Shared, path: &str) -> Variables {
    let rendering = lock(shared);
    let mut variables = rendering.variables.clone();
    let folder = rendering.paths.folder().unwrap_or(".").to_owned();
    variables.insert("tplfile".to_owned(), Value::from(path));
    variables.insert("tpldot".to_owned(), Value::from(folder.replace('/', ".")));
    variables.insert("tpldir".to_owned(), Value::from(folder));
    variables
}

fn wrong(message: String) -> Error {
    Error::new(ErrorKind::InvalidOperation, message)
}

fn load_yaml(text: &str) -> Result<Value, Error> {
    let read = yaml::load(text, Mappings::Plain);
    let data = read.map_err(|error| {
        wrong(format!("the YAML that is loaded here is wrong in line {}: {}", error.line, error.message))
    })?;
    Ok(value::from_data(&data))
}

fn load_json(text: &str) -> Result<Value, Error> {
    let read: Result<Data, _> = serde_json::from_str(text);
    let data = read.map_err(|error| wrong(format!("the JSON that is loaded here is wrong: {error}")))?;
    Ok(value::from_data(&data))
}

#[expect(clippy::unnecessary_wraps, reason = "one of three of a kind")]
fn load_text(text: &str) -> Result<Value, Error> {
    Ok(Value::from(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relative_names_count_from_the_last_template_that_was_read() {
        let mut paths = Paths::from(Some("nova"));
        assert_eq!(paths.resolve("./map.jinja"), "nova/map.jinja");
        assert_eq!(paths.resolve("../lib.jinja"), "lib.jinja");
        assert_eq!(paths.resolve("keystone/map.jinja"), "keystone/map.jinja");
        assert_eq!(paths.resolve("./lib.jinja"), "keystone/lib.jinja");
        assert_eq!(paths.resolve("../../etc/passwd"), "../../etc/passwd");
    }
}
