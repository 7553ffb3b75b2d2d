//! The folder of runs: `.upshift/runs/<id>/`.

use camino::{Utf8Path, Utf8PathBuf};
use jiff::Zoned;

use super::reader::{self, Journal};
use crate::error::{Error, Result};

/// The folder that holds every run of a project.
#[derive(Debug, Clone)]
pub struct Runs {
    folder: Utf8PathBuf,
}

/// One run's folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Its id.
    pub id: String,
    /// Its folder.
    pub folder: Utf8PathBuf,
}

impl Runs {
    /// The runs of the project in this folder.
    #[must_use]
    pub fn of(project: &Utf8Path) -> Self {
        Self { folder: project.join(".upshift") }
    }

    /// The lock that lets one run at a time go on.
    #[must_use]
    pub fn lock_file(&self) -> Utf8PathBuf {
        self.folder.join("lock")
    }

    /// Makes the folder, so that the lock can be taken.
    ///
    /// # Errors
    ///
    /// It cannot be made.
    pub fn prepare(&self) -> Result<()> {
        fs_err::create_dir_all(self.folder.join("runs"))?;
        Ok(())
    }

    /// Makes the folder of a new run, named after the time and the pipeline.
    ///
    /// # Errors
    ///
    /// It cannot be made.
    pub fn create(&self, pipeline: &str, now: &Zoned) -> Result<Run> {
        let base = format!("{}-{pipeline}", now.strftime("%Y%m%d-%H%M"));
        for id in std::iter::once(base.clone()).chain((2..1000).map(|n| format!("{base}-{n}"))) {
            let folder = self.folder.join("runs").join(&id);
            match fs_err::create_dir(&folder) {
                Ok(()) => {
                    fs_err::create_dir(folder.join("hosts"))?;
                    // The names above the run are on disk before anything is done in its name.
                    for above in folder.ancestors().skip(1).take(3) {
                        let above = if above.as_str().is_empty() { Utf8Path::new(".") } else { above };
                        fs_err::File::open(above)?.sync_all()?;
                    }
                    return Ok(Run { id, folder });
                }
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Error::usage(format!("a thousand runs of `{pipeline}` started this minute")))
    }

    /// Every run that was opened, oldest first.
    ///
    /// # Errors
    ///
    /// The folder cannot be read.
    pub fn list(&self) -> Result<Vec<Run>> {
        let entries = match fs_err::read_dir(self.folder.join("runs")) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error.into()),
        };
        let mut runs = Vec::new();
        for entry in entries {
            let path = entry?.path();
            let Ok(folder) = Utf8PathBuf::from_path_buf(path) else { continue };
            let Some(id) = folder.file_name() else { continue };
            let run = Run { id: id.to_owned(), folder };
            if run.has_begun() {
                runs.push((modified(&run.folder), run));
            }
        }
        runs.sort_by(|(a_time, a), (b_time, b)| (a_time, &a.id).cmp(&(b_time, &b.id)));
        Ok(runs.into_iter().map(|(_, run)| run).collect())
    }

    /// The run with that id, or with an id that only it begins or ends with; `None` is the newest.
    ///
    /// # Errors
    ///
    /// There is none, or more than one.
    pub fn find(&self, id: Option<&str>) -> Result<Run> {
        let mut runs = self.list()?;
        let Some(id) = id else {
            return runs.pop().ok_or_else(|| {
                let error = Error::usage("there is no run in this folder yet");
                match elsewhere() {
                    Some(folder) => error.hint(format!("`cd {folder}`, where its runs are")),
                    None => error.hint("`upshift run PIPELINE` starts one"),
                }
            });
        };
        if let Some(run) = runs.iter().find(|run| run.id == id) {
            return Ok(run.clone());
        }
        let near: Vec<_> = runs.iter().filter(|run| run.id.starts_with(id) || run.id.ends_with(id)).collect();
        match near[..] {
            [run] => Ok(run.clone()),
            [] => {
                let error = Error::usage(format!("there is no run `{id}` here"));
                Err(match runs.last() {
                    Some(last) => error.hint(format!("the newest is `{}`; `upshift runs` lists them all", last.id)),
                    None => error.hint("`upshift run PIPELINE` starts one"),
                })
            }
            _ => Err(Error::usage(format!("`{id}` could be {} runs", near.len())).hint("`upshift runs` lists them")),
        }
    }
}

/// The nearest folder above this one that has runs.
fn elsewhere() -> Option<Utf8PathBuf> {
    let here = Utf8PathBuf::from_path_buf(std::env::current_dir().ok()?).ok()?;
    here.ancestors().skip(1).find(|folder| folder.join(".upshift/runs").is_dir()).map(Utf8Path::to_owned)
}

/// When the plan was written: ids alone do not order the runs of one minute.
fn modified(folder: &Utf8Path) -> Option<std::time::SystemTime> {
    fs_err::metadata(folder.join("plan.json")).and_then(|metadata| metadata.modified()).ok()
}

impl Run {
    /// The journal's file.
    #[must_use]
    pub fn journal_file(&self) -> Utf8PathBuf {
        self.folder.join("journal.jsonl")
    }

    /// The plan's file.
    #[must_use]
    pub fn plan_file(&self) -> Utf8PathBuf {
        self.folder.join("plan.json")
    }

    /// What became of the states of every unit that applied formulas.
    #[must_use]
    pub fn returns_file(&self) -> Utf8PathBuf {
        self.folder.join("events.jsonl")
    }

    /// The socket on which a live run takes commands.
    #[must_use]
    pub fn control_socket(&self) -> Utf8PathBuf {
        self.folder.join("control.sock")
    }

    /// The output of a host's commands.
    #[must_use]
    pub fn host_log(&self, host: &str) -> Utf8PathBuf {
        self.folder.join("hosts").join(format!("{host}.log"))
    }

    /// What a probe measured.
    #[must_use]
    pub fn probe_file(&self, probe: &str) -> Utf8PathBuf {
        self.folder.join("probes").join(format!("{probe}.jsonl"))
    }

    /// How the probes of a live run stand now.
    #[must_use]
    pub fn standing_file(&self) -> Utf8PathBuf {
        self.folder.join("probes").join("standing.json")
    }

    /// Where steps on this machine keep what outlives upshift.
    #[must_use]
    pub fn spool(&self) -> Utf8PathBuf {
        self.folder.join("spool")
    }

    /// Whether it was opened: a journal without a record is that of a run which never began.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        fs_err::metadata(self.journal_file()).is_ok_and(|file| file.len() > 0)
    }

    /// Removes the folder of a run that could not be opened.
    pub fn discard(&self) {
        let _ = fs_err::remove_dir_all(&self.folder);
    }

    /// Reads the journal.
    ///
    /// # Errors
    ///
    /// It is missing or damaged.
    pub fn read(&self) -> Result<Journal> {
        Ok(reader::read(&self.journal_file())?)
    }
}
