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
        if let Some(why) = too_long(text) {
            let error = self.error(format!("the template is too long: {why}"));
            return Err(error.hint("keep a long script in a file of its own, and run that"));
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

/// Words and signs in a template, from its first `{{` or `{%` on.
const MAX_TOKENS: usize = 3000;

/// Branches in a template.
const MAX_ELIFS: usize = 200;

/// Why a template could nest too deep for the template engine, if it could.
///
/// The engine follows operators and branches by recursion, and overflows the stack from about 4000
/// operators or 1000 branches in a row.
fn too_long(text: &str) -> Option<String> {
    let start = [text.find("{{"), text.find("{%")].into_iter().flatten().min()?;
    let (mut tokens, mut inside) = (0, false);
    for c in text[start..].chars() {
        let word = c.is_alphanumeric() || c == '_';
        tokens += usize::from(if word { !inside } else { !c.is_whitespace() });
        inside = word;
    }
    if tokens > MAX_TOKENS {
        return Some(format!("more than {MAX_TOKENS} words and signs"));
    }
    (text.matches("elif").count() > MAX_ELIFS).then(|| format!("more than {MAX_ELIFS} times `elif`"))
}

/// Whether a text has anything to fill in.
pub(super) fn is_template(text: &str) -> bool {
    ["{{", "{%", "{#"].iter().any(|opening| text.contains(opening))
}

#[cfg(test)]
mod tests {
    use crate::config::{parse_inventory, parse_pipeline};

    fn step(run: &str) -> String {
        let text = format!("[pipeline]\nname = 'p'\n[[stage]]\nname = 's'\n[[stage.step]]\nrun = {run}\n");
        parse_pipeline("f", &text).map_or_else(|error| error.message, |_| "read".into())
    }

    #[test]
    fn the_place_is_inside_the_text_wherever_no_escape_hides_it() {
        let unknown = "`run`: the template cannot be read: unknown statement nope";
        assert_eq!(step("'a {% nope %}'"), format!("f:6:13: {unknown}"));
        assert_eq!(step("'''\na\nb {% nope %}'''"), format!("f:8:6: {unknown}"));
        assert_eq!(step("\"\"\"a\r\nb {% nope %}\"\"\""), format!("f:7:6: {unknown}"));
        assert_eq!(step("\"a\\n{% nope %}\""), format!("f:6:7: {unknown}"));
    }

    #[test]
    fn what_only_the_shell_reads_is_left_alone() {
        for plain in ["'for f in *; do echo ${f%.x} $((1 + 2)); done'", "'awk \"{ print }\"'", "'a } %} #}'"] {
            assert_eq!(step(plain), "read", "{plain}");
        }
    }

    #[test]
    fn no_nesting_overflows_the_stack() {
        let deep = 20_000;
        for text in [
            format!("'{{{{ {}1 }}}}'", "(".repeat(deep)),
            format!("'{{{{ {}1 }}}}'", "-".repeat(deep)),
            format!("'{{{{ {}1 }}}}'", "not ".repeat(deep)),
            format!("'{{{{ 1{} }}}}'", "+1".repeat(deep)),
            format!("'{{{{ x{} }}}}'", ".y".repeat(deep)),
            format!("'{{{{ x{} }}}}'", "|y".repeat(deep)),
            format!("'{{{{ x{} }}}}'", " and x".repeat(deep)),
            format!("'{{{{ {}1 }}}}'", "not ".repeat(2900)),
            format!("'{{% if x %}}{}{{% endif %}}'", "{% elif x %}".repeat(deep)),
            format!("'{{% if x %}}{}{{% endif %}}'", "{% elif x %}".repeat(200)),
            format!("'{}'", "{% if x %}".repeat(deep)),
            "[".repeat(deep),
            "{a=".repeat(deep),
        ] {
            let _ = step(&text);
        }
        let key = vec!["a"; deep].join(".");
        assert!(parse_inventory("f", &format!("{key} = 1")).is_err());
        assert!(parse_inventory("f", &format!("[hosts.{key}]")).is_err());
        let pattern = format!("defaults.transport = 'local'\ngroups.a.hosts = ['{}']", "a[1]".repeat(deep));
        assert!(parse_inventory("f", &pattern).is_err());
        let until = format!("'true'\nuntil = '{}'", "(".repeat(deep));
        assert!(step(&until).contains("regular expression"));
    }
}
