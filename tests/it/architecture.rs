//! The arrows between the rooms of the house, read from the `use` lines.

use std::path::Path;

/// What each room may use besides itself, `error` and the crates it needs. Nothing else.
const ARROWS: [(&str, &[&str]); 13] = [
    ("model", &[]),
    ("config", &["model"]),
    ("journal", &["model"]),
    ("database", &["model"]),
    ("formula", &["model"]),
    ("states", &["model", "formula"]),
    ("agent", &["model", "formula", "states", "database"]),
    ("transport", &["model", "agent"]),
    ("plan", &["model", "engine::state"]),
    ("probe", &["model"]),
    ("engine", &["model", "formula", "journal", "transport", "agent", "probe"]),
    ("report", &["model", "formula", "states", "engine::state", "engine::news"]),
    ("cli", &["model", "formula", "states", "config", "journal", "agent", "transport", "plan", "engine", "report"]),
];

#[test]
fn every_use_line_follows_an_arrow() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut wrong = Vec::new();
    let mut seen = 0;
    for (room, allowed) in ARROWS {
        for file in rust_files(&source.join(room)) {
            if is_test(&file) {
                continue;
            }
            let text = std::fs::read_to_string(&file).unwrap();
            // Tests may stand on anything.
            let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
            for path in paths(code) {
                seen += 1;
                let own = path == room || path.starts_with(&format!("{room}::"));
                let arrow = |to: &&&str| path == **to || path.starts_with(&format!("{to}::"));
                if !own && !path.starts_with("error") && !allowed.iter().any(|to| arrow(&to)) {
                    wrong.push(format!("{} uses crate::{path}", file.strip_prefix(&source).unwrap().display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(seen > 100, "only {seen} paths were found: is the test reading the right lines?");
}

#[test]
fn every_room_has_its_arrows() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for entry in std::fs::read_dir(source).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        if entry.path().is_dir() {
            assert!(ARROWS.iter().any(|(room, _)| *room == name), "src/{name} has no line in ARROWS");
        }
    }
}

/// Whether a file is a module that only tests have, by what the module above it says.
fn is_test(file: &Path) -> bool {
    let name = file.file_stem().unwrap().to_str().unwrap();
    let above = file.with_file_name("mod.rs");
    let text = std::fs::read_to_string(above).unwrap_or_default();
    let lines: Vec<_> = text.lines().collect();
    lines.windows(2).any(|pair| pair[0] == "#[cfg(test)]" && pair[1].ends_with(&format!("mod {name};")))
}

/// Every `crate::…` path in code and `use` lines, with `{…}` lists opened one level.
fn paths(code: &str) -> Vec<String> {
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    let code: String = lines.collect::<Vec<_>>().join("\n");
    let mut found = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_' && c != ':').unwrap_or(rest.len());
        let path = rest[..end].trim_end_matches(':');
        match rest[end..].strip_prefix('{') {
            Some(list) if path.is_empty() || rest[..end].ends_with("::") => {
                let list = list.split('}').next().unwrap_or_default();
                let names = list.split(',').map(str::trim).filter(|name| !name.is_empty());
                found.extend(
                    names.map(|name| if path.is_empty() { name.to_owned() } else { format!("{path}::{name}") }),
                );
            }
            _ => found.push(path.to_owned()),
        }
    }
    found
}

fn rust_files(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            files.push(path);
        }
    }
    files
}
