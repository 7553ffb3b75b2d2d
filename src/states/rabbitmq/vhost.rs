//! `rabbitmq_vhost.present` and `rabbitmq_vhost.absent`.

use super::control::{Broker, field};
use crate::states::returns::old_new;
use crate::states::{Call, Failed, Return};

pub(super) fn present(call: &Call<'_>) -> Result<Return, Failed> {
    set(call, true, "already exists", "will be created")
}

pub(super) fn absent(call: &Call<'_>) -> Result<Return, Failed> {
    set(call, false, "is not present", "will be removed")
}

fn set(call: &Call<'_>, wanted: bool, is_so: &str, will_be: &str) -> Result<Return, Failed> {
    let (name, broker) = (call.args.name()?, Broker::of(call)?);
    let hosts = broker.list(&["list_vhosts"], &["name"])?;
    if hosts.iter().any(|row| field(row, "name") == name) == wanted {
        return Ok(Return::unchanged(format!("Virtual Host '{name}' {is_so}.")));
    }
    let (old, new) = if wanted { ("", name.as_str()) } else { (name.as_str(), "") };
    let changes = old_new(old, new).as_dict().cloned().unwrap_or_default();
    if call.preview {
        return Ok(Return::would(changes, format!("Virtual Host '{name}' {will_be}.")));
    }
    let said = broker.ask(&[if wanted { "add_vhost" } else { "delete_vhost" }, &name])?;
    Ok(Return::changed(changes, said))
}
