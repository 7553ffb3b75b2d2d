//! Salt rosters: the hosts of `salt-ssh`, from the flat file that it reads.
//!
//! What the roster does not say is as Salt's documentation has it: the user is root, and no other user
//! becomes root without `sudo: True`.

use indexmap::IndexMap;
use serde_json::Value;

use crate::config::inventory::check;
use crate::config::source::{self, Source};
use crate::config::yaml::{Content, Entry, Node};
use crate::error::{Error, Result};
use crate::model::inventory::{Host, Inventory, Login, Ssh, Transport};
use crate::model::{Place, pattern};

/// What upshift takes for itself; all else is a variable.
const TAKEN: [&str; 12] = [
    "host",
    "user",
    "port",
    "priv",
    "sudo",
    "sudo_user",
    "ssh_options",
    "identities_only",
    "passwd",
    "priv_passwd",
    "winrm",
    "tty",
];

/// Whether an entry looks like a host: an address, or a mapping that only a host has.
pub(super) fn is_host(entry: &Entry) -> bool {
    entry.value.text().is_some() || ["host", "user", "priv"].iter().any(|key| entry.value.get(key).is_some())
}

/// Refuses a file that has to be rendered before it is YAML.
pub(super) fn no_templates(source: &Source) -> Result<()> {
    for (number, line) in source.text().lines().enumerate() {
        if line.trim_start().starts_with("{%") || line.trim_start().starts_with("{#") {
            let column = line.chars().take_while(|c| c.is_whitespace()).count() + 1;
            return Err(template(&source.place_at(number + 1, column)));
        }
    }
    Ok(())
}

/// The error of a roster that Salt renders before it reads it.
fn template(place: &Place) -> Error {
    let hint = format!(
        "`salt-call --local --out=newline_values_only slsutil.renderer $PWD/{} default_renderer=jinja > roster.yaml` \
         writes down what it says now",
        place.file
    );
    let hint = if place.file.starts_with('/') { hint.replace("$PWD/", "") } else { hint };
    source::error(place, "this is a Jinja template, and upshift does not render inventories").hint(hint)
}

/// Reads a roster.
pub(super) fn parse(source: &Source, entries: &[Entry]) -> Result<Inventory> {
    let mut hosts = IndexMap::with_capacity(entries.len());
    for entry in entries {
        let host = host(entry)?;
        hosts.insert(entry.key.clone(), host);
        if hosts.len() > pattern::MAX_HOSTS {
            return Err(source::error(&entry.place, format!("more than {} hosts", pattern::MAX_HOSTS)));
        }
    }
    let groups = IndexMap::new();
    Ok(Inventory { file: source.file().to_owned(), ssh: Ssh::default(), controller: Host::controller(), hosts, groups })
}

fn host(entry: &Entry) -> Result<Host> {
    let name = &entry.key;
    check(name).map_err(|why| {
        source::error(&entry.place, why).hint("name the host otherwise, and give its address as `host`")
    })?;
    let fields = Fields { name, entry };
    fields.refuse()?;
    let address = match &entry.value.content {
        Content::Map(_) => fields.line("host")?.unwrap_or_else(|| name.clone()),
        _ => fields.one_line("host", &entry.value)?,
    };
    // Salt takes the brackets of an IPv6 address off.
    let address = address.trim_matches(['[', ']']).to_owned();
    let user = fields.line("user")?.unwrap_or_else(|| "root".into());
    let others = entry.value.map().unwrap_or_default().iter().filter(|field| !TAKEN.contains(&field.key.as_str()));
    let vars = others.map(|field| {
        let value =
            field.value.json().map_err(|place| source::error(&place, "a value of ansible-vault in a Salt roster"))?;
        Ok((field.key.clone(), value))
    });
    let vars: IndexMap<String, Value> = vars.collect::<Result<_>>()?;
    let rack = match vars.get("rack") {
        Some(Value::String(rack)) if !rack.is_empty() => Some(rack.clone()),
        Some(Value::Number(rack)) => Some(rack.to_string()),
        _ => None,
    };
    let login = Login { user: Some(user), ..fields.login()? };
    Ok(Host { name: name.clone(), address, transport: Transport::Ssh, login, rack, vars, ..Host::controller() })
}

struct Fields<'r> {
    name: &'r str,
    entry: &'r Entry,
}

impl<'r> Fields<'r> {
    /// A field that is set.
    fn get(&self, key: &str) -> Option<&'r Node> {
        self.entry.value.get(key).filter(|value| !value.is_null())
    }

    fn error(&self, key: &str, value: &Node, message: impl std::fmt::Display) -> Error {
        value.error(format!("`{key}` of `{}`: {message}", self.name))
    }

    /// Refuses what upshift cannot do as the roster says.
    fn refuse(&self) -> Result<()> {
        if self.entry.value.map().is_none() && self.entry.value.text().is_none() {
            let message =
                format!("the host `{}`: wanted its address or a mapping, found {}", self.name, self.entry.value.kind());
            return Err(self.entry.value.error(message).hint(format!("write `{}: {{host: ADDRESS}}`", self.name)));
        }
        for key in ["passwd", "priv_passwd"] {
            if let Some(value) = self.get(key).filter(|value| value.text() != Some("")) {
                let error = self.error(key, value, "upshift logs in with keys and takes no passwords");
                return Err(
                    error.hint(format!("leave `{key}` out, and give upshift a key: `priv`, an agent, or `ssh_config`"))
                );
            }
        }
        if let Some(value) = self.get("winrm")
            && self.flag("winrm")? == Some(true)
        {
            return Err(self.error("winrm", value, "upshift reaches hosts over SSH"));
        }
        if let (Some(value), Some(user)) = (self.get("sudo_user"), self.line("sudo_user")?)
            && user != "root"
        {
            return Err(self.error("sudo_user", value, format!("upshift becomes `root`, found `{user}`")));
        }
        Ok(())
    }

    fn line(&self, key: &str) -> Result<Option<String>> {
        self.get(key).map(|value| self.one_line(key, value)).transpose()
    }

    fn one_line(&self, key: &str, value: &Node) -> Result<String> {
        let text =
            value.text().ok_or_else(|| self.error(key, value, format!("wanted text, found {}", value.kind())))?;
        if text.contains("{{") || text.contains("{%") {
            return Err(template(&value.place));
        }
        if text.starts_with("sdb://") {
            return Err(self.error(key, value, "only Salt can look up what `sdb://` stands for"));
        }
        let is_word = key != "host" || !text.contains(char::is_whitespace);
        if text.is_empty() || text.starts_with('-') || text.chars().any(char::is_control) || !is_word {
            return Err(self.error(key, value, "wanted one line of text that does not begin with `-`"));
        }
        Ok(text.to_owned())
    }

    fn flag(&self, key: &str) -> Result<Option<bool>> {
        let Some(value) = self.get(key) else { return Ok(None) };
        match &value.content {
            Content::Scalar(Value::Bool(flag)) => Ok(Some(*flag)),
            _ => Err(self.error(key, value, format!("wanted `True` or `False`, found {}", value.kind()))),
        }
    }

    fn login(&self) -> Result<Login> {
        let mut login = Login { r#become: self.flag("sudo")?.unwrap_or(false), ..Login::default() };
        if let Some(value) = self.get("port") {
            let port = match &value.content {
                Content::Scalar(Value::String(text)) => text.parse().ok(),
                Content::Scalar(number) => number.as_u64().and_then(|port| u16::try_from(port).ok()),
                _ => None,
            };
            let port = port.filter(|port| *port > 0);
            login.port = Some(port.ok_or_else(|| self.error("port", value, "wanted a port from 1 to 65535"))?);
        }
        // With this word, Salt uses no key of its own.
        login.key = self.line("priv")?.filter(|key| key != "agent-forwarding").map(Into::into);
        if self.flag("identities_only")? == Some(true) {
            login.options.push("IdentitiesOnly=yes".into());
        }
        let Some(value) = self.get("ssh_options") else { return Ok(login) };
        let Content::List(items) = &value.content else {
            return Err(self.error("ssh_options", value, format!("wanted a list, found {}", value.kind())));
        };
        for item in items {
            let option = self.one_line("ssh_options", item)?;
            if !option.contains(['=', ' ']) {
                let message = format!("wanted an option such as `ProxyJump=bastion`, found `{option}`");
                return Err(self.error("ssh_options", item, message));
            }
            login.options.push(option);
        }
        Ok(login)
    }
}
