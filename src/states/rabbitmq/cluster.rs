//! `rabbitmq_cluster.joined`.

use super::control::Broker;
use crate::states::returns::old_new;
use crate::states::{Call, Failed, Return};

pub(super) fn joined(call: &Call<'_>) -> Result<Return, Failed> {
    let user = call.args.text("user")?.unwrap_or_else(|| "rabbit".into());
    let node = format!("{user}@{}", call.args.required("host")?);
    let broker = Broker::of(call)?;
    if is_in(&broker.ask(&["cluster_status"])?, &node) {
        return Ok(Return::unchanged("Already in cluster"));
    }
    let changes = old_new("", node.as_str()).as_dict().cloned().unwrap_or_default();
    if call.preview {
        return Ok(Return::would(changes, format!("Node is set to join cluster {node}")));
    }
    let ram: &[&str] = if call.args.flag("ram_node", false) { &["--ram"] } else { &[] };
    broker.ask(&["stop_app"])?;
    let joined = broker.ask(&[&["join_cluster"], ram, &[&node]].concat());
    // Whatever became of it, the node has to serve again.
    let started = broker.ask(&["start_app"]);
    let said = joined?;
    started.map_err(|why| Failed::from(why).after(changes.clone()))?;
    Ok(Return::changed(changes, said))
}

/// Whether a status names a node, and not only one whose name begins with it.
fn is_in(status: &str, node: &str) -> bool {
    let is_part = |char: char| char.is_ascii_alphanumeric() || "@._-".contains(char);
    status.split(|char| !is_part(char)).any(|word| word == node)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_not_one_whose_name_is_longer() {
        let status = "[{nodes,[{disc,['rabbit@ctl01','rabbit@ctl02.local']}]}]";
        assert!(is_in(status, "rabbit@ctl01") && !is_in(status, "rabbit@ctl0") && !is_in(status, "rabbit@ctl02"));
    }
}
