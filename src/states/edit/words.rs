//! Words of a line as Python's `shlex` finds them, where Salt asks it to part them at blanks.

use crate::states::Failed;

/// The words of a line. Quotes keep blanks only where the line has quotes of both kinds; a quote that is not closed is an
/// error then, as it is in Salt.
pub(super) fn split(line: &str) -> Result<Vec<String>, Failed> {
    let quotes = match (line.contains("'\\\""), line.contains('\''), line.contains('"')) {
        (true, ..) => "",
        (_, true, _) => "\"",
        (_, false, true) => "'",
        (_, false, false) => "'\"",
    };
    let is_blank = |character: &char| " \t\r\n".contains(*character);
    let mut words = Vec::new();
    let mut chars = line.chars().peekable();
    loop {
        while chars.next_if(is_blank).is_some() {}
        let Some(first) = chars.next() else { return Ok(words) };
        let mut word = String::from(first);
        if quotes.contains(first) {
            loop {
                let next = chars.next().ok_or("No closing quotation")?;
                word.push(next);
                if next == first {
                    break;
                }
            }
        } else {
            while let Some(next) = chars.next_if(|next| !is_blank(next)) {
                word.push(next);
            }
        }
        words.push(word);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_matter_only_beside_those_of_the_other_kind() {
        assert_eq!(split("a 'b c'").unwrap(), ["a", "'b", "c'"]);
        assert_eq!(split("it's \"b c\"d").unwrap(), ["it's", "\"b c\"", "d"]);
        assert!(split("it's \"b").is_err());
        assert!(split(" \t").unwrap().is_empty());
    }
}
