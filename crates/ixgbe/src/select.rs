//! Which receive queue of a pool a frame goes to: filters in the chip's order, then RSS (82599 datasheet, 7.1.2).
//!
//! Taken from the registers when one of them changes, and then only read. Leaves out traffic classes (all frames are of class 0), low
//! latency interrupts, and what `flow_director` leaves out.

mod ethertype;
mod five_tuple;
pub(crate) mod flow_director;
mod rss;

use std::sync::Arc;

use pando_engine::{Frame, MacAddress, Steer};

use crate::layout::{Layout, Pool};
use crate::queue::QueueIndex;
use crate::spec::filter::*;
use crate::spec::general::MRQC;
use crate::storage::Storage;
use ethertype::EtherTypes;
use five_tuple::FiveTuples;
use flow_director::{Action, Director};
use pando_engine::packet::Packet;
use rss::Rss;

/// Everything that chooses queues.
#[derive(Debug, PartialEq)]
pub(crate) struct Selection {
    layout: Layout,
    pub(crate) rss: Rss,
    pub(crate) ether_types: EtherTypes,
    five_tuples: FiveTuples,
    syn: Option<Syn>,
    director: Director,
    /// Queues of each pool that RSS spreads over, as powers of two (PSRTYPE.RQPL).
    spread: Box<[u8]>,
}

/// The filter of TCP SYN packets (SYNQF).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Syn {
    queue: Option<QueueIndex>,
    first: bool,
}

impl Selection {
    /// As the registers say now.
    pub(crate) fn read(storage: &Storage, layout: Layout, director: Director) -> Self {
        let synqf = storage.get(SYNQF);
        let pools = (0..64).map(|pool| (storage.get(PSRTYPE + 4 * pool) >> 29) as u8);
        Self {
            layout,
            rss: Rss::read(storage),
            ether_types: EtherTypes::read(storage),
            five_tuples: FiveTuples::read(storage),
            syn: (synqf & 1 != 0).then_some(Syn {
                queue: QueueIndex::new(synqf >> 1 & 0x7f),
                first: synqf >> 31 != 0,
            }),
            director,
            spread: pools.collect(),
        }
    }

    /// The queue of `pool`, or of the whole card, for a frame that begins with `head`; `None`: it is dropped.
    pub(crate) fn queue(&self, pool: Option<Pool>, head: &[u8]) -> Option<QueueIndex> {
        let packet = Packet::of(head);
        let here = |queue: &QueueIndex| pool.is_none() || self.layout.pool(*queue) == pool;
        let filters = self
            .ether_types
            .queue(&packet, pool)
            .or_else(|| self.syn(&packet, head, true))
            .or_else(|| self.five_tuples.queue(&packet, head, pool))
            .or_else(|| self.syn(&packet, head, false));
        if let Some(queue) = filters.filter(here) {
            return Some(queue);
        }
        match self.director.action(&packet, head, pool) {
            Some(Action::Drop) => return None,
            Some(Action::Queue(queue)) if here(&queue) => return Some(queue),
            _ => {}
        }
        let number = self.spread(pool, &packet, head);
        match pool {
            Some(pool) => self.layout.queue(pool, number),
            None => QueueIndex::new(number),
        }
    }

    fn syn(&self, packet: &Packet, head: &[u8], first: bool) -> Option<QueueIndex> {
        const SYN: u8 = 0x02;
        let filter = self.syn.filter(|filter| filter.first == first)?;
        packet.tcp_flags(head).filter(|flags| flags & SYN != 0)?;
        filter.queue
    }

    /// Packets came in.
    pub(crate) fn received(&self, packets: u64) {
        self.director.received(packets);
    }

    /// The queue of `pool`, or of the whole card, if it is the same for every frame.
    fn only(&self, pool: Option<Pool>) -> Option<QueueIndex> {
        let filters = self.ether_types.choose()
            || !self.five_tuples.is_empty()
            || self.syn.is_some()
            || !self.director.is_empty();
        let spreads = !self.rss.is_off() && pool.is_none_or(|pool| self.queues(pool) > 1);
        if filters || spreads {
            return None;
        }
        pool.map_or(QueueIndex::new(0), |pool| self.layout.queue(pool, 0))
    }

    /// The number in its pool that RSS gives.
    fn spread(&self, pool: Option<Pool>, packet: &Packet, head: &[u8]) -> u32 {
        let queues = pool.map_or(16, |pool| self.queues(pool));
        if queues == 1 {
            return 0; // whatever the hash
        }
        let hash = self.rss.hash(packet, head);
        hash.map_or(0, |(hash, _)| self.rss.entry(hash) & (queues - 1))
    }

    /// Queues of `pool` that RSS spreads over, a power of two.
    fn queues(&self, pool: Pool) -> u32 {
        let most = self.layout.queues_per_pool() as u32;
        let spread = self.spread.get(pool.get()).copied().unwrap_or(0);
        most.min(1u32.checked_shl(spread.into()).unwrap_or(most))
    }
}

/// A port's receive queues: a VF's are numbered in its pool, the PF's over the card.
pub(crate) struct Queues {
    pub(crate) selection: Arc<Selection>,
    pub(crate) of: Of,
}

/// Whose queues they are.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Of {
    /// A VF's.
    Vf(Pool),
    /// The PF's: without pools, or with those addresses' pools and one for everything else.
    Pf { addresses: Vec<(MacAddress, Pool)>, other: Option<Pool> },
}

impl Steer for Queues {
    fn queue(&self, frame: &Frame) -> Option<u16> {
        let head = frame.head();
        match &self.of {
            Of::Vf(pool) => Some(self.in_pool(self.selection.queue(Some(*pool), head)?)),
            Of::Pf { addresses, other } => {
                let destination = frame.destination();
                let own = addresses.iter().find(|(address, _)| *address == destination);
                let pool = own.map(|(_, pool)| *pool).or(*other);
                Some(self.selection.queue(pool, head)?.get() as u16)
            }
        }
    }

    fn only(&self) -> Option<u16> {
        match &self.of {
            Of::Vf(pool) => Some(self.in_pool(self.selection.only(Some(*pool))?)),
            Of::Pf { addresses, other } => {
                let one_pool = addresses.iter().all(|(_, pool)| Some(*pool) == *other);
                let queue = self.selection.only(*other).filter(|_| one_pool)?;
                Some(queue.get() as u16)
            }
        }
    }
}

impl Queues {
    /// A queue's number in its pool.
    fn in_pool(&self, queue: QueueIndex) -> u16 {
        self.selection.layout.queue_in_pool(queue) as u16
    }
}

/// MRQC bits 3:0.
fn mode(storage: &Storage) -> u32 {
    storage.get(MRQC) & 0xf
}

#[cfg(test)]
mod tests;
