//! What of a packet filters see, and the masks over it (82599 datasheet, 7.1.2.7, 8.2.3.21).

use pando_engine::packet::{Network, Packet, Transport};

use crate::layout::Pool;
use crate::spec::filter::fdir::*;
use crate::storage::Storage;

/// What is compared or hashed. The addresses are IPv4's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Tuple {
    pub(super) source: u32,
    pub(super) destination: u32,
    pub(super) source_port: u16,
    pub(super) destination_port: u16,
    pub(super) vlan: u16,
    pub(super) flex: u16,
    pub(super) pool: u8,
    pub(super) protocol: u8,
}

impl Tuple {
    /// Of `packet`; `None` if it isn't IP.
    #[inline]
    pub(super) fn of(
        packet: &Packet,
        head: &[u8],
        pool: Option<Pool>,
        flex_at: usize,
    ) -> Option<Self> {
        let both = packet.both_addresses(head)?;
        let addresses = match packet.network? {
            Network::V4 { .. } => both.first_chunk::<8>().map(|both| u64::from_be_bytes(*both))?,
            Network::V6 { .. } => 0,
        };
        let (source_port, destination_port) = packet.ports(head).unwrap_or_default();
        let flex = head.get(flex_at..).and_then(|rest| rest.first_chunk());
        Some(Self {
            source: (addresses >> 32) as u32,
            destination: addresses as u32,
            source_port,
            destination_port,
            vlan: packet.tag.unwrap_or(0),
            flex: flex.map_or(0, |bytes| u16::from_be_bytes(*bytes)),
            pool: pool.map_or(0, |pool| pool.0),
            protocol: match packet.transport {
                Some(Transport::Udp) => UDP,
                Some(Transport::Tcp) => TCP,
                Some(Transport::Sctp) => SCTP,
                None => 0,
            },
        })
    }

    /// The hash's first dword: pool, kind of packet, VLAN.
    #[inline]
    pub(super) fn flow(&self, v6: bool) -> u32 {
        let kind = self.protocol | if v6 { V6 } else { 0 };
        u32::from_be_bytes([self.pool, kind, 0, 0]) | u32::from(self.vlan)
    }

    /// The sum of the hash's other dwords but the addresses.
    #[inline]
    pub(super) fn rest(&self) -> u32 {
        u32::from(self.source_port ^ self.flex) << 16 | u32::from(self.destination_port)
    }
}

/// A one is compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Masks {
    source: u32,
    destination: u32,
    source_v6: u128,
    destination_v6: u128,
    /// Source and destination port of TCP, UDP and SCTP.
    ports: [(u16, u16); 3],
    vlan: u16,
    flex: u16,
    pool: u8,
    protocol: u8,
}

impl Masks {
    pub(super) fn read(storage: &Storage) -> Self {
        let ignored = storage.get(FDIRM);
        let compared = |bit: u32, mask: u16| if ignored & bit == 0 { mask } else { 0 };
        // The bits of port masks are in the opposite order.
        let ports = |register: u32| {
            let mask = !storage.get(register);
            ((mask as u16).reverse_bits(), ((mask >> 16) as u16).reverse_bits())
        };
        let v6 = !storage.get(FDIRIP6M);
        Self {
            source: !storage.get(FDIRSIP4M),
            destination: !storage.get(FDIRDIP4M),
            source_v6: bytes(v6),
            destination_v6: if ignored & IGNORE_DESTINATION_V6 == 0 { bytes(v6 >> 16) } else { 0 },
            ports: [ports(FDIRTCPM), ports(FDIRUDPM), ports(FDIRSCTPM)],
            vlan: compared(1, 0x0fff) | compared(2, 0xe000),
            flex: compared(1 << 4, 0xffff),
            pool: compared(1 << 2, 0x3f) as u8,
            protocol: compared(1 << 3, 3) as u8,
        }
    }

    #[inline]
    pub(super) fn apply(&self, tuple: Tuple) -> Tuple {
        let ports = match tuple.protocol {
            UDP => self.ports[1],
            TCP => self.ports[0],
            SCTP => self.ports[2],
            _ => (0, 0),
        };
        Tuple {
            source: tuple.source & self.source,
            destination: tuple.destination & self.destination,
            source_port: tuple.source_port & ports.0,
            destination_port: tuple.destination_port & ports.1,
            vlan: tuple.vlan & self.vlan,
            flex: tuple.flex & self.flex,
            pool: tuple.pool & self.pool,
            protocol: tuple.protocol & self.protocol,
        }
    }

    /// The sum of the dwords of both IPv6 addresses.
    #[inline]
    pub(super) fn fold(&self, (source, destination): (&[u8], &[u8])) -> Option<u32> {
        let number = |bytes: &[u8]| bytes.first_chunk().map(|bytes| u128::from_be_bytes(*bytes));
        let (source, destination) = (number(source)?, number(destination)?);
        let both = source & self.source_v6 ^ destination & self.destination_v6;
        let both = (both >> 64) as u64 ^ both as u64;
        Some((both >> 32) as u32 ^ both as u32)
    }
}

/// A mask of the bytes that `bits` 15:0 name: bit 0 the first one on the wire.
fn bytes(bits: u32) -> u128 {
    let byte = |index: u32| if bits >> index & 1 != 0 { 0xff } else { 0 };
    (0..16).fold(0, |mask, index| mask << 8 | byte(index))
}
