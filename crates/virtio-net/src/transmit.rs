//! A transmit queue: frames behind a 12-byte header, in chains the driver made available (virtio 1.3, 5.1.6.2).
//! A frame whose header or length is wrong is dropped and its buffer given back: the queue never stalls on it.
//! Leaves out UDP segmentation, tunnels and hash reports, which aren't offered.

use std::sync::Arc;

use pando_engine::ring::{Chain, SplitRing};
use pando_engine::vnet::VnetHeader;
use pando_engine::{Batch, Offload, QueueError, SegmentationKind, Transmit};
use pando_tlp::Guard;

use crate::shared::Shared;
use crate::spec::Features;

/// Chains looked at in one pass: the batch's frames, and some that hold none.
const CHAINS: usize = 128;

/// Bytes in front of the packet: addresses, two tags, type.
const LINK_HEADERS: u32 = 22;

/// The shortest frame: addresses and type.
const ETHERNET: u32 = 14;

/// Headers of a TCP segment at least, IPv4.
const TCP_HEADERS: u16 = 40;

/// The longest frame with segmentation: a packet of 64 KiB.
const MAX_LONG_FRAME: u32 = 65_535 + LINK_HEADERS;

/// What a chain holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Held {
    Frame,
    Malformed,
    BadHeader,
    TooLong,
}

/// One transmit queue at work.
pub(crate) struct TransmitQueue {
    ring: SplitRing,
    shared: Arc<Shared>,
    index: u16,
    features: Features,
    /// What the chains fetched last held, oldest first: a frame of the batch, or nothing.
    fetched: Vec<Held>,
}

impl TransmitQueue {
    pub(crate) fn new(
        ring: SplitRing,
        shared: Arc<Shared>,
        index: u16,
        features: Features,
    ) -> Self {
        Self { ring, shared, index, features, fetched: Vec::with_capacity(CHAINS) }
    }

    /// Puts back the oldest `chains` of those fetched.
    fn give_back(&mut self, guard: &Guard<'_>, chains: usize) -> Result<(), QueueError> {
        for held in self.fetched.drain(..chains) {
            self.ring.put(guard, 0)?;
            let drops = &self.shared.drops;
            match held {
                Held::Frame => {}
                Held::Malformed => drops.malformed.add(1),
                Held::BadHeader => drops.bad_header.add(1),
                Held::TooLong => drops.too_long.add(1),
            }
        }
        if self.ring.publish(guard)? {
            self.shared.signal_queue(self.index);
        }
        Ok(())
    }
}

impl Transmit for TransmitQueue {
    fn fetch<'g>(
        &'g mut self,
        guard: &'g Guard<'_>,
        batch: &mut Batch<'g>,
    ) -> Result<(), QueueError> {
        self.ring.begin(guard)?;
        self.fetched.clear();
        let checker = Checker { features: self.features, mtu: self.shared.config.mtu };
        let mut chain = Chain::new();
        while self.fetched.len() < CHAINS && self.ring.next(guard, &mut chain)? {
            let held = match checker.check(&mut chain) {
                Ok(offload) if batch.push(chain.readable(), offload) => Held::Frame,
                Ok(_) => break, // no room; it is taken again by the next pass
                Err(held) => held,
            };
            self.fetched.push(held);
        }
        if !self.fetched.contains(&Held::Frame) {
            self.give_back(guard, self.fetched.len())?;
        }
        Ok(())
    }

    fn complete(&mut self, guard: &Guard<'_>, frames: usize) -> Result<(), QueueError> {
        let mut left = frames;
        let chains = self.fetched.iter().take_while(|held| {
            let is_frame = **held == Held::Frame;
            let done = !is_frame || left > 0;
            left -= usize::from(is_frame && done);
            done
        });
        let chains = chains.count();
        self.give_back(guard, chains)
    }

    fn arm(&mut self, guard: &Guard<'_>) -> Result<bool, QueueError> {
        self.ring.arm(guard)
    }

    fn disarm(&mut self, guard: &Guard<'_>) -> Result<(), QueueError> {
        self.ring.disarm(guard)
    }
}

/// What a chain's frame is judged by.
struct Checker {
    features: Features,
    mtu: u16,
}

impl Checker {
    /// Takes the header off and says what is to be done to the frame, or why it is dropped.
    fn check(&self, chain: &mut Chain<'_>) -> Result<Offload, Held> {
        let header = if chain.is_cut() { None } else { chain.take_array::<{ VnetHeader::LEN }>() };
        let header: VnetHeader = zerocopy::transmute!(header.ok_or(Held::Malformed)?);
        let len = u32::try_from(chain.readable_len()).map_err(|_| Held::TooLong)?;
        if len < ETHERNET {
            return Err(Held::Malformed);
        }
        let offload = header.offload(len).map_err(|_| Held::BadHeader)?;
        if !self.is_negotiated(offload) {
            return Err(Held::BadHeader);
        }
        if self.fits(len, offload) { Ok(offload) } else { Err(Held::TooLong) }
    }

    fn is_negotiated(&self, offload: Offload) -> bool {
        let mut needed = Features::empty();
        if !offload.needs().is_empty() {
            needed |= Features::CSUM;
        }
        if let Some(segmentation) = offload.segmentation {
            needed |= match segmentation.kind {
                SegmentationKind::Tcp4 => Features::HOST_TSO4,
                SegmentationKind::Tcp6 => Features::HOST_TSO6,
                SegmentationKind::Udp4 | SegmentationKind::Udp6 => return false, // not offered
            };
            if segmentation.ecn {
                needed |= Features::HOST_ECN;
            }
        }
        self.features.contains(needed)
    }

    fn fits(&self, len: u32, offload: Offload) -> bool {
        match offload.segmentation {
            None => len <= u32::from(self.mtu) + LINK_HEADERS,
            Some(segmentation) => {
                len <= MAX_LONG_FRAME && segmentation.size <= self.mtu.saturating_sub(TCP_HEADERS)
            }
        }
    }
}
