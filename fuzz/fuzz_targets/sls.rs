//! No SLS text panics, hangs or fills the memory, whatever it renders to: as a state, as a pillar and as YAML that is
//! written and read again. A line `--- path` begins another file, as in the conformance cases, which are the seeds.

#![no_main]

use std::collections::BTreeMap;
use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use upshift::formula::compile::{Compiler, Subject};
use upshift::formula::facts::Recorded;
use upshift::formula::roots::{Memory, Roots};
use upshift::formula::yaml::{self, Layout, Mappings};
use upshift::formula::{Data, Dict, sls};

fuzz_target!(|text: &str| {
    if let Ok(data) = yaml::load(text, Mappings::Plain) {
        for flow in [Some(true), Some(false), None] {
            let written = yaml::dump(&data, &Layout { flow, ..Layout::default() });
            let _ = yaml::load(&written, Mappings::Plain);
        }
    }
    let mut files: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    let mut name = "case.sls".to_owned();
    for line in text.split_inclusive('\n') {
        match line.strip_prefix("--- ") {
            Some(next) => name = next.trim().trim_start_matches("states/").to_owned(),
            None => files.entry(name.clone()).or_default().extend(line.bytes()),
        }
    }
    let grains = |(name, value): (&str, &str)| (Data::from(name), Data::from(value));
    let grains: Dict = [("id", "fuzz"), ("os", "Debian"), ("os_family", "Debian")].map(grains).into_iter().collect();
    let subject = Subject {
        id: "fuzz".to_owned(),
        grains: grains.into(),
        options: Data::None,
        facts: Arc::new(Recorded::default()),
        python2: text.len() % 2 == 0,
    };
    let roots = Roots(vec![Arc::new(Memory(files))]);
    let pillar = subject.pillar(roots.clone(), &Data::None).unwrap_or_default();
    let mut compiler = Compiler::new(subject, roots, pillar);
    if let Ok(low) = compiler.low_state(&["case".to_owned()]) {
        let _ = sls::check(&low);
    }
});
