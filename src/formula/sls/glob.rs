//! Python's `fnmatch`, by which Salt finds SLS files, excluded SLS and the targets of requisites.

/// Whether a pattern can match anything but itself.
pub(super) fn is_pattern(pattern: &str) -> bool {
    pattern.contains(['*', '?', '['])
}

/// Whether `pattern` (`*`, `?`, `[a-c]`, `[!a-c]`) describes all of `text`.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    if !is_pattern(pattern) {
        return pattern == text;
    }
    // Most texts differ before the first wildcard.
    if pattern.bytes().zip(text.bytes()).take_while(|(one, _)| !b"*?[".contains(one)).any(|(one, two)| one != two) {
        return false;
    }
    let pattern: Vec<char> = pattern.chars().collect();
    let text: Vec<char> = text.chars().collect();
    let (mut at, mut read) = (0, 0);
    // Where to go on when what follows the last star does not fit: the star takes one character more.
    let mut star: Option<(usize, usize)> = None;
    while let Some(&character) = text.get(read) {
        if pattern.get(at) == Some(&'*') {
            star = Some((at + 1, read));
            at += 1;
        } else if let Some(next) = pattern.get(at..).and_then(|rest| one(rest, character)) {
            at += next;
            read += 1;
        } else if let Some((after, taken)) = star {
            star = Some((after, taken + 1));
            at = after;
            read = taken + 1;
        } else {
            return false;
        }
    }
    pattern.get(at..).unwrap_or_default().iter().all(|&rest| rest == '*')
}

/// How much of the pattern stands for `character`; `None` if its beginning does not.
fn one(pattern: &[char], character: char) -> Option<usize> {
    match pattern.first()? {
        '?' => Some(1),
        '[' => match class(pattern) {
            Some((set, length)) => contains(set, character).then_some(length),
            None => (character == '[').then_some(1),
        },
        &other => (other == character).then_some(1),
    }
}

/// What stands between the brackets the pattern begins with, and how long it is with them. A `]` that comes
/// first is a member; a bracket that is never closed is a plain character.
fn class(pattern: &[char]) -> Option<(&[char], usize)> {
    let mut end = 1;
    if pattern.get(end) == Some(&'!') {
        end += 1;
    }
    if pattern.get(end) == Some(&']') {
        end += 1;
    }
    while *pattern.get(end)? != ']' {
        end += 1;
    }
    Some((pattern.get(1..end)?, end + 1))
}

fn contains(set: &[char], character: char) -> bool {
    let (is_negated, set) = match set.split_first() {
        Some(('!', rest)) => (true, rest),
        _ => (false, set),
    };
    let mut at = 0;
    let mut found = false;
    while let Some(&first) = set.get(at) {
        if let (Some('-'), Some(&last)) = (set.get(at + 1), set.get(at + 2)) {
            found |= (first..=last).contains(&character);
            at += 3;
        } else {
            found |= first == character;
            at += 1;
        }
    }
    found != is_negated
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn patterns_match_as_in_python() {
        for (pattern, text) in
            [("a*c", "abbc"), ("*", ""), ("a.?", "a.b"), ("[a-c]x", "bx"), ("[!a]x", "bx"), ("[]]", "]"), ("[a", "[a")]
        {
            assert!(matches(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in
            [("a*c", "abb"), ("a", "A"), ("[!a]x", "ax"), ("?", ""), ("[c-a]", "b"), ("*.init", "init")]
        {
            assert!(!matches(pattern, text), "{pattern} {text}");
        }
    }
}
