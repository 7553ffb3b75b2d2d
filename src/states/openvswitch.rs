//! `openvswitch_bridge.*` and `openvswitch_port.*`: bridges and ports of Open vSwitch, by way of `ovs-vsctl(8)`.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::formula::Dict;
use crate::states::returns::{dict, old_new};
use crate::states::{Args, Call, Command, Failed, Function, Return};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("openvswitch_bridge.present", bridge_present).takes(&["parent", "vlan"]).checks(|args| {
        if args.get("parent").is_some() == args.get("vlan").is_some() {
            Ok(())
        } else {
            Err("a bridge within a bridge needs both `parent` and `vlan`".to_owned())
        }
    }),
    Function::new("openvswitch_bridge.absent", bridge_absent),
    Function::new("openvswitch_port.present", port_present)
        .requires(&["bridge"])
        .takes(&["dst_port", "id", "internal", "remote", "tunnel_type"])
        .checks(|args| Tunnel::of(args).map(drop).map_err(|failed| failed.comment)),
    Function::new("openvswitch_port.absent", port_absent).takes(&["bridge"]),
];

/// How many seconds the switch may take. Without a limit, `ovs-vsctl` waits for one that does not run.
const PATIENCE: &str = "--timeout=60";

fn ask(call: &Call<'_>, arguments: &[&str]) -> Result<String, String> {
    let command = Command::new("ovs-vsctl", [&[PATIENCE], arguments].concat()).quiet();
    let output = call.host.run(command).map_err(|failed| failed.comment)?;
    if output.is_success() { Ok(output.stdout.trim().to_owned()) } else { Err(output.why()) }
}

fn lines(call: &Call<'_>, arguments: &[&str]) -> Result<Vec<String>, String> {
    Ok(ask(call, arguments)?.lines().map(|line| line.trim().to_owned()).collect())
}

fn has_bridge(call: &Call<'_>, name: &str) -> Result<bool, String> {
    Ok(lines(call, &["list-br"])?.iter().any(|bridge| bridge == name))
}

/// What a change is called where one thing is in the place of another.
fn change(name: &str, old: String, new: String) -> Dict {
    dict([(name, old_new(old, new))])
}

fn bridge_present(call: &Call<'_>) -> Result<Return, Failed> {
    let (name, parent, vlan) = (call.args.name()?, call.args.text("parent")?, call.args.text("vlan")?);
    if has_bridge(call, &name)? {
        let there = ask(call, &["br-to-parent", &name])?;
        let tag = ask(call, &["br-to-vlan", &name])?;
        let is_so = Some(there).filter(|there| *there != name) == parent && Some(tag).filter(|tag| tag != "0") == vlan;
        return if is_so {
            Ok(Return::unchanged(format!("Bridge {name} already exists.")))
        } else {
            Err(format!("Bridge {name} already exists, but has a different parent or VLAN ID.").into())
        };
    }
    let comment = format!("Bridge {name} created.");
    if call.preview {
        return Ok(Return::would(Dict::default(), comment));
    }
    let mut arguments = vec!["--may-exist", "add-br", &name];
    arguments.extend(parent.as_deref());
    arguments.extend(vlan.as_deref());
    ask(call, &arguments).map_err(|why| format!("Unable to create bridge: {name}. {why}"))?;
    let changes = change(&name, format!("Bridge {name} does not exist."), format!("Bridge {name} created"));
    Ok(Return::changed(changes, comment))
}

fn bridge_absent(call: &Call<'_>) -> Result<Return, Failed> {
    let name = call.args.name()?;
    if !has_bridge(call, &name)? {
        return Ok(Return::unchanged(format!("Bridge {name} does not exist.")));
    }
    let comment = format!("Bridge {name} deleted.");
    if call.preview {
        return Ok(Return::would(Dict::default(), comment));
    }
    ask(call, &["--if-exists", "del-br", &name]).map_err(|why| format!("Unable to delete bridge: {name}. {why}"))?;
    Ok(Return::changed(change(&name, format!("Bridge {name} exists."), comment.clone()), comment))
}

/// What a port leads to.
#[derive(Debug, PartialEq)]
enum Tunnel {
    None,
    Vlan(u16),
    /// `gre` or `vxlan`, the options of its interface, and what is said of its port number.
    To {
        kind: &'static str,
        options: BTreeMap<&'static str, String>,
        place: String,
    },
}

impl Tunnel {
    fn of(args: &Args<'_>) -> Result<Self, Failed> {
        let Some(kind) = args.text("tunnel_type")?.filter(|kind| !kind.is_empty()) else { return Ok(Self::None) };
        let number = args.number("id")?.ok_or("a tunnel needs the argument `id`")?;
        if kind == "vlan" {
            let id = u16::try_from(number).ok().filter(|id| *id <= 4095);
            return id.map(Self::Vlan).ok_or_else(|| "VLANs id must be between 0 and 4095.".into());
        }
        let (kind, is_id) = match kind.as_str() {
            "gre" => ("gre", u32::try_from(number).is_ok()),
            "vxlan" => ("vxlan", number >= 0),
            _ => return Err("`tunnel_type` has to be one of vlan, vxlan, gre".into()),
        };
        if !is_id {
            let bits = if kind == "gre" { 32 } else { 64 };
            return Err(format!("Id of {} tunnel must be an unsigned {bits}-bit integer.", kind.to_uppercase()).into());
        }
        let remote = args.text("remote")?.filter(|remote| remote.parse::<IpAddr>().is_ok());
        let remote = remote.ok_or("Remote is not valid ip address.")?;
        let mut options = BTreeMap::from([("key", number.to_string()), ("remote_ip", remote)]);
        let port = args.number("dst_port")?.filter(|port| kind == "vxlan" && (1..=65535).contains(port));
        let place = port.map(|port| format!(" (dst_port{port})")).unwrap_or_default();
        options.extend(port.map(|port| ("dst_port", port.to_string())));
        Ok(Self::To { kind, options, place })
    }
}

fn port_present(call: &Call<'_>) -> Result<Return, Failed> {
    let args = &call.args;
    let (name, bridge, tunnel) = (args.name()?, args.required("bridge")?, Tunnel::of(args)?);
    if !has_bridge(call, &bridge)? {
        let comment = format!("Bridge {bridge} does not exist.");
        // An earlier state would have made the bridge.
        return if call.preview { Ok(Return::would(Dict::default(), comment)) } else { Err(comment.into()) };
    }
    let is_there = lines(call, &["list-ports", &bridge])?.contains(&name);
    let internal = args.flag("internal", false);
    match tunnel {
        Tunnel::None => plain(call, &name, &bridge, is_there, internal),
        Tunnel::Vlan(id) => vlan(call, &name, &bridge, is_there, id, internal),
        Tunnel::To { kind, options, place } => {
            let there = is_there
                && ask(call, &["get", "interface", &name, "type"])? == kind
                && same(&ask(call, &["get", "interface", &name, "options"])?, &options);
            let (title, remote, key) = (kind.to_uppercase(), &options["remote_ip"], &options["key"]);
            let end = format!("on bridge {bridge}{place}");
            if there {
                let what = format!("{title} tunnel interface {name} with rempte ip {remote} and key {key}");
                return Ok(Return::unchanged(format!("{what} already exists {end}.")));
            }
            let what = format!("{title} tunnel interface {name} with remote ip {remote}");
            let comment = format!("Created {what}  and key {key} {end}.");
            let changes = change(
                &name,
                format!("No {what} and key {key} {end} present."),
                format!("Created {what} and key {key} {end}."),
            );
            let kind = format!("type={kind}");
            let mut arguments = if is_there { Vec::new() } else { vec!["add-port", &bridge, &name, "--"] };
            arguments.extend(["set", "interface", &name, &kind]);
            let options: Vec<_> = options.iter().map(|(key, value)| format!("options:{key}={value}")).collect();
            arguments.extend(options.iter().map(String::as_str));
            let failed = format!("Unable to create {what} and key {key} {end}.");
            create(call, &arguments, changes, comment, &failed)
        }
    }
}

fn plain(call: &Call<'_>, name: &str, bridge: &str, is_there: bool, internal: bool) -> Result<Return, Failed> {
    let kind = ["--", "set", "interface", name, "type=internal"];
    if !is_there {
        let changes =
            change(name, format!("No port named {name} present."), format!("Created port {name} on bridge {bridge}."));
        let mut arguments = vec!["add-port", bridge, name];
        arguments.extend(kind.into_iter().filter(|_| internal));
        let failed = format!("Unable to create port {name} on bridge {bridge}.");
        return create(call, &arguments, changes, format!("Port {name} created on bridge {bridge}."), &failed);
    }
    if !internal || ask(call, &["get", "interface", name, "type"])? == "internal" {
        return Ok(Return::unchanged(format!("Port {name} already exists.")));
    }
    let changes = dict([("internal", old_new(false, true))]);
    let comment = format!("Port {name} already exists, but interface type has been changed to internal.");
    let failed = format!("Port {name} already exists, but the interface type could not be changed to internal.");
    create(call, &kind[1..], changes, comment, &failed)
}

fn vlan(call: &Call<'_>, name: &str, bridge: &str, is_there: bool, id: u16, internal: bool) -> Result<Return, Failed> {
    if !internal && !std::path::Path::new("/sys/class/net").join(name).exists() {
        return Err(format!("Could not find network interface {name}.").into());
    }
    let what = format!("port {name} with access to VLAN {id}");
    let tag = format!("tag={id}");
    if is_there && ask(call, &["get", "port", name, "tag"])? == id.to_string() {
        let comment = format!("Port {name} with access to VLAN {id} already exists on bridge {bridge}.");
        return Ok(Return::unchanged(comment));
    }
    let changes = change(
        name,
        format!("No port named {name} with access to VLAN {id} present on bridge {bridge} present."),
        format!("Created {what} on bridge {bridge}."),
    );
    let mut arguments = if is_there { vec!["set", "port", name, &tag] } else { vec!["add-port", bridge, name, &tag] };
    if internal {
        arguments.extend(["--", "set", "interface", name, "type=internal"]);
    }
    let failed = format!("Unable to create {what} on bridge {bridge}.");
    create(call, &arguments, changes, format!("Created {what} on bridge {bridge}."), &failed)
}

fn create(call: &Call<'_>, arguments: &[&str], changes: Dict, comment: String, failed: &str) -> Result<Return, Failed> {
    if call.preview {
        return Ok(Return::would(Dict::default(), comment));
    }
    ask(call, arguments).map_err(|why| format!("{failed} {why}"))?;
    Ok(Return::changed(changes, comment))
}

fn port_absent(call: &Call<'_>) -> Result<Return, Failed> {
    let (name, bridge) = (call.args.name()?, call.args.text("bridge")?.filter(|bridge| !bridge.is_empty()));
    if let Some(bridge) = &bridge {
        if !has_bridge(call, bridge)? {
            let comment = format!("Bridge {bridge} does not exist.");
            return if call.preview { Ok(Return::would(Dict::default(), comment)) } else { Err(comment.into()) };
        }
        if !lines(call, &["list-ports", bridge])?.contains(&name) {
            return Ok(Return::unchanged(format!("Port {name} does not exist on bridge {bridge}.")));
        }
    } else if ask(call, &["port-to-br", &name]).is_err() {
        // Whether there is no such port or no switch, the one or the other question says it.
        ask(call, &["list-br"])?;
        return Ok(Return::unchanged(format!("Port {name} does not exist on any bridge.")));
    }
    let comment = format!("Port {name} deleted.");
    if call.preview {
        return Ok(Return::would(Dict::default(), comment));
    }
    let mut arguments = vec!["--if-exists", "del-port"];
    arguments.extend(bridge.as_deref());
    arguments.push(&name);
    ask(call, &arguments).map_err(|why| format!("Unable to delete port {name}. {why}"))?;
    let changes = change(&name, format!("Port named {name} may exist."), format!("Deleted port {name}."));
    Ok(Return::changed(changes, comment))
}

/// Whether the switch says of an interface what is wanted: `{key="5", remote_ip="192.0.2.1"}`.
fn same(said: &str, wanted: &BTreeMap<&'static str, String>) -> bool {
    let inner = said.trim_start_matches('{').trim_end_matches('}');
    let pairs = inner.split(", ").filter_map(|pair| pair.split_once('='));
    let there: BTreeMap<&str, String> = pairs.map(|(key, value)| (key, value.trim_matches('"').to_owned())).collect();
    there == *wanted
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formula::Data;

    fn tunnel(entries: &[(&str, Data)]) -> Result<Tunnel, Failed> {
        Tunnel::of(&Args::new(&dict(entries.iter().cloned())))
    }

    #[test]
    fn an_interface_is_compared_by_its_options() {
        let vxlan = [
            ("tunnel_type", "vxlan".into()),
            ("id", 5_i64.into()),
            ("remote", "192.0.2.1".into()),
            ("dst_port", 4789_i64.into()),
        ];
        let Tunnel::To { options, place, .. } = tunnel(&vxlan).unwrap() else { panic!() };
        assert_eq!(place, " (dst_port4789)");
        assert!(same("{dst_port=\"4789\", key=\"5\", remote_ip=\"192.0.2.1\"}", &options));
        assert!(!same("{key=\"5\", remote_ip=\"192.0.2.1\"}", &options) && !same("{}", &options));
    }

    #[test]
    fn a_tunnel_that_cannot_be_is_refused() {
        let refused = |kind: &str, id: i64, remote: &str| {
            let entries = [("tunnel_type", kind.into()), ("id", id.into()), ("remote", remote.into())];
            tunnel(&entries).unwrap_err().comment
        };
        assert_eq!(refused("vlan", 4096, ""), "VLANs id must be between 0 and 4095.");
        assert_eq!(refused("gre", 1, "here"), "Remote is not valid ip address.");
        assert_eq!(refused("gre", 1 << 33, "::1"), "Id of GRE tunnel must be an unsigned 32-bit integer.");
        assert!(refused("geneve", 1, "::1").contains("vlan, vxlan, gre"));
    }
}
