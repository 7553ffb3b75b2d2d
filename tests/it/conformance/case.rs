//! The cases of `tests/conformance/cases`.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use upshift::formula::compile::{Compiler, Subject};
use upshift::formula::facts::Recorded;
use upshift::formula::roots::{Memory, Roots};
use upshift::formula::yaml::{self, Mappings};
use upshift::formula::{Data, Dict, Result};

use super::Case;
use super::answer::Answer;

/// Every case, with the name Salt's answers have for it.
pub(super) fn all(folder: &Path) -> Vec<Case> {
    let grains = Arc::new(read(&std::fs::read_to_string(folder.join("grains.yaml")).unwrap()));
    let mut files = Vec::new();
    super::files(&folder.join("cases"), &mut files);
    files.retain(|file| file.extension().is_some_and(|extension| extension == "case"));
    files.sort();
    let case = |file: &std::path::PathBuf| {
        let area = file.parent().unwrap().file_name().unwrap().to_string_lossy();
        let parts = sections(&std::fs::read_to_string(file).unwrap());
        let differs = parts.get("differs").cloned();
        let grains = Arc::clone(&grains);
        Case {
            name: format!("{area}/{}", file.file_stem().unwrap().to_string_lossy()),
            differs,
            run: Box::new(move || run(&parts, &grains).unwrap_or_else(Answer::Refused)),
        }
    };
    files.iter().map(case).collect()
}

fn run(parts: &BTreeMap<String, String>, grains: &Data) -> Result<Answer> {
    let part = |name: &str| parts.get(name).map_or_else(|| Dict::default().into(), |text| read(text));
    let options = part("options.yaml");
    let grains = merged(grains, &part("grains.yaml"));
    let subject = subject(&grains, &options, &parts.get("facts.yaml").map_or(Data::None, |text| read(text)));
    let states = tree(parts, "states/", &options);
    let pillar = match (parts.get("pillar.yaml"), tree(parts, "pillar/", &options)) {
        (Some(text), _) => {
            let files = [("top.sls", "base: {'*': [pillar]}\n"), ("pillar.sls", &format!("#!yaml\n{text}"))];
            subject.pillar(memory(files.map(|(name, text)| (name.to_owned(), text.into()))), &Data::None)?
        }
        (None, Some(tree)) => subject.pillar(tree, &Data::None)?,
        (None, None) => Dict::ordered().into(),
    };
    let mut compiler = Compiler::new(subject, states.unwrap_or_default(), pillar.clone());
    if let Some(file) = options.get("render").and_then(Data::as_str) {
        let mut variables = Dict::ordered();
        for (name, value) in [("name", Data::from("/etc/rendered.conf")), ("source", source(file).into())] {
            variables.insert(name, value);
        }
        for name in ["user", "group", "mode", "attrs"] {
            variables.insert(name, Data::None);
        }
        for name in ["defaults", "context"] {
            let more = options.get(name).and_then(Data::as_dict);
            variables.entries.extend(more.into_iter().flat_map(|more| more.entries.clone()));
        }
        let path = file.trim_start_matches("states/");
        return compiler.render_file(path, &variables.into()).map(Answer::Text);
    }
    let sls = match options.get("sls").and_then(Data::as_list) {
        Some(names) => names.iter().map(|name| name.as_str().unwrap().to_owned()).collect(),
        None if options.get("highstate").is_some_and(Data::is_true) => compiler.top()?,
        None if parts.contains_key("states/case.sls") => vec!["case".to_owned()],
        None => Vec::new(),
    };
    let low = compiler.low_state(&sls)?;
    upshift::formula::sls::check(&low)?;
    let low = low.chunks.into_iter().map(Data::from).collect();
    Ok(Answer::Low { pillar, low, rendered: Vec::new() })
}

/// The host a case is compiled for.
pub(super) fn subject(grains: &Data, options: &Data, facts: &Data) -> Subject {
    let opts = options.get("opts").cloned().unwrap_or_default();
    let id = opts.get("id").or_else(|| grains.get("id")).and_then(Data::as_str).unwrap().to_owned();
    Subject {
        grains: merged(grains, &[(Data::from("id"), Data::from(id.as_str()))].into_iter().collect::<Dict>().into()),
        id,
        options: opts,
        facts: Arc::new(Recorded::from_data(facts).unwrap()),
        python2: options.get("python2").is_some_and(Data::is_true),
    }
}

fn source(file: &str) -> String {
    format!("salt://{}", file.trim_start_matches("states/"))
}

/// One mapping over another, at the top level.
pub(super) fn merged(base: &Data, over: &Data) -> Data {
    let mut merged = base.as_dict().cloned().unwrap_or_default();
    merged.entries.extend(over.as_dict().into_iter().flat_map(|over| over.entries.clone()));
    merged.into()
}

/// The files of a case below a folder; `None` if it has none.
fn tree(parts: &BTreeMap<String, String>, folder: &str, options: &Data) -> Option<Roots> {
    let is_in = |option: &str, name: &str| {
        let names = options.get(option).and_then(Data::as_list).unwrap_or_default();
        names.contains(&Data::from(name))
    };
    let files = parts.iter().filter_map(|(name, text)| {
        let path = name.strip_prefix(folder)?;
        let text = if is_in("no-newline", name) { text.trim_end_matches('\n') } else { text };
        let text = if is_in("crlf", name) { text.replace('\n', "\r\n") } else { text.to_owned() };
        Some((path.to_owned(), text))
    });
    let files: Vec<_> = files.collect();
    (!files.is_empty()).then(|| memory(files))
}

fn memory(files: impl IntoIterator<Item = (String, String)>) -> Roots {
    let files = files.into_iter().map(|(path, text)| (path, text.into_bytes()));
    Roots(vec![Arc::new(Memory(files.collect()))])
}

pub(super) fn read(text: &str) -> Data {
    yaml::load(text, Mappings::Ordered).unwrap()
}

/// The sections of a case by their names.
fn sections(text: &str) -> BTreeMap<String, String> {
    let mut parts: BTreeMap<String, String> = BTreeMap::new();
    let mut name = None;
    for line in text.split_inclusive('\n') {
        match (line.strip_prefix("--- "), &name) {
            (Some(next), _) => {
                parts.insert(next.trim().to_owned(), String::new());
                name = Some(next.trim().to_owned());
            }
            (None, Some(name)) => parts.get_mut(name).unwrap().push_str(line),
            (None, None) => {}
        }
    }
    parts
}
