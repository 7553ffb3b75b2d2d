//! Jinja's filters that make HTML, and those that mark text as being it.

use std::fmt::Write as _;

use minijinja::value::ValueKind;
use minijinja::{Error, Value};

use super::arguments::{Args, Run, wrong};
use crate::formula::template::strings::{is_space, words};
use crate::formula::template::value::{entries, is_mapping, items, repr, text, type_name};

/// The filters, with their parameters.
pub(super) const FILTERS: &[(&str, &str, Run)] = &[
    ("e", "s", escape),
    ("escape", "s", escape),
    ("forceescape", "value", |args| Ok(Value::from_safe_string(escaped(&args.text()?)))),
    ("safe", "value", |args| Ok(Value::from_safe_string(args.text()?))),
    ("striptags", "value", striptags),
    ("urlencode", "value", urlencode),
    ("urlize", "value trim_url_limit? nofollow? target? rel? extra_schemes?", urlize),
    ("xmlattr", "d autospace?", xmlattr),
];

/// Text with the five characters of HTML's syntax in their long form.
pub(super) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '\'' => escaped.push_str("&#39;"),
            '"' => escaped.push_str("&#34;"),
            other => escaped.push(other),
        }
    }
    escaped
}

fn escape(args: &Args) -> Result<Value, Error> {
    let value = args.defined()?;
    Ok(if value.is_safe() { value } else { Value::from_safe_string(escaped(&text(&value))) })
}

/// Drops comments and tags, then makes one space of all white space, then reads the entities.
fn striptags(args: &Args) -> Result<Value, Error> {
    let text = args.text()?;
    let without = without(&without(&text, "<!--", "-->"), "<", ">");
    let spaced: Vec<&str> = words(&without).collect();
    Ok(Value::from(unescaped(&spaced.join(" "))))
}

fn without(text: &str, open: &str, close: &str) -> String {
    let mut kept = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(open) {
        let Some((_, after)) = after.split_once(close) else { break };
        kept.push_str(before);
        rest = after;
    }
    kept + rest
}

const LONGEST_ENTITY: usize = 9;

/// The entities that formulas can be expected to hold; an unknown one stays as it is.
fn unescaped(text: &str) -> String {
    let mut read = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        read.push_str(before);
        let end = after.bytes().take(LONGEST_ENTITY + 1).position(|byte| byte == b';');
        let entity = end.and_then(|end| Some((after.get(..end)?, after.get(end + 1..)?)));
        let known = entity.and_then(|(name, after)| Some((entity_of(name)?, after)));
        let (character, after) = known.unwrap_or(('&', after));
        read.push(character);
        rest = after;
    }
    read + rest
}

fn entity_of(name: &str) -> Option<char> {
    match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        "nbsp" => Some('\u{a0}'),
        "copy" => Some('©'),
        "reg" => Some('®'),
        "hellip" => Some('…'),
        "mdash" => Some('—'),
        "ndash" => Some('–'),
        "euro" => Some('€'),
        "laquo" => Some('«'),
        "raquo" => Some('»'),
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(digits) => u32::from_str_radix(digits, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(code)
        }
    }
}

fn quoted(text: &str, for_query: bool) -> String {
    let mut quoted = String::new();
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'_' | b'.' | b'-' | b'~' => quoted.push(char::from(byte)),
            b'/' if !for_query => quoted.push('/'),
            b' ' if for_query => quoted.push('+'),
            _ => {
                let _ = write!(quoted, "%{byte:02X}");
            }
        }
    }
    quoted
}

fn urlencode(args: &Args) -> Result<Value, Error> {
    let value = args.defined()?;
    let pairs: Vec<(Value, Value)> = match value.kind() {
        ValueKind::Map => entries(&value),
        ValueKind::Seq | ValueKind::Iterable => {
            let pair = |item: Value| match items(&item)?.as_slice() {
                [key, value] => Ok((key.clone(), value.clone())),
                other => Err(wrong(format!("expected 2 values to unpack, got {}", other.len()))),
            };
            items(&value)?.into_iter().map(pair).collect::<Result<_, Error>>()?
        }
        _ => return Ok(Value::from(quoted(&text(&value), false))),
    };
    let pair = |(key, value): (Value, Value)| format!("{}={}", quoted(&text(&key), true), quoted(&text(&value), true));
    Ok(Value::from(pairs.into_iter().map(pair).collect::<Vec<_>>().join("&")))
}

fn xmlattr(args: &Args) -> Result<Value, Error> {
    let value = args.defined()?;
    if !is_mapping(&value) {
        return Err(wrong(format!("'{}' object has no attribute 'items'", type_name(&value))));
    }
    let mut attributes = Vec::new();
    for (key, value) in entries(&value) {
        if value.is_none() || value.is_undefined() {
            continue;
        }
        let name = key.as_str().ok_or_else(|| wrong("expected string or bytes-like object"))?;
        if name.contains([' ', '\t', '\n', '\r', '\x0b', '\x0c', '/', '>', '=']) {
            return Err(wrong(format!("Invalid character in attribute name: {}", repr(&key))));
        }
        let shielded = if value.is_safe() { text(&value) } else { escaped(&text(&value)) };
        attributes.push(format!("{}=\"{shielded}\"", escaped(name)));
    }
    let joined = attributes.join(" ");
    let space = if args.bool("autospace", true)? && !joined.is_empty() { " " } else { "" };
    Ok(Value::from(format!("{space}{joined}")))
}

/// What makes the links of `urlize`.
struct Links {
    limit: Option<usize>,
    attributes: String,
    schemes: Vec<String>,
}

/// Whether extra schemes may have this form: a word of at least two characters, a colon, and up to two slashes.
fn is_scheme(text: &str) -> bool {
    let is_in = |character: char| character.is_alphanumeric() || "_.+-".contains(character);
    text.split_once(':').is_some_and(|(name, slashes)| {
        name.chars().count() > 1 && name.chars().all(is_in) && ["", "/", "//"].contains(&slashes)
    })
}

fn urlize(args: &Args) -> Result<Value, Error> {
    let mut rel: Vec<&str> = args.str("rel")?.map(|rel| words(rel).collect()).unwrap_or_default();
    if args.bool("nofollow", false)? {
        rel.push("nofollow");
    }
    rel.push("noopener");
    rel.sort_unstable();
    rel.dedup();
    let mut attributes = format!(" rel=\"{}\"", escaped(&rel.join(" ")));
    if let Some(target) = args.str("target")? {
        let _ = write!(attributes, " target=\"{}\"", escaped(target));
    }
    let schemes = args.some("extra_schemes").map_or(Ok(Vec::new()), items)?;
    let schemes: Vec<String> = schemes.iter().map(text).collect();
    if let Some(scheme) = schemes.iter().find(|scheme| !is_scheme(scheme)) {
        return Err(wrong(format!("'{scheme}' is not a valid URI scheme prefix.")));
    }
    let limit = args.some("trim_url_limit").map(|_| args.size("trim_url_limit", 0)).transpose()?;
    let links = Links { limit, attributes, schemes };
    let shielded = escaped(&args.text()?);
    let mut linked = String::new();
    let mut word = String::new();
    for character in shielded.chars() {
        if is_space(character) {
            linked.push_str(&links.link(&std::mem::take(&mut word)));
            linked.push(character);
        } else {
            word.push(character);
        }
    }
    linked.push_str(&links.link(&word));
    Ok(Value::from(linked))
}

/// Whether Jinja takes a word for an address of the web: with a scheme or `www.` any name or address, else a name
/// with one of eight endings; then perhaps a port and a path.
fn is_web(word: &str) -> bool {
    let lower = word.to_lowercase();
    let scheme = ["https://", "http://"].iter().find_map(|scheme| lower.strip_prefix(scheme));
    let after = scheme.or_else(|| lower.strip_prefix("www."));
    let rest = after.unwrap_or(&lower);
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let authority = rest.get(..end).unwrap_or_default();
    let is_port = |port: &str| (1..=5).contains(&port.len()) && port.bytes().all(|digit| digit.is_ascii_digit());
    if let Some(inside) = authority.strip_prefix('[').filter(|_| scheme.is_some()) {
        let is_in = |address: &str| address.matches(':').count() > 1 && address.parse::<std::net::Ipv6Addr>().is_ok();
        return inside.split_once(']').is_some_and(|(address, port)| {
            is_in(address) && (port.is_empty() || port.strip_prefix(':').is_some_and(is_port))
        });
    }
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if is_port(port) => host,
        _ => authority,
    };
    let labels: Vec<&str> = host.split('.').collect();
    let Some((ending, labels)) = labels.split_last() else { return false };
    let is_word = |character: char| character.is_alphanumeric() || "_%".contains(character);
    let is_label =
        |label: &&str| !label.is_empty() && label.chars().all(|character| is_word(character) || character == '-');
    let is_numbers = |host: &str| {
        host.split('.').count() == 4
            && host
                .split('.')
                .all(|part| (1..=3).contains(&part.len()) && part.bytes().all(|digit| digit.is_ascii_digit()))
    };
    if after.is_none() {
        let is_long = |label: &&str| (2..=63).contains(&label.chars().count());
        let known = ["com", "net", "int", "edu", "gov", "org", "info", "mil"];
        return !labels.is_empty()
            && labels.iter().all(|label| is_label(label) && is_long(label))
            && known.contains(ending);
    }
    let is_ending = match ending.strip_prefix("xn--") {
        Some(rest) => (2..=59).contains(&rest.chars().count()) && rest.chars().all(is_word),
        None => (2..=63).contains(&ending.len()) && ending.bytes().all(|letter| letter.is_ascii_lowercase()),
    };
    (is_ending && labels.iter().all(is_label)) || (scheme.is_some() && is_numbers(host))
}

/// Whether a word is a mail address.
fn is_mail(word: &str) -> bool {
    let is_word = |character: char| character.is_alphanumeric() || character == '_';
    let Some((user, host)) = word.rsplit_once('@') else { return false };
    let Some((name, ending)) = host.rsplit_once('.') else { return false };
    !user.is_empty()
        && !ending.is_empty()
        && ending.chars().all(is_word)
        && name.starts_with(is_word)
        && name.chars().all(|character| is_word(character) || character == '-' || character == '.')
}

impl Links {
    fn link(&self, word: &str) -> String {
        let (head, middle, tail) = trimmed(word);
        let Self { attributes, .. } = self;
        let shown = match self.limit {
            Some(limit) if middle.chars().count() > limit => middle.chars().take(limit).collect::<String>() + "...",
            _ => middle.clone(),
        };
        let link = if is_web(&middle) {
            let scheme = if middle.starts_with("https://") || middle.starts_with("http://") { "" } else { "https://" };
            format!("<a href=\"{scheme}{middle}\"{attributes}>{shown}</a>")
        } else if let Some(address) = middle.strip_prefix("mailto:").filter(|address| is_mail(address)) {
            format!("<a href=\"{middle}\">{address}</a>")
        } else if middle.contains('@')
            && !middle.starts_with("www.")
            && !middle.starts_with('@')
            && !middle.contains(':')
            && is_mail(&middle)
        {
            format!("<a href=\"mailto:{middle}\">{middle}</a>")
        } else {
            let mut link = middle.clone();
            for scheme in &self.schemes {
                if link != *scheme && link.starts_with(scheme) {
                    link = format!("<a href=\"{link}\"{attributes}>{link}</a>");
                }
            }
            link
        };
        format!("{head}{link}{tail}")
    }
}

/// A word without the punctuation around it, and that punctuation; brackets that close within the word stay there.
fn trimmed(word: &str) -> (String, String, String) {
    let mut middle = word;
    while let Some(rest) = ["(", "<", "&lt;"].iter().find_map(|open| middle.strip_prefix(open)) {
        middle = rest;
    }
    let head = word.strip_suffix(middle).unwrap_or_default().to_owned();
    let mut kept = middle;
    while let Some(rest) = [")", ">", ".", ",", "&gt;"].iter().find_map(|close| kept.strip_suffix(close)) {
        kept = rest;
    }
    let mut tail = middle.strip_prefix(kept).unwrap_or_default();
    let mut middle = kept.to_owned();
    for (open, close) in [("(", ")"), ("<", ">"), ("&lt;", "&gt;")] {
        let opened = middle.matches(open).count();
        if opened <= middle.matches(close).count() {
            continue;
        }
        for _ in 0..opened.min(tail.matches(close).count()) {
            let Some((before, after)) = tail.split_once(close) else { break };
            middle.push_str(before);
            middle.push_str(close);
            tail = after;
        }
    }
    (head, middle, tail.to_owned())
}

#[cfg(test)]
mod tests {
    use crate::formula::template::filters::assert_shown;

    #[test]
    fn html_is_marked_and_escaped_once() {
        assert_shown(&[
            ("{{ '<a>'|e|e }}", Some("&lt;a&gt;")),
            ("{{ '<a>'|e|forceescape }}", Some("&amp;lt;a&amp;gt;")),
            ("{{ '<b>x</b>  &amp; <!-- c --> y <'|striptags }}", Some("x & y <")),
            (
                "{{ 'see (http://example.com/x), www.foo.org or me@x.com. foo.de'|urlize(15, true) }}",
                Some(
                    r#"see (<a href="http://example.com/x" rel="nofollow noopener">http://example....</a>), <a href="https://www.foo.org" rel="nofollow noopener">www.foo.org</a> or <a href="mailto:me@x.com">me@x.com</a>. foo.de"#,
                ),
            ),
            ("{{ {'class': 'a b', 'none': none, 'id': '<1>'}|xmlattr }}", Some(r#" class="a b" id="&lt;1&gt;""#)),
            ("{{ {'a b': 1}|xmlattr }}", None),
            ("{{ {'q': 'a b/c', 'n': 1}|urlencode }}", Some("q=a+b%2Fc&n=1")),
            ("{{ 'a b/c ü'|urlencode }}", Some("a%20b/c%20%C3%BC")),
        ]);
    }
}
