//! Values in INI inventories: Python literals, as `ast.literal_eval` reads them, else text.

use serde_json::{Map, Value};

/// How deep literals may be nested.
const MAX_DEPTH: usize = 50;

/// What Ansible makes of the text behind `=`.
pub(super) fn value(text: &str) -> Value {
    let mut reader = Reader { rest: text, depth: 0 };
    match reader.whole() {
        Some(value) => value,
        None => text.into(),
    }
}

struct Reader<'t> {
    rest: &'t str,
    depth: usize,
}

impl Reader<'_> {
    /// The whole text as one expression; several with commas between them are a tuple.
    fn whole(&mut self) -> Option<Value> {
        let first = self.expression()?;
        let value = if self.take(",") {
            let mut items = vec![first];
            while !self.at_end() {
                items.push(self.expression()?);
                if !self.take(",") {
                    break;
                }
            }
            items.into()
        } else {
            first
        };
        self.at_end().then_some(value)
    }

    fn at_end(&mut self) -> bool {
        self.skip();
        self.rest.is_empty() || self.rest.starts_with('#')
    }

    fn skip(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\u{c}']);
    }

    fn take(&mut self, sign: &str) -> bool {
        self.skip();
        let rest = self.rest.strip_prefix(sign);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn expression(&mut self) -> Option<Value> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return None;
        }
        let value = self.inner();
        self.depth -= 1;
        value
    }

    fn inner(&mut self) -> Option<Value> {
        self.skip();
        if self.take("[") {
            return Some(self.items("]")?.0.into());
        }
        if self.take("(") {
            let (mut items, comma) = self.items(")")?;
            return if items.len() == 1 && !comma { items.pop() } else { Some(items.into()) };
        }
        if self.take("{") {
            return self.braces();
        }
        if self.take("...") {
            return Some("...".into());
        }
        match self.rest.chars().next()? {
            c if c.is_ascii_digit() || ".+-".contains(c) => self.number(),
            _ => self.word(),
        }
    }

    /// Expressions up to a bracket, and whether the last one has a comma behind it.
    fn items(&mut self, end: &str) -> Option<(Vec<Value>, bool)> {
        let (mut items, mut comma) = (Vec::new(), false);
        while !self.take(end) {
            if !items.is_empty() && !comma {
                return None;
            }
            items.push(self.expression()?);
            comma = self.take(",");
        }
        Some((items, comma))
    }

    /// A dictionary, or a set, which becomes a list.
    fn braces(&mut self) -> Option<Value> {
        let (mut map, mut set) = (Map::new(), Vec::new());
        while !self.take("}") {
            let item = self.expression()?;
            if self.take(":") {
                let value = self.expression()?;
                map.insert(key(&item)?, value);
            } else if !set.contains(&item) {
                set.push(item);
            }
            if !self.take(",") {
                if self.take("}") {
                    break;
                }
                return None;
            }
        }
        match (map.is_empty(), set.is_empty()) {
            (_, true) => Some(Value::Object(map)),
            (true, false) => Some(set.into()),
            (false, false) => None,
        }
    }

    fn number(&mut self) -> Option<Value> {
        let minus = self.rest.starts_with('-');
        if minus || self.rest.starts_with('+') {
            self.rest = &self.rest[1..];
            self.skip();
        }
        let hex = self.rest.starts_with("0x") || self.rest.starts_with("0X");
        let mut before = ' ';
        let end = self.rest.find(|c: char| {
            let exponent = !hex && "+-".contains(c) && "eE".contains(before);
            before = c;
            !(c.is_ascii_alphanumeric() || "_.".contains(c) || exponent)
        });
        let (number, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = rest;
        number_value(number, minus)
    }

    /// `True`, `False`, `None`, or strings one after the other.
    fn word(&mut self) -> Option<Value> {
        let end = self.rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        if rest.starts_with(['"', '\'']) {
            return self.strings().map(Value::String);
        }
        self.rest = rest;
        match word {
            "True" => Some(true.into()),
            "False" => Some(false.into()),
            "None" => Some(Value::Null),
            "set" if self.take("(") && self.take(")") => Some(Value::Array(Vec::new())),
            _ => None,
        }
    }

    fn strings(&mut self) -> Option<String> {
        let mut all = String::new();
        loop {
            self.skip();
            let Some(quote) = self.rest.find(['"', '\'']).filter(|at| *at <= 2) else { break };
            let prefix = self.rest[..quote].to_ascii_lowercase();
            if !["", "r", "u", "b", "br", "rb"].contains(&prefix.as_str()) {
                break;
            }
            self.rest = &self.rest[quote..];
            let (sign, triple) = (&self.rest[..1], self.rest[..1].repeat(3));
            let quote = if self.rest.starts_with(&triple) { triple } else { sign.to_owned() };
            self.rest = &self.rest[quote.len()..];
            all.push_str(&self.string(&quote, prefix.contains('r'))?);
            self.skip();
            if self.rest.is_empty() {
                break;
            }
        }
        Some(all)
    }

    fn string(&mut self, quote: &str, raw: bool) -> Option<String> {
        let mut text = String::new();
        loop {
            if let Some(rest) = self.rest.strip_prefix(quote) {
                self.rest = rest;
                return Some(text);
            }
            let c = self.next()?;
            if c != '\\' {
                text.push(c);
                continue;
            }
            let escaped = self.next()?;
            match escaped {
                _ if raw => text.extend(['\\', escaped]),
                '\\' | '\'' | '"' => text.push(escaped),
                'n' => text.push('\n'),
                't' => text.push('\t'),
                'r' => text.push('\r'),
                'a' => text.push('\u{7}'),
                'b' => text.push('\u{8}'),
                'f' => text.push('\u{c}'),
                'v' => text.push('\u{b}'),
                'x' => text.push(self.code(2)?),
                'u' => text.push(self.code(4)?),
                'U' => text.push(self.code(8)?),
                'N' => return None,
                '0'..='7' => {
                    let more = self.rest.chars().take(2).take_while(|c| ('0'..='7').contains(c)).count();
                    let code = format!("{escaped}{}", &self.rest[..more]);
                    self.rest = &self.rest[more..];
                    text.push(char::from_u32(u32::from_str_radix(&code, 8).ok()?)?);
                }
                _ => text.extend(['\\', escaped]),
            }
        }
    }

    fn next(&mut self) -> Option<char> {
        let c = self.rest.chars().next()?;
        self.rest = &self.rest[c.len_utf8()..];
        Some(c)
    }

    fn code(&mut self, digits: usize) -> Option<char> {
        let code = self.rest.get(..digits).filter(|code| code.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
        self.rest = &self.rest[digits..];
        char::from_u32(u32::from_str_radix(code, 16).ok()?)
    }
}

/// A number as Python writes it; one that 64 bits cannot hold stays text.
fn number_value(number: &str, minus: bool) -> Option<Value> {
    // An underscore stands between two digits, or behind `0x`.
    if number.starts_with('_')
        || number.ends_with('_')
        || number.contains("__")
        || number.contains("_.")
        || number.contains("._")
    {
        return None;
    }
    let plain = number.replace('_', "").to_ascii_lowercase();
    let radix =
        |digits: &str, radix| (!digits.starts_with(['+', '-'])).then(|| i128::from_str_radix(digits, radix).ok())?;
    let int = match plain.get(..2) {
        Some("0x") => Some(radix(&plain[2..], 16)?),
        Some("0o") => Some(radix(&plain[2..], 8)?),
        Some("0b") => Some(radix(&plain[2..], 2)?),
        _ if plain.bytes().all(|byte| byte.is_ascii_digit()) => {
            if plain.starts_with('0') && plain.bytes().any(|byte| byte != b'0') {
                return None;
            }
            Some(plain.parse().ok()?)
        }
        _ => None,
    };
    if let Some(int) = int {
        return serde_json::Number::from_i128(if minus { -int } else { int }).map(Value::Number);
    }
    if !plain.bytes().all(|byte| byte.is_ascii_digit() || b".e+-".contains(&byte)) {
        return None;
    }
    let float: f64 = plain.parse().ok()?;
    serde_json::Number::from_f64(if minus { -float } else { float }).map(Value::Number)
}

/// A key of a dictionary, as JSON has it.
fn key(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Array(_) | Value::Object(_) => None,
        other => Some(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_are_pythons_and_all_else_is_text() {
        for (text, json) in [
            ("1", "1"),
            ("-1", "-1"),
            ("0644", "\"0644\""),
            ("0x1F", "31"),
            ("1_000", "1000"),
            ("1e3", "1000.0"),
            ("10.0.0.1", "\"10.0.0.1\""),
            ("True", "true"),
            ("true", "\"true\""),
            ("None", "null"),
            ("yes", "\"yes\""),
            ("1,2", "[1,2]"),
            ("1,", "[1]"),
            ("(1)", "1"),
            ("(1,)", "[1]"),
            ("[1, 'a',]", "[1,\"a\"]"),
            ("[,]", "\"[,]\""),
            ("{'a': [1], 2: None,}", "{\"2\":null,\"a\":[1]}"),
            ("{1, 1}", "[1]"),
            ("{}", "{}"),
            ("'a' \"b\"", "\"ab\""),
            ("'a\\x41\\n'", "\"aA\\n\""),
            ("r'a\\n'", "\"a\\\\n\""),
            ("'a' # b", "\"a\""),
            ("1 # b", "1"),
            ("a # b", "\"a # b\""),
            ("", "\"\""),
            ("'a", "\"'a\""),
            ("--5", "\"--5\""),
            ("-True", "\"-True\""),
            ("1 + 2", "\"1 + 2\""),
            ("+ 5", "5"),
            ("'''it's'''", "\"it's\""),
            ("...", "\"...\""),
            ("{{ x }}", "\"{{ x }}\""),
            ("1.", "1.0"),
            (".5", "0.5"),
            (".", "\".\""),
            ("nan", "\"nan\""),
            ("1e999", "\"1e999\""),
            ("b'a'", "\"a\""),
            ("''", "\"\""),
            ("00", "0"),
            ("0_0", "0"),
            ("1__0", "\"1__0\""),
        ] {
            assert_eq!(value(text).to_string(), json, "{text}");
        }
        assert_eq!(value(&"[".repeat(10_000)), Value::String("[".repeat(10_000)));
    }
}
