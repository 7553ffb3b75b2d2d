//! Names of templates, and what `import_yaml`, `load_yaml` and their kind read.

use std::collections::HashSet;

use minijinja::{Environment, Error, ErrorKind, Value};

use super::engine::{Shared, lock};
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
            if self.read.insert(name.to_owned()) {
                let folder = name.rsplit_once('/').map_or(".", |(folder, _)| folder);
                self.base = Some(folder.to_owned());
            }
            return name.to_owned();
        }
        let base = self.base.as_deref().unwrap_or_default();
        let path = self.base.as_ref().and_then(|_| normal(&format!("{base}/{name}")));
        let path = path.unwrap_or_else(|| name.to_owned());
        // A relative name moves nothing, and neither does the full name that is made of it.
        self.read.insert(path.clone());
        path
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

/// Adds what the translation puts in place of Salt's tags.
pub(super) fn add(env: &mut Environment<'_>, paths: &Shared) {
    env.add_function("__load_yaml", load_yaml);
    env.add_function("__load_json", load_json);
    env.add_function("__load_text", |text: &Value, _: Option<&str>| value::text(text));
    let paths = Shared::clone(paths);
    env.add_filter("__tpl", move |name: &str| {
        let folder = lock(&paths).folder().unwrap_or(".").to_owned();
        let dotted = folder.replace('/', ".");
        vec![name.to_owned(), folder, dotted]
    });
}

fn wrong(message: String) -> Error {
    Error::new(ErrorKind::InvalidOperation, message)
}

/// What is read: a file that is imported, or a block.
fn source(format: &str, name: Option<&str>) -> String {
    match name {
        Some(name) => format!("the {format} of `{name}`"),
        None => format!("the {format} that is loaded here"),
    }
}

fn load_yaml(text: &Value, name: Option<&str>) -> Result<Value, Error> {
    let read = yaml::load(&value::text(text), Mappings::Plain);
    let data = read.map_err(|error| {
        wrong(format!("{} is wrong in line {}: {}", source("YAML", name), error.line, error.message))
    })?;
    Ok(value::from_data(&data))
}

fn load_json(text: &Value, name: Option<&str>) -> Result<Value, Error> {
    let read: Result<Data, _> = serde_json::from_str(&value::text(text));
    let data = read.map_err(|error| wrong(format!("{} is wrong: {error}", source("JSON", name))))?;
    Ok(value::from_data(&data))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relative_names_count_from_the_last_template_that_was_read() {
        let mut paths = Paths::from(Some("nova"));
        assert_eq!(paths.resolve("./map.jinja"), "nova/map.jinja");
        assert_eq!(paths.resolve("./sub/map.jinja"), "nova/sub/map.jinja");
        assert_eq!(paths.resolve("nova/sub/map.jinja"), "nova/sub/map.jinja");
        assert_eq!(paths.resolve("../lib.jinja"), "lib.jinja");
        assert_eq!(paths.resolve("keystone/map.jinja"), "keystone/map.jinja");
        assert_eq!(paths.resolve("./lib.jinja"), "keystone/lib.jinja");
        assert_eq!(paths.resolve("../../etc/passwd"), "../../etc/passwd");
    }
}
