//! The folder of one backup.
//!
//! | File | What it is |
//! |---|---|
//! | `part` | data that is being written, or that nobody finished |
//! | `arriving-HASH` | data of a copy, by its SHA-256, as far as it has come |
//! | `data.sql.gz` and its likes | all of the data, on disk |
//! | `manifest.json` | says that the backup is whole, and how to tell |
//!
//! They are for their owner alone. Each is renamed into its place once its bytes are on disk, the manifest last.

use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _};
use std::time::{Duration, Instant};

use camino::{Utf8Path, Utf8PathBuf};
use flate2::Compression;
use flate2::bufread::GzDecoder;
use flate2::write::GzEncoder;
use fs_err as fs;
use jiff::SignedDuration;
use sha2::{Digest as _, Sha256};

use super::manifest::{FORMAT, Written};
use super::through::{See, Through};
use super::{Attendant, Error, Manifest, Result, size};
use crate::model::hash::{self, Hash};

/// Time between two lines on how far it came.
const PROGRESS: Duration = Duration::from_secs(10);

const CHUNK: usize = 128 * 1024;

/// The longest piece of a copy.
const LONGEST: u64 = 16 << 20;

/// What the name of data begins with that is arriving.
const ARRIVING: &str = "arriving-";

/// The folder of a backup.
pub struct Store {
    folder: Utf8PathBuf,
}

impl Store {
    /// The folder of a backup, which need not be there.
    #[must_use]
    pub fn at(folder: Utf8PathBuf) -> Self {
        Self { folder }
    }

    /// What the backup says of itself; `None` when there is no whole one.
    ///
    /// # Errors
    /// When it is damaged, or of a format that is not known here.
    pub fn read(&self) -> Result<Option<Manifest>> {
        let path = self.folder.join("manifest.json");
        let bytes = match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            bytes => bytes?,
        };
        let manifest: Manifest =
            serde_json::from_slice(&bytes).map_err(|error| Error::new(format!("`{path}` is damaged: {error}")))?;
        if manifest.format != FORMAT {
            let found = manifest.format;
            return Err(Error::new(format!("`{path}` has format {found}, and this upshift reads {FORMAT}")));
        }
        Ok(Some(manifest))
    }

    /// What the backup says of itself, which has to be whole.
    pub(super) fn whole(&self) -> Result<Manifest> {
        self.read()?.ok_or_else(|| Error::new(format!("`{}` has no whole backup", self.folder)))
    }

    /// Reads the data from end to end and says whether it is what was written.
    pub(super) fn verify(&self, manifest: &Manifest, attendant: &dyn Attendant) -> Result<()> {
        let path = self.data(manifest)?;
        let mut file = fs::File::open(&path)?;
        let (found, wanted) = (file.metadata()?.len(), manifest.data.size);
        if found != wanted {
            return Err(Error::new(format!("the backup `{path}` has {found} bytes, and {wanted} were written")));
        }
        let (mut hasher, mut buffer) = (Sha256::new(), vec![0; CHUNK]);
        loop {
            if attendant.is_stopped() {
                return Err(Error::Stopped);
            }
            match file.read(&mut buffer)? {
                0 => break,
                n => hasher.update(buffer.get(..n).unwrap_or_default()),
            }
        }
        if Hash::so_far(&hasher) != manifest.data.hash {
            return Err(Error::new(format!(
                "the backup `{path}` is damaged: its bytes are not those that were written"
            )));
        }
        Ok(())
    }

    fn data(&self, manifest: &Manifest) -> Result<Utf8PathBuf> {
        self.data_at(&manifest.file)
    }

    fn data_at(&self, name: &str) -> Result<Utf8PathBuf> {
        if name.contains('/') || name.starts_with('.') {
            return Err(Error::new(format!("the manifest in `{}` is damaged: it names a path", self.folder)));
        }
        Ok(self.folder.join(name))
    }

    /// Begins a backup anew. What an earlier try left is gone.
    pub(super) fn begin<'a>(&self, engine: &str, attendant: &'a dyn Attendant) -> Result<Sink<'a>> {
        self.create()?;
        let suffix = match engine {
            "mariadb" | "postgres" => ".sql",
            "mariadb physical" => ".xb",
            "etcd" => ".db",
            "files" | "zookeeper" => ".tar",
            _ => "",
        };
        let file = format!("data{suffix}.gz");
        for name in ["manifest.json", "manifest.part", &file, "part"] {
            remove_file(&self.folder.join(name))?;
        }
        let part = create(&self.folder.join("part"))?;
        Ok(Sink {
            folder: self.folder.clone(),
            file,
            encoder: GzEncoder::new(Through { inner: part, eye: Hashing::default() }, Compression::fast()),
            progress: Progress::new("kept", attendant),
        })
    }

    fn create(&self) -> Result<()> {
        let mut builder = std::fs::DirBuilder::new();
        let created = builder.recursive(true).mode(0o700).create(&self.folder);
        created.map_err(|error| Error::new(format!("cannot create `{}`: {error}", self.folder)))
    }

    /// The data, which has been verified.
    pub(super) fn open<'a>(&self, manifest: &Manifest, attendant: &'a dyn Attendant) -> Result<Source<'a>> {
        let file = fs::File::open(self.data(manifest)?)?;
        let decoder = GzDecoder::new(BufReader::with_capacity(CHUNK, file));
        Ok(Source { decoder, progress: Progress::new("restored", attendant) })
    }

    /// Says that the backup is whole. When this returns, that is on disk.
    pub(super) fn finish(&self, manifest: &Manifest) -> Result<()> {
        let part = self.folder.join("manifest.part");
        remove_file(&part)?;
        let mut file = create(&part)?;
        file.write_all(&serde_json::to_vec_pretty(manifest).map_err(io::Error::from)?)?;
        file.sync_all()?;
        fs::rename(&part, self.folder.join("manifest.json"))?;
        // The names of the folders on the way have to be on disk too.
        for folder in self.folder.ancestors().take(3) {
            fs::File::open(folder)?.sync_all()?;
        }
        Ok(())
    }
}

/// A backup on its way from one machine to another, in pieces that may come twice.
impl Store {
    /// Some of the data, as it is on disk.
    ///
    /// # Errors
    /// When it cannot be read, or is shorter.
    pub fn piece(&self, from: u64, length: u64) -> Result<Vec<u8>> {
        let manifest = self.whole()?;
        let mut bytes = vec![0; usize::try_from(length.min(LONGEST)).unwrap_or_default()];
        std::fs::File::open(self.data(&manifest)?)?.read_exact_at(&mut bytes, from)?;
        Ok(bytes)
    }

    /// Makes room for a copy, and says how many of its bytes are there.
    ///
    /// # Errors
    /// When another backup is there, or nothing can be written.
    pub fn receive(&self, manifest: &Manifest) -> Result<u64> {
        match self.read() {
            Ok(Some(own)) if own.by != manifest.by => {
                return Err(Error::new(format!("`{}` has the backup of another step, `{}`", self.folder, own.by)));
            }
            Ok(Some(own)) if own.data == manifest.data && self.verify(&own, &Nobody).is_ok() => {
                return Ok(manifest.data.size);
            }
            _ => {}
        }
        self.create()?;
        let arriving = self.arriving(manifest);
        for name in ["manifest.json", "manifest.part", &manifest.file, "part"] {
            remove_file(&self.data_at(name)?)?;
        }
        for entry in self.folder.read_dir_utf8()? {
            let path = entry?.into_path();
            if path.file_name().is_some_and(|name| name.starts_with(ARRIVING)) && path != arriving {
                remove_file(&path)?;
            }
        }
        let there = arriving.metadata().map_or(0, |metadata| metadata.len());
        Ok(if there > manifest.data.size { 0 } else { there })
    }

    /// Takes some bytes of a copy.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn take(&self, manifest: &Manifest, from: u64, bytes: &[u8]) -> Result<()> {
        let path = self.arriving(manifest);
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create(true).truncate(false).mode(0o600);
        let written = options.open(&path).and_then(|file| file.write_all_at(bytes, from));
        written.map_err(|error| Error::new(format!("cannot write `{path}`: {error}")))
    }

    /// Makes what arrived a backup, once all of it is there and on disk.
    ///
    /// # Errors
    /// When it is not what was sent: it is thrown away then.
    pub fn arrived(&self, manifest: &Manifest) -> Result<()> {
        let (arriving, data) = (self.arriving(manifest), self.data(manifest)?);
        if !arriving.exists() && self.read()?.is_some_and(|own| own.data == manifest.data) {
            return Ok(());
        }
        let name = arriving.file_name().unwrap_or_default().to_owned();
        if let Err(why) = self.verify(&Manifest { file: name, ..manifest.clone() }, &Nobody) {
            remove_file(&arriving)?;
            return Err(why);
        }
        std::fs::File::open(&arriving)?.sync_all()?;
        fs::rename(&arriving, data)?;
        self.finish(manifest)
    }

    /// Keeps how long it took to restore it elsewhere.
    ///
    /// # Errors
    /// When that cannot be written.
    pub fn tested(&self, took: SignedDuration) -> Result<()> {
        let manifest = self.whole()?;
        self.finish(&Manifest { restored: Some(took), ..manifest })
    }

    /// Throws the backup away.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn remove(&self) -> Result<()> {
        match fs::remove_dir_all(&self.folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }

    fn arriving(&self, manifest: &Manifest) -> Utf8PathBuf {
        self.folder.join(format!("{ARRIVING}{}", manifest.data.hash))
    }
}

/// Where nobody hears of it, and nobody ends it.
pub struct Nobody;

impl Attendant for Nobody {
    fn say(&self, _: &str) {}

    fn started(&self, _: u32) {}

    fn is_stopped(&self) -> bool {
        false
    }
}

/// Data on its way into a backup. One that is dropped before its [`end`](Self::end) leaves nothing.
pub(super) struct Sink<'a> {
    folder: Utf8PathBuf,
    file: String,
    encoder: GzEncoder<Through<File, Hashing>>,
    progress: Progress<'a>,
}

impl Sink<'_> {
    /// Puts all of it on disk.
    pub(super) fn end(mut self) -> Result<Written> {
        self.encoder.try_finish()?;
        let Through { inner, eye: Hashing { hasher, size } } = self.encoder.get_ref();
        inner.sync_all()?;
        fs::rename(self.folder.join("part"), self.folder.join(&self.file))?;
        let data = hash::File { hash: Hash::so_far(hasher), size: *size };
        Ok(Written { file: self.file.clone(), data, size: self.progress.bytes })
    }
}

impl Drop for Sink<'_> {
    fn drop(&mut self) {
        // On a full disk, its space is of use to others. After its end there is none.
        let _ = remove_file(&self.folder.join("part"));
    }
}

impl Write for Sink<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.encoder.write(bytes)?;
        self.progress.add(written);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.encoder.flush()
    }
}

/// Data on its way out of a backup.
pub(super) struct Source<'a> {
    decoder: GzDecoder<BufReader<fs::File>>,
    progress: Progress<'a>,
}

impl Read for Source<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.decoder.read(buffer)?;
        self.progress.add(read);
        Ok(read)
    }
}

/// Hashes a file while it is written.
#[derive(Default)]
struct Hashing {
    hasher: Sha256,
    size: u64,
}

impl See for Hashing {
    fn see(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
        self.size += bytes.len() as u64;
    }
}

/// Says now and then how far it came.
struct Progress<'a> {
    what: &'static str,
    attendant: &'a dyn Attendant,
    bytes: u64,
    said: Instant,
}

impl<'a> Progress<'a> {
    fn new(what: &'static str, attendant: &'a dyn Attendant) -> Self {
        Self { what, attendant, bytes: 0, said: Instant::now() }
    }

    fn add(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
        if self.said.elapsed() >= PROGRESS {
            self.said = Instant::now();
            self.attendant.say(&format!("{} so far: {}", self.what, size(self.bytes)));
        }
    }
}

fn create(path: &Utf8Path) -> Result<File> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    options.open(path).map_err(|error| Error::new(format!("cannot write `{path}`: {error}")))
}

fn remove_file(path: &Utf8Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
