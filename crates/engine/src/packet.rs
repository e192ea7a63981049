//! What a card's parser sees in a frame: addresses, protocols, ports (82599 datasheet, 7.1.2, 7.1.2.8.1; virtio 1.3, 5.1.6.4.3).
//!
//! Works on the head alone and never fails: what isn't there isn't seen. Leaves out IPv6 extension headers beyond telling that there are
//! some, tunnels, NFS and iSCSI.

use crate::Sum;

/// Bytes of a frame's check sequence.
pub const CRC: usize = 4;

/// Bytes of an IEEE 802.1Q tag.
pub const TAG: usize = 4;

const VLAN: u16 = 0x8100;

/// EtherType of IPv4.
pub const IPV4: u16 = 0x0800;
/// EtherType of IPv6.
pub const IPV6: u16 = 0x86dd;

/// The protocol above IP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// SCTP.
    Sctp,
}

/// The IP version, and what of the header says something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    /// Version 4, with or without options.
    V4 {
        /// It has options.
        options: bool,
    },
    /// Version 6, with or without extension headers.
    V6 {
        /// It has extension headers.
        extensions: bool,
    },
}

/// A frame's headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Packet {
    /// The tag control information of an IEEE 802.1Q tag.
    pub tag: Option<u16>,
    /// What follows the addresses and the tag.
    pub ether_type: u16,
    /// The IP header, if there is one.
    pub network: Option<Network>,
    /// Where the IP header begins.
    pub network_at: usize,
    /// A fragment has no ports.
    pub fragment: bool,
    /// The protocol above IP, if it is one of those known.
    pub transport: Option<Transport>,
    /// Where the transport header begins.
    pub transport_at: usize,
    /// The end of the IP packet, counted from the frame's first byte, as its header says.
    pub end: usize,
}

impl Packet {
    /// Looks at a frame's first bytes.
    #[inline]
    pub fn of(head: &[u8]) -> Self {
        let mut packet = Self::default();
        let Some(kind) = word(head, 12) else { return packet };
        (packet.ether_type, packet.network_at) = (kind, 14);
        if kind == VLAN {
            let (Some(tag), Some(kind)) = (word(head, 14), word(head, 16)) else { return packet };
            (packet.tag, packet.ether_type, packet.network_at) = (Some(tag), kind, 18);
        }
        match packet.ether_type {
            IPV4 => packet.see_ipv4(head).unwrap_or_default(),
            IPV6 => packet.see_ipv6(head).unwrap_or_default(),
            _ => {}
        }
        packet
    }

    #[inline(always)] // what was just written in small pieces is slow to copy
    fn see_ipv4(&mut self, head: &[u8]) -> Option<()> {
        let ip = head.get(self.network_at..)?;
        let header = ip.first_chunk::<20>()?;
        let len = usize::from(header[0] & 0xf) * 4;
        if header[0] >> 4 != 4 || len < 20 {
            return None;
        }
        self.network = Some(Network::V4 { options: len > 20 });
        self.fragment = u16::from_be_bytes([header[6], header[7]]) & 0x3fff != 0;
        self.end = self.network_at + usize::from(u16::from_be_bytes([header[2], header[3]]));
        self.transport_at = self.network_at + len;
        self.transport = transport(header[9]).filter(|_| !self.fragment);
        Some(())
    }

    #[inline(always)]
    fn see_ipv6(&mut self, head: &[u8]) -> Option<()> {
        let header = head.get(self.network_at..)?.first_chunk::<40>()?;
        if header[0] >> 4 != 6 {
            return None;
        }
        const EXTENSIONS: [u8; 6] = [0, 43, 44, 51, 60, 135];
        let extensions = EXTENSIONS.contains(&header[6]);
        self.network = Some(Network::V6 { extensions });
        self.end = self.network_at + 40 + usize::from(u16::from_be_bytes([header[4], header[5]]));
        self.transport_at = self.network_at + 40;
        self.transport = transport(header[6]);
        Some(())
    }

    /// Source and destination address, 4 or 16 bytes each.
    #[inline]
    pub fn addresses<'h>(&self, head: &'h [u8]) -> Option<(&'h [u8], &'h [u8])> {
        let both = self.both_addresses(head)?;
        Some(both.split_at(both.len() / 2))
    }

    /// The same, as they follow each other.
    #[inline]
    pub fn both_addresses<'h>(&self, head: &'h [u8]) -> Option<&'h [u8]> {
        let (first, each) = match self.network? {
            Network::V4 { .. } => (12, 4),
            Network::V6 { .. } => (8, 16),
        };
        head.get(self.network_at + first..self.network_at + first + 2 * each)
    }

    /// Source and destination port.
    #[inline]
    pub fn ports(&self, head: &[u8]) -> Option<(u16, u16)> {
        self.transport?;
        Some((word(head, self.transport_at)?, word(head, self.transport_at + 2)?))
    }

    /// TCP's flags.
    pub fn tcp_flags(&self, head: &[u8]) -> Option<u8> {
        (self.transport == Some(Transport::Tcp)).then_some(())?;
        head.get(self.transport_at + 13).copied()
    }

    /// Whether the IPv4 header's checksum is right; `None` without such a header, or not all of it in sight.
    #[inline]
    pub fn ipv4_checksum(&self, head: &[u8]) -> Option<bool> {
        let Network::V4 { .. } = self.network? else { return None };
        head.get(self.network_at..self.transport_at).map(|header| sum(header) == 0xffff)
    }

    /// Where the headers end, as far as they are in sight.
    pub fn headers(&self, head: &[u8]) -> Option<usize> {
        let len = match self.transport? {
            Transport::Tcp => usize::from(head.get(self.transport_at + 12)? >> 4) * 4,
            Transport::Udp => 8,
            Transport::Sctp => 12,
        };
        Some(self.transport_at + len)
    }
}

#[inline]
fn transport(protocol: u8) -> Option<Transport> {
    match protocol {
        6 => Some(Transport::Tcp),
        17 => Some(Transport::Udp),
        132 => Some(Transport::Sctp),
        _ => None,
    }
}

/// The one's complement sum of `bytes`, folded (RFC 1071).
#[inline]
pub fn sum(bytes: &[u8]) -> u16 {
    !u16::from_be_bytes(Sum::default().add(bytes).checksum())
}

/// Brings a sum down to 16 bits.
pub fn fold(mut sum: u64) -> u16 {
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum as u16
}

#[inline]
fn word(head: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes([*head.get(at)?, *head.get(at + 1)?]))
}

#[cfg(test)]
mod tests;
