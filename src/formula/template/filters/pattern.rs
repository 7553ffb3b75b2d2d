//! Python's regular expressions in the words of this program's own engine.

use std::iter::Peekable;
use std::str::Chars;

use minijinja::Error;

use super::arguments::wrong;

/// A pattern that means here what the given one means in Python.
///
/// The differences: `$` also matches before a last line end, `\Z` is the very end, `{` and `[` may stand for themselves,
/// some escapes have other names, and flags for all of the pattern come first.
pub(super) fn translated(pattern: &str, ignorecase: bool, multiline: bool, is_anchored: bool) -> Result<String, Error> {
    let (flags, body) = leading_flags(pattern);
    let has = |flag: char| flags.contains(flag);
    let mut translator = Translator {
        chars: body.chars().peekable(),
        out: String::new(),
        multiline: multiline || has('m'),
        verbose: has('x'),
    };
    translator.run()?;
    let mut prefix = String::new();
    for (flag, is_on) in [('i', ignorecase || has('i')), ('m', translator.multiline), ('s', has('s')), ('x', has('x'))] {
        if is_on {
            prefix.push(flag);
        }
    }
    let prefix = if prefix.is_empty() { prefix } else { format!("(?{prefix})") };
    let end = if translator.verbose { "\n" } else { "" };
    Ok(if is_anchored { format!("{prefix}\\A(?:{}{end})", translator.out) } else { prefix + &translator.out })
}

/// The flags for all of a pattern, and the rest of it.
fn leading_flags(pattern: &str) -> (String, &str) {
    let mut flags = String::new();
    let mut rest = pattern;
    while let Some((found, after)) = rest.strip_prefix("(?").and_then(|inner| inner.split_once(')')) {
        if found.is_empty() || !found.chars().all(|flag| "aiLmsux".contains(flag)) {
            break;
        }
        flags.push_str(found);
        rest = after;
    }
    (flags, rest)
}

struct Translator<'a> {
    chars: Peekable<Chars<'a>>,
    out: String,
    multiline: bool,
    verbose: bool,
}

impl Translator<'_> {
    fn run(&mut self) -> Result<(), Error> {
        while let Some(character) = self.chars.next() {
            match character {
                '\\' => self.escape(false)?,
                '[' => self.class()?,
                '$' if !self.multiline => self.out.push_str("(?=\\n?\\z)"),
                '{' => self.brace(),
                '}' => self.out.push_str("\\}"),
                '(' if self.starts_with("?#") => {
                    while self.chars.next().is_some_and(|skipped| skipped != ')') {}
                }
                '(' if self.starts_with("?P=") => {
                    self.chars.nth(2);
                    let name: String = self.chars.by_ref().take_while(|character| *character != ')').collect();
                    self.out.push_str(&format!("(?:\\k<{name}>)"));
                }
                '(' if self.starts_with("?<") && !self.starts_with("?<=") && !self.starts_with("?<!") => {
                    return Err(wrong("unknown extension ?<"));
                }
                other => self.out.push(other),
            }
        }
        Ok(())
    }

    fn starts_with(&self, text: &str) -> bool {
        self.chars.clone().take(text.chars().count()).eq(text.chars())
    }

    /// `{`: of a repetition, or standing for itself.
    fn brace(&mut self) {
        let inner: String = self.chars.clone().take_while(|character| *character != '}').collect();
        let is_closed = self.chars.clone().nth(inner.chars().count()).is_some();
        let is_digits = |text: &str| text.bytes().all(|digit| digit.is_ascii_digit());
        let (least, most) = inner.split_once(',').unwrap_or((&inner, &inner));
        if !is_closed || inner.is_empty() || !is_digits(least) || !is_digits(most) || (least.is_empty() && most.is_empty() && inner != ",") {
            self.out.push_str("\\{");
            return;
        }
        let least = if least.is_empty() { "0" } else { least };
        let repetition = if inner.contains(',') { format!("{{{least},{most}}}") } else { format!("{{{least}}}") };
        self.out.push_str(&repetition);
        self.chars.nth(inner.chars().count());
    }

    /// A set of characters between brackets, in which only a few mean something.
    fn class(&mut self) -> Result<(), Error> {
        self.out.push('[');
        if self.chars.next_if_eq(&'^').is_some() {
            self.out.push('^');
        }
        let mut is_first = true;
        while let Some(character) = self.chars.next() {
            match character {
                ']' if !is_first => {
                    self.out.push(']');
                    return Ok(());
                }
                '\\' => self.escape(true)?,
                // A dash is of a range if it has something on either side.
                '-' if is_first || self.chars.peek() == Some(&']') => self.out.push_str("\\-"),
                '[' | ']' | '&' | '~' | '^' | '#' | ' ' => self.out.extend(['\\', character]),
                other => self.out.push(other),
            }
            is_first = false;
        }
        Err(wrong("unterminated character set"))
    }

    fn code(&mut self, digits: usize) -> Result<u32, Error> {
        let code: String = self.chars.by_ref().take(digits).collect();
        let is_whole = code.len() == digits;
        u32::from_str_radix(&code, 16).ok().filter(|_| is_whole).ok_or_else(|| wrong(format!("incomplete escape {code}")))
    }

    /// What follows a backslash.
    fn escape(&mut self, in_class: bool) -> Result<(), Error> {
        let Some(escape) = self.chars.next() else { return Err(wrong("bad escape (end of pattern)")) };
        match escape {
            'd' | 'D' | 's' | 'S' | 'w' | 'W' | 'n' | 'r' | 't' | 'f' => self.out.extend(['\\', escape]),
            'A' | 'B' | 'b' if !in_class => self.out.extend(['\\', escape]),
            'b' => self.out.push_str("\\x08"),
            'Z' if !in_class => self.out.push_str("\\z"),
            'a' => self.out.push_str("\\x07"),
            'v' => self.out.push_str("\\x0B"),
            'x' | 'u' | 'U' => {
                let code = self.code(match escape {
                    'x' => 2,
                    'u' => 4,
                    _ => 8,
                })?;
                self.out.push_str(&format!("\\x{{{code:X}}}"));
            }
            '0' => {
                let mut code = 0;
                for _ in 0..2 {
                    let Some(digit) = self.chars.next_if(|digit| ('0'..='7').contains(digit)) else { break };
                    code = code * 8 + digit.to_digit(8).unwrap_or(0);
                }
                self.out.push_str(&format!("\\x{{{code:X}}}"));
            }
            '1'..='9' if in_class => {
                let mut code = escape.to_digit(8).ok_or_else(|| wrong(format!("bad escape \\{escape}")))?;
                while let Some(digit) = self.chars.next_if(|digit| ('0'..='7').contains(digit) && code < 0o40) {
                    code = code * 8 + digit.to_digit(8).unwrap_or(0);
                }
                self.out.push_str(&format!("\\x{{{code:X}}}"));
            }
            '1'..='9' => {
                let second = self.chars.next_if(char::is_ascii_digit);
                self.out.push_str(&format!("(?:\\{escape}{})", second.map(String::from).unwrap_or_default()));
            }
            letter if letter.is_ascii_alphabetic() => return Err(wrong(format!("bad escape \\{letter}"))),
            other if other.is_ascii_whitespace() => self.out.push_str(&format!("\\x{:02X}", u32::from(other))),
            other if other.is_ascii_punctuation() && !"<>\"'/,:;=@!%_`".contains(other) => self.out.extend(['\\', other]),
            other => self.out.push(other),
        }
        Ok(())
    }
}
