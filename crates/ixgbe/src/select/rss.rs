//! Receive side scaling: which fields are hashed, the Toeplitz hash, the redirection table (82599 datasheet, 7.1.2.8).

use super::mode;
use crate::packet::{Network, Packet, Transport};
use crate::spec::descriptor::rss_type;
use crate::spec::filter::{RETA, RSSRK};
use crate::spec::general::MRQC;
use crate::storage::Storage;

/// Bytes of the key.
const KEY: usize = 40;

/// Bytes hashed at most: two IPv6 addresses and two ports.
const INPUT: usize = 36;

/// What the hash is taken over, and spread by.
#[derive(Debug, PartialEq)]
pub(crate) struct Rss {
    enabled: bool,
    fields: u32,
    table: Box<[u8; 128]>,
    /// For each half byte of the input, what each of its values adds to the hash.
    terms: Box<[[u32; 16]; INPUT * 2]>,
}

/// MRQC: what is hashed.
mod field {
    pub(super) const TCP4: u32 = 1 << 16;
    pub(super) const IPV4: u32 = 1 << 17;
    pub(super) const IPV6: u32 = 1 << 20;
    pub(super) const TCP6: u32 = 1 << 21;
    pub(super) const UDP4: u32 = 1 << 22;
    pub(super) const UDP6: u32 = 1 << 23;
}

impl Rss {
    pub(super) fn read(storage: &Storage) -> Self {
        let mut key = [0; KEY];
        for (bytes, offset) in key.chunks_exact_mut(4).zip((RSSRK..).step_by(4)) {
            bytes.copy_from_slice(&storage.get(offset).to_le_bytes());
        }
        let mut table = Box::new([0; 128]);
        for (bytes, offset) in table.chunks_exact_mut(4).zip((RETA..).step_by(4)) {
            bytes.copy_from_slice(&storage.get(offset).to_le_bytes());
        }
        Self {
            enabled: matches!(mode(storage), 1 | 4 | 5 | 10 | 11),
            fields: storage.get(MRQC),
            table,
            terms: terms(&key),
        }
    }

    /// The table's entry for `hash`.
    pub(super) fn entry(&self, hash: u32) -> u32 {
        u32::from(self.table[(hash & 0x7f) as usize])
    }

    /// The hash and what it was taken over, if this packet is hashed.
    #[inline]
    pub(crate) fn hash(&self, packet: &Packet, head: &[u8]) -> Option<(u32, u32)> {
        if !self.enabled {
            return None;
        }
        let (with_tcp, with_udp, alone) = match packet.network? {
            Network::V4 { .. } => (
                (field::TCP4, rss_type::TCP4),
                (field::UDP4, rss_type::UDP4),
                (field::IPV4, rss_type::IPV4),
            ),
            Network::V6 { .. } => (
                (field::TCP6, rss_type::TCP6),
                (field::UDP6, rss_type::UDP6),
                (field::IPV6, rss_type::IPV6),
            ),
        };
        let on = |field: u32| self.fields & field != 0;
        let with_ports = match packet.transport {
            Some(Transport::Tcp) => Some(with_tcp),
            Some(Transport::Udp) => Some(with_udp),
            _ => None,
        };
        let (source, destination) = packet.addresses(head)?;
        let mut hash = self.add(0, 0, source);
        hash = self.add(hash, source.len(), destination);
        if let Some((_, kind)) = with_ports.filter(|(field, _)| on(*field)) {
            let ports = head.get(packet.transport_at..packet.transport_at + 4)?;
            return Some((self.add(hash, 2 * source.len(), ports), kind));
        }
        on(alone.0).then_some((hash, alone.1))
    }

    #[inline]
    fn add(&self, hash: u32, at: usize, bytes: &[u8]) -> u32 {
        let terms = self.terms[2 * at..].chunks_exact(2);
        bytes.iter().zip(terms).fold(hash, |hash, (byte, terms)| {
            hash ^ terms[0][usize::from(byte >> 4)] ^ terms[1][usize::from(byte & 0xf)]
        })
    }
}

/// Each bit of the input that is set adds the 32 bits of the key from there on.
fn terms(key: &[u8; KEY]) -> Box<[[u32; 16]; INPUT * 2]> {
    let mut terms = Box::new([[0; 16]; INPUT * 2]);
    for (half, terms) in terms.iter_mut().enumerate() {
        let window = window(key, half * 4);
        for (value, term) in terms.iter_mut().enumerate() {
            for bit in 0..4 {
                if value >> (3 - bit) & 1 != 0 {
                    *term ^= (window >> (32 - bit)) as u32;
                }
            }
        }
    }
    terms
}

/// The 64 bits of the key from bit `at` on, which begins a half byte; beyond its end are zeros.
fn window(key: &[u8; KEY], at: usize) -> u64 {
    let bytes = key.iter().copied().chain(std::iter::repeat(0)).skip(at / 8).take(9);
    let whole = bytes.fold(0u128, |whole, byte| whole << 8 | u128::from(byte));
    (whole >> (8 - at % 8)) as u64
}
