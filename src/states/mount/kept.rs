//! The options that file systems were mounted with, where Salt keeps them: the kernel does not tell that one is no longer wanted.

use camino::{Utf8Path, Utf8PathBuf};
use fs_err as fs;

use crate::formula::yaml::{self, Layout, Mappings};
use crate::formula::{Data, Dict};
use crate::states::arguments::text;
use crate::states::disk::{self, Attributes};
use crate::states::returns::dict;
use crate::states::{Failed, Host};

/// The file for what was mounted.
pub(super) struct Kept {
    path: Utf8PathBuf,
    mounts: Dict,
}

impl Kept {
    /// What is known; nothing where there is no such file, or no sense in it.
    pub(super) fn read(host: &Host<'_>) -> Self {
        let folder = host.formula.option("cachedir").as_ref().and_then(text);
        let path = Utf8Path::new(folder.as_deref().unwrap_or("/var/cache/salt/minion")).join("mounts");
        let text = fs::read_to_string(&path).unwrap_or_default();
        let known = yaml::load(&text, Mappings::Plain).unwrap_or_default();
        let mounts = known.get("mounts").and_then(Data::as_dict).cloned().unwrap_or_default();
        Self { path, mounts }
    }

    /// The options that a mount was made with.
    pub(super) fn options(&self, point: &Utf8Path) -> Option<Vec<String>> {
        let options = self.mounts.get(point.as_str())?.get("opts")?.as_list()?;
        Some(options.iter().filter_map(text).collect())
    }

    /// Keeps what a mount was made with. Passwords may be in it, so that nobody else may read it.
    pub(super) fn keep(mut self, wanted: &super::Wanted<'_>, makes_point: bool) -> Result<(), Failed> {
        let options: Data = wanted.options.iter().map(|option| Data::from(option.as_str())).collect();
        let entry = dict([
            ("device", wanted.device.into()),
            ("fstype", wanted.fstype.into()),
            ("mkmnt", makes_point.into()),
            ("opts", options),
        ]);
        let entry = Data::from(entry);
        if self.mounts.insert(wanted.point.as_str(), entry.clone()).as_ref() == Some(&entry) {
            return Ok(());
        }
        self.write()
    }

    /// Forgets a mount.
    pub(super) fn forget(mut self, point: &Utf8Path) -> Result<(), Failed> {
        if self.mounts.remove(point.as_str()).is_some() { self.write() } else { Ok(()) }
    }

    fn write(self) -> Result<(), Failed> {
        if let Some(folder) = self.path.parent().filter(|folder| !folder.is_dir()) {
            disk::create_folder(folder, Attributes::default(), Attributes::default())?;
        }
        let text = yaml::dump(&dict([("mounts", self.mounts.into())]).into(), &Layout::default());
        let closed = Attributes { mode: Some(0o600), ..Attributes::default() };
        Ok(disk::replace(&self.path, text.as_bytes(), closed)?)
    }
}
