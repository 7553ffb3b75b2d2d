//! Shell patterns as Python's `fnmatch` reads them.

/// Whether a text matches a pattern: `*` any characters, `?` one, `[seq]` and `[!seq]` one of a set. A bracket that
/// is not closed stands for itself. Letters differ from their capitals.
#[must_use]
pub fn is_match(pattern: &str, text: &str) -> bool {
    let pattern = parse(pattern);
    let text: Vec<char> = text.chars().collect();
    let (mut at, mut from) = (0, 0);
    // Where the last star stands, and the text it has eaten so far; going back there once more is always enough.
    let mut star: Option<(usize, usize)> = None;
    while from < text.len() {
        match pattern.get(at) {
            Some(Part::Star) => {
                star = Some((at, from));
                at += 1;
            }
            Some(part) if part.takes(text[from]) => {
                at += 1;
                from += 1;
            }
            _ => {
                let Some((last, eaten)) = star else { return false };
                star = Some((last, eaten + 1));
                at = last + 1;
                from = eaten + 1;
            }
        }
    }
    pattern[at..].iter().all(|part| matches!(part, Part::Star))
}

/// Whether a text has anything that makes it more than itself.
#[must_use]
pub fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

enum Part {
    Star,
    Any,
    One(char),
    Set { ranges: Vec<(char, char)>, negated: bool },
}

impl Part {
    fn takes(&self, character: char) -> bool {
        match self {
            Self::Star => false,
            Self::Any => true,
            Self::One(one) => *one == character,
            Self::Set { ranges, negated } => {
                ranges.iter().any(|(low, high)| (*low..=*high).contains(&character)) != *negated
            }
        }
    }
}

fn parse(pattern: &str) -> Vec<Part> {
    let characters: Vec<char> = pattern.chars().collect();
    let mut parts = Vec::new();
    let mut at = 0;
    let mut is_unclosed = false;
    while let Some(&character) = characters.get(at) {
        at += 1;
        parts.push(match character {
            '*' => Part::Star,
            '?' => Part::Any,
            // Behind a bracket that is not closed none is.
            '[' if !is_unclosed => {
                if let Some((set, length)) = set(&characters[at..]) {
                    at += length;
                    set
                } else {
                    is_unclosed = true;
                    Part::One('[')
                }
            }
            other => Part::One(other),
        });
    }
    parts
}

/// A set and how many characters it takes, its closing bracket included.
fn set(rest: &[char]) -> Option<(Part, usize)> {
    let negated = rest.first() == Some(&'!');
    let begin = usize::from(negated);
    // A bracket that comes first is one of the set.
    let end = begin + 1 + rest.get(begin + 1..)?.iter().position(|&character| character == ']')?;
    let inner = &rest[begin..end];
    let mut ranges = Vec::new();
    let mut at = 0;
    while at < inner.len() {
        if let Some(&['-', high]) = inner.get(at + 1..at + 3) {
            ranges.push((inner[at], high));
            at += 3;
        } else {
            ranges.push((inner[at], inner[at]));
            at += 1;
        }
    }
    Some((Part::Set { ranges, negated }, end + 1))
}

#[cfg(test)]
mod tests {
    use super::is_match;

    #[test]
    fn patterns_match_as_in_python() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("cmp*", "cmp001", true),
            ("cmp[0-9]", "cmp7", true),
            ("cmp[!0-9]", "cmp7", false),
            ("a*b*c", "aXbYbZc", true),
            ("a*b*c", "aXbYbZ", false),
            ("[", "[", true),
            ("a[bc", "a[bc", true),
            ("[]]", "]", true),
            ("[!]]", "]", false),
            ("[a-]", "-", true),
            ("Web*", "web1", false),
            ("a?c", "a\nc", true),
        ] {
            assert_eq!(is_match(pattern, text), expected, "{pattern} {text}");
        }
    }
}
