//! Splits a line into words as Python's `shlex.split` does, which is what Ansible uses.

/// A word, with the column it begins in, counted from zero in characters.
#[derive(Debug, PartialEq)]
pub(super) struct Word {
    pub(super) text: String,
    pub(super) column: usize,
}

/// The words of a line; with `comments`, a `#` outside quotes ends it, also in the middle of a word.
///
/// The error is the column of a quote or backslash that nothing follows.
pub(super) fn split(line: &str, comments: bool) -> Result<Vec<Word>, usize> {
    let mut words: Vec<Word> = Vec::new();
    let mut word: Option<Word> = None;
    let mut chars = line.chars().enumerate();
    while let Some((column, c)) = chars.next() {
        if matches!(c, ' ' | '\t' | '\r' | '\n') {
            words.extend(word.take());
            continue;
        }
        if c == '#' && comments {
            break;
        }
        let text = &mut word.get_or_insert_with(|| Word { text: String::new(), column }).text;
        match c {
            '\\' => text.push(chars.next().ok_or(column)?.1),
            '\'' | '"' => loop {
                match chars.next().ok_or(column)?.1 {
                    end if end == c => break,
                    '\\' if c == '"' => match chars.next().ok_or(column)?.1 {
                        escaped @ ('"' | '\\') => text.push(escaped),
                        other => text.extend(['\\', other]),
                    },
                    other => text.push(other),
                }
            },
            _ => text.push(c),
        }
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        split(line, true).unwrap().into_iter().map(|word| word.text).collect()
    }

    #[test]
    fn quotes_and_comments_are_those_of_python() {
        assert_eq!(words(r#"a b="c d" e='f "g"' # h"#), ["a", "b=c d", "e=f \"g\""]);
        assert_eq!(words(r#"a\ b "c\"d\e" '\' ''"#), ["a b", "c\"d\\e", "\\", ""]);
        assert_eq!(words("a=b#c d"), ["a=b"]);
        assert_eq!(split("a #b", false).unwrap().len(), 2);
        assert_eq!(split("a 'b", true), Err(2));
        assert_eq!(split("ä  bc", true).unwrap()[1].column, 3);
    }
}
