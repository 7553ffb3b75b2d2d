//! All files of a `MariaDB` server, by `mariadb-backup`: for a server too large to be loaded from a dump.
//!
//! What it streams is not yet consistent: it is prepared when it is unpacked, with the log that it brings.

use camino::{Utf8Path, Utf8PathBuf};

use super::mariadb::Mariadb;
use super::program::{Program, find};
use super::service::{self, Stopped};
use super::store::{Sink, Source};
use super::{Contents, Error, Manifest, Result, galera};

/// The setting that says where the server's files are.
pub(super) const DATA: &str = "datadir";

/// Keeps the server's files. How many rows are in them only a server can tell.
pub(super) fn save(server: &Mariadb<'_>, sink: &mut Sink<'_>) -> Result<Contents> {
    let working = Working::new(server, "backup")?;
    let mut arguments = server.way.clone();
    arguments.extend(["--backup", "--stream=mbstream"].map(str::to_owned));
    arguments.push(format!("--target-dir={}", working.0));
    Program::new(server.job, &find(&["mariadb-backup", "mariabackup"])?, arguments).read_into(sink)?;
    Ok(Contents::default())
}

/// Puts the server's files back, with its service stopped meanwhile.
pub(super) fn load(server: &Mariadb<'_>, source: &mut Source<'_>, service: &str, manifest: &Manifest) -> Result<()> {
    let data = manifest.settings.get(DATA).ok_or_else(|| Error::new("the backup does not say where the files were"))?;
    let contents = service::Contents::new(Utf8Path::new(data))?;
    unpack(server, source, &contents.beside)?;
    let is_node = !service::was_stopped(server.job)? && galera::is_node(server)?;
    let stopped = if is_node {
        // Alone as it is, there is nobody to join.
        Stopped::that_starts(server.job, service, "galera_new_cluster")?
    } else {
        Stopped::new(server.job, service)?
    };
    contents.exchange()?;
    if stopped.start()? {
        server.ask("SELECT 1;")?;
    }
    Ok(())
}

/// Makes data files of what was streamed, in a folder that is empty or not there.
pub(super) fn unpack(server: &Mariadb<'_>, source: &mut Source<'_>, to: &Utf8Path) -> Result<()> {
    fs_err::create_dir_all(to)?;
    let job = server.job;
    Program::new(job, &find(&["mbstream"])?, ["--extract"]).inside(to).write_from(source)?;
    let arguments = ["--no-defaults".to_owned(), "--prepare".to_owned(), format!("--target-dir={to}")];
    Program::new(job, &find(&["mariadb-backup", "mariabackup"])?, arguments).ask("")?;
    if to.join("ibdata1").is_file() { Ok(()) } else { Err(Error::new("what was unpacked is no server's data")) }
}

/// A folder for what is in the way while files are read.
struct Working(Utf8PathBuf);

impl Working {
    fn new(server: &Mariadb<'_>, name: &str) -> Result<Self> {
        let working = Self(server.job.folder.join(name));
        working.clear();
        fs_err::create_dir(&working.0)?;
        Ok(working)
    }

    fn clear(&self) {
        // Where it stays, creating it anew says why.
        let _ = fs_err::remove_dir_all(&self.0);
    }
}

impl Drop for Working {
    fn drop(&mut self) {
        self.clear();
    }
}
