//! What `contents`, `contents_pillar` and `contents_grains` make of a file.

use crate::formula::template::{lines_of, value};
use crate::formula::traverse::traverse;
use crate::formula::{Data, Dict};
use crate::states::source::variables;
use crate::states::{Args, Call, Failed};

/// The arguments that give contents.
const ARGUMENTS: [&str; 3] = ["contents", "contents_pillar", "contents_grains"];

/// The names of the arguments that give contents here.
pub(super) fn given(args: &Args<'_>) -> usize {
    ARGUMENTS.iter().filter(|name| args.get(name).is_some()).count()
}

/// The contents; `None` if there are none, or the pillar says that there is nothing.
///
/// # Errors
/// When the pillar or the grains do not have them, or they may not be empty.
pub(super) fn read(call: &Call<'_>) -> Result<Option<Vec<u8>>, Failed> {
    let args = &call.args;
    let delimiter = args.text("contents_delimiter")?.unwrap_or_else(|| ":".to_owned());
    let (value, called) = if let Some(keys) = args.get("contents_pillar") {
        (looked_up(call.host.formula.pillar(), keys, &delimiter, "Pillar")?, named("contents_pillar", keys))
    } else if let Some(keys) = args.get("contents_grains") {
        (looked_up(call.host.formula.grains(), keys, &delimiter, "Grain")?, named("contents_grains", keys))
    } else {
        (args.get("contents").cloned().unwrap_or_default(), "'contents'".to_owned())
    };
    if matches!(value, Data::None) {
        return Ok(None);
    }
    if !args.flag("allow_empty", true) && !value.is_true() {
        return Err(format!(
            "{called} value would result in empty contents. Set allow_empty to True to allow the managed file to be empty."
        )
        .into());
    }
    let mut text = text(&value)?;
    if !args.flag("contents_newline", true) {
        text.truncate(text.trim_end_matches('\n').trim_end_matches('\r').len());
    }
    if args.get("template").is_some() {
        let variables = variables(args, Dict::default(), Dict::default())?.into();
        let rendered = call.host.formula.render_text("contents", &text, &variables);
        text = rendered.map_err(|error| format!("Unable to manage file: {error}"))?;
    }
    in_encoding(args, text).map(Some)
}

/// A text in the `encoding` that the SLS names.
///
/// # Errors
/// When it cannot be written in that.
pub(super) fn in_encoding(args: &Args<'_>, text: String) -> Result<Vec<u8>, Failed> {
    let encoding = args.text("encoding")?;
    let errors = args.text("encoding_errors")?;
    encoded(text, encoding.as_deref().unwrap_or("utf-8"), errors.as_deref().unwrap_or("strict"))
}

fn named(argument: &str, keys: &Data) -> String {
    format!("{argument} {}", printed(keys))
}

/// A value of the pillar or the grains; several of them are joined as lines.
fn looked_up(data: &Data, keys: &Data, delimiter: &str, called: &str) -> Result<Data, Failed> {
    let one = |key: &Data| {
        let key = printed(key);
        traverse(data, &key, delimiter).ok_or_else(|| Failed::from(format!("{called} {key} does not exist")))
    };
    let Data::List(keys) = keys else { return one(keys).cloned() };
    let parts: Result<Vec<String>, Failed> = keys.iter().map(|key| one(key).map(printed)).collect();
    Ok(parts?.join("\n").as_str().into())
}

/// The lines of a value, each with its end. Whatever is not text is written as Python writes it.
fn text(value: &Data) -> Result<String, Failed> {
    let parts = match value {
        Data::List(items) if items.is_empty() => {
            return Err("Contents specified by contents/contents_pillar/contents_grains is not a string or list of \
                        strings, and is not binary data. SLS is likely malformed."
                .into());
        }
        Data::List(items) => items.iter().map(printed).collect(),
        other => vec![printed(other)],
    };
    Ok(parts.iter().flat_map(|part| lines_of(part)).flat_map(|line| [line, "\n"]).collect())
}

/// Python's `str` of a value.
fn printed(value: &Data) -> String {
    value::text(&value::from_data(value))
}

/// The encodings that upshift has.
const ENCODINGS: [&str; 10] =
    ["utf-8", "utf8", "ascii", "us-ascii", "latin-1", "latin1", "iso-8859-1", "iso8859-1", "utf-16-le", "utf-16-be"];
/// What may become of a character that an encoding does not have.
const ERRORS: [&str; 5] = ["strict", "ignore", "replace", "backslashreplace", "xmlcharrefreplace"];

/// Refuses an encoding that upshift does not have.
pub(in crate::states) fn check_encoding(args: &Args<'_>) -> Result<(), String> {
    for (argument, known) in [("encoding", &ENCODINGS[..]), ("encoding_errors", &ERRORS)] {
        if let Some(name) = args.get(argument).map(printed).filter(|name| !known.contains(&normal(name).as_str())) {
            return Err(format!("upshift has no {argument} `{name}`; it has {}", known.join(", ")));
        }
    }
    Ok(())
}

fn normal(encoding: &str) -> String {
    encoding.to_ascii_lowercase().replace('_', "-")
}

fn encoded(text: String, encoding: &str, errors: &str) -> Result<Vec<u8>, Failed> {
    let most = match normal(encoding).as_str() {
        "utf-8" | "utf8" => return Ok(text.into_bytes()),
        "utf-16-le" => return Ok(text.encode_utf16().flat_map(u16::to_le_bytes).collect()),
        "utf-16-be" => return Ok(text.encode_utf16().flat_map(u16::to_be_bytes).collect()),
        "ascii" | "us-ascii" => 127,
        _ => 255,
    };
    let mut bytes = Vec::with_capacity(text.len());
    for character in text.chars() {
        let number = u32::from(character);
        match u8::try_from(number) {
            Ok(byte) if byte <= most => bytes.push(byte),
            _ => match errors {
                "ignore" => {}
                "replace" => bytes.push(b'?'),
                "xmlcharrefreplace" => bytes.extend(format!("&#{number};").bytes()),
                "backslashreplace" => bytes.extend(escaped(number).bytes()),
                _ => {
                    return Err(format!("Unable to manage file: `{character}` cannot be written as {encoding}").into());
                }
            },
        }
    }
    Ok(bytes)
}

/// A character as Python writes it between quotes.
fn escaped(number: u32) -> String {
    match number {
        0..=0xff => format!("\\x{number:02x}"),
        0x100..=0xffff => format!("\\u{number:04x}"),
        _ => format!("\\U{number:08x}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_gets_its_end() {
        let list = |items: &[&str]| items.iter().map(|item| Data::from(*item)).collect::<Data>();
        for (value, expected) in [
            (Data::from("a\r\nb"), "a\nb\n"),
            ("a\n\n".into(), "a\n\n"),
            ("".into(), ""),
            (list(&["a", "b\n"]), "a\nb\n"),
            (Data::Int(7), "7\n"),
            (Data::Bool(true), "True\n"),
        ] {
            assert_eq!(text(&value).unwrap(), expected, "{value:?}");
        }
        assert!(text(&list(&[])).is_err());
    }

    #[test]
    fn what_an_encoding_lacks_is_an_error_unless_it_is_said_what_to_do() {
        let written = |encoding, errors| encoded("aé€".to_owned(), encoding, errors);
        assert_eq!(written("utf-8", "strict").unwrap(), "aé€".as_bytes());
        assert_eq!(written("latin-1", "replace").unwrap(), b"a\xe9?");
        assert_eq!(written("ascii", "backslashreplace").unwrap(), b"a\\xe9\\u20ac");
        assert_eq!(written("ascii", "xmlcharrefreplace").unwrap(), b"a&#233;&#8364;");
        assert_eq!(written("utf-16-le", "strict").unwrap(), b"a\0\xe9\0\xac\x20");
        assert!(written("latin-1", "strict").is_err());
    }
}
