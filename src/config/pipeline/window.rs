//! When a run may work on hosts: a length, two times of day, or two moments.

use jiff::civil::Time;
use jiff::{SignedDuration, Timestamp};
use toml::de::DeValue;

use crate::config::table::{Keys, Value};
use crate::error::Result;
use crate::model::pipeline::{Edge, Window};

static WINDOW: Keys = Keys { owner: "A window", names: &["opens", "closes", "length"], elsewhere: &[] };

/// Reads `window` as it stands in `[pipeline]`.
pub(super) fn window(value: Value<'_>) -> Result<Window> {
    match value.inner {
        DeValue::String(_) => return Ok(Window { length: Some(value.duration()?), ..Window::default() }),
        DeValue::Table(_) => {}
        _ => {
            return Err(value
                .wanted("a window")
                .hint("write `window = \"5h\"` or `window = { opens = \"22:00\", closes = \"04:00\" }`"));
        }
    }
    let table = value.table(&WINDOW)?;
    let opens = table.read("opens", edge)?;
    let closes = table.read("closes", edge)?;
    let length = table.read("length", Value::duration)?;
    match (opens, closes) {
        (None, None) if length.is_none() => {
            return Err(value.error("wanted at least one of `opens`, `closes` and `length`"));
        }
        (Some(Edge::At(opens)), Some(Edge::At(closes))) if closes <= opens => {
            return Err(table.key_error("closes", "the window closes before it opens"));
        }
        (Some(Edge::Daily(opens)), Some(Edge::Daily(closes))) if closes == opens => {
            return Err(table.key_error("closes", "the window closes when it opens"));
        }
        (Some(Edge::Daily(_)), Some(Edge::At(_))) | (Some(Edge::At(_)), Some(Edge::Daily(_))) => {
            return Err(table
                .key_error("closes", "the window mixes a time of day with a moment")
                .hint("give both as times of day such as `22:00`, or both as moments such as `2026-11-22T22:00:00Z`"));
        }
        _ => {}
    }
    if let (Some(Edge::At(opens)), Some(Edge::At(closes)), Some(length)) = (opens, closes, length)
        && closes.duration_since(opens) < length
    {
        return Err(table.key_error("length", "the window closes before its length is over"));
    }
    Ok(Window { opens, closes, length })
}

fn edge(value: Value<'_>) -> Result<Edge> {
    let wanted = || value.wanted("a time of day such as `22:00`, or a moment such as `2026-11-22T22:00:00Z`");
    let text = match value.inner {
        DeValue::String(text) => text.trim().to_owned(),
        DeValue::Datetime(time) => time.to_string(),
        _ => return Err(wanted()),
    };
    // `jiff` reads far more than this as a time; what a person reads twice has to look like one.
    let plain = text.len() >= 5 && text.as_bytes().get(2) == Some(&b':');
    if plain && let Ok(time) = text.parse::<Time>() {
        return Ok(Edge::Daily(time));
    }
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Ok(Edge::At(moment));
    }
    Err(if text.parse::<jiff::civil::DateTime>().is_ok() && !plain {
        wanted()
            .hint(format!("say in which time zone: `{}Z` is UTC, `+01:00` at the end is an offset", zoneless(&text)))
    } else {
        wanted()
    })
}

/// A date and time with its time, ready for a `Z`.
fn zoneless(text: &str) -> String {
    let complete = text.parse::<jiff::civil::DateTime>().map(|time| time.to_string());
    complete.unwrap_or_else(|_| text.to_owned())
}

/// The planned time of a stage, which is only a length.
pub(super) fn stage_window(value: Value<'_>) -> Result<SignedDuration> {
    if value.inner.is_table() {
        return Err(value.wanted("a duration such as `1h 30m`").hint(
            "only the pipeline's window has a beginning and an end; a stage's is how long it is planned to take",
        ));
    }
    value.duration()
}
