//! The hash that receive side scaling spreads flows by: which fields of a frame, and Toeplitz over them (virtio 1.3, 5.1.6.4.3;
//! 82599 datasheet, 7.1.2.8). Leaves out the types that look into IPv6 extension headers: behind them no ports are seen.

use crate::packet::{Network, Packet, Transport};

/// Bytes of a key.
pub const RSS_KEY: usize = 40;

/// Bytes hashed at most: two IPv6 addresses and two ports.
const INPUT: usize = 36;

bitflags::bitflags! {
    /// Kinds of packets, each hashed over its own fields. The bits are virtio's `hash_types`.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct HashTypes: u32 {
        /// IPv4, over both addresses.
        const IPV4 = 1 << 0;
        /// TCP over IPv4, over both ports too.
        const TCP4 = 1 << 1;
        /// UDP over IPv4, likewise.
        const UDP4 = 1 << 2;
        /// IPv6, over both addresses.
        const IPV6 = 1 << 3;
        /// TCP over IPv6, over both ports too.
        const TCP6 = 1 << 4;
        /// UDP over IPv6, likewise.
        const UDP6 = 1 << 5;
    }
}

/// What is hashed, and with which key.
#[derive(Debug, PartialEq)]
pub struct Rss {
    types: HashTypes,
    /// For each half byte of the input, what each of its values adds to the hash.
    terms: Box<[[u32; 16]; INPUT * 2]>,
}

impl Rss {
    /// Hashes packets of these `types`.
    pub fn new(types: HashTypes, key: &[u8; RSS_KEY]) -> Self {
        Self { types, terms: terms(key) }
    }

    /// Whether nothing is hashed.
    pub fn is_off(&self) -> bool {
        self.types.is_empty()
    }

    /// The hash of the frame that begins with `head`, in which `packet` was seen, and the one type it was taken for; `None` if it is
    /// of no type that is hashed.
    #[inline]
    pub fn hash(&self, packet: &Packet, head: &[u8]) -> Option<(u32, HashTypes)> {
        if self.is_off() {
            return None;
        }
        let (tcp, udp, alone) = match packet.network? {
            Network::V4 { .. } => (HashTypes::TCP4, HashTypes::UDP4, HashTypes::IPV4),
            Network::V6 { .. } => (HashTypes::TCP6, HashTypes::UDP6, HashTypes::IPV6),
        };
        let with_ports = match packet.transport {
            Some(Transport::Tcp) => self.types & tcp,
            Some(Transport::Udp) => self.types & udp,
            _ => HashTypes::empty(),
        };
        let (source, destination) = packet.addresses(head)?;
        let mut hash = self.add(0, 0, source);
        hash = self.add(hash, source.len(), destination);
        if !with_ports.is_empty() {
            let ports = head.get(packet.transport_at..packet.transport_at + 4)?;
            return Some((self.add(hash, 2 * source.len(), ports), with_ports));
        }
        self.types.contains(alone).then_some((hash, alone))
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
fn terms(key: &[u8; RSS_KEY]) -> Box<[[u32; 16]; INPUT * 2]> {
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
fn window(key: &[u8; RSS_KEY], at: usize) -> u64 {
    let bytes = key.iter().copied().chain(std::iter::repeat(0)).skip(at / 8).take(9);
    let whole = bytes.fold(0u128, |whole, byte| whole << 8 | u128::from(byte));
    (whole >> (8 - at % 8)) as u64
}
