//! Ethertype filters (82599 datasheet, 7.1.2.3): 8, the first that matches counts.

use crate::layout::Pool;
use crate::queue::QueueIndex;
use crate::spec::filter::{ETQF, ETQS};
use crate::storage::Storage;
use pando_engine::packet::Packet;

#[derive(Debug, Default, PartialEq)]
pub(crate) struct EtherTypes(Vec<Filter>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Filter {
    number: u8,
    ether_type: u16,
    pool: Option<Pool>,
    queue: Option<QueueIndex>,
    /// VFs don't send such frames.
    anti_spoof: bool,
}

impl EtherTypes {
    pub(super) fn read(storage: &Storage) -> Self {
        let filters = (0..8u8).filter_map(|number| {
            let offset = 4 * u32::from(number);
            let (filter, select) = (storage.get(ETQF + offset), storage.get(ETQS + offset));
            (filter >> 31 != 0).then_some(Filter {
                number,
                ether_type: filter as u16,
                pool: (filter >> 26 & 1 != 0).then_some(Pool((filter >> 20 & 0x3f) as u8)),
                queue: QueueIndex::new(select >> 16 & 0x7f).filter(|_| select >> 31 != 0),
                anti_spoof: filter >> 29 & 1 != 0,
            })
        });
        Self(filters.collect())
    }

    /// The queue that `packet` in `pool` goes to.
    pub(super) fn queue(&self, packet: &Packet, pool: Option<Pool>) -> Option<QueueIndex> {
        self.find(packet, pool)?.queue
    }

    /// Whether any of them chooses a queue.
    pub(super) fn choose(&self) -> bool {
        self.0.iter().any(|filter| filter.queue.is_some())
    }

    /// The number of the filter that `packet` in `pool` matches.
    pub(crate) fn number(&self, packet: &Packet, pool: Option<Pool>) -> Option<u8> {
        Some(self.find(packet, pool)?.number)
    }

    /// Types that VFs don't send.
    pub(crate) fn refused(&self) -> Vec<u16> {
        self.0.iter().filter(|filter| filter.anti_spoof).map(|filter| filter.ether_type).collect()
    }

    fn find(&self, packet: &Packet, pool: Option<Pool>) -> Option<&Filter> {
        let here = |filter: &&Filter| filter.pool.is_none() || filter.pool == pool;
        self.0.iter().find(|filter| filter.ether_type == packet.ether_type && here(filter))
    }
}
