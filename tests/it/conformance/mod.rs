//! upshift's compiler against real Salt, case by case: `tests/conformance/README.md` says what a case is.

mod answer;
mod case;
mod shipped;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;

use answer::Answer;

/// One case: its name, whether Salt and upshift may differ, and upshift's answer.
pub(crate) struct Case {
    pub(crate) name: String,
    /// The reason why the answers may differ.
    pub(crate) differs: Option<String>,
    pub(crate) run: Box<dyn Fn() -> Answer + Send + Sync>,
}

#[test]
fn every_case_answers_as_salt_does() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let cases = case::all(&root.join("tests/conformance"));
    assert!(cases.len() > 300, "only {} cases were found", cases.len());
    compare(&cases, &salt("tests/conformance/cases"));
}

#[test]
fn every_shipped_formula_answers_as_under_salt() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let cases = shipped::all(&root.join("formulas"));
    assert!(cases.len() > 30, "only {} cases were found", cases.len());
    compare(&cases, &salt("formulas"));
}

/// Compares all answers, then says everything that is wrong.
fn compare(cases: &[Case], salt: &Value) {
    let wrong = Mutex::new(Vec::new());
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let expected = &salt[&case.name];
                    assert!(!expected.is_null(), "Salt has no answer for {}", case.name);
                    let difference = (case.run)().difference(expected);
                    let note = match (difference, &case.differs) {
                        (None, Some(reason)) => format!("{}: no longer differs: {}", case.name, reason.trim()),
                        (Some(difference), None) => format!("{}: {difference}", case.name),
                        _ => continue,
                    };
                    wrong.lock().unwrap().push(note);
                }
            });
        }
    });
    let mut wrong = wrong.into_inner().unwrap();
    wrong.sort();
    assert!(wrong.is_empty(), "{} of {} cases differ:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

/// Salt's answers for the cases of a folder. They are kept in the build folder until a case changes.
fn salt(folder: &str) -> Value {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let here = root.join("tests/conformance");
    let mut inputs = vec![here.join("salt.py"), here.join("grains.yaml"), here.join("requirements.txt")];
    files(&root.join(folder), &mut inputs);
    inputs.sort();
    let content: Vec<u8> = inputs.iter().flat_map(|file| std::fs::read(file).unwrap()).collect();
    let hash = upshift::model::hash::Hash::of(&content);
    let kept = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("salt-{hash}.json"));
    if !kept.exists() {
        let python = Command::new(here.join("venv")).stderr(Stdio::inherit()).output().unwrap();
        assert!(python.status.success(), "cannot install Salt");
        let python = String::from_utf8(python.stdout).unwrap();
        // What is half written is never taken for the whole.
        let part = kept.with_extension("part");
        let done = Command::new(python.trim())
            .arg(here.join("salt.py"))
            .arg(root.join(folder))
            .arg("--out")
            .arg(&part)
            .status()
            .unwrap();
        assert!(done.success(), "Salt did not answer");
        std::fs::rename(part, &kept).unwrap();
    }
    serde_json::from_slice(&std::fs::read(kept).unwrap()).unwrap()
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files(&path, found) } else { found.push(path) }
    }
}
