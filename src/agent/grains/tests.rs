//! Distributions, machines and names that this machine is not, below a root of their own.

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Facts, collect};

/// A host made of a few files.
struct Host(tempfile::TempDir);

impl Host {
    fn with(files: &[(&str, &str)]) -> Self {
        let host = Self(tempfile::tempdir().unwrap());
        for (path, text) in files {
            let path = host.root().join(path.trim_start_matches('/'));
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, text).unwrap();
        }
        host
    }

    fn root(&self) -> &Utf8Path {
        Utf8Path::from_path(self.0.path()).unwrap()
    }

    fn path(&self, path: &str) -> Utf8PathBuf {
        self.root().join(path.trim_start_matches('/'))
    }

    /// Makes a file a program.
    fn executable(self, path: &str) -> Self {
        use std::os::unix::fs::PermissionsExt as _;
        fs_err::set_permissions(self.path(path), std::fs::Permissions::from_mode(0o755)).unwrap();
        self
    }

    fn grains(&self) -> Map<String, Value> {
        collect(&Facts { root: self.root(), id: None, now: Timestamp::UNIX_EPOCH })
    }

    #[track_caller]
    fn has(&self, expected: &Value) {
        let grains = self.grains();
        for (name, value) in expected.as_object().unwrap() {
            assert_eq!(grains.get(name), Some(value), "{name}");
        }
    }
}

#[derive(Deserialize)]
struct Distribution {
    files: BTreeMap<String, Vec<String>>,
    salt: Map<String, Value>,
}

#[test]
fn distributions_are_what_salt_says_they_are() {
    // What Salt says was written down by `tests/fixtures/grains/ask-salt.py`.
    let text = include_str!("../../../tests/fixtures/grains/distributions.json");
    let distributions: BTreeMap<String, Distribution> = serde_json::from_str(text).unwrap();
    let mut wrong = Vec::new();
    for (name, distribution) in &distributions {
        let files: Vec<(String, String)> =
            distribution.files.iter().map(|(name, lines)| (format!("/etc/{name}"), lines.join("\n"))).collect();
        let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
        let grains = Host::with(&files).grains();
        let about = |grain: &&String| grain.starts_with("os") && *grain != "osarch" || grain.starts_with("lsb_");
        for grain in distribution.salt.keys().chain(grains.keys()).filter(about) {
            let (ours, salts) = (grains.get(grain), distribution.salt.get(grain));
            if ours != salts {
                wrong.push(format!("{name}: {grain}: {ours:?}, Salt: {salts:?}"));
            }
        }
    }
    wrong.dedup();
    assert!(distributions.len() > 35);
    // Each grain is compared twice; this is the one difference that is on purpose.
    let jessie = r#"debian-8: oscodename: Some(String("jessie")), Salt: Some(String("Debian GNU/Linux 8 (jessie)"))"#;
    wrong.retain(|line| line != jessie);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
