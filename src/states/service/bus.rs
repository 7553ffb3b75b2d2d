//! Asks systemd over the socket on which it answers root, as `systemctl` does, without the time it takes to start that.
//!
//! What cannot be asked or understood here is nothing: whoever asks then starts `systemctl`. Nothing is guessed, and
//! nothing but questions is sent. The messages are those of the D-Bus specification.
//!
//! Whoever connects costs systemd more than what is then asked, so that a connection stays for the questions that follow.
//! It ends before this host runs any program: systemd tells everybody who is connected of all that happens.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Where systemd answers root, and nobody else.
const SOCKET: &str = "/run/systemd/private";

/// How long systemd may take; `systemctl` is more patient.
const PATIENCE: Duration = Duration::from_secs(5);

/// No answer to our questions is longer.
const MOST: usize = 1 << 20;

/// A method of systemd's, with arguments that are texts.
pub(super) struct Question<'a> {
    pub(super) path: &'a str,
    pub(super) interface: &'a str,
    pub(super) member: &'a str,
    pub(super) arguments: Vec<&'a str>,
}

/// What systemd says to one question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    Text(String),
    Flag(bool),
    Refused,
}

/// A connection to systemd, opened when something is asked.
#[derive(Debug, Default)]
pub(in crate::states) struct Bus(Mutex<Option<Connection>>);

impl Bus {
    /// The answers to some questions, in their order; nothing if any of them is not to be had.
    pub(super) fn ask(&self, questions: &[Question<'_>]) -> Option<Vec<Answer>> {
        let mut place = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // One that fails is not used again. Systemd may have started anew since, and answers another.
        let kept = place.take().and_then(|connection| connection.ask(questions));
        let (connection, answers) = match kept {
            Some(answered) => answered,
            None => Connection::open()?.ask(questions)?,
        };
        *place = Some(connection);
        Some(answers)
    }

    /// Ends the connection.
    pub(in crate::states) fn close(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

#[derive(Debug)]
struct Connection {
    stream: UnixStream,
    reader: BufReader<UnixStream>,
    /// How many questions were put.
    asked: u32,
}

impl Connection {
    fn open() -> Option<Self> {
        let mut stream = UnixStream::connect(SOCKET).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).ok()?;
        stream.set_write_timeout(Some(PATIENCE)).ok()?;
        let mut reader = BufReader::new(stream.try_clone().ok()?);
        introduce(&mut stream, &mut reader)?;
        Some(Self { stream, reader, asked: 0 })
    }

    /// The answers, and the connection for as long as it is of use.
    fn ask(mut self, questions: &[Question<'_>]) -> Option<(Self, Vec<Answer>)> {
        let first = self.asked + 1;
        let calls: Vec<u8> = (first..).zip(questions).flat_map(|(serial, question)| call(serial, question)).collect();
        self.asked += u32::try_from(questions.len()).ok()?;
        self.stream.write_all(&calls).ok()?;
        let mut answers = vec![None; questions.len()];
        while answers.contains(&None) {
            let (serial, answer) = receive(&mut self.reader)?;
            let place = serial.checked_sub(first).and_then(|place| usize::try_from(place).ok());
            if let Some(place) = place.and_then(|place| answers.get_mut(place)) {
                *place = Some(answer?);
            }
        }
        Some((self, answers.into_iter().collect::<Option<_>>()?))
    }
}

/// Says who asks.
fn introduce(stream: &mut UnixStream, reader: &mut BufReader<UnixStream>) -> Option<()> {
    let uid = rustix::process::getuid().as_raw().to_string();
    let uid: Vec<String> = uid.bytes().map(|byte| format!("{byte:02x}")).collect();
    stream.write_all(format!("\0AUTH EXTERNAL {}\r\n", uid.concat()).as_bytes()).ok()?;
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    if !line.starts_with("OK ") {
        return None;
    }
    stream.write_all(b"BEGIN\r\n").ok()
}

/// The message that puts a question.
fn call(serial: u32, question: &Question<'_>) -> Vec<u8> {
    let mut body = Writer::default();
    for argument in &question.arguments {
        body.text(argument);
    }
    let mut fields = Writer::default();
    for (code, kind, text) in [(1, "o", question.path), (2, "s", question.interface), (3, "s", question.member)] {
        fields.align(8);
        fields.0.push(code);
        fields.signature(kind);
        fields.text(text);
    }
    fields.align(8);
    fields.0.push(8);
    fields.signature("g");
    fields.signature(&"s".repeat(question.arguments.len()));
    let mut message = Writer(vec![b'l', 1, 0, 1]);
    message.number(body.0.len());
    message.0.extend(serial.to_le_bytes());
    message.number(fields.0.len());
    message.0.extend(fields.0);
    message.align(8);
    message.0.extend(body.0);
    message.0
}

/// The number of the question that a message answers (0 for a message that answers none), and the answer.
fn receive(reader: &mut BufReader<UnixStream>) -> Option<(u32, Option<Answer>)> {
    let mut start = [0; 16];
    reader.read_exact(&mut start).ok()?;
    let mut head = Reader { bytes: &start, at: 4 };
    let (body, _, fields) = (head.number()?, head.number()?, head.number()?);
    let rest = fields.next_multiple_of(8).checked_add(body).filter(|rest| start[0] == b'l' && *rest <= MOST)?;
    let mut message = start.to_vec();
    message.resize(16 + rest, 0);
    reader.read_exact(&mut message[16..]).ok()?;
    understand(&message, fields)
}

/// What a whole message says, whose fields take so many bytes.
fn understand(message: &[u8], fields: usize) -> Option<(u32, Option<Answer>)> {
    let mut reader = Reader { bytes: message.get(..16 + fields)?, at: 16 };
    let (mut serial, mut kind) = (0, String::new());
    while reader.at < reader.bytes.len() {
        reader.align(8);
        match (reader.byte()?, reader.signature()?.as_str()) {
            (5, "u") => serial = u32::try_from(reader.number()?).ok()?,
            (8, "g") => kind = reader.signature()?,
            (_, "g") => drop(reader.signature()?),
            (_, "u") => drop(reader.number()?),
            _ => drop(reader.text()?),
        }
    }
    let mut body = Reader { bytes: message, at: (16 + fields).next_multiple_of(8) };
    let answer = match message.get(1)? {
        2 => body.value(&kind),
        3 => Some(Answer::Refused),
        _ => return Some((0, None)),
    };
    Some((serial, answer))
}

/// Writes what a message is made of.
#[derive(Default)]
struct Writer(Vec<u8>);

impl Writer {
    fn align(&mut self, to: usize) {
        self.0.resize(self.0.len().next_multiple_of(to), 0);
    }

    fn number(&mut self, number: usize) {
        self.align(4);
        self.0.extend(u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes());
    }

    fn text(&mut self, text: &str) {
        self.number(text.len());
        self.0.extend(text.bytes().chain([0]));
    }

    fn signature(&mut self, kind: &str) {
        self.0.push(u8::try_from(kind.len()).unwrap_or(u8::MAX));
        self.0.extend(kind.bytes().chain([0]));
    }
}

/// Reads what a message is made of.
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn align(&mut self, to: usize) {
        self.at = self.at.next_multiple_of(to);
    }

    fn take(&mut self, length: usize) -> Option<&[u8]> {
        let taken = self.bytes.get(self.at..self.at.checked_add(length)?)?;
        self.at += length;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    fn number(&mut self) -> Option<usize> {
        self.align(4);
        let bytes = self.take(4)?.try_into().ok()?;
        usize::try_from(u32::from_le_bytes(bytes)).ok()
    }

    fn text(&mut self) -> Option<String> {
        let length = self.number()?;
        self.ended(length)
    }

    fn signature(&mut self) -> Option<String> {
        let length = self.byte()?;
        self.ended(length.into())
    }

    /// A text of a length, with the zero after it.
    fn ended(&mut self, length: usize) -> Option<String> {
        let text = String::from_utf8(self.take(length)?.to_vec()).ok()?;
        self.byte().map(|_| text)
    }

    fn value(&mut self, kind: &str) -> Option<Answer> {
        match kind {
            "v" => {
                let kind = self.signature()?;
                if kind == "v" { None } else { self.value(&kind) }
            }
            "s" | "o" => self.text().map(Answer::Text),
            "b" => self.number().map(|flag| Answer::Flag(flag != 0)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A message of systemd's: its kind, its fields as code, type and value, and its body.
    fn message(kind: u8, signature: &str, body: &[u8]) -> (Vec<u8>, usize) {
        let mut fields = Writer::default();
        fields.0.extend([5, 1, b'u', 0]);
        fields.number(7);
        fields.align(8);
        fields.0.push(8);
        fields.signature("g");
        fields.signature(signature);
        let length = fields.0.len();
        let mut message = Writer(vec![b'l', kind, 1, 1]);
        message.number(body.len());
        message.number(3);
        message.number(length);
        message.0.extend(fields.0);
        message.align(8);
        message.0.extend(body);
        (message.0, length)
    }

    #[test]
    fn texts_flags_and_refusals_are_told_apart() {
        let (text, fields) = message(2, "v", b"\x01s\0\0\x06\0\0\0active\0");
        assert_eq!(understand(&text, fields), Some((7, Some(Answer::Text("active".into())))));
        let (flag, fields) = message(2, "v", b"\x01b\0\0\x01\0\0\0");
        assert_eq!(understand(&flag, fields), Some((7, Some(Answer::Flag(true)))));
        let (refused, fields) = message(3, "s", b"\x02\0\0\0no\0");
        assert_eq!(understand(&refused, fields), Some((7, Some(Answer::Refused))));
    }

    #[test]
    fn a_message_that_is_cut_anywhere_says_nothing() {
        let (text, fields) = message(2, "v", b"\x01s\0\0\x06\0\0\0active\0");
        for end in 0..text.len() {
            assert!(!matches!(understand(&text[..end], fields), Some((_, Some(_)))), "{end}");
        }
    }

    #[test]
    fn a_question_is_put_as_the_specification_says() {
        let question = Question { path: "/a", interface: "b.c", member: "D", arguments: vec!["x.service"] };
        let message = call(1, &question);
        assert_eq!(message.len() % 8, (4 + "x.service".len() + 1) % 8);
        assert_eq!(message[..8], [b'l', 1, 0, 1, 14, 0, 0, 0]);
        assert!(message.ends_with(b"\x09\0\0\0x.service\0"));
    }
}
