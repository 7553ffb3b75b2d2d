//! The table of a `wait` step: what is waited for, how long, and how often upshift looks.

use jiff::SignedDuration;

use crate::config::table::{Keys, Value};
use crate::config::template::is_template;
use crate::error::Result;
use crate::model::Text;
use crate::model::pipeline::Wait;

static WAIT: Keys = Keys {
    owner: "A wait",
    names: &["run", "tcp", "http", "file", "unit", "until", "timeout", "every"],
    elsewhere: &[
        (&["service", "systemd"], "a systemd unit is given as `unit = \"nova-compute.service\"`"),
        (&["https", "url"], "an address beginning with `https://` is given as `http = \"https://…\"`"),
        (
            &["retries", "retry-delay", "takes", "failure-rate", "undo", "always", "on", "name"],
            "`{}` belongs to the step itself, beside `wait`",
        ),
    ],
};

/// What can be waited for.
const WHATS: [&str; 5] = ["run", "tcp", "http", "file", "unit"];

/// Time between two looks when nobody says.
const EVERY: SignedDuration = SignedDuration::from_secs(2);

/// What the table says, its `timeout` included.
pub(super) struct Waiting {
    pub(super) what: Wait,
    pub(super) every: SignedDuration,
    pub(super) timeout: Option<SignedDuration>,
}

pub(super) fn wait(value: Value<'_>) -> Result<Waiting> {
    if value.inner.is_str() {
        let hint = format!("say what is waited for: `wait = {{ run = {} }}`", value.written());
        return Err(value.wanted("a table").hint(hint));
    }
    let table = value.table(&WAIT)?;
    let whats: Vec<_> = table.given().filter(|key| WHATS.contains(key)).collect();
    let what = match whats[..] {
        [what] => what,
        [] => {
            return Err(value.error("wanted something to wait for").hint("give it one of: run, tcp, http, file, unit"));
        }
        [first, second, ..] => {
            let message = format!("a wait is for one thing, and this has `{first}` and `{second}`");
            return Err(table.key_error(second, message).hint("write two steps"));
        }
    };
    if what != "run" && table.get("until").is_some() {
        return Err(table
            .key_error("until", format!("`until` reads what a command says, and `{what}` has no command"))
            .hint("`until` goes with `run`"));
    }
    let until = table.read("until", Value::pattern)?;
    let what = match what {
        "run" => table.read("run", Value::template)?.map(|command| Wait::Run { command, until }),
        "tcp" => table.read("tcp", tcp)?.map(Wait::Tcp),
        "http" => table.read("http", http)?.map(Wait::Http),
        "unit" => table.read("unit", unit)?.map(Wait::Unit),
        _ => table.read("file", Value::template)?.map(Wait::File),
    };
    Ok(Waiting {
        what: what.ok_or_else(|| value.error("wanted something to wait for"))?,
        every: table.read("every", Value::duration)?.unwrap_or(EVERY),
        timeout: table.read("timeout", Value::duration)?,
    })
}

fn tcp(value: Value<'_>) -> Result<Text> {
    let text = value.template()?;
    if !is_template(&text.source) {
        let port = text.source.rsplit_once(':').filter(|(host, _)| !host.is_empty() && !host.contains("://"));
        if !port.is_some_and(|(_, port)| port.parse::<u16>().is_ok_and(|port| port > 0)) {
            return Err(value.wanted("an address such as `10.0.0.5:8774`"));
        }
    }
    Ok(text)
}

fn unit(value: Value<'_>) -> Result<Text> {
    let text = value.template()?;
    if text.source.starts_with('-') || (!is_template(&text.source) && text.source.contains(char::is_whitespace)) {
        return Err(value.wanted("one systemd unit, such as `nova-compute.service`"));
    }
    Ok(text)
}

pub(super) fn http(value: Value<'_>) -> Result<Text> {
    let text = value.template()?;
    if !text.source.starts_with("{{") && !["http://", "https://"].iter().any(|scheme| text.source.starts_with(scheme)) {
        return Err(value.wanted("a URL that begins with `http://` or `https://`"));
    }
    Ok(text)
}
