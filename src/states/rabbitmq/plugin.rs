//! `rabbitmq_plugin.enabled` and `rabbitmq_plugin.disabled`.

use super::control::Broker;
use crate::states::returns::old_new;
use crate::states::{Call, Failed, Return};

/// Where the broker keeps what was enabled by name; what these need besides is not in it.
const ENABLED: &str = "/etc/rabbitmq/enabled_plugins";

pub(super) fn set(call: &Call<'_>, wanted: bool) -> Result<Return, Failed> {
    let (name, broker) = (call.args.name()?, Broker::of(call)?);
    let error = |why: String| Failed::from(format!("Error: {why}"));
    let done = if wanted { "enabled" } else { "disabled" };
    if is_enabled(&broker, &name).map_err(error)? == wanted {
        return Ok(Return::unchanged(format!("Plugin '{name}' is already {done}.")));
    }
    let (old, new) = if wanted { ("", name.as_str()) } else { (name.as_str(), "") };
    let changes = old_new(old, new).as_dict().cloned().unwrap_or_default();
    if call.preview {
        return Ok(Return::would(changes, format!("Plugin '{name}' is set to be {done}.")));
    }
    broker.plugins(&[if wanted { "enable" } else { "disable" }, &name]).map_err(error)?;
    Ok(Return::changed(changes, format!("Plugin '{name}' was {done}.")))
}

fn is_enabled(broker: &Broker<'_>, name: &str) -> Result<bool, String> {
    let file = fs_err::read_to_string(ENABLED).unwrap_or_default();
    if is_listed(&file, name) {
        return Ok(true);
    }
    Ok(broker.plugins(&["list", "-m", "-e"])?.split_whitespace().any(|plugin| plugin == name))
}

/// Whether a list of Erlang such as `[rabbitmq_management,rabbitmq_shovel].` has a name.
fn is_listed(file: &str, name: &str) -> bool {
    let lines = file.lines().filter(|line| !line.trim_start().starts_with('%'));
    lines.flat_map(|line| line.split(['[', ']', ',', '.', ' '])).any(|plugin| plugin.trim_matches('\'') == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_plugins_is_read_without_the_broker() {
        assert!(is_listed("[rabbitmq_management,rabbitmq_shovel].\n", "rabbitmq_shovel"));
        assert!(!is_listed("[rabbitmq_management].\n", "rabbitmq") && !is_listed("% [a].\n", "a"));
    }
}
