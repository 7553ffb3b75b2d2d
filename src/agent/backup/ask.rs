//! What a controller asks about backups, and what is answered: whether they are whole, and their bytes.
//!
//! Everything may be asked twice: a connection that is lost before the answer came changes nothing.

use std::io;

use camino::Utf8Path;
use indexmap::IndexMap;
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::folder;
use crate::agent::protocol::Tell;
use crate::agent::serve::now;
use crate::database::{self, Error, Job, Manifest, Nobody, Store};
use crate::model::Backup;

/// A question about one backup of this machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ask {
    /// Which; with its run.
    pub backup: Box<Backup>,
    /// What is asked.
    pub about: About,
}

/// What is asked about a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum About {
    /// Whether it is whole: `Tell::Backup`.
    Whole {
        /// And whether the server here could take it now; with environment variables for who asks it.
        fit: Option<IndexMap<String, String>>,
    },
    /// Some of its bytes: `Tell::Piece` with them.
    Piece {
        /// The first.
        from: u64,
        /// How many.
        length: u64,
    },
    /// How many bytes of a copy are there, which is to come here: `Tell::Arrived`.
    Receive(Box<Manifest>),
    /// That these bytes are kept: `Tell::Done`.
    Take {
        /// What the copy will be.
        manifest: Box<Manifest>,
        /// Where they belong.
        from: u64,
    },
    /// That the copy is whole, and on disk: `Tell::Done`.
    Arrived(Box<Manifest>),
    /// That a restore test elsewhere took so long: `Tell::Done`.
    Tested(SignedDuration),
    /// That it is thrown away: `Tell::Done`.
    Remove,
}

/// Answers a question, on a machine whose backups are in `base` unless they say otherwise. It may take minutes.
///
/// # Errors
/// What the controller should be told.
pub fn answer(base: &Utf8Path, ask: &Ask, bytes: &[u8]) -> io::Result<(Tell, Vec<u8>)> {
    let folder = folder(base, &ask.backup)?;
    let store = Store::at(folder.clone());
    let told = match &ask.about {
        About::Whole { fit } => {
            let env = IndexMap::new();
            let job = Job {
                backup: &ask.backup,
                folder,
                by: "",
                env: fit.as_ref().unwrap_or(&env),
                working: Utf8Path::new("/"),
                now: now(),
                attendant: &Nobody,
            };
            database::check(&job, fit.is_some()).map(|manifest| Tell::Backup(Box::new(manifest)))
        }
        About::Piece { from, length } => {
            return store.piece(*from, *length).map(|bytes| (Tell::Piece, bytes)).map_err(failed);
        }
        About::Receive(manifest) => store.receive(manifest).map(Tell::Arrived),
        About::Take { manifest, from } => store.take(manifest, *from, bytes).map(|()| Tell::Done),
        About::Arrived(manifest) => store.arrived(manifest).map(|()| Tell::Done),
        About::Tested(took) => store.tested(*took).map(|()| Tell::Done),
        About::Remove => store.remove().map(|()| Tell::Done),
    };
    told.map(|tell| (tell, Vec::new())).map_err(failed)
}

#[expect(clippy::needless_pass_by_value, reason = "errors are mapped with it")]
fn failed(error: Error) -> io::Error {
    io::Error::other(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::backup::Data;

    /// Two machines: their folders, one with a backup of files.
    fn machines() -> (tempfile::TempDir, [camino::Utf8PathBuf; 2], Backup) {
        let top = tempfile::tempdir().unwrap();
        let path = |name: &str| Utf8Path::from_path(top.path()).unwrap().join(name);
        std::fs::create_dir_all(path("etc")).unwrap();
        let noise: Vec<u8> = (0_u32..200_000).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
        std::fs::write(path("etc/nova.conf"), noise).unwrap();
        let backup = Backup {
            name: "conf".into(),
            folder: None,
            run: Some("one".into()),
            to: Some("backup".into()),
            of: None,
            data: Data::Files { paths: vec![path("etc").into()] },
            test: None,
        };
        let machines = [path("one"), path("two")];
        let job = Job {
            backup: &backup,
            folder: folder(&machines[0], &backup).unwrap(),
            by: "one.backup.dbs1.step1",
            env: &IndexMap::new(),
            working: Utf8Path::new("/"),
            now: now(),
            attendant: &Nobody,
        };
        assert!(database::back_up(&job).unwrap().is_new);
        (top, machines, backup)
    }

    fn ask(base: &Utf8Path, backup: &Backup, about: About, bytes: &[u8]) -> Result<(Tell, Vec<u8>), String> {
        let ask = Ask { backup: Box::new(backup.clone()), about };
        answer(base, &ask, bytes).map_err(|error| error.to_string())
    }

    fn whole(base: &Utf8Path, backup: &Backup) -> Result<Box<Manifest>, String> {
        match ask(base, backup, About::Whole { fit: None }, &[])? {
            (Tell::Backup(manifest), _) => Ok(manifest),
            other => panic!("{other:?}"),
        }
    }

    fn arrived(base: &Utf8Path, copy: &Backup, manifest: &Manifest) -> u64 {
        match ask(base, copy, About::Receive(Box::new(manifest.clone())), &[]) {
            Ok((Tell::Arrived(bytes), _)) => bytes,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_copy_that_was_cut_off_goes_on_where_it_was_and_is_only_one_once_it_is_whole() {
        let (_top, [one, two], backup) = machines();
        let (manifest, copy) = (whole(&one, &backup).unwrap(), backup.copy_of("dbs1"));
        let piece = |from| match ask(
            &one,
            &backup,
            About::Piece { from, length: (manifest.data.size - from).min(9000) },
            &[],
        ) {
            Ok((Tell::Piece, bytes)) => bytes,
            other => panic!("{other:?}"),
        };
        let take =
            |from, bytes: &[u8]| ask(&two, &copy, About::Take { manifest: manifest.clone(), from }, bytes).unwrap();
        assert_eq!(arrived(&two, &copy, &manifest), 0);
        take(0, &piece(0));
        // The same piece may come again.
        take(0, &piece(0));
        assert_eq!(arrived(&two, &copy, &manifest), 9000);
        assert!(whole(&two, &copy).unwrap_err().contains("has no whole backup"));
        while arrived(&two, &copy, &manifest) < manifest.data.size {
            let from = arrived(&two, &copy, &manifest);
            take(from, &piece(from));
        }
        assert!(whole(&two, &copy).is_err());
        ask(&two, &copy, About::Arrived(manifest.clone()), &[]).unwrap();
        assert_eq!(whole(&two, &copy).unwrap(), manifest);
        assert_eq!(arrived(&two, &copy, &manifest), manifest.data.size, "it does not come again");
        ask(&one, &backup, About::Tested(SignedDuration::from_mins(9)), &[]).unwrap();
        assert_eq!(whole(&one, &backup).unwrap().restored, Some(SignedDuration::from_mins(9)));
    }

    #[test]
    fn bytes_that_are_not_what_was_sent_make_no_backup_and_that_of_another_step_is_left_alone() {
        let (_top, [one, two], backup) = machines();
        let (manifest, copy) = (whole(&one, &backup).unwrap(), backup.copy_of("dbs1"));
        arrived(&two, &copy, &manifest);
        let zeros = vec![0; usize::try_from(manifest.data.size).unwrap()];
        ask(&two, &copy, About::Take { manifest: manifest.clone(), from: 0 }, &zeros).unwrap();
        let refused = ask(&two, &copy, About::Arrived(manifest.clone()), &[]).unwrap_err();
        assert!(refused.contains("is damaged"), "{refused}");
        assert_eq!(arrived(&two, &copy, &manifest), 0, "what is damaged is not gone on with");
        let other = Manifest { by: "one.backup.dbs1.step2".into(), ..(*manifest).clone() };
        let refused = ask(&one, &backup, About::Receive(Box::new(other)), &[]).unwrap_err();
        assert!(refused.contains("the backup of another step"), "{refused}");
        assert_eq!(whole(&one, &backup).unwrap(), manifest);
    }

    #[test]
    fn a_backup_that_is_truncated_corrupted_or_gone_is_not_whole() {
        let (_top, [one, _], backup) = machines();
        let data = folder(&one, &backup).unwrap().join("data.tar.gz");
        let kept = std::fs::read(&data).unwrap();
        std::fs::write(&data, &kept[..kept.len() - 1]).unwrap();
        assert!(whole(&one, &backup).unwrap_err().contains("were written"));
        let mut other = kept.clone();
        other[kept.len() / 2] ^= 1;
        std::fs::write(&data, &other).unwrap();
        assert!(whole(&one, &backup).unwrap_err().contains("is damaged"));
        std::fs::remove_file(&data).unwrap();
        assert!(whole(&one, &backup).is_err());
        std::fs::write(&data, &kept).unwrap();
        whole(&one, &backup).unwrap();
    }
}
