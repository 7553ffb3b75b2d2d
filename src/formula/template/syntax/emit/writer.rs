//! Text and tags of the template that minijinja gets, each on the line it had.

/// Writes tags and the text between them.
pub(super) struct Writer {
    out: String,
    line: usize,
    /// How the tag that is being written will end; empty outside of tags. A tag ends only when something else begins,
    /// so that newlines that whitespace control took away can still go into it.
    end: &'static str,
}

impl Writer {
    pub(super) fn new(length: usize) -> Self {
        Self { out: String::with_capacity(length + length / 2), line: 1, end: "" }
    }

    /// Fills up with newlines to a line of the source.
    pub(super) fn go_to(&mut self, line: usize) {
        if self.line >= line {
            return;
        }
        let newlines = "\n".repeat(line - self.line);
        self.line = line;
        if self.end.is_empty() {
            self.out.push_str("{#");
            self.out.push_str(&newlines);
            self.out.push_str("#}");
        } else {
            self.out.push_str(&newlines);
        }
    }

    fn close(&mut self) {
        self.out.push_str(self.end);
        self.end = "";
    }

    /// Begins `{% … %}`.
    pub(super) fn block(&mut self, line: usize) {
        self.go_to(line);
        self.close();
        self.out.push_str("{% ");
        self.end = " %}";
    }

    /// Begins a tag on the line that the output has come to.
    pub(super) fn next_block(&mut self, text: &str) {
        self.block(self.line);
        self.put(text);
    }

    /// Begins `{{ … }}`.
    pub(super) fn print(&mut self, line: usize) {
        self.go_to(line);
        self.close();
        self.out.push_str("{{ ");
        self.end = " }}";
    }

    /// Writes within a tag; the text has no newlines.
    pub(super) fn put(&mut self, text: &str) {
        self.out.push_str(text);
    }

    /// A string literal.
    pub(super) fn quote(&mut self, text: &str) {
        self.out.push('"');
        for character in text.chars() {
            match character {
                '"' => self.out.push_str("\\\""),
                '\\' => self.out.push_str("\\\\"),
                '\n' => self.out.push_str("\\n"),
                '\r' => self.out.push_str("\\r"),
                other => self.out.push(other),
            }
        }
        self.out.push('"');
    }

    /// Text outside of tags, as it is to come out.
    pub(super) fn data(&mut self, text: &str, line: usize) {
        self.go_to(line);
        self.close();
        self.line += text.bytes().filter(|byte| *byte == b'\n').count();
        let has_tags = ["{{", "{%", "{#"].iter().any(|tag| text.contains(tag));
        if has_tags && !text.contains("endraw") {
            self.out.push_str("{% raw %}");
            self.out.push_str(text);
            self.out.push_str("{% endraw %}");
            return;
        }
        // A brace must not come to stand before another one.
        let mut rest = text;
        while let Some(at) = rest.find('{') {
            let (before, after) = (rest.get(..at).unwrap_or_default(), rest.get(at + 1..).unwrap_or_default());
            self.out.push_str(before);
            let is_safe = after.chars().next().is_some_and(|next| !matches!(next, '{' | '%' | '#'));
            self.out.push_str(if is_safe { "{" } else { "{{ \"{\" }}" });
            rest = after;
        }
        self.out.push_str(rest);
    }

    pub(super) fn finish(mut self) -> String {
        self.close();
        if self.out.ends_with('\n') {
            // Minijinja drops the last newline, and this one is to stay.
            self.out.push_str("{##}");
        }
        self.out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_that_looks_like_tags_is_text() {
        for text in ["{", "a{% x %}{", "{{{", "{% endraw %}{{", "a\n"] {
            let mut writer = Writer::new(0);
            writer.data(text, 1);
            writer.print(1);
            writer.put("1");
            let source = writer.finish();
            assert_eq!(minijinja::render!(&source), format!("{text}1"), "{source}");
        }
    }
}
