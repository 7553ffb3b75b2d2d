//! Formulas: the cases of every shipped one, from the files to the low state, as an agent compiles them.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use upshift::formula::compile::{Compiler, Subject};
use upshift::formula::facts::Recorded;
use upshift::formula::roots::{Directory, Roots};
use upshift::formula::yaml::{self, Mappings};
use upshift::formula::{Data, Dict};

use super::Figures;

/// How often every case is compiled.
const ROUNDS: u32 = 20;

/// Measures the formulas. `benches/formula.py` has the same of Salt.
pub(crate) fn measure(figures: &mut Figures) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("formulas");
    let named = read(&folder.join("tests-grains.yaml"));
    let cases: Vec<Data> = files(&folder).iter().map(|file| read(file)).collect();
    let subjects: Vec<Subject> = cases.iter().map(|case| subject(case, &named)).collect();
    let round = || cases.iter().zip(&subjects).for_each(|(case, subject)| compile(case, subject, &folder));
    round();
    let begun = cpu();
    (0..ROUNDS).for_each(|_| round());
    let count = u32::try_from(cases.len()).unwrap_or(u32::MAX);
    figures.time(
        &format!("CPU of compiling one of {count} cases of shipped formulas"),
        cpu().saturating_sub(begun) / ROUNDS / count,
    );
}

fn cpu() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ProcessCPUTime)).expect("time does not run backwards")
}

fn read(file: &Path) -> Data {
    let text = std::fs::read_to_string(file).expect("it is in this repository");
    yaml::load(&text, Mappings::Ordered).expect("it is YAML")
}

/// Every `formulas/FORMULA/tests/CASE.yaml`.
fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let within = |folder: &Path| {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).collect::<Vec<_>>()
    };
    let mut files: Vec<_> = within(folder).iter().flat_map(|formula| within(&formula.join("tests"))).collect();
    files.sort();
    files
}

fn subject(case: &Data, named: &Data) -> Subject {
    let base = |name: &str| named.get(name).and_then(Data::as_dict).cloned().unwrap_or_default();
    let mut grains = base(case.get("grains").and_then(Data::as_str).unwrap_or("debian-12"));
    let over = case.get("grains").and_then(Data::as_dict);
    grains.entries.extend(over.into_iter().flat_map(|over| over.entries.clone()));
    Subject {
        id: grains.get("id").and_then(Data::as_str).unwrap_or_default().to_owned(),
        grains: grains.into(),
        options: case.get("opts").cloned().unwrap_or_default(),
        facts: Arc::new(Recorded::from_data(case.get("facts").unwrap_or(&Data::None)).expect("they are facts")),
        python2: false,
    }
}

fn compile(case: &Data, subject: &Subject, folder: &Path) {
    let roots = Roots(vec![Arc::new(Directory(folder.to_owned()))]);
    let pillar = case.get("pillar").cloned().unwrap_or_else(|| Dict::ordered().into());
    let sls: Vec<String> = match case.get("sls") {
        Some(Data::List(names)) => names.iter().filter_map(Data::as_str).map(str::to_owned).collect(),
        name => name.and_then(Data::as_str).map(str::to_owned).into_iter().collect(),
    };
    // Some cases are refused; that takes its time as well.
    let _ = Compiler::new(subject.clone(), roots, pillar).low_state(&sls);
}
