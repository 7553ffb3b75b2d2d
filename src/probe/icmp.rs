//! ICMP echo over one socket for all targets: RFC 792 and RFC 4443.
//!
//! What comes back says itself what it answers, so that a sequence number that wraps, or another program's
//! echo, is never mistaken.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;

use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, ipproto, sockopt};

/// What an echo carries, and its reply brings back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tag {
    /// The target, over all probes.
    pub(super) target: u32,
    /// The number of the look.
    pub(super) look: u64,
}

/// The version of IP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    V4,
    V6,
}

impl Version {
    pub(super) fn of(address: IpAddr) -> Self {
        if address.is_ipv4() { Self::V4 } else { Self::V6 }
    }

    /// The types of an echo and of its reply.
    fn types(self) -> (u8, u8) {
        match self {
            Self::V4 => (8, 0),
            Self::V6 => (128, 129),
        }
    }
}

/// Bytes of an echo: header, what tells this prober from all others, and the tag.
const LENGTH: usize = 8 + 8 + 4 + 8;
/// Replies that may wait to be read.
const RECEIVE_BUFFER: usize = 4 << 20;

/// A socket for echoes.
pub(super) struct Echo {
    version: Version,
    socket: OwnedFd,
    /// Whether the kernel hands over the IP header too, and everybody's messages.
    raw: bool,
    /// What tells this prober from all others.
    nonce: u64,
}

impl Echo {
    /// Opens a socket that the kernel gives to users of `net.ipv4.ping_group_range`, else one that it gives to root.
    pub(super) fn open(version: Version, nonce: u64) -> io::Result<Self> {
        let (family, protocol) = match version {
            Version::V4 => (AddressFamily::INET, ipproto::ICMP),
            Version::V6 => (AddressFamily::INET6, ipproto::ICMPV6),
        };
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let open = |kind| rustix::net::socket_with(family, kind, flags, Some(protocol));
        let (socket, raw) = match open(SocketType::DGRAM) {
            Ok(socket) => (socket, false),
            Err(_) => (open(SocketType::RAW)?, true),
        };
        // As much as the system allows.
        let _ = sockopt::set_socket_recv_buffer_size(&socket, RECEIVE_BUFFER);
        Ok(Self { version, socket, raw, nonce })
    }

    /// Sends an echo; one that cannot be sent is as good as lost.
    pub(super) fn send(&self, to: IpAddr, tag: Tag) -> io::Result<()> {
        let packet = request(self.version, self.nonce, tag);
        rustix::net::sendto(&self.socket, &packet, SendFlags::DONTWAIT, &SocketAddr::new(to, 0))?;
        Ok(())
    }

    /// The next reply to this prober that waits to be read, and who sent it.
    pub(super) fn receive(&self) -> Option<(Tag, IpAddr)> {
        let mut buffer = [0; 256];
        loop {
            let received = rustix::net::recvfrom(&self.socket, &mut buffer[..], RecvFlags::DONTWAIT);
            let (length, from) = match received {
                Ok((length, _, from)) => (length, from),
                Err(rustix::io::Errno::INTR) => continue,
                Err(_) => return None,
            };
            let message = buffer.get(..length).unwrap_or_default();
            let message = if self.raw && self.version == Version::V4 { after_header(message) } else { message };
            let from = from.and_then(|from| SocketAddr::try_from(from).ok());
            if let (Some(tag), Some(from)) = (reply(self.version, self.nonce, message), from) {
                return Some((tag, from.ip()));
            }
        }
    }
}

/// What follows the header of an IPv4 packet (RFC 791).
fn after_header(packet: &[u8]) -> &[u8] {
    let words = packet.first().map_or(0, |first| usize::from(first & 0xf));
    packet.get(words * 4..).unwrap_or_default()
}

fn request(version: Version, nonce: u64, tag: Tag) -> [u8; LENGTH] {
    let mut packet = [0; LENGTH];
    packet[0] = version.types().0;
    // Identifier and sequence are for people who look at the network; the kernel may set its own.
    packet[4..6].copy_from_slice(&nonce.to_be_bytes()[..2]);
    packet[6..8].copy_from_slice(&tag.look.to_be_bytes()[6..]);
    packet[8..16].copy_from_slice(&nonce.to_be_bytes());
    packet[16..20].copy_from_slice(&tag.target.to_be_bytes());
    packet[20..28].copy_from_slice(&tag.look.to_be_bytes());
    if version == Version::V4 {
        // The kernel fills in that of ICMPv6, which covers addresses too.
        let sum = checksum(&packet);
        packet[2..4].copy_from_slice(&sum.to_be_bytes());
    }
    packet
}

/// The tag of a reply to this prober; nothing for any other message.
fn reply(version: Version, nonce: u64, message: &[u8]) -> Option<Tag> {
    let payload: &[u8; LENGTH] = message.get(..LENGTH)?.try_into().ok()?;
    if payload[0] != version.types().1 || payload[8..16] != nonce.to_be_bytes() {
        return None;
    }
    let target = u32::from_be_bytes(payload[16..20].try_into().ok()?);
    let look = u64::from_be_bytes(payload[20..28].try_into().ok()?);
    Some(Tag { target, look })
}

/// The Internet checksum (RFC 1071).
fn checksum(bytes: &[u8]) -> u16 {
    let words = bytes.chunks(2).map(|pair| u32::from(pair[0]) << 8 | pair.get(1).copied().map_or(0, u32::from));
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_brings_back_what_was_sent_and_all_else_is_passed_over() {
        let tag = Tag { target: 79, look: 0x0001_0002_0003 };
        for version in [Version::V4, Version::V6] {
            let mut packet = request(version, 42, tag);
            assert_eq!(reply(version, 42, &packet), None, "one's own echo, seen on loopback");
            packet[0] = version.types().1;
            assert_eq!(reply(version, 42, &packet), Some(tag));
            assert_eq!(reply(version, 43, &packet), None, "another program's");
            assert_eq!(reply(version, 42, &packet[..27]), None);
        }
    }

    #[test]
    fn the_checksum_of_a_message_with_its_checksum_is_zero() {
        let packet = request(Version::V4, 7, Tag { target: 1, look: 70_000 });
        assert_eq!(checksum(&packet), 0);
        // The example of RFC 1071.
        assert_eq!(checksum(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]), !0xddf2);
    }

    #[test]
    fn a_header_with_options_is_left_out_whole() {
        let mut packet = vec![0x46; 24];
        packet.push(9);
        assert_eq!(after_header(&packet), [9]);
        assert!(after_header(&[0x4f, 0]).is_empty());
        assert!(after_header(&[]).is_empty());
    }
}
