//! The functions that only the host can answer.

use minijinja::{Error, ErrorKind, Value};

use super::super::Context;
use super::super::value::{from_data, to_data};
use super::arguments::{split, wrong};
use crate::formula::facts::{Call, HOST_FUNCTIONS, Refusal};

/// The modules of Salt's whose functions ask the host or something it can reach. A function of any other module is
/// one that nobody has.
const MODULES: &[&str] = &[
    "acme",
    "aliases",
    "alternatives",
    "apache",
    "apt",
    "aptly",
    "archive",
    "at",
    "augeas",
    "blockdev",
    "bridge",
    "btrfs",
    "ceph",
    "chroot",
    "cmd",
    "composer",
    "consul",
    "cp",
    "cron",
    "cryptdev",
    "data",
    "debconf",
    "dig",
    "disk",
    "dnsmasq",
    "dnsutil",
    "docker",
    "elasticsearch",
    "environ",
    "ethtool",
    "etcd",
    "event",
    "extfs",
    "file",
    "firewalld",
    "freezer",
    "gem",
    "git",
    "glusterfs",
    "gpg",
    "group",
    "grub",
    "haproxy",
    "hashutil",
    "helm",
    "hg",
    "hosts",
    "http",
    "icinga2",
    "incron",
    "influxdb",
    "ini",
    "introspect",
    "ip",
    "ipmi",
    "ipset",
    "iptables",
    "iwtools",
    "jenkins",
    "kernelpkg",
    "key",
    "keyboard",
    "keystone",
    "kmod",
    "kubernetes",
    "ldap",
    "ldap3",
    "linux_acl",
    "locale",
    "locate",
    "logrotate",
    "lowpkg",
    "lvm",
    "lvs",
    "lxc",
    "lxd",
    "mdadm",
    "mdata",
    "memcached",
    "mine",
    "minion",
    "monit",
    "mongodb",
    "mount",
    "munin",
    "mysql",
    "nacl",
    "netplan",
    "network",
    "nfs3",
    "nftables",
    "nginx",
    "nova",
    "npm",
    "nspawn",
    "openscap",
    "openvswitch",
    "out",
    "pam",
    "parallels",
    "partition",
    "pecl",
    "pip",
    "pkg",
    "pkg_resource",
    "postfix",
    "postgres",
    "proxy",
    "ps",
    "publish",
    "puppet",
    "pyenv",
    "qemu_img",
    "quota",
    "rabbitmq",
    "raid",
    "rbenv",
    "redis",
    "restartcheck",
    "ret",
    "rsync",
    "runit",
    "rvm",
    "s3",
    "saltutil",
    "schedule",
    "sdb",
    "seed",
    "selinux",
    "sensors",
    "service",
    "shadow",
    "smbios",
    "smtp",
    "snapper",
    "solr",
    "sqlite3",
    "ssh",
    "state",
    "status",
    "supervisord",
    "svn",
    "swarm",
    "swift",
    "sysctl",
    "sysfs",
    "sysrc",
    "system",
    "systemd",
    "tags",
    "temp",
    "timezone",
    "tls",
    "tomcat",
    "tuned",
    "udev",
    "uptime",
    "user",
    "uwsgi",
    "vault",
    "virt",
    "virtualenv",
    "x509",
    "xfs",
    "xml",
    "zabbix",
    "zfs",
    "zookeeper",
    "zpool",
];

/// Whether a function is one that a host can answer.
pub(super) fn is_known(name: &str) -> bool {
    name.split_once('.').is_some_and(|(module, function)| MODULES.contains(&module) && !function.is_empty())
}

/// The functions that upshift itself answers on a host, to suggest one.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    HOST_FUNCTIONS.iter().copied()
}

/// The host's answer to a call.
pub(super) fn ask(context: &Context, name: &str, args: &[Value]) -> Result<Value, Error> {
    let call = as_call(name, args)?;
    match context.facts.answer(&call) {
        Ok(answer) => Ok(from_data(&answer)),
        Err(Refusal::Failed(message)) => Err(wrong(message)),
        Err(Refusal::NotRecorded) if is_known(name) => Err(Error::new(
            ErrorKind::InvalidOperation,
            format!("no answer to {call} is recorded; record it as {}", call.as_record()),
        )),
        Err(Refusal::Unknown) if is_known(name) => Err(Error::new(
            ErrorKind::UnknownFunction,
            format!("upshift does not answer `{name}`{}", super::nearest(name)),
        )),
        Err(Refusal::Unknown | Refusal::NotRecorded) => Err(super::unknown(context, name)),
    }
}

/// The answer that the facts have to a call of a function that can also be answered here.
pub(super) fn recorded(context: &Context, name: &str, args: &[Value]) -> Result<Option<Value>, Error> {
    match context.facts.answer(&as_call(name, args)?) {
        Ok(answer) => Ok(Some(from_data(&answer))),
        Err(Refusal::Failed(message)) => Err(wrong(message)),
        Err(Refusal::Unknown | Refusal::NotRecorded) => Ok(None),
    }
}

fn as_call(name: &str, args: &[Value]) -> Result<Call, Error> {
    let (positional, named) = split(args);
    let args = positional.iter().map(to_data).collect::<Result<_, _>>()?;
    let kwargs = named.into_iter().map(|(key, value)| Ok((key, to_data(&value)?))).collect::<Result<_, Error>>()?;
    Ok(Call { function: name.to_owned(), args, kwargs })
}
