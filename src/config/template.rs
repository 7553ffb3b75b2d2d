//! Checks that templates and regular expressions can be read, long before anything fills them in.

use minijinja::Environment;
use regex::Regex;

use crate::config::table::Value;
use crate::error::Result;
use crate::model::Text;

impl Value<'_> {
    /// A text that may be a template, not empty, with its syntax checked.
    pub(super) fn template(self) -> Result<Text> {
        let text = self.text()?;
        if text.trim().is_empty() {
            return Err(self.error("wanted text, found nothing"));
        }
        self.check_template(text)?;
        Ok(Text { source: text.to_owned(), place: self.place() })
    }

    /// A regular expression that may be a template; as a template, only its syntax as such is checked.
    pub(super) fn pattern(self) -> Result<Text> {
        let text = self.template()?;
        if !is_template(&text.source)
            && let Err(error) = Regex::new(&text.source)
        {
            // What is wrong is in the last line, below a drawing of where.
            let error = error.to_string();
            let why = error.lines().last().unwrap_or_default().trim_start_matches("error: ");
            let why = why.trim_end_matches('.').replacen("Compiled", "compiled", 1);
            return Err(self.error(format!("the regular expression cannot be read: {why}")));
        }
        Ok(text)
    }

    fn check_template(self, text: &str) -> Result<()> {
        if !is_template(text) {
            return Ok(());
        }
        let environment = Environment::empty();
        let Err(error) = environment.template_from_str(text) else { return Ok(()) };
        let why =
            error.detail().unwrap_or("not a template").replace("expected", "wanted").replace("unwanted", "unexpected");
        let start = error.range().map_or(0, |range| range.start);
        let shell = text.find("${#");
        // Without escapes, what was written holds the text as it is, and the place inside is known.
        let inside = self.written().find(text).map_or(0, |opening| opening + shell.unwrap_or(start));
        let error =
            self.source.error(self.start() + inside, format!("`{}`: the template cannot be read: {why}", self.key));
        Err(match shell {
            Some(_) => {
                error.hint("`{#` begins a comment in a template: for the shell's `${#x}`, write `${{ '{' }}#x}`")
            }
            None => error,
        })
    }
}

/// Whether a text has anything to fill in.
pub(super) fn is_template(text: &str) -> bool {
    ["{{", "{%", "{#"].iter().any(|opening| text.contains(opening))
}
