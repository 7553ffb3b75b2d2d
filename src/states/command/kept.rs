//! What is kept of what a program says: the beginning and the end, when it is more than anybody reads.

use std::collections::VecDeque;
use std::fmt::Write as _;

/// The most that is kept of the beginning, and as much of the end.
const HALF: usize = 4 << 20;

/// Bytes that a program wrote.
#[derive(Debug, Default)]
pub(super) struct Kept {
    is_all: bool,
    head: Vec<u8>,
    tail: VecDeque<u8>,
    left_out: usize,
}

impl Kept {
    /// Nothing yet. With `is_all`, nothing is ever left out.
    pub(super) fn new(is_all: bool) -> Self {
        Self { is_all, ..Self::default() }
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        let room = if self.is_all { bytes.len() } else { HALF.saturating_sub(self.head.len()).min(bytes.len()) };
        let (first, rest) = bytes.split_at(room);
        self.head.extend_from_slice(first);
        self.tail.extend(rest);
        let surplus = self.tail.len().saturating_sub(HALF);
        self.tail.drain(..surplus);
        self.left_out += surplus;
    }

    /// The text, with what is no UTF-8 replaced.
    pub(super) fn into_text(self) -> String {
        let mut text = String::from_utf8_lossy(&self.head).into_owned();
        if self.left_out > 0 {
            let _ = write!(text, "\n... {} bytes are left out here ...\n", self.left_out);
        }
        let tail: Vec<u8> = self.tail.into();
        text.push_str(&String::from_utf8_lossy(&tail));
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_beginning_and_the_end_are_kept() {
        let mut kept = Kept::new(false);
        kept.push(b"first\n");
        kept.push(&vec![b'.'; 3 * HALF]);
        kept.push(b"\nlast");
        let text = kept.into_text();
        assert!(text.starts_with("first\n") && text.ends_with("\nlast") && text.len() < 2 * HALF + 100);
        assert!(text.contains(&format!("... {} bytes are left out", HALF + 11)));
    }

    #[test]
    fn an_answer_is_kept_whole() {
        let mut kept = Kept::new(true);
        kept.push(&vec![b'.'; 3 * HALF]);
        assert_eq!(kept.into_text().len(), 3 * HALF);
    }
}
