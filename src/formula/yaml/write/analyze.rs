//! What a scalar has in it, and so in which ways it can be written.

/// The ways in which a scalar can be written and read back the same.
#[expect(clippy::struct_excessive_bools, reason = "each is a question of its own about a text")]
pub(super) struct Analysis {
    /// Whether it has line breaks.
    pub is_multiline: bool,
    /// Without quotes, within brackets.
    pub flow_plain: bool,
    /// Without quotes, outside of brackets.
    pub block_plain: bool,
    /// In single quotes.
    pub single_quoted: bool,
    /// Literal or folded.
    pub block: bool,
}

/// Whether libyaml takes this for a line break.
pub(super) fn is_break(character: char) -> bool {
    matches!(character, '\r' | '\n' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

fn is_gap(character: Option<char>) -> bool {
    character.is_none_or(|character| matches!(character, ' ' | '\t' | '\0') || is_break(character))
}

/// Whether libyaml writes this as it is. Beyond 16 bits it never does.
pub(super) fn is_printable(character: char) -> bool {
    match character {
        '\n' | ' '..='~' => true,
        '\u{feff}' => false,
        other => matches!(other, '\u{a0}'..='\u{fffd}'),
    }
}

/// What a scalar has in it.
#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a question of its own about a text")]
struct Traits {
    block_indicators: bool,
    flow_indicators: bool,
    special_characters: bool,
    line_breaks: bool,
    /// A space or a line break at either end.
    has_bare_end: bool,
    trailing_space: bool,
    break_space: bool,
    space_break: bool,
}

/// Finds out how a scalar can be written.
pub(super) fn analyze(text: &str, allow_unicode: bool) -> Analysis {
    if text.is_empty() {
        return Analysis {
            is_multiline: false,
            flow_plain: false,
            block_plain: true,
            single_quoted: true,
            block: false,
        };
    }
    let traits = traits(text, allow_unicode);
    let is_odd = traits.space_break || traits.special_characters;
    let is_plain = !(traits.has_bare_end || traits.break_space || is_odd || traits.line_breaks);
    Analysis {
        is_multiline: traits.line_breaks,
        flow_plain: is_plain && !traits.flow_indicators,
        block_plain: is_plain && !traits.block_indicators,
        single_quoted: !(traits.break_space || is_odd),
        block: !(traits.trailing_space || is_odd),
    }
}

fn traits(text: &str, allow_unicode: bool) -> Traits {
    let mut traits = Traits::default();
    if text.starts_with("---") || text.starts_with("...") {
        traits.block_indicators = true;
        traits.flow_indicators = true;
    }
    let mut previous = None;
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        let next = characters.peek().copied();
        note_indicator(&mut traits, previous, character, next);
        if !is_printable(character) || (!character.is_ascii() && !allow_unicode) {
            traits.special_characters = true;
        }
        let is_break_here = is_break(character);
        let is_at_end = previous.is_none() || next.is_none();
        traits.line_breaks |= is_break_here;
        traits.has_bare_end |= is_at_end && (is_break_here || character == ' ');
        traits.trailing_space |= character == ' ' && next.is_none();
        traits.break_space |= character == ' ' && previous.is_some_and(is_break);
        traits.space_break |= is_break_here && previous == Some(' ');
        previous = Some(character);
    }
    traits
}

/// Notes a character that would mean something where it stands.
fn note_indicator(traits: &mut Traits, previous: Option<char>, character: char, next: Option<char>) {
    let (in_flow, in_block) = match (previous, character) {
        (None, '#' | ',' | '[' | ']' | '{' | '}' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%' | '@' | '`') => {
            (true, true)
        }
        (None, '-') => (is_gap(next), is_gap(next)),
        (None, '?') | (_, ':') => (true, is_gap(next)),
        (Some(_), ',' | '?' | '[' | ']' | '{' | '}') => (true, false),
        (Some(_), '#') => (is_gap(previous), is_gap(previous)),
        _ => (false, false),
    };
    traits.flow_indicators |= in_flow;
    traits.block_indicators |= in_block;
}
