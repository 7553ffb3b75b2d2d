//! How messages stand on a channel: their length, then JSON, then any bytes that go with it.
//!
//! A frame is the length of the JSON as four bytes, the most significant one first; the length of what
//! follows it in the same way; the JSON; and the bytes, which are output or the content of a file.

use std::io;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// More than any message or any bytes that go with one; a longer one is nonsense.
const LONGEST: u32 = 64 * 1024 * 1024;

/// So much room is made for a message before it comes.
const RESERVED: u32 = 512 * 1024;

/// Up to this length, bytes wait together with the message.
const SHORT: usize = 16 * 1024;

/// So much waits to be written, and not more.
const WAITING: usize = 64 * 1024;

/// Messages on their way into a channel. Those that are added one after the other are written together:
/// each write wakes every process on the way.
#[derive(Debug)]
pub struct Frames<W> {
    to: W,
    waiting: Vec<u8>,
}

impl<W: AsyncWrite + Unpin> Frames<W> {
    /// Nothing is on its way yet.
    pub const fn new(to: W) -> Self {
        Self { to, waiting: Vec::new() }
    }

    /// Adds a message with the bytes that go with it.
    ///
    /// # Errors
    /// When the channel is closed, or the message is too long for it.
    pub async fn add<T: Serialize>(&mut self, message: &T, bytes: &[u8]) -> io::Result<()> {
        let json = serde_json::to_vec(message)?;
        for part in [&json[..], bytes] {
            let length = u32::try_from(part.len()).ok().filter(|length| *length <= LONGEST);
            let length = length.ok_or_else(|| io::Error::other("the message is too long"))?;
            self.waiting.extend(length.to_be_bytes());
        }
        self.waiting.extend(&json);
        if bytes.len() <= SHORT {
            self.waiting.extend(bytes);
        } else {
            // What is long is not copied for the sake of one call less.
            self.write().await?;
            self.to.write_all(bytes).await?;
        }
        if self.waiting.len() >= WAITING { self.write().await } else { Ok(()) }
    }

    /// Sends what was added.
    ///
    /// # Errors
    /// When the channel is closed.
    pub async fn send(&mut self) -> io::Result<()> {
        self.write().await?;
        self.to.flush().await
    }

    async fn write(&mut self) -> io::Result<()> {
        self.to.write_all(&self.waiting).await?;
        self.waiting.clear();
        Ok(())
    }
}

/// Writes one message with the bytes that go with it.
///
/// # Errors
/// When the channel is closed, or the message is too long for it.
pub async fn write<T: Serialize>(to: &mut (impl AsyncWrite + Unpin), message: &T, bytes: &[u8]) -> io::Result<()> {
    let mut frames = Frames::new(to);
    frames.add(message, bytes).await?;
    frames.send().await
}

/// Reads a message with the bytes that go with it; `None` when the channel ends before one begins.
///
/// # Errors
/// When the channel breaks within a message, or (`InvalidData`) what comes is no message.
pub async fn read<T: DeserializeOwned>(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<(T, Vec<u8>)>> {
    let mut lengths = [[0; 4]; 2];
    let head = lengths.as_flattened_mut();
    match from.read(head).await? {
        0 => return Ok(None),
        n => drop(from.read_exact(&mut head[n..]).await?),
    }
    let [json, bytes] = lengths.map(u32::from_be_bytes);
    let json = take(from, json).await?;
    let bytes = take(from, bytes).await?;
    let message = serde_json::from_slice(&json).map_err(|error| invalid(&error.to_string()))?;
    Ok(Some((message, bytes)))
}

async fn take(from: &mut (impl AsyncRead + Unpin), length: u32) -> io::Result<Vec<u8>> {
    if length > LONGEST {
        return Err(invalid("its length makes no sense"));
    }
    // As it comes: a length alone takes little memory.
    let mut bytes = Vec::with_capacity(length.min(RESERVED) as usize);
    let read = from.take(u64::from(length)).read_to_end(&mut bytes).await?;
    if read < length as usize { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(bytes) }
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("no message of upshift: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_written_is_read_again() {
        let mut channel = Vec::new();
        write(&mut channel, &"one", b"bytes").await.unwrap();
        write(&mut channel, &"two", b"").await.unwrap();
        let mut from = &channel[..];
        assert_eq!(read(&mut from).await.unwrap(), Some(("one".to_owned(), b"bytes".to_vec())));
        assert_eq!(read(&mut from).await.unwrap(), Some(("two".to_owned(), Vec::new())));
        assert_eq!(read::<String>(&mut from).await.unwrap(), None);
    }

    #[tokio::test]
    async fn nonsense_and_half_a_message_are_errors() {
        let mut channel = Vec::new();
        write(&mut channel, &"one", b"bytes").await.unwrap();
        for cut in 1..channel.len() {
            assert!(read::<String>(&mut &channel[..cut]).await.is_err(), "cut at {cut}");
        }
        assert!(read::<String>(&mut &b"Welcome to Debian GNU/Linux"[..]).await.is_err());
    }
}
