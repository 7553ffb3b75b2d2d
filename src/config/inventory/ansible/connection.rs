//! How upshift reaches a host, by the variables that say it to Ansible.
//!
//! What upshift cannot do as the inventory says is an error, and never left out. The value of a
//! password is never shown.

use camino::Utf8PathBuf;
use serde_json::Value;

use crate::config::inventory::ansible::data::Given;
use crate::config::inventory::ansible::fold::Layer;
use crate::config::inventory::ansible::words;
use crate::config::inventory::ssh_args;
use crate::config::source;
use crate::config::syntax::shorten;
use crate::error::{Error, Result};
use crate::model::Place;
use crate::model::inventory::{Host, Login, Transport};

/// Variables that hold a password or key, which upshift has no use for.
const SECRETS: [&str; 13] = [
    "ansible_password",
    "ansible_pass",
    "ansible_ssh_pass",
    "ansible_ssh_password",
    "ansible_become_password",
    "ansible_become_pass",
    "ansible_sudo_pass",
    "ansible_su_pass",
    "ansible_sshpass_prompt",
    "ansible_private_key",
    "ansible_ssh_private_key",
    "ansible_private_key_passphrase",
    "ansible_ssh_private_key_passphrase",
];

/// Variables that say how a host is reached, and that upshift takes for itself. Of several on a line,
/// the last one that is set counts.
const ADDRESS: [&str; 2] = ["ansible_host", "ansible_ssh_host"];
const PORT: [&str; 2] = ["ansible_port", "ansible_ssh_port"];
const USER: [&str; 2] = ["ansible_user", "ansible_ssh_user"];
const KEY: [&str; 2] = ["ansible_private_key_file", "ansible_ssh_private_key_file"];
const HOST_KEYS: [&str; 2] = ["ansible_host_key_checking", "ansible_ssh_host_key_checking"];
const BECOME: [&str; 1] = ["ansible_become"];
const METHOD: [&str; 1] = ["ansible_become_method"];
const BECOME_USER: [&str; 2] = ["ansible_become_user", "ansible_sudo_user"];
const BECOME_EXE: [&str; 2] = ["ansible_become_exe", "ansible_sudo_exe"];
const CONNECTION: [&str; 1] = ["ansible_connection"];
const PROGRAM: [&str; 1] = ["ansible_ssh_executable"];

/// Options for `ssh`, in the order in which Ansible hands them over.
const BEFORE: &str = "ansible_ssh_args";
const AFTER: [&str; 2] = ["ansible_ssh_common_args", "ansible_ssh_extra_args"];

/// A host, as all that it was given has it.
pub(super) fn host(name: &str, place: &Place, vars: &Layer<'_>) -> Result<Host> {
    let vars = Variables { host: name, vars };
    let transport = vars.transport()?;
    vars.no_secrets()?;
    let rack = match vars.vars.get("rack").map(|given| &given.value) {
        Some(Value::String(rack)) if !rack.is_empty() => Some(rack.clone()),
        Some(Value::Number(rack)) => Some(rack.to_string()),
        _ => None,
    };
    let address = vars.line(&ADDRESS)?.map_or(name, |(_, address)| address);
    if address.contains(char::is_whitespace) || address.starts_with('-') {
        let place = vars.find(&ADDRESS).map_or(place, |(_, given)| &given.place);
        return Err(source::error(place, format!("`ansible_host` of `{name}`: wanted an address or a host name")));
    }
    let own = |name: &str| {
        let taken = [
            &ADDRESS[..],
            &PORT,
            &USER,
            &KEY,
            &HOST_KEYS,
            &BECOME,
            &METHOD,
            &BECOME_USER,
            &BECOME_EXE,
            &CONNECTION,
            &PROGRAM,
            &AFTER,
        ];
        name == BEFORE || SECRETS.contains(&name) || taken.iter().any(|names| names.contains(&name))
    };
    let others = vars.vars.iter().filter(|(name, _)| !own(name));
    Ok(Host {
        name: name.to_owned(),
        address: address.to_owned(),
        transport,
        login: vars.login()?,
        rack,
        vars: others.map(|(name, given)| ((*name).to_owned(), given.value.clone())).collect(),
        ..Host::controller()
    })
}

struct Variables<'v, 'd> {
    host: &'v str,
    vars: &'v Layer<'d>,
}

impl<'d> Variables<'_, 'd> {
    /// The last of these that is set.
    fn find(&self, names: &[&'static str]) -> Option<(&'static str, &'d Given)> {
        let mut set = names.iter().filter_map(|name| self.vars.get(name).map(|given| (*name, *given)));
        set.rfind(|(_, given)| !given.value.is_null())
    }

    /// The last of these that is set, as one line of text that is no template.
    fn line(&self, names: &[&'static str]) -> Result<Option<(&'static str, &'d str)>> {
        let Some((name, given)) = self.find(names) else { return Ok(None) };
        let Value::String(text) = &given.value else {
            return Err(self.error(name, given, "wanted text"));
        };
        if text.contains("{{") || text.contains("{%") {
            return Err(self
                .error(name, given, "wanted a value, found a template, and upshift fills in none of Ansible's")
                .hint("write the value that the template stands for"));
        }
        if text.is_empty() {
            return Ok(None);
        }
        if text.chars().any(char::is_control) {
            return Err(self.error(name, given, "wanted one line of text, found a line break or control character"));
        }
        Ok(Some((name, text)))
    }

    /// A setting that is yes or no, in all the ways in which Ansible takes that.
    fn flag(&self, names: &[&'static str]) -> Result<Option<bool>> {
        let Some((name, given)) = self.find(names) else { return Ok(None) };
        let word = match &given.value {
            Value::Bool(flag) => return Ok(Some(*flag)),
            Value::String(text) => text.trim().to_lowercase(),
            other => other.to_string(),
        };
        match word.as_str() {
            "y" | "yes" | "on" | "1" | "true" | "t" | "1.0" => Ok(Some(true)),
            "n" | "no" | "off" | "0" | "false" | "f" | "0.0" => Ok(Some(false)),
            _ => Err(self.error(name, given, format!("wanted `true` or `false`, found `{}`", shorten(&word)))),
        }
    }

    fn error(&self, name: &str, given: &Given, message: impl std::fmt::Display) -> Error {
        source::error(&given.place, format!("`{name}` of `{}`: {message}", self.host))
    }

    fn transport(&self) -> Result<Transport> {
        let Some((name, connection)) = self.line(&CONNECTION)? else { return Ok(Transport::Ssh) };
        let plain = ["ansible.builtin.", "ansible.legacy."].iter().find_map(|prefix| connection.strip_prefix(prefix));
        match plain.unwrap_or(connection) {
            "local" => Ok(Transport::Local),
            "ssh" | "smart" | "paramiko" | "paramiko_ssh" => Ok(Transport::Ssh),
            other => {
                let message = format!("upshift reaches hosts with `ssh` or `local`, found `{}`", shorten(other));
                let hint = "leave the host out of the inventory that upshift reads, or reach it over SSH";
                Err(self.wrong(name, message).hint(hint))
            }
        }
    }

    /// An error about a variable that is set.
    fn wrong(&self, name: &'static str, message: impl std::fmt::Display) -> Error {
        match self.vars.get(name) {
            Some(given) => self.error(name, given, message),
            None => Error::usage(format!("`{name}` of `{}`: {message}", self.host)),
        }
    }

    fn no_secrets(&self) -> Result<()> {
        let found = SECRETS.iter().find_map(|name| self.find(&[name]));
        let Some((name, _)) = found.filter(|(_, given)| given.value != Value::String(String::new())) else {
            return Ok(());
        };
        let hint = if name.contains("become") || name.contains("sudo") || name.contains("su_") {
            "allow the user `sudo` without a password, and leave the variable out"
        } else {
            "leave the variable out, and give upshift a key: `ansible_ssh_private_key_file`, an agent, or `ssh_config`"
        };
        Err(self.wrong(name, "upshift logs in with keys and takes no passwords").hint(hint))
    }

    fn login(&self) -> Result<Login> {
        let text = |names: &[&'static str]| self.line(names).map(|found| found.map(|(_, text)| text));
        if let Some((name, program)) = self.line(&PROGRAM)?
            && program != "ssh"
            && !program.ends_with("/ssh")
        {
            return Err(self.wrong(name, format!("upshift runs `ssh`, found `{}`", shorten(program))));
        }
        Ok(Login {
            user: text(&USER)?.map(str::to_owned),
            port: self.port()?,
            // Ansible takes a path from the folder that it was started in, and so does `ssh`.
            key: text(&KEY)?.map(Utf8PathBuf::from),
            options: self.options()?,
            r#become: self.r#become()?,
            ..Login::default()
        })
    }

    fn port(&self) -> Result<Option<u16>> {
        let Some((name, given)) = self.find(&PORT) else { return Ok(None) };
        let port = match &given.value {
            Value::String(text) if text.is_empty() => return Ok(None),
            Value::String(text) => text.trim().parse().ok(),
            other => other.as_u64().and_then(|port| u16::try_from(port).ok()),
        };
        let port = port.filter(|port| *port > 0);
        port.map(Some).ok_or_else(|| self.error(name, given, "wanted a port from 1 to 65535"))
    }

    fn options(&self) -> Result<Vec<String>> {
        let mut options = self.arguments(BEFORE)?;
        if self.flag(&HOST_KEYS)? == Some(false) {
            options.push("StrictHostKeyChecking=no".into());
        }
        for name in AFTER {
            options.extend(self.arguments(name)?);
        }
        Ok(options)
    }

    fn arguments(&self, name: &'static str) -> Result<Vec<String>> {
        let Some((_, arguments)) = self.line(&[name])? else { return Ok(Vec::new()) };
        let words = words::split(arguments, false)
            .map_err(|_| self.wrong(name, "a quote or backslash that nothing follows"))?;
        let words = words.into_iter().map(|word| word.text).collect();
        ssh_args::options(words).map_err(|(message, hint)| {
            let error = self.wrong(name, message);
            if hint.is_empty() { error } else { error.hint(hint) }
        })
    }

    /// Whether the user becomes root: as everywhere in upshift, unless the inventory says no.
    fn r#become(&self) -> Result<bool> {
        if self.flag(&BECOME)? == Some(false) {
            return Ok(false);
        }
        if let Some((name, method)) = self.line(&METHOD)?
            && !["sudo", "ansible.builtin.sudo", "ansible.legacy.sudo"].contains(&method)
        {
            return Err(self.wrong(name, format!("upshift becomes root with `sudo`, found `{}`", shorten(method))));
        }
        if let Some((name, user)) = self.line(&BECOME_USER)?
            && user != "root"
        {
            return Err(self.wrong(name, format!("upshift becomes `root`, found `{}`", shorten(user))));
        }
        if let Some((name, program)) = self.line(&BECOME_EXE)?
            && program != "sudo"
            && !program.ends_with("/sudo")
        {
            return Err(self.wrong(name, format!("upshift becomes root with `sudo`, found `{}`", shorten(program))));
        }
        Ok(true)
    }
}
