//! `dig.*`: what name servers say, by the host's own `dig`.

use std::net::IpAddr;

use super::{Answer, Function, command, failed, function, process, texts};
use crate::formula::Data;
use crate::formula::template::functions::arguments::Arguments;
use crate::formula::template::functions::arguments::Default::{Bool, None, Required};
use crate::formula::template::functions::arguments::{Signature, takes};
use crate::formula::template::value::text;

const HOST: Signature = takes(&[("host", Required), ("nameserver", None)]);
const DOMAIN: Signature = takes(&[("domain", Required), ("resolve", Bool(true)), ("nameserver", None)]);

pub(super) const FUNCTIONS: &[Function] = &[
    function("dig.A", HOST, |arguments| addresses(arguments, "A")),
    function("dig.a", HOST, |arguments| addresses(arguments, "A")),
    function("dig.AAAA", HOST, |arguments| addresses(arguments, "AAAA")),
    function("dig.aaaa", HOST, |arguments| addresses(arguments, "AAAA")),
    function("dig.CNAME", HOST, name),
    function("dig.cname", HOST, name),
    function("dig.NS", DOMAIN, servers),
    function("dig.ns", DOMAIN, servers),
    function("dig.PTR", HOST, |arguments| lines(arguments, &["-x", &arguments.text("host")?])),
    function("dig.ptr", HOST, |arguments| lines(arguments, &["-x", &arguments.text("host")?])),
    function("dig.TXT", HOST, |arguments| lines(arguments, &[&arguments.text("host")?, "TXT"])),
    function("dig.check_ip", takes(&[("addr", Required)]), |arguments| {
        Ok(arguments.get("addr").as_str().is_some_and(is_address).into())
    }),
];

/// What `dig` says to a question; `None` if it could not ask.
fn asked(arguments: &Arguments, question: &[&str]) -> Result<Option<String>, super::Refusal> {
    if command::which("dig").is_none() {
        return failed("this host has no `dig`, which asks name servers");
    }
    let server = arguments.some("nameserver").map(|server| format!("@{}", text(server)));
    let words: Vec<&str> = ["+short"].into_iter().chain(question.iter().copied()).chain(server.as_deref()).collect();
    Ok(process::said("dig", &words).map(|said| said.trim_end().to_owned()))
}

fn addresses(arguments: &Arguments, kind: &str) -> Answer {
    let said = asked(arguments, &[&arguments.text("host")?, kind])?.unwrap_or_default();
    Ok(texts(said.lines().filter(|line| is_address(line))))
}

/// The one that has no answer of its own is an empty text, and an empty list if nobody could be asked.
fn name(arguments: &Arguments) -> Answer {
    Ok(asked(arguments, &[&arguments.text("host")?, "CNAME"])?.map_or_else(|| Data::from(Vec::new()), Data::from))
}

fn servers(arguments: &Arguments) -> Answer {
    if !arguments.is_true("resolve")? {
        return lines(arguments, &[&arguments.text("domain")?, "NS"]);
    }
    let servers = asked(arguments, &[&arguments.text("domain")?, "NS"])?.unwrap_or_default();
    let mut found = Vec::new();
    for server in servers.lines() {
        let said = asked(arguments, &[server, "A"])?.unwrap_or_default();
        found.extend(said.lines().filter(|line| is_address(line)).map(str::to_owned));
    }
    Ok(texts(found))
}

/// Every line of an answer, and an empty one if there is none.
fn lines(arguments: &Arguments, question: &[&str]) -> Answer {
    Ok(asked(arguments, question)?.map_or_else(|| Data::from(Vec::new()), |said| texts(said.split('\n'))))
}

/// Whether a text is an address, or one with the length of its network.
fn is_address(text: &str) -> bool {
    let (address, length) = text.rsplit_once('/').map_or((text, Option::None), |(address, at)| (address, Some(at)));
    let lengths = match address.parse() {
        Ok(IpAddr::V4(_)) => 1..=32,
        Ok(IpAddr::V6(_)) => 8..=128,
        Err(_) => return false,
    };
    length.is_none_or(|length| length.trim().parse().is_ok_and(|length: u8| lengths.contains(&length)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_may_have_the_length_of_its_network() {
        for right in ["127.0.0.1", "10.0.0.0/8", "1111:2222::8888", "fd00::/8"] {
            assert!(is_address(right), "{right}");
        }
        for wrong in ["", "host.example.net.", "10.0.0.0/33", "10.0.0.0/x", "fd00::/7", ";; timed out"] {
            assert!(!is_address(wrong), "{wrong}");
        }
    }
}
