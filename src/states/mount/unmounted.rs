//! `mount.unmounted`.

use super::active::Active;
use super::fstab::Table;
use super::kept::Kept;
use super::{config, device, point, unmount};
use crate::formula::Dict;
use crate::states::{Call, Failed, Return, disk};

pub(super) fn unmounted(call: &Call<'_>) -> Result<Return, Failed> {
    let args = &call.args;
    let (name, device, user) = (args.name()?, args.text("device")?, args.text("user")?);
    let name = point(&name);
    let place = disk::real(name);
    let (mut said, mut changes) = ("Target was already unmounted".to_owned(), Dict::default());
    if let Some(there) = Active::read()?.at(&place) {
        if call.preview {
            return Ok(Return::would(changes, format!("Mount point {name} is mounted but should not be")));
        }
        if let Some(wanted) = &device {
            let real = device::real(call.host, wanted);
            let is_it = |device: &String| *device == there.device || device::others(&there.device).contains(device);
            if !is_it(wanted) && !real.as_ref().is_some_and(is_it) {
                return Err(format!("{name} is mounted from {}, not from {wanted}", there.device).into());
            }
        }
        unmount(call.host, &place, user.as_deref(), false)?;
        "Target was successfully unmounted".clone_into(&mut said);
        changes.insert("umount", true);
        Kept::read(call.host).forget(&place).map_err(|failed| failed.after(changes.clone()))?;
    }
    if !args.flag("persist", false) {
        return Ok(Return::changed(changes, said));
    }
    let config = config(args)?;
    let mut table = Table::read_if_there(&config).map_err(|failed| failed.after(changes.clone()))?;
    let Some(line) = table.at(name.as_str()) else {
        return Ok(Return::changed(changes, said + ". fstab entry not found"));
    };
    if let Some(device) = device.as_deref().filter(|device| line.device() != *device) {
        return Ok(Return::changed(changes, format!("{said}. fstab entry for device {device} not found")));
    }
    if call.preview {
        let comment =
            format!("Mount point {name} is unmounted but needs to be purged from {config} to be made persistent");
        return Ok(Return::would(changes, comment));
    }
    table.remove(name.as_str(), device.as_deref());
    table.write(&config).map_err(|failed| failed.after(changes.clone()))?;
    changes.insert("persist", "purged");
    Ok(Return::changed(changes, said + ". Removed target from fstab"))
}
