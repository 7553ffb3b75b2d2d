//! Where an archive comes from. What came from the web is kept, so that the next time nothing is fetched.

use camino::{Utf8Path, Utf8PathBuf};
use fs_err as fs;
use tempfile::NamedTempFile;

use crate::model::hash::Hash;
use crate::states::checksum::{self, Checksum, Names};
use crate::states::disk::{self, Attributes};
use crate::states::source::{self as address, Picked};
use crate::states::web::redacted;
use crate::states::{Call, Failed};

/// Where archives from the web are kept, and the checksums of those that were unpacked.
const CACHE: &str = "/var/cache/upshift/archives";

/// An archive that is not at hand yet.
pub(super) struct Source {
    address: String,
    place: address::Source,
    checksum: Option<Checksum>,
    /// The checksum that it had when it was last unpacked.
    known: Option<String>,
}

/// An archive in a file of this host.
pub(super) struct Archive {
    path: Utf8PathBuf,
    /// Goes when the archive is no longer needed.
    _file: Option<NamedTempFile>,
    source: Source,
}

impl Source {
    pub(super) fn find(call: &Call<'_>, picked: &Picked) -> Result<Self, Failed> {
        let place = match address::Source::parse(&picked.address)? {
            address::Source::Local(path) => {
                let path = path.canonicalize_utf8().unwrap_or(path);
                if !path.is_file() {
                    return Err(format!("Source file '{path}' does not exist").into());
                }
                address::Source::Local(path)
            }
            place => place,
        };
        let entry = call.args.text("source_hash_name")?;
        let names = Names { entry: entry.as_deref(), source: Some(&picked.address), ..Names::default() };
        let given = picked.checksum.as_deref().filter(|given| !given.is_empty());
        let checksum = given.map(|given| call.host.checksum(given, names)).transpose()?;
        let known = fs::read_to_string(cached(&picked.address, "sum")).ok();
        Ok(Self { address: picked.address.clone(), place, checksum, known })
    }

    pub(super) fn is_local(&self) -> bool {
        matches!(self.place, address::Source::Local(_))
    }

    /// Whether the archive was unpacked before, with the checksum that it is to have.
    pub(super) fn is_known(&self) -> bool {
        self.checksum.as_ref().is_some_and(|wanted| self.known.as_deref() == Some(&line(wanted)))
    }

    /// The archive, as a file.
    pub(super) fn archive(self, call: &Call<'_>) -> Result<Archive, Failed> {
        let is_verified = !call.args.flag("skip_verify", false);
        let shown = redacted(&self.address);
        match &self.place {
            address::Source::Local(path) => Ok(Archive { path: path.clone(), _file: None, source: self }),
            address::Source::Formula(_) => {
                let content = call.host.content(&self.address)?;
                let wanted = self.checksum.as_ref().filter(|_| is_verified);
                if let Some(wanted) = wanted.filter(|wanted| !wanted.fits(&content)) {
                    return Err(unfit(&shown, wanted, &content));
                }
                let mut file = NamedTempFile::new()?;
                std::io::Write::write_all(&mut file, &content)?;
                Ok(Archive { path: utf8(file.path())?, _file: Some(file), source: self })
            }
            address::Source::Web(_) => {
                if is_verified && self.checksum.is_none() {
                    return Err(format!(
                        "Unable to verify upstream hash of source file {shown}, please set source_hash or set skip_verify \
                         or use_etag to True"
                    )
                    .into());
                }
                let path = cached(&self.address, "archive");
                let wanted = self.checksum.as_ref().filter(|_| is_verified);
                let kept = wanted.and_then(|wanted| Some(wanted.fits(&fs::read(&path).ok()?)));
                if kept != Some(true) {
                    let content = call.host.content(&self.address)?;
                    if let Some(wanted) = wanted.filter(|wanted| !wanted.fits(&content)) {
                        return Err(unfit(&shown, wanted, &content));
                    }
                    keep(&path, &content)?;
                }
                Ok(Archive { path, _file: None, source: self })
            }
        }
    }
}

impl Archive {
    pub(super) fn path(&self) -> &Utf8Path {
        &self.path
    }

    /// Whether it has another checksum than when it was last unpacked.
    pub(super) fn is_new(&self) -> bool {
        let Some(wanted) = &self.source.checksum else { return false };
        self.source.known.as_deref().is_some_and(|known| known != line(wanted))
    }

    /// Whether a file of this host is the one that is meant.
    pub(super) fn verify(&self, shown: &str) -> Result<(), Failed> {
        match &self.source.checksum {
            Some(wanted) if self.source.is_local() && !wanted.fits(&fs::read(&self.path)?) => {
                Err(format!("{shown} does not match the desired source_hash {}", wanted.digits).into())
            }
            _ => Ok(()),
        }
    }

    /// Notes the checksum, and drops what is not to be kept.
    pub(super) fn remember(&self, call: &Call<'_>) -> Result<(), Failed> {
        let is_noted = call.args.flag("source_hash_update", false) && !call.args.flag("skip_verify", false);
        if let Some(wanted) = self.source.checksum.as_ref().filter(|_| is_noted)
            && self.source.known.as_deref() != Some(&line(wanted))
        {
            keep(&cached(&self.source.address, "sum"), line(wanted).as_bytes())?;
        }
        let is_kept = call.args.flag("keep_source", call.args.flag("keep", true));
        if matches!(self.source.place, address::Source::Web(_)) && !is_kept {
            fs::remove_file(&self.path)?;
        }
        Ok(())
    }
}

fn line(sum: &Checksum) -> String {
    format!("{}:{}", sum.algorithm, sum.digits)
}

fn unfit(shown: &str, wanted: &Checksum, content: &[u8]) -> Failed {
    let found = checksum::of(wanted.algorithm, content);
    format!("the hash of {shown} ({found}) does not match the specified hash ({})", wanted.digits).into()
}

fn cached(address: &str, kind: &str) -> Utf8PathBuf {
    let name = Hash::of(address.as_bytes()).to_string();
    Utf8Path::new(CACHE).join(format!("{}.{kind}", &name[..32]))
}

/// Puts something into the cache, which nobody else may look into.
fn keep(path: &Utf8Path, content: &[u8]) -> Result<(), Failed> {
    if let Some(folder) = path.parent().filter(|folder| !folder.is_dir()) {
        let private = Attributes { mode: Some(0o700), ..Attributes::default() };
        disk::create_folder(folder, private, Attributes::default())?;
    }
    disk::replace(path, content, Attributes { mode: Some(0o600), ..Attributes::default() })?;
    Ok(())
}

fn utf8(path: &std::path::Path) -> Result<Utf8PathBuf, Failed> {
    Utf8PathBuf::from_path_buf(path.to_owned()).map_err(|path| format!("{} is not UTF-8", path.display()).into())
}
