//! Compound targets: words that each match on their own, between operators that mean what they mean in Python.

use super::{Data, Host, Matcher, plain};

/// The deepest nesting of parentheses and negations, and how many words there may be.
const LIMIT: usize = 1000;

/// One piece of an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token {
    Value(bool),
    And,
    Or,
    Not,
    Open,
    Close,
}

/// Whether the words mean a host. An expression that Python could not read means none.
pub(super) fn is_match(words: Vec<String>, host: &Host<'_>) -> bool {
    let mut words: Vec<String> = words.into_iter().rev().collect();
    let mut tokens: Vec<Token> = Vec::new();
    let mut seen = 0;
    while let Some(word) = words.pop() {
        seen += 1;
        if seen > LIMIT {
            return false;
        }
        let operator = match word.as_str() {
            "and" => Some(Token::And),
            "or" => Some(Token::Or),
            "not" => Some(Token::Not),
            "(" => Some(Token::Open),
            ")" => Some(Token::Close),
            _ => None,
        };
        if let Some(operator) = operator {
            match (tokens.last(), operator) {
                (None, Token::And | Token::Or | Token::Close) | (Some(Token::Open), Token::And | Token::Or) => {
                    return false;
                }
                // Two targets side by side have an unwritten `and` when the second is negated.
                (Some(Token::Value(_) | Token::Close | Token::Not), Token::Not) => tokens.push(Token::And),
                _ => {}
            }
            tokens.push(operator);
            continue;
        }
        match target(&word) {
            Some(('N', _, name)) => words.extend(group(name, host.nodegroups).into_iter().rev()),
            Some((letter, delimiter, pattern)) => match engine(letter) {
                Some(matcher) => tokens.push(Token::Value(matcher.is_text_match(pattern, delimiter, host))),
                None => return false,
            },
            None => tokens.push(Token::Value(Matcher::Glob.is_text_match(&word, ":", host))),
        }
    }
    let mut rest = tokens.as_slice();
    let value = either(&mut rest, 0);
    rest.is_empty() && value == Some(true)
}

/// The letter, the delimiter and the pattern of a word such as `G|@os|Debian`.
fn target(word: &str) -> Option<(char, &str, &str)> {
    let letter = word.chars().next().filter(|letter| "GPIJLNSER".contains(*letter))?;
    let rest = &word[1..];
    if "GPIJ".contains(letter) {
        let delimiter = rest.chars().next()?;
        let (delimiter, after) = rest.split_at(delimiter.len_utf8());
        if let Some(pattern) = after.strip_prefix('@').filter(|pattern| !pattern.is_empty()) {
            return Some((letter, delimiter, pattern));
        }
    }
    let pattern = rest.strip_prefix('@').filter(|pattern| !pattern.is_empty())?;
    Some((letter, ":", pattern))
}

fn engine(letter: char) -> Option<Matcher> {
    Some(match letter {
        'G' => Matcher::Grain,
        'P' => Matcher::GrainPcre,
        'I' => Matcher::Pillar,
        'J' => Matcher::PillarPcre,
        'L' => Matcher::List,
        'S' => Matcher::Ipcidr,
        'E' => Matcher::Pcre,
        _ => return None,
    })
}

/// The words of a node group, other groups in it opened; none for a group that is not there or names itself.
pub(super) fn group(name: &str, groups: &Data) -> Vec<String> {
    open(name, groups, &mut Vec::new()).0
}

/// The words, and whether another group was opened in them.
fn open<'a>(name: &'a str, groups: &'a Data, within: &mut Vec<&'a str>) -> (Vec<String>, bool) {
    if within.contains(&name) || within.len() > 50 {
        return (Vec::new(), false);
    }
    let words: Vec<String> = match groups.get(name) {
        Some(Data::Str(text)) => text.split_whitespace().map(str::to_owned).collect(),
        Some(Data::List(words)) => words.iter().map(plain).collect(),
        _ => return (Vec::new(), false),
    };
    if let Some(names) = names(&words) {
        return (vec![names], false);
    }
    let mut opened = false;
    let mut all = Vec::new();
    within.push(name);
    for word in &words {
        match word.strip_prefix("N@").filter(|inner| !inner.is_empty()) {
            Some(inner) => {
                opened = true;
                // The names live as long as the groups they come from.
                let inner =
                    groups.as_dict().and_then(|groups| groups.entries.keys().find(|key| key.as_str() == Some(inner)));
                if let Some(inner) = inner.and_then(Data::as_str) {
                    all.extend(open(inner, groups, within).0);
                }
            }
            None => all.push(word.clone()),
        }
    }
    within.pop();
    if all.is_empty() {
        return (all, opened);
    }
    let mut bracketed = vec!["(".to_owned()];
    bracketed.append(&mut all);
    bracketed.push(")".to_owned());
    (bracketed, opened)
}

/// A group of names alone, or of one expression, as one target.
fn names(words: &[String]) -> Option<String> {
    let is_plain = |word: &String| {
        let operator = ["and", "or", "not", "(", ")"].contains(&word.as_str());
        let mut start = word.chars();
        let letter = start.next().is_some_and(|letter| letter.is_ascii_uppercase()) && start.next() == Some('@');
        !operator && !letter && !word.contains('*')
    };
    if words.is_empty() || !words.iter().all(is_plain) {
        return None;
    }
    let is_expression = words.iter().any(|word| word.contains(['(', '[', '{', '\\', '?', '}', ']', ')']));
    Some(format!("{}@{}", if is_expression { 'E' } else { 'L' }, words.join(",")))
}

fn either(rest: &mut &[Token], depth: usize) -> Option<bool> {
    let mut value = both(rest, depth)?;
    while let [Token::Or, tail @ ..] = *rest {
        *rest = tail;
        value |= both(rest, depth)?;
    }
    Some(value)
}

fn both(rest: &mut &[Token], depth: usize) -> Option<bool> {
    let mut value = one(rest, depth)?;
    while let [Token::And, tail @ ..] = *rest {
        *rest = tail;
        value &= one(rest, depth)?;
    }
    Some(value)
}

fn one(rest: &mut &[Token], depth: usize) -> Option<bool> {
    if depth > LIMIT {
        return None;
    }
    let [first, tail @ ..] = *rest else { return None };
    *rest = tail;
    match first {
        Token::Value(value) => Some(*value),
        Token::Not => one(rest, depth + 1).map(|value| !value),
        Token::Open => {
            let value = either(rest, depth + 1)?;
            let [Token::Close, tail @ ..] = *rest else { return None };
            *rest = tail;
            Some(value)
        }
        _ => None,
    }
}
