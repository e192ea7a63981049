//! Finds the headers of a frame in bytes nobody else can change: Ethernet with IEEE 802.1Q tags, IPv4 (RFC 791), IPv6 with
//! extension headers (RFC 8200), TCP (RFC 9293), UDP (RFC 768). Knows nothing that segmentation doesn't need: no fragments, no AH, no tunnels.

use crate::packet::{IPV4, IPV6};
use crate::{SegmentationKind, Unfinishable};

/// All headers of a frame together take at most this much.
pub(super) const HEADERS: usize = 256;

const TAGS: [u16; 2] = [0x8100, 0x88a8];
const TCP: u8 = 6;
const UDP: u8 = 17;
const UDP_HEADER: usize = 8;

/// Where the headers of a long frame start, and where its payload does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Headers {
    pub(super) kind: SegmentationKind,
    pub(super) network: usize,
    pub(super) transport: usize,
    pub(super) payload: usize,
}

/// Where the network header starts, after up to two tags, and its EtherType.
pub(crate) fn network(frame: &[u8]) -> Result<(usize, u16), Unfinishable> {
    let mut at = 12;
    let mut ether_type = word(frame, at)?;
    for _ in 0..2 {
        if TAGS.contains(&ether_type) {
            at += 4;
            ether_type = word(frame, at)?;
        }
    }
    Ok((at + 2, ether_type))
}

/// The EtherType of the packet in the frame that begins with `start`, after up to two tags; 0 if that doesn't show.
pub fn ether_type(start: &[u8]) -> u16 {
    network(start).map_or(0, |(_, ether_type)| ether_type)
}

/// Finds the headers of a frame that is said to be of `kind`.
pub(super) fn transport(frame: &[u8], kind: SegmentationKind) -> Result<Headers, Unfinishable> {
    let (network, ether_type) = network(frame)?;
    let protocol = if kind.is_tcp() { TCP } else { UDP };
    let transport = match (kind.is_ipv4(), ether_type) {
        (true, IPV4) => network + ipv4(frame, network, protocol)?,
        (false, IPV6) => ipv6(frame, network, protocol)?,
        _ => return Err(Unfinishable::Headers),
    };
    let len = match kind.is_tcp() {
        true => Some(usize::from(byte(frame, transport + 12)? >> 4) * 4).filter(|len| *len >= 20),
        false => Some(UDP_HEADER),
    };
    let payload = transport + len.ok_or(Unfinishable::Headers)?;
    if payload >= frame.len() || payload > HEADERS {
        return Err(Unfinishable::Headers);
    }
    Ok(Headers { kind, network, transport, payload })
}

/// The length of an IPv4 header that carries `protocol`, unfragmented.
fn ipv4(frame: &[u8], at: usize, protocol: u8) -> Result<usize, Unfinishable> {
    let first = byte(frame, at)?;
    let len = usize::from(first & 0xf) * 4;
    let fragment = word(frame, at + 6)? & 0x3fff != 0; // more fragments, or an offset
    if first >> 4 != 4 || len < 20 || fragment || byte(frame, at + 9)? != protocol {
        return Err(Unfinishable::Headers);
    }
    Ok(len)
}

/// Where `protocol` starts after an IPv6 header and its extension headers (RFC 8200, 4).
fn ipv6(frame: &[u8], at: usize, protocol: u8) -> Result<usize, Unfinishable> {
    const HOP_BY_HOP: u8 = 0;
    const ROUTING: u8 = 43;
    const DESTINATION: u8 = 60;
    if byte(frame, at)? >> 4 != 6 {
        return Err(Unfinishable::Headers);
    }
    let mut next = byte(frame, at + 6)?;
    let mut at = at + 40;
    while at <= HEADERS {
        match next {
            next if next == protocol => return Ok(at),
            // With segments left the checksum's destination is another than the header's (RFC 8200, 8.1).
            ROUTING if byte(frame, at + 3)? != 0 => return Err(Unfinishable::Headers),
            HOP_BY_HOP | ROUTING | DESTINATION => {
                next = byte(frame, at)?;
                at += (usize::from(byte(frame, at + 1)?) + 1) * 8;
            }
            _ => return Err(Unfinishable::Headers),
        }
    }
    Err(Unfinishable::Headers)
}

fn byte(frame: &[u8], at: usize) -> Result<u8, Unfinishable> {
    frame.get(at).copied().ok_or(Unfinishable::Headers)
}

fn word(frame: &[u8], at: usize) -> Result<u16, Unfinishable> {
    Ok(u16::from_be_bytes([byte(frame, at)?, byte(frame, at + 1)?]))
}
