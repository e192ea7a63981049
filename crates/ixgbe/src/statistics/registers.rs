//! Where counters are read (82599 datasheet, 8.2.3.23, 8.3.5.6), and which slot a queue counts in (8.2.3.23.71, 8.2.3.23.75).

use std::sync::atomic::Ordering::Relaxed;

use super::{Count, DirectorCounts, Octets, SLOTS, Side, Statistics};
use crate::layout::Pool;
use crate::queue::QueueIndex;
use crate::spec::general::{HLREG0, HLREG0_RX_CRC_STRIP};
use crate::spec::statistics::*;
use crate::storage::Storage;

/// What the PF's registers say about counting.
#[derive(Clone, Copy)]
pub(crate) struct Mapping<'a>(&'a Storage);

impl<'a> Mapping<'a> {
    pub(crate) fn new(storage: &'a Storage) -> Self {
        Self(storage)
    }

    /// The slot of a transmit queue.
    pub(crate) fn transmit(&self, queue: QueueIndex) -> usize {
        self.slot(TQSM, queue)
    }

    /// The slot of a receive queue.
    pub(crate) fn receive(&self, queue: QueueIndex) -> usize {
        self.slot(RQSMR, queue)
    }

    /// Whether received frames are counted with their CRC.
    pub(crate) fn keeps_crc(&self) -> bool {
        self.0.get(HLREG0) & HLREG0_RX_CRC_STRIP == 0
    }

    fn slot(&self, table: u32, queue: QueueIndex) -> usize {
        let dword = self.0.get(table + (queue.get() as u32 & !3));
        usize::from(dword.to_le_bytes()[queue.get() % 4]) % SLOTS
    }
}

/// A counter that a VF can see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum VfCounter {
    /// Frames received.
    Received,
    /// Octets received, bits 31:0.
    ReceivedOctetsLow,
    /// Octets received, bits 35:32.
    ReceivedOctetsHigh,
    /// Multicasts received.
    Multicasts,
    /// Frames transmitted.
    Transmitted,
    /// Octets transmitted, bits 31:0.
    TransmittedOctetsLow,
    /// Octets transmitted, bits 35:32.
    TransmittedOctetsHigh,
}

impl VfCounter {
    /// The counter at an offset of a VF's space.
    pub(crate) fn at(offset: u32) -> Option<Self> {
        Some(match offset {
            VFGPRC => Self::Received,
            VFGORC_LOW => Self::ReceivedOctetsLow,
            VFGORC_HIGH => Self::ReceivedOctetsHigh,
            VFMPRC => Self::Multicasts,
            VFGPTC => Self::Transmitted,
            VFGOTC_LOW => Self::TransmittedOctetsLow,
            VFGOTC_HIGH => Self::TransmittedOctetsHigh,
            _ => return None,
        })
    }
}

impl Statistics {
    /// Reads a pool's counter. It wraps where its register ends.
    pub(crate) fn read_pool(&self, pool: Pool, counter: VfCounter) -> u32 {
        let Some(pool) = self.pool(Some(pool)) else { return 0 };
        let low = |octets: &std::sync::atomic::AtomicU64| octets.load(Relaxed) as u32;
        let high =
            |octets: &std::sync::atomic::AtomicU64| (octets.load(Relaxed) >> 32) as u32 & 0xf;
        match counter {
            VfCounter::Received => low(&pool.received),
            VfCounter::ReceivedOctetsLow => low(&pool.received_octets),
            VfCounter::ReceivedOctetsHigh => high(&pool.received_octets),
            VfCounter::Multicasts => low(&pool.multicasts),
            VfCounter::Transmitted => low(&pool.transmitted),
            VfCounter::TransmittedOctetsLow => low(&pool.transmitted_octets),
            VfCounter::TransmittedOctetsHigh => high(&pool.transmitted_octets),
        }
    }

    /// Reads the PF's register at `offset`; `None` if it is no counter. What was read is cleared.
    pub(crate) fn read(&self, offset: u32) -> Option<u32> {
        self.read_port(offset)
            .or_else(|| self.read_slot(offset))
            .or_else(|| self.read_view(offset))
            .or_else(|| self.director.read(offset))
    }

    /// Whether a write at `offset` is lost, because it is a counter.
    pub(crate) fn claims(&self, offset: u32) -> bool {
        let blocks = [BLOCK, FLOW_BLOCK, PXON2OFF_BLOCK];
        blocks.iter().any(|block| block.contains(&offset))
            || matches!(offset, SSVPC | TXDGPC)
            || DirectorCounts::claims(offset)
            || slot(offset).is_some()
            || view(offset).is_some()
    }

    /// Nothing was counted; pools keep what they have, because their drivers compare with what they read last.
    pub(crate) fn clear(&self) {
        for side in [&self.received, &self.transmitted] {
            side.clear();
        }
        let counts = [&self.missed, &self.undersize, &self.oversize, &self.spoofed, &self.fetched];
        counts.into_iter().chain(&self.dropped).for_each(Count::clear);
        for slot in self.receive_slots.iter().chain(&self.transmit_slots) {
            slot.frames.clear();
            slot.octets.clear();
        }
        self.director.clear();
    }

    fn read_port(&self, offset: u32) -> Option<u32> {
        let (received, transmitted) = (&self.received, &self.transmitted);
        Some(match offset {
            MPC => self.missed.take(),
            GPRC => received.good.take(),
            BPRC => received.broadcasts.take(),
            MPRC => received.multicasts.take(),
            GPTC => transmitted.good.take(),
            RUC => self.undersize.take(),
            ROC => self.oversize.take(),
            TPR => received.all.take(),
            TPT => transmitted.all.take(),
            MPTC => transmitted.multicasts.take(),
            BPTC => transmitted.broadcasts.take(),
            SSVPC => self.spoofed.take(),
            TXDGPC => self.fetched.take(),
            _ => return self.read_octets(offset).or_else(|| self.read_lengths(offset)),
        })
    }

    fn read_octets(&self, offset: u32) -> Option<u32> {
        let (first, octets) = match offset & !7 {
            GORC => (GORC, &self.received.good_octets),
            GOTC => (GOTC, &self.transmitted.good_octets),
            TOR => (TOR, &self.received.all_octets),
            _ => return None,
        };
        Some(if offset == first { octets.take_low() } else { octets.take_high() })
    }

    fn read_lengths(&self, offset: u32) -> Option<u32> {
        let at = |first: u32, side: &Side| {
            let index = offset.checked_sub(first)? / 4;
            side.lengths.get(index as usize).map(Count::take)
        };
        let counted = at(PTC64, &self.transmitted)
            .or_else(|| (offset < PRC64 + 24).then(|| at(PRC64, &self.received)).flatten());
        let blocks = [BLOCK, FLOW_BLOCK, PXON2OFF_BLOCK];
        counted.or_else(|| blocks.iter().any(|block| block.contains(&offset)).then_some(0))
    }

    fn read_slot(&self, offset: u32) -> Option<u32> {
        let (kind, index) = slot(offset)?;
        let (receive, transmit) = (&self.receive_slots[index], &self.transmit_slots[index]);
        Some(match kind {
            SlotCounter::Received => receive.frames.take(),
            SlotCounter::ReceivedOctets(high) => receive.octets.take_half(high),
            SlotCounter::Dropped => self.dropped[index].take(),
            SlotCounter::Transmitted => transmit.frames.take(),
            SlotCounter::TransmittedOctets(high) => transmit.octets.take_half(high),
        })
    }

    fn read_view(&self, offset: u32) -> Option<u32> {
        let (pool, counter) = view(offset)?;
        Some(self.read_pool(pool, counter))
    }
}

impl Side {
    fn clear(&self) {
        let counts = [&self.good, &self.all, &self.multicasts, &self.broadcasts];
        counts.into_iter().chain(&self.lengths).for_each(Count::clear);
        self.good_octets.clear();
        self.all_octets.clear();
    }
}

impl Octets {
    fn take_half(&self, high: bool) -> u32 {
        if high { self.take_high() } else { self.take_low() }
    }
}

enum SlotCounter {
    Received,
    ReceivedOctets(bool),
    Dropped,
    Transmitted,
    TransmittedOctets(bool),
}

/// Which slot's counter lies at `offset`.
fn slot(offset: u32) -> Option<(SlotCounter, usize)> {
    let strided = |first: u32| {
        let distance = offset.checked_sub(first)?;
        let index = distance / SLOT_STRIDE;
        (distance % SLOT_STRIDE == 0 && index < SLOTS as u32).then_some(index as usize)
    };
    if let Some(distance) = offset.checked_sub(QBTC).filter(|distance| *distance < 8 * 16) {
        let index = (distance / 8) as usize;
        return Some((SlotCounter::TransmittedOctets(distance & 4 != 0), index));
    }
    if let Some(index) = strided(QPRC) {
        Some((SlotCounter::Received, index))
    } else if let Some(index) = strided(QPRC + 4) {
        Some((SlotCounter::ReceivedOctets(false), index))
    } else if let Some(index) = strided(QPRC + 8) {
        Some((SlotCounter::ReceivedOctets(true), index))
    } else if let Some(index) = strided(QPRDC) {
        Some((SlotCounter::Dropped, index))
    } else {
        strided(QPTC).map(|index| (SlotCounter::Transmitted, index))
    }
}

/// Which pool's counter lies at `offset` of the PF's space.
fn view(offset: u32) -> Option<(Pool, VfCounter)> {
    let strided = |first: u32, stride: u32| {
        let distance = offset.checked_sub(first)?;
        let index = distance / stride;
        (distance % stride == 0 && index < 64).then_some(Pool(index as u8))
    };
    let (pool, counter) = if let Some(pool) = strided(PVFGPRC, 0x40) {
        (pool, VfCounter::Received)
    } else if let Some(pool) = strided(PVFGORC_LOW, 0x40) {
        (pool, VfCounter::ReceivedOctetsLow)
    } else if let Some(pool) = strided(PVFGORC_HIGH, 0x40) {
        (pool, VfCounter::ReceivedOctetsHigh)
    } else if let Some(pool) = strided(PVFMPRC, 0x40) {
        (pool, VfCounter::Multicasts)
    } else if let Some(pool) = strided(PVFGPTC, 4) {
        (pool, VfCounter::Transmitted)
    } else if let Some(pool) = strided(PVFGOTC, 8) {
        (pool, VfCounter::TransmittedOctetsLow)
    } else {
        (strided(PVFGOTC + 4, 8)?, VfCounter::TransmittedOctetsHigh)
    };
    Some((pool, counter))
}
