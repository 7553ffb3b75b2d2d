//! The test cases of the formulas that upshift ships.

use std::path::Path;
use std::sync::Arc;

use upshift::formula::compile::Compiler;
use upshift::formula::roots::{Directory, Roots};
use upshift::formula::{Data, Dict, Error, Result};

use super::Case;
use super::answer::Answer;
use super::case;

/// Every case of every formula.
pub(super) fn all(folder: &Path) -> Vec<Case> {
    let named = Arc::new(case::read(&std::fs::read_to_string(folder.join("tests-grains.yaml")).unwrap()));
    let mut files = Vec::new();
    super::files(folder, &mut files);
    files.retain(|file| {
        file.parent().is_some_and(|folder| folder.ends_with("tests"))
            && file.extension().is_some_and(|extension| extension == "yaml")
    });
    files.sort();
    let case = |file: &std::path::PathBuf| {
        let formula = file.parent().unwrap().parent().unwrap().file_name().unwrap().to_string_lossy();
        let given = case::read(&std::fs::read_to_string(file).unwrap());
        let (named, folder) = (Arc::clone(&named), folder.to_owned());
        Case {
            name: format!("formulas/{formula}/{}", file.file_stem().unwrap().to_string_lossy()),
            differs: None,
            run: Box::new(move || run(&given, &named, &folder).unwrap_or_else(Answer::Refused)),
        }
    };
    files.iter().map(case).collect()
}

fn run(given: &Data, named: &Data, folder: &Path) -> Result<Answer> {
    let base = |name: &str| named.get(name).unwrap_or_else(|| panic!("no grains are named {name}"));
    let grains = match given.get("grains") {
        None => base("debian-12").clone(),
        Some(Data::Str(name)) => base(name).clone(),
        Some(over) => case::merged(base("debian-12"), over),
    };
    let subject = case::subject(&grains, given, given.get("facts").unwrap_or(&Data::None));
    let pillar = given.get("pillar").cloned().unwrap_or_else(|| Dict::ordered().into());
    let roots = Roots(vec![Arc::new(Directory(folder.to_owned()))]);
    let mut compiler = Compiler::new(subject, roots, pillar.clone());
    let mut compile = || -> upshift::formula::Result<_> {
        let low = compiler.low_state(&names(given))?;
        upshift::formula::sls::check(&low)?;
        let low: Vec<Data> = low.chunks.into_iter().map(Data::from).collect();
        let mut rendered = Vec::new();
        for (path, chunk) in low.iter().filter_map(|chunk| Some((template(chunk)?, chunk.as_dict()?))) {
            let name = chunk.get("name").and_then(Data::as_str).unwrap().to_owned();
            rendered.push((name, compiler.render_file(&path, &variables(chunk, &path))?));
        }
        Ok((low, rendered))
    };
    let expected = given.get("error").and_then(Data::as_str);
    match (compile(), expected) {
        (Err(error), Some(words)) => {
            assert!(error.to_string().contains(words), "the refusal does not say `{words}`: {error}");
            Err(error)
        }
        (Err(error), None) => Err(error),
        (Ok(_), Some(words)) => Err(Error::new(upshift::formula::Kind::Template, format!("`{words}` was not said"))),
        (Ok((low, rendered)), None) => {
            expect(given, &low, &rendered);
            Ok(Answer::Low { pillar, low, rendered })
        }
    }
}

fn names(given: &Data) -> Vec<String> {
    match given.get("sls") {
        Some(Data::List(names)) => names.iter().filter_map(Data::as_str).map(str::to_owned).collect(),
        Some(Data::Str(name)) => vec![name.to_string()],
        _ => panic!("a case says which `sls`"),
    }
}

/// The template behind a chunk of `file.managed`.
fn template(chunk: &Data) -> Option<String> {
    let is = |key: &str, value: &str| chunk.get(key).and_then(Data::as_str) == Some(value);
    if !(is("state", "file") && is("fun", "managed") && is("template", "jinja")) {
        return None;
    }
    let source = match chunk.get("source")? {
        Data::List(sources) => sources.first()?.as_str()?.to_owned(),
        source => source.as_str()?.to_owned(),
    };
    source.strip_prefix("salt://").map(str::to_owned)
}

/// What `file.managed` gives its template.
fn variables(chunk: &Dict, path: &str) -> Data {
    let mut variables = Dict::ordered();
    variables.insert("source", format!("salt://{path}"));
    for name in ["name", "user", "group", "mode", "attrs"] {
        variables.insert(name, chunk.get(name).cloned().unwrap_or_default());
    }
    for name in ["defaults", "context"] {
        let more = chunk.get(name).and_then(Data::as_dict);
        variables.entries.extend(more.into_iter().flat_map(|more| more.entries.clone()));
    }
    variables.into()
}

/// Whether a value is what is wanted; of a list, whether it has all that is wanted.
fn contains(found: &Data, wanted: &Data) -> bool {
    match (found, wanted) {
        (Data::List(found), Data::List(wanted)) => wanted.iter().all(|item| found.contains(item)),
        _ => found == wanted,
    }
}

/// What the case says an operator can count on.
fn expect(given: &Data, low: &[Data], rendered: &[(String, String)]) {
    for wanted in given.get("expect").and_then(Data::as_list).unwrap_or_default() {
        let is = |chunk: &Data, ours: &str, theirs: &str| {
            wanted.get(ours).is_none_or(|value| chunk.get(theirs) == Some(value))
        };
        let has = |chunk: &Data| {
            let with = wanted.get("with").and_then(Data::as_dict);
            let mut with = with.into_iter().flat_map(|with| &with.entries);
            with.all(|(key, value)| chunk.get(key.as_str().unwrap()).is_some_and(|found| contains(found, value)))
        };
        let found = low.iter().any(|chunk| {
            is(chunk, "id", "__id__") && is(chunk, "state", "state") && is(chunk, "fun", "fun") && has(chunk)
        });
        assert!(found, "no chunk is {wanted:?}");
    }
    for id in given.get("absent").and_then(Data::as_list).unwrap_or_default() {
        assert!(low.iter().all(|chunk| chunk.get("__id__") != Some(id)), "a chunk is {id:?}");
    }
    for wanted in given.get("files").and_then(Data::as_list).unwrap_or_default() {
        let source = wanted.get("source").and_then(Data::as_str).unwrap();
        let chunk = low.iter().find(|chunk| template(chunk).as_deref() == Some(source));
        let name = chunk.and_then(|chunk| chunk.get("name")).and_then(Data::as_str);
        let Some((_, text)) = rendered.iter().find(|(rendered, _)| Some(rendered.as_str()) == name) else {
            assert!(wanted.get("context").is_some(), "no state renders {source}");
            continue;
        };
        for part in wanted.get("contains").and_then(Data::as_list).unwrap_or_default() {
            assert!(text.contains(part.as_str().unwrap()), "{source} does not have {part:?}:\n{text}");
        }
    }
}
