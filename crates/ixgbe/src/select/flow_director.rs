//! The flow director (82599 datasheet, 7.1.2.7): commands fill a table of perfect or of signature filters, packets are looked up in it,
//! by what the masks leave of them.
//!
//! The masks are the card's, not a filter's, so one lookup does. Leaves out IPv6 in perfect filters, what descriptors can say of a match,
//! low latency interrupts, and the bucket length that a query leaves in FDIRLEN.

mod fields;
mod hash;
mod perfect;
mod signatures;
mod table;

use std::collections::HashMap;
use std::sync::Arc;

use pando_engine::packet::{Network, Packet};

use crate::layout::Pool;
use crate::queue::QueueIndex;
use crate::spec::filter::fdir::*;
use crate::spec::general::{FDIRCMD, FDIRCTRL};
use crate::statistics::DirectorCounts;
use crate::storage::Storage;
use fields::{Masks, Tuple};
use hash::Hash;
use signatures::Signatures;
pub(crate) use table::{Answer, Table};

/// What becomes of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// It goes to this queue.
    Queue(QueueIndex),
    /// It goes where it would without a filter.
    Pass,
    Drop,
}

/// The table as packets see it.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Director {
    filters: Filters,
    masks: Masks,
    /// Where the two flexible bytes are.
    flex_at: usize,
    counts: Arc<DirectorCounts>,
}

/// The filters, if there are any.
#[derive(Debug, Default, PartialEq)]
enum Filters {
    /// The table takes none.
    #[default]
    Off,
    /// It has none.
    Empty,
    Perfect(HashMap<Tuple, Action>),
    Signatures(Arc<Signatures>, Hash),
}

impl Director {
    /// The filters of `table`, by the masks and keys in the registers. Signature filters that come and go later are seen too, as long as
    /// there is one.
    pub(crate) fn new(table: &Table, storage: &Storage, counts: Arc<DirectorCounts>) -> Self {
        let masks = Masks::read(storage);
        let flex_at = (storage.get(FDIRCTRL) >> FLEX_SHIFT & 0x1f) as usize * 2;
        Self { filters: table.seen_through(&masks, storage), masks, flex_at, counts }
    }

    /// Whether no packet is looked up.
    pub(crate) fn is_empty(&self) -> bool {
        matches!(self.filters, Filters::Off | Filters::Empty)
    }

    /// Packets came in: without filters they miss them, unseen.
    pub(crate) fn received(&self, packets: u64) {
        if matches!(self.filters, Filters::Empty) {
            self.counts.missed(packets);
        }
    }

    /// What becomes of `packet` in `pool`; `None`: no filter matches.
    #[inline]
    pub(crate) fn action(
        &self,
        packet: &Packet,
        head: &[u8],
        pool: Option<Pool>,
    ) -> Option<Action> {
        let action = match &self.filters {
            Filters::Off | Filters::Empty => return None,
            Filters::Perfect(filters) => self.perfect(filters, packet, head, pool),
            Filters::Signatures(signatures, hash) => {
                self.hash(hash, packet, head, pool).and_then(|hash| signatures.action(hash))
            }
        };
        match action {
            Some(_) => self.counts.matched(1),
            None => self.counts.missed(1),
        }
        action
    }

    fn perfect(
        &self,
        filters: &HashMap<Tuple, Action>,
        packet: &Packet,
        head: &[u8],
        pool: Option<Pool>,
    ) -> Option<Action> {
        let Network::V4 { .. } = packet.network? else { return None };
        let tuple = Tuple::of(packet, head, pool, self.flex_at)?;
        filters.get(&self.masks.apply(tuple)).copied()
    }

    fn hash(&self, hash: &Hash, packet: &Packet, head: &[u8], pool: Option<Pool>) -> Option<u32> {
        let tuple = self.masks.apply(Tuple::of(packet, head, pool, self.flex_at)?);
        let addresses = match packet.network? {
            Network::V4 { .. } => tuple.source ^ tuple.destination,
            Network::V6 { .. } => self.masks.fold(packet.addresses(head)?)?,
        };
        let v6 = matches!(packet.network, Some(Network::V6 { .. }));
        Some(hash.of(tuple.flow(v6), tuple.rest() ^ addresses))
    }
}

/// Whether a write of `offset` can change what packets see.
pub(crate) fn is_mask(offset: u32) -> bool {
    const MASKS: [u32; 9] =
        [FDIRM, FDIRSIP4M, FDIRDIP4M, FDIRTCPM, FDIRUDPM, FDIRSCTPM, FDIRIP6M, FDIRHKEY, FDIRSKEY];
    MASKS.contains(&offset)
}

/// Whether `offset` is one of the flow director's registers without an effect of its own.
pub(crate) fn is_input(offset: u32) -> bool {
    (FDIRCTRL..FDIR_END).contains(&offset)
        && ![FDIRCTRL, FDIRCMD].contains(&offset)
        && !is_mask(offset)
}

#[cfg(test)]
mod tests;
