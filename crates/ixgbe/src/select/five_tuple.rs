//! 5-tuple filters (82599 datasheet, 7.1.2.5): 128, the one with the highest priority counts. IPv4 only, as in the chip.

use crate::layout::Pool;
use crate::queue::QueueIndex;
use crate::spec::filter::SAQF;
use crate::storage::Storage;
use pando_engine::packet::{Network, Packet, Transport};

/// From one of the five tables to the next.
const TABLE: u32 = 0x200;

#[derive(Debug, Default, PartialEq)]
pub(super) struct FiveTuples(Vec<Filter>);

/// What is compared is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Filter {
    priority: u32,
    source: Option<[u8; 4]>,
    destination: Option<[u8; 4]>,
    source_port: Option<u16>,
    destination_port: Option<u16>,
    protocol: Option<Option<Transport>>,
    pool: Option<Pool>,
    queue: Option<QueueIndex>,
}

impl FiveTuples {
    pub(super) fn read(storage: &Storage) -> Self {
        let mut filters: Vec<_> =
            (0..128).filter_map(|number| Filter::read(storage, number)).collect();
        filters.sort_by_key(|filter| std::cmp::Reverse(filter.priority));
        Self(filters)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The queue that `packet` in `pool` goes to.
    pub(super) fn queue(
        &self,
        packet: &Packet,
        head: &[u8],
        pool: Option<Pool>,
    ) -> Option<QueueIndex> {
        let Some(Network::V4 { .. }) = packet.network else { return None };
        self.0.iter().find(|filter| filter.matches(packet, head, pool))?.queue
    }
}

impl Filter {
    fn read(storage: &Storage, number: u32) -> Option<Self> {
        let table = |table: u32| storage.get(SAQF + table * TABLE + 4 * number);
        let (ports, filter, action) = (table(2), table(3), table(4));
        if filter >> 31 == 0 {
            return None;
        }
        let compares = |bit: u32| filter >> bit & 1 == 0;
        let protocol = match filter & 3 {
            0 => Some(Transport::Tcp),
            1 => Some(Transport::Udp),
            2 => Some(Transport::Sctp),
            _ => None,
        };
        // Addresses and ports are in the order of the wire.
        let [a, b, c, d] = ports.to_le_bytes();
        Some(Self {
            priority: filter >> 2 & 7,
            source: compares(25).then(|| table(0).to_le_bytes()),
            destination: compares(26).then(|| table(1).to_le_bytes()),
            source_port: compares(27).then_some(u16::from_be_bytes([a, b])),
            destination_port: compares(28).then_some(u16::from_be_bytes([c, d])),
            protocol: compares(29).then_some(protocol),
            pool: compares(30).then_some(Pool((filter >> 8 & 0x3f) as u8)),
            queue: QueueIndex::new(action >> 21 & 0x7f),
        })
    }

    fn matches(&self, packet: &Packet, head: &[u8], pool: Option<Pool>) -> bool {
        let ports = packet.ports(head);
        let addresses = packet.addresses(head);
        let address = |wanted: Option<[u8; 4]>, found: Option<&[u8]>| {
            wanted.is_none_or(|wanted| found == Some(&wanted[..]))
        };
        let port = |wanted: Option<u16>, found: Option<u16>| wanted.is_none() || wanted == found;
        address(self.source, addresses.map(|both| both.0))
            && address(self.destination, addresses.map(|both| both.1))
            && port(self.source_port, ports.map(|both| both.0))
            && port(self.destination_port, ports.map(|both| both.1))
            && self.protocol.is_none_or(|protocol| protocol == packet.transport)
            && (pool.is_none() || self.pool.is_none() || self.pool == pool)
    }
}
