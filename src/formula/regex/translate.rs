//! Python's regular expressions in the words of this program's own engine.

use std::fmt::Write as _;
use std::iter::Peekable;
use std::str::Chars;

use super::{Error, Options, wide};

/// Where a match may begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Anchor {
    /// Anywhere, as in `re.search`.
    None,
    /// At the beginning of the text, as in `re.match`.
    Start,
    /// Where the search begins, and it must not be empty: how Python goes on where an empty match was.
    NotEmpty,
}

/// A pattern that means here what the given one means in Python.
///
/// The differences: `$` also matches before a last line end, `\Z` is the very end, `{` and `[` may stand for themselves,
/// some escapes have other names, flags for all of the pattern come first, and what cannot be repeated is an error.
pub(super) fn translated(pattern: &str, options: Options, anchor: Anchor) -> Result<String, Error> {
    let (flags, body) = leading_flags(pattern);
    let has = |flag: char| flags.contains(flag);
    let mut translator = Translator {
        chars: body.chars().peekable(),
        out: String::new(),
        multiline: options.multi_line || has('m'),
        verbose: options.verbose || has('x'),
        of_bytes: options.of_bytes,
        last: Last::Nothing,
    };
    translator.run()?;
    let mut prefix = String::new();
    let flags = [
        ('i', options.ignore_case || has('i')),
        ('m', translator.multiline),
        ('s', options.dot_all || has('s')),
        ('x', translator.verbose),
    ];
    prefix.extend(flags.into_iter().filter_map(|(flag, is_on)| is_on.then_some(flag)));
    let prefix = if prefix.is_empty() { prefix } else { format!("(?{prefix})") };
    // A comment at the end of a verbose pattern would take the closing bracket along.
    let body = if translator.verbose { translator.out + "\n" } else { translator.out };
    Ok(match anchor {
        Anchor::None => prefix + &body,
        Anchor::Start => format!("{prefix}\\A(?:{body})"),
        Anchor::NotEmpty => format!("{prefix}\\G(?:{body})(?!\\G)"),
    })
}

fn wrong(message: impl Into<String>) -> Error {
    Error(message.into())
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

/// What stands before a sign of repetition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Last {
    /// The beginning, or a place such as `^`: nothing that could be repeated.
    Nothing,
    /// Something that can be.
    Item,
    /// A sign of repetition, which takes another only to say how eager it is.
    Repetition,
}

struct Translator<'a> {
    chars: Peekable<Chars<'a>>,
    out: String,
    multiline: bool,
    verbose: bool,
    of_bytes: bool,
    last: Last,
}

impl Translator<'_> {
    fn run(&mut self) -> Result<(), Error> {
        while let Some(character) = self.chars.next() {
            match character {
                '\\' => {
                    let is_place = self.chars.peek().is_some_and(|next| "AbBZ".contains(*next));
                    self.escape(false)?;
                    self.last = if is_place { Last::Nothing } else { Last::Item };
                }
                '[' => {
                    self.class()?;
                    self.last = Last::Item;
                }
                '^' | '$' => {
                    self.out.push_str(if character == '$' && !self.multiline { "(?=\\n?\\z)" } else { "" });
                    self.out.extend(Some(character).filter(|_| character == '^' || self.multiline));
                    self.last = Last::Nothing;
                }
                '*' | '+' | '?' => self.repetition(&character.to_string())?,
                '{' => self.brace()?,
                '(' => self.opening()?,
                '|' => {
                    self.out.push('|');
                    self.last = Last::Nothing;
                }
                other => {
                    self.out.extend((other == '}').then_some('\\'));
                    self.out.push(other);
                    let is_blank = self.verbose && other.is_whitespace();
                    self.last = if is_blank { self.last } else { Last::Item };
                    if self.verbose && other == '#' {
                        while let Some(skipped) = self.chars.next_if(|next| *next != '\n') {
                            self.out.push(skipped);
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// `(`, and what follows it to say what kind of group this is.
    fn opening(&mut self) -> Result<(), Error> {
        if self.starts_with("?#") {
            while self.chars.next().is_some_and(|skipped| skipped != ')') {}
            return Ok(());
        }
        if self.starts_with("?P=") {
            self.chars.nth(2);
            let name: String = self.chars.by_ref().take_while(|character| *character != ')').collect();
            let _ = write!(self.out, "(?:\\k<{name}>)");
            self.last = Last::Item;
            return Ok(());
        }
        self.out.push('(');
        self.last = Last::Nothing;
        if self.chars.peek() != Some(&'?') {
            return Ok(());
        }
        let kinds = ["?:", "?=", "?!", "?>", "?<=", "?<!", "?P<", "?("];
        if let Some(kind) = kinds.iter().find(|kind| self.starts_with(kind)) {
            self.out.push_str(kind);
            self.chars.nth(kind.len() - 1);
            return Ok(());
        }
        let flags: String = self.chars.clone().skip(1).take_while(|character| *character != ':').collect();
        if flags.is_empty() || !flags.chars().all(|flag| "aiLmsux-".contains(flag)) {
            return Err(wrong("unknown extension, or global flags not at the start of the expression"));
        }
        self.chars.nth(flags.len() + 1);
        let known: String = flags.chars().filter(|flag| !"aLu".contains(*flag)).collect();
        let _ = write!(self.out, "?{known}:");
        Ok(())
    }

    fn repetition(&mut self, sign: &str) -> Result<(), Error> {
        match self.last {
            Last::Item => {}
            Last::Nothing => return Err(wrong("nothing to repeat")),
            Last::Repetition => return Err(wrong("multiple repeat")),
        }
        // The engine refuses to repeat a group of nothing, which repeated is still nothing.
        if self.out.ends_with("(?:)") {
            self.out.truncate(self.out.len() - 1);
            self.out.push_str("|)");
        }
        self.out.push_str(sign);
        if let Some(how) = self.chars.next_if(|how| "?+".contains(*how)) {
            self.out.push(how);
        }
        self.last = Last::Repetition;
        Ok(())
    }

    fn starts_with(&self, text: &str) -> bool {
        self.chars.clone().take(text.chars().count()).eq(text.chars())
    }

    /// `{`: of a repetition, or standing for itself.
    fn brace(&mut self) -> Result<(), Error> {
        let inner: String = self.chars.clone().take_while(|character| *character != '}').collect();
        let is_closed = self.chars.clone().nth(inner.chars().count()).is_some();
        let is_digits = |text: &str| text.bytes().all(|digit| digit.is_ascii_digit());
        let (least, most) = inner.split_once(',').unwrap_or((&inner, &inner));
        if !is_closed
            || inner.is_empty()
            || !is_digits(least)
            || !is_digits(most)
            || (least.is_empty() && most.is_empty() && inner != ",")
        {
            self.out.push_str("\\{");
            self.last = Last::Item;
            return Ok(());
        }
        let least = if least.is_empty() { "0" } else { least };
        let repetition = if inner.contains(',') { format!("{{{least},{most}}}") } else { format!("{{{least}}}") };
        self.chars.nth(inner.chars().count());
        self.repetition(&repetition)
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
                blank if blank.is_ascii_whitespace() => self.put(u32::from(blank))?,
                other => self.out.push(other),
            }
            is_first = false;
        }
        Err(wrong("unterminated character set"))
    }

    /// Writes a character by its number.
    fn put(&mut self, code: u32) -> Result<(), Error> {
        let code = if self.of_bytes { wide(code).map(u32::from) } else { Some(code) };
        let code = code.ok_or_else(|| wrong("bad escape"))?;
        let _ = write!(self.out, "\\x{{{code:X}}}");
        Ok(())
    }

    /// Up to so many octal digits after the first.
    fn octal(&mut self, first: char, more: usize) -> Result<(), Error> {
        let mut code = first.to_digit(8).ok_or_else(|| wrong(format!("bad escape \\{first}")))?;
        for _ in 0..more {
            let Some(digit) = self.chars.next_if(|digit| ('0'..='7').contains(digit)) else { break };
            code = code * 8 + digit.to_digit(8).unwrap_or(0);
        }
        if code > 0o377 {
            return Err(wrong(format!("octal escape value \\{code:o} outside of range 0-0o377")));
        }
        self.put(code)
    }

    fn code(&mut self, digits: usize) -> Result<u32, Error> {
        let code: String = self.chars.by_ref().take(digits).collect();
        let is_whole = code.len() == digits;
        u32::from_str_radix(&code, 16)
            .ok()
            .filter(|_| is_whole)
            .ok_or_else(|| wrong(format!("incomplete escape {code}")))
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
            'u' | 'U' if self.of_bytes => return Err(wrong(format!("bad escape \\{escape}"))),
            'x' | 'u' | 'U' => {
                let code = self.code(match escape {
                    'x' => 2,
                    'u' => 4,
                    _ => 8,
                })?;
                self.put(code)?;
            }
            '0' => self.octal(escape, 2)?,
            '1'..='9' if in_class => self.octal(escape, 2)?,
            '1'..='7' if self.chars.clone().take(2).filter(|digit| ('0'..='7').contains(digit)).count() == 2 => {
                self.octal(escape, 2)?;
            }
            '1'..='9' => {
                let second = self.chars.next_if(char::is_ascii_digit);
                let _ = write!(self.out, "(?:\\{escape}{})", second.map(String::from).unwrap_or_default());
            }
            letter if letter.is_ascii_alphabetic() => return Err(wrong(format!("bad escape \\{letter}"))),
            other if other.is_ascii_whitespace() => self.put(u32::from(other))?,
            other if other.is_ascii_punctuation() && !"<>\"'/,:;=@!%_`".contains(other) => {
                self.out.extend(['\\', other]);
            }
            other => self.out.push(other),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Options, Regex};

    #[test]
    fn braces_and_brackets_may_stand_for_themselves() {
        for (text, pattern, wanted) in [
            ("x{y}", "{y}", Some("x-")),
            ("aab", "a{,2}b", Some("-")),
            ("[x]", "[[]x[]]", Some("-")),
            ("a&&b", "[&&]+", Some("a-b")),
            ("a<b>", r"\<", Some("a-b>")),
            ("a b", r"(?x) a \s b # all", Some("-")),
            ("a\tS", "(?x) a[\t] \\123", Some("-")),
            ("x", "{1}", None),
            ("x", r"\h", None),
            ("x", r"\400", None),
        ] {
            let regex = Regex::new(pattern, Options::default());
            let replaced = regex.and_then(|regex| regex.replace(text, "-", None, &mut |_| true));
            assert_eq!(replaced.ok().map(|(text, _)| text).as_deref(), wanted, "{pattern}");
        }
    }
}
