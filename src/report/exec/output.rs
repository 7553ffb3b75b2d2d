//! What a command wrote, kept within bounds.
//!
//! Of more than that, the beginning and the end are kept and the rest is counted: two outputs are
//! equal only when what was left out is equal too.

use std::collections::VecDeque;

use sha2::{Digest as _, Sha256};

/// So much of the beginning of a stream is kept, and so much of its end: 1 MiB for the two streams.
pub(super) const PART: usize = 256 * 1024;

/// What a command wrote on one stream.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Output {
    /// The beginning; all of it when nothing was left out.
    pub head: Vec<u8>,
    /// The end, when the beginning is not all of it.
    pub tail: Vec<u8>,
    /// How many bytes were left out in between.
    pub left_out: u64,
    /// The digest of what was left out.
    digest: Option<[u8; 32]>,
}

impl Output {
    /// Whether nothing was written.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.head.is_empty()
    }

    /// The text when it is one line, without its end.
    #[must_use]
    pub fn line(&self) -> Option<&[u8]> {
        if !self.tail.is_empty() {
            return None;
        }
        let line = self.head.strip_suffix(b"\n").unwrap_or(&self.head);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        (!line.contains(&b'\n')).then_some(line)
    }
}

/// Takes down what a command writes.
#[derive(Debug, Default)]
pub struct Recorder {
    head: Vec<u8>,
    tail: VecDeque<u8>,
    left_out: u64,
    digest: Option<Sha256>,
}

impl Recorder {
    /// Takes in some output.
    pub fn write(&mut self, bytes: &[u8]) {
        let (head, rest) = bytes.split_at(bytes.len().min(PART - self.head.len()));
        self.head.extend_from_slice(head);
        for piece in rest.chunks(PART) {
            let too_much = (self.tail.len() + piece.len()).saturating_sub(PART);
            if too_much > 0 {
                let digest = self.digest.get_or_insert_default();
                let (front, back) = self.tail.as_slices();
                let front = &front[..front.len().min(too_much)];
                digest.update(front);
                digest.update(&back[..too_much - front.len()]);
                self.tail.drain(..too_much);
                self.left_out += too_much as u64;
            }
            self.tail.extend(piece);
        }
    }

    /// What there is to keep.
    #[must_use]
    pub fn finish(self) -> Output {
        let digest = self.digest.map(|digest| digest.finalize().into());
        Output { head: self.head, tail: self.tail.into(), left_out: self.left_out, digest }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(pieces: &[&[u8]]) -> Output {
        let mut recorder = Recorder::default();
        for piece in pieces {
            recorder.write(piece);
        }
        recorder.finish()
    }

    #[test]
    fn of_a_long_output_both_ends_are_kept_and_the_rest_is_counted() {
        let long: Vec<u8> = (0..=250).cycle().take(3 * PART + 10).collect();
        for size in [1, 7, 4096, long.len()] {
            let output = record(&long.chunks(size).collect::<Vec<_>>());
            assert_eq!(output.left_out, PART as u64 + 10);
            assert_eq!((&output.head[..], &output.tail[..]), (&long[..PART], &long[2 * PART + 10..]));
            assert_eq!(output, record(&[&long]));
        }
    }

    #[test]
    fn outputs_that_differ_only_in_what_was_left_out_are_not_equal() {
        let one = vec![0; 3 * PART];
        let mut other = one.clone();
        other[PART + 1] = 1;
        assert_ne!(record(&[&one]), record(&[&other]));
    }

    #[test]
    fn one_line_is_told_from_several() {
        assert_eq!(record(&[b"a b\n"]).line(), Some(&b"a b"[..]));
        assert_eq!(record(&[b"a"]).line(), Some(&b"a"[..]));
        assert_eq!(record(&[b"a\r\n"]).line(), Some(&b"a"[..]));
        assert_eq!(record(&[b"a\nb"]).line(), None);
    }
}
