//! Upper, lower and title case, and what kinds of characters a text is made of.

use minijinja::Value;

use super::Method;
use super::split::is_space;
use crate::formula::template::value::is_printable;

/// The methods of this kind.
pub(super) const METHODS: &[Method] = &[
    ("capitalize", "", |text, _| Ok(Value::from(capitalized(text)))),
    ("casefold", "", |text, _| Ok(Value::from(text.to_lowercase().replace('ß', "ss")))),
    ("isalnum", "", |text, _| Ok(all(text, char::is_alphanumeric))),
    ("isalpha", "", |text, _| Ok(all(text, char::is_alphabetic))),
    ("isascii", "", |text, _| Ok(Value::from(text.is_ascii()))),
    ("isdecimal", "", |text, _| Ok(all(text, is_decimal))),
    ("isdigit", "", |text, _| Ok(all(text, |character| is_decimal(character) || is_raised(character)))),
    ("isidentifier", "", |text, _| Ok(Value::from(is_identifier(text)))),
    ("islower", "", |text, _| Ok(Value::from(is_lower(text)))),
    ("isnumeric", "", |text, _| Ok(all(text, char::is_numeric))),
    ("isprintable", "", |text, _| Ok(Value::from(text.chars().all(is_printable)))),
    ("isspace", "", |text, _| Ok(all(text, is_space))),
    ("istitle", "", |text, _| Ok(Value::from(is_title(text)))),
    ("isupper", "", |text, _| Ok(Value::from(is_upper(text)))),
    ("lower", "", |text, _| Ok(Value::from(text.to_lowercase()))),
    ("swapcase", "", |text, _| Ok(Value::from(swapped(text)))),
    ("title", "", |text, _| Ok(Value::from(titled(text)))),
    ("upper", "", |text, _| Ok(Value::from(text.to_uppercase()))),
];

fn all(text: &str, is_so: fn(char) -> bool) -> Value {
    Value::from(!text.is_empty() && text.chars().all(is_so))
}

/// Python's `str.capitalize`: the first character in title case, the others in lower case.
pub(in crate::formula::template) fn capitalized(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| title_case(first) + &chars.as_str().to_lowercase())
}

/// A character in title case: of a letter that becomes two, only the first is a capital.
fn title_case(character: char) -> String {
    let mut upper = character.to_uppercase();
    upper
        .next()
        .map_or_else(String::new, |first| std::iter::once(first).chain(upper.flat_map(char::to_lowercase)).collect())
}

fn is_cased(character: char) -> bool {
    character.is_lowercase() || character.is_uppercase()
}

/// Python's `str.islower`: there are letters with a case, and all are lower.
pub(in crate::formula::template) fn is_lower(text: &str) -> bool {
    text.chars().any(char::is_lowercase) && !text.chars().any(char::is_uppercase)
}

/// Python's `str.isupper`.
pub(in crate::formula::template) fn is_upper(text: &str) -> bool {
    text.chars().any(char::is_uppercase) && !text.chars().any(char::is_lowercase)
}

fn titled(text: &str) -> String {
    let mut is_within = false;
    let mut titled = String::with_capacity(text.len());
    for character in text.chars() {
        if is_within {
            titled.extend(character.to_lowercase());
        } else {
            titled.push_str(&title_case(character));
        }
        is_within = is_cased(character);
    }
    titled
}

fn is_title(text: &str) -> bool {
    let mut is_within = false;
    let mut has_cased = false;
    for character in text.chars() {
        if (character.is_uppercase() && is_within) || (character.is_lowercase() && !is_within) {
            return false;
        }
        is_within = is_cased(character);
        has_cased |= is_within;
    }
    has_cased
}

fn swapped(text: &str) -> String {
    let swap = |character: char| -> String {
        if character.is_uppercase() { character.to_lowercase().collect() } else { character.to_uppercase().collect() }
    };
    text.chars().map(swap).collect()
}

/// A digit of any script, of which those that count from zero to nine come in rows of ten.
fn is_decimal(character: char) -> bool {
    character.is_ascii_digit()
        || (!character.is_ascii()
            && character.is_numeric()
            && regex::Regex::new(r"^\p{Nd}$").is_ok_and(|digit| digit.is_match(character.encode_utf8(&mut [0; 4]))))
}

fn is_raised(character: char) -> bool {
    matches!(character, '²' | '³' | '¹' | '⁰' | '⁴'..='⁹' | '₀'..='₉')
}

fn is_identifier(text: &str) -> bool {
    let is_start = text.starts_with(|first: char| first == '_' || first.is_alphabetic());
    is_start && text.chars().all(|character| character == '_' || character.is_alphanumeric())
}

#[cfg(test)]
mod tests {
    use crate::formula::template::filters::assert_shown;

    #[test]
    fn case_is_that_of_python() {
        assert_shown(&[
            (r"{{ 'they\'re x-y 1st'.title() }}", Some("They'Re X-Y 1St")),
            ("{{ 'straße'.upper() }}", Some("STRASSE")),
            ("{{ 'ß'.capitalize() }}", Some("Ss")),
            (
                "{{ ['Ab c'.istitle(), 'aB'.islower(), '1'.isupper(), ''.isalpha(), '٣'.isdecimal(), '²'.isdecimal()] }}",
                Some("[False, False, False, False, True, False]"),
            ),
        ]);
    }
}
