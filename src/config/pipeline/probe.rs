//! One `[[probe]]`: what is looked at, how often, and what its silence means.

use jiff::SignedDuration;
use toml::de::DeValue;

use crate::config::pipeline::{name, wait};
use crate::config::table::{Keys, Table, Value};
use crate::config::template::is_template;
use crate::error::Result;
use crate::model::Text;
use crate::model::pipeline::{Look, Probe};
use crate::model::probe::OnBreach;
use crate::model::span::short;

static PROBE: Keys = Keys {
    owner: "A probe",
    names: &["name", "icmp", "tcp", "http", "run", "every", "max-gap", "on-breach"],
    elsewhere: &[
        (&["ping"], "an ICMP echo is `icmp = [\"vm[001-080]\"]`"),
        (
            &["hosts", "targets"],
            "what is measured stands with how: `icmp = [\"vm[001-080]\"]`, or `tcp`, `http`, `run`",
        ),
        (&["https", "url"], "an address beginning with `https://` is given as `http = [\"https://…\"]`"),
        (&["interval"], "time between two looks is `every`"),
        (&["timeout", "max_gap"], "how long a target may be silent is `max-gap`"),
    ],
};

/// How a probe can look, by its key.
const LOOKS: [(&str, Look); 4] = [("icmp", Look::Icmp), ("tcp", Look::Tcp), ("http", Look::Http), ("run", Look::Run)];

/// Time between two looks when nobody says.
const EVERY: SignedDuration = SignedDuration::from_millis(200);
/// How long a target may be silent when nobody says.
const MAX_GAP: SignedDuration = SignedDuration::from_secs(3);
/// The least time between two looks: what is lost on the way is told from what is late.
const LEAST_EVERY: SignedDuration = SignedDuration::from_millis(100);

/// Reads a probe; also returns the value of its name, for errors about that.
pub(super) fn probe(value: Value<'_>) -> Result<(Probe, Value<'_>)> {
    let table = value.table(&PROBE)?;
    let named = table.need("name", "\"tenants\"")?;
    let name = name(named)?;
    let mut targets = Vec::new();
    for (key, look) in LOOKS {
        for text in table.read(key, |value| texts(value, look))?.unwrap_or_default() {
            targets.push((look, text));
        }
    }
    if targets.is_empty() {
        return Err(table
            .error(format!("probe `{name}` has nothing to look at"))
            .hint("give it one of: icmp, tcp, http, run; `icmp = [\"vm[001-080]\"]`"));
    }
    let (every, max_gap) = times(&table)?;
    let choices = [OnBreach::Hold, OnBreach::Stop, OnBreach::Rollback, OnBreach::Note].map(|one| (one.name(), one));
    let on_breach = table.read("on-breach", |value| value.choice(&choices))?.unwrap_or_default();
    Ok((Probe { name, targets, every, max_gap, on_breach, place: table.place() }, named))
}

fn times(table: &Table<'_>) -> Result<(SignedDuration, SignedDuration)> {
    let every = table.read("every", every)?.unwrap_or(EVERY);
    let given = table.read("max-gap", Value::duration)?;
    let max_gap = given.unwrap_or(MAX_GAP.max(every * 2));
    if max_gap < every * 2 {
        let message =
            format!("`max-gap`: wanted at least twice `every`, {}, found {}", short(every * 2), short(max_gap));
        return Err(table.key_error("max-gap", message).hint("one answer that is lost on the way is no outage"));
    }
    Ok((every, max_gap))
}

fn every(value: Value<'_>) -> Result<SignedDuration> {
    let every = value.duration()?;
    if every < LEAST_EVERY { Err(value.wanted(&format!("at least `{}`", short(LEAST_EVERY)))) } else { Ok(every) }
}

/// One text, or a list of them.
fn texts(value: Value<'_>, look: Look) -> Result<Vec<Text>> {
    let read = |value: Value<'_>| match look {
        Look::Icmp => icmp(value),
        Look::Tcp => tcp(value),
        Look::Http => wait::http(value),
        Look::Run => value.template(),
    };
    match value.inner {
        DeValue::Array(items) if items.is_empty() => Err(value.error("wanted at least one target, found none")),
        DeValue::Array(_) => value.list("[]")?.map(read).collect(),
        _ => Ok(vec![read(value)?]),
    }
}

fn icmp(value: Value<'_>) -> Result<Text> {
    let text = value.template()?;
    if text.source.contains("://") && !is_template(&text.source) {
        let hint = format!("did you mean `http = [{}]`?", value.written());
        return Err(value.wanted("hosts, names or addresses such as `vm[001-080]`").hint(hint));
    }
    Ok(text)
}

fn tcp(value: Value<'_>) -> Result<Text> {
    let text = value.template()?;
    let has_port =
        || text.source.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok_and(|port| port > 0));
    if !is_template(&text.source) && (text.source.contains("://") || !has_port()) {
        return Err(value.wanted("a name or address and a port, such as `api.example.net:8774`"));
    }
    Ok(text)
}
