//! Counters: those of the port and its queues, cleared by a read, and those of the pools, which only wrap (82599 datasheet, 7.9,
//! 8.2.3.23, 8.3.5.6).
//!
//! Workers count once per batch. Octets are those of frames without CRC; the registers add it where the chip does. Leaves out
//! flow control, checksum errors, FCoE and manageability: those registers read 0.

mod director;
mod registers;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::layout::{POOLS, Pool};
use crate::queue::QueueIndex;

pub(crate) use director::DirectorCounts;
pub(crate) use registers::{Mapping, VfCounter};

/// Statistics slots.
const SLOTS: usize = 16;

/// Classes of frame lengths.
const LENGTHS: usize = 6;

/// Bytes of a frame's check sequence.
const CRC: u64 = 4;

/// Every counter of the card.
#[derive(Debug, Default)]
pub(crate) struct Statistics {
    /// Frames that came in from the wire and passed the address filters.
    received: Side,
    /// Frames that went out to the wire.
    transmitted: Side,
    /// Missed for want of descriptors, while frames could wait for them.
    missed: Count,
    undersize: Count,
    oversize: Count,
    spoofed: Count,
    /// Frames fetched from transmit queues.
    fetched: Count,
    receive_slots: [Slot; SLOTS],
    transmit_slots: [Slot; SLOTS],
    dropped: [Count; SLOTS],
    pools: Pools,
    /// Of the flow director.
    pub(crate) director: Arc<DirectorCounts>,
}

/// One direction of the port. Octets without CRC, frames to add it.
#[derive(Debug, Default)]
struct Side {
    good: Count,
    good_octets: Octets,
    all: Count,
    all_octets: Octets,
    multicasts: Count,
    broadcasts: Count,
    lengths: [Count; LENGTHS],
}

#[derive(Debug, Default)]
struct Slot {
    frames: Count,
    octets: Octets,
}

/// Counters of pools, which never are cleared.
#[derive(Debug)]
struct Pools(Box<[PoolCounters]>);

impl Default for Pools {
    fn default() -> Self {
        Self((0..POOLS).map(|_| PoolCounters::default()).collect())
    }
}

#[derive(Debug, Default)]
struct PoolCounters {
    received: AtomicU64,
    received_octets: AtomicU64,
    multicasts: AtomicU64,
    transmitted: AtomicU64,
    transmitted_octets: AtomicU64,
}

/// A counter that a read clears.
#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    fn add(&self, count: u64) {
        if count != 0 {
            self.0.fetch_add(count, Relaxed);
        }
    }

    /// What was counted since the last time, at most what 32 bits hold.
    fn take(&self) -> u32 {
        u32::try_from(self.0.swap(0, Relaxed)).unwrap_or(u32::MAX)
    }

    fn clear(&self) {
        self.take();
    }
}

/// A counter of octets in two registers: reading the low half takes both, and leaves the high half for its own read.
#[derive(Debug, Default)]
struct Octets {
    octets: AtomicU64,
    high: AtomicU64,
}

/// A high half that was read with its low half.
const LATCHED: u64 = 1 << 63;

impl Octets {
    fn add(&self, octets: u64) {
        self.octets.fetch_add(octets, Relaxed);
    }

    fn take_low(&self) -> u32 {
        let octets = self.octets.swap(0, Relaxed);
        self.high.store(LATCHED | octets >> 32, Relaxed);
        octets as u32
    }

    fn take_high(&self) -> u32 {
        match self.high.swap(0, Relaxed) {
            latched if latched & LATCHED != 0 => latched as u32,
            _ => (self.octets.swap(0, Relaxed) >> 32) as u32,
        }
    }

    fn clear(&self) {
        self.octets.store(0, Relaxed);
        self.high.store(0, Relaxed);
    }
}

/// Frames of one batch, to be counted at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    frames: u64,
    octets: u64,
    multicasts: u64,
    broadcasts: u64,
    lengths: [u64; LENGTHS],
}

impl Tally {
    /// Adds a frame of `len` bytes without CRC, beginning with `destination`.
    #[inline]
    pub(crate) fn add(&mut self, len: usize, destination: &[u8]) {
        self.add_equal(1, len, destination);
    }

    /// Adds `frames` frames of `len` bytes each, all beginning with `destination`.
    #[inline(always)]
    pub(crate) fn add_equal(&mut self, frames: u64, len: usize, destination: &[u8]) {
        let len = len as u64;
        self.frames += frames;
        self.octets += frames * len;
        match destination.first_chunk::<6>() {
            Some([0xff, 0xff, 0xff, 0xff, 0xff, 0xff]) => self.broadcasts += frames,
            Some([first, ..]) if first & 1 != 0 => self.multicasts += frames,
            _ => {}
        }
        self.lengths[class(len + CRC)] += frames;
    }

    /// Frames so far.
    pub(crate) fn frames(&self) -> u64 {
        self.frames
    }

    fn octets_with(&self, crc: bool) -> u64 {
        self.octets + if crc { CRC * self.frames } else { 0 }
    }
}

/// The length class of a frame with CRC.
#[inline]
fn class(len: u64) -> usize {
    if len <= 64 { 0 } else { (len.ilog2() as usize - 5).min(LENGTHS - 1) }
}

impl Statistics {
    /// Frames came in from the wire and passed the address filters of some pool.
    pub(crate) fn received_from_wire(&self, mapping: &Mapping<'_>, tally: &Tally) {
        self.received.add(tally, mapping.keeps_crc());
    }

    /// Frames went out to the wire.
    pub(crate) fn sent_to_wire(&self, tally: &Tally) {
        self.transmitted.add(tally, true);
    }

    /// Frames were fetched from transmit queue `queue` of `pool`, and not refused.
    pub(crate) fn transmitted(
        &self,
        queue: QueueIndex,
        pool: Option<Pool>,
        mapping: &Mapping<'_>,
        tally: &Tally,
    ) {
        self.fetched.add(tally.frames);
        self.transmit_slots[mapping.transmit(queue)].add(tally, true);
        if let Some(pool) = self.pool(pool) {
            pool.transmitted.fetch_add(tally.frames, Relaxed);
            pool.transmitted_octets.fetch_add(tally.octets_with(true), Relaxed);
        }
    }

    /// Frames were put into receive queue `queue` of `pool`, from wherever they came.
    pub(crate) fn received(
        &self,
        queue: QueueIndex,
        pool: Option<Pool>,
        mapping: &Mapping<'_>,
        tally: &Tally,
    ) {
        let crc = mapping.keeps_crc();
        self.receive_slots[mapping.receive(queue)].add(tally, crc);
        if let Some(pool) = self.pool(pool) {
            pool.received.fetch_add(tally.frames, Relaxed);
            pool.received_octets.fetch_add(tally.octets_with(crc), Relaxed);
            pool.multicasts.fetch_add(tally.multicasts, Relaxed);
        }
    }

    /// Frames for receive queue `queue` were dropped at once, because it had no descriptors.
    pub(crate) fn dropped(&self, queue: QueueIndex, mapping: &Mapping<'_>, frames: u64) {
        self.dropped[mapping.receive(queue)].add(frames);
    }

    /// Frames were dropped after they had waited for descriptors for too long.
    pub(crate) fn missed(&self, frames: u64) {
        self.missed.add(frames);
    }

    /// Frames from the wire were too long or too short.
    pub(crate) fn wrong_length(&self, oversize: u64, undersize: u64) {
        self.oversize.add(oversize);
        self.undersize.add(undersize);
    }

    /// Frames were refused by the anti-spoofing rules.
    pub(crate) fn spoofed(&self, frames: u64) {
        self.spoofed.add(frames);
    }

    fn pool(&self, pool: Option<Pool>) -> Option<&PoolCounters> {
        self.pools.0.get(pool?.get())
    }
}

impl Side {
    fn add(&self, tally: &Tally, crc: bool) {
        self.good.add(tally.frames);
        self.good_octets.add(tally.octets_with(crc));
        self.all.add(tally.frames);
        self.all_octets.add(tally.octets_with(true));
        self.multicasts.add(tally.multicasts);
        self.broadcasts.add(tally.broadcasts);
        for (count, frames) in self.lengths.iter().zip(tally.lengths) {
            count.add(frames);
        }
    }
}

impl Slot {
    fn add(&self, tally: &Tally, crc: bool) {
        self.frames.add(tally.frames);
        self.octets.add(tally.octets_with(crc));
    }
}

#[cfg(test)]
mod tests;
