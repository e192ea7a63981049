//! A transmit queue: frames behind a header of 12 bytes, or 20 with HASH_REPORT, in chains the driver made available (virtio 1.3, 5.1.6.2).
//! A frame whose header or length is wrong is dropped and its buffer given back: the queue never stalls on it. Buffers go back in the
//! order they came in, those of a pass at once; where that was promised (VIRTIO_F_IN_ORDER), one used element tells of them all.
//! Leaves out tunnels, which aren't offered.

use std::sync::Arc;
use std::time::Instant;

use pando_engine::ring::{Buffers, Chain, Ring};
use pando_engine::vnet::{NEEDS_CSUM, VnetHeader};
use pando_engine::{Batch, Offload, QueueError, SegmentationKind, Transmit, ether_type};
use pando_tlp::{Access, Guard};
use vm_memory::{VolatileMemory, VolatileSlice};
use zerocopy::IntoBytes;

use crate::notifier::Notifier;
use crate::shared::Shared;
use crate::spec::{Features, HASH_HEADER};

/// Chains looked at in one pass: the batch's frames, and some that hold none.
const CHAINS: usize = 128;

/// Bytes in front of the packet: addresses, two tags, type.
const LINK_HEADERS: u32 = 22;

/// The shortest frame: addresses and type.
const ETHERNET: usize = 14;

/// Of a header's first eight bytes as a little-endian number, those bits that say that something is to be done: the checksum flag
/// and the segmentation type.
const PLAIN: u64 = NEEDS_CSUM as u64 | 0xff00;

/// Headers of a TCP segment at least, IPv4.
const TCP_HEADERS: u16 = 40;

/// Headers of a UDP datagram at least, IPv4.
const UDP_HEADERS: u16 = 28;

/// The longest frame with segmentation: a packet of 64 KiB.
const MAX_LONG_FRAME: u32 = 65_535 + LINK_HEADERS;

/// What a chain holds that holds no frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Held {
    Malformed,
    BadHeader,
    TooLong,
}

/// One transmit queue at work.
pub(crate) struct TransmitQueue {
    ring: Ring,
    shared: Arc<Shared>,
    notifier: Notifier,
    features: Features,
    /// Chains fetched last: each holds a frame of the batch, but for those in `empty`.
    fetched: usize,
    /// Of the chains fetched last those that hold no frame, oldest first, each with the number of chains before it.
    empty: Vec<(usize, Held)>,
}

impl TransmitQueue {
    pub(crate) fn new(ring: Ring, shared: Arc<Shared>, index: u16, features: Features) -> Self {
        let notifier = Notifier::new(shared.clone(), index);
        Self { ring, shared, notifier, features, fetched: 0, empty: Vec::with_capacity(CHAINS) }
    }

    /// Adds the frames of chains in one piece, as many as come now.
    #[inline]
    fn fetch_plain<'g>(
        &mut self,
        guard: &'g Guard<'_>,
        checker: &Checker,
        batch: &mut Batch<'g>,
    ) -> Result<Fetched, QueueError> {
        let mut buffers = Buffers::new();
        let most = CHAINS - self.fetched;
        self.ring.next_plain(guard, Access::Read, most, &mut buffers)?;
        for buffer in &buffers {
            let held = match checker.check_piece(buffer) {
                Ok((offload, frame)) if batch.push_piece(frame, offload) => None,
                Ok(_) => return Ok(Fetched::All),
                Err(held) => Some(held),
            };
            self.note(held);
        }
        Ok(if buffers.is_full() { Fetched::Some } else { Fetched::UpToAnother })
    }

    /// Notes one more chain, and why it holds no frame.
    #[inline]
    fn note(&mut self, held: Option<Held>) {
        if let Some(held) = held {
            self.empty.push((self.fetched, held));
        }
        self.fetched += 1;
    }

    /// Puts back the oldest `chains` of those fetched.
    fn give_back(&mut self, guard: &Guard<'_>, chains: usize) -> Result<(), QueueError> {
        self.ring.put_unwritten(guard, chains)?;
        self.fetched -= chains;
        if !self.empty.is_empty() {
            self.count_drops(chains);
        }
        self.notifier.publish(&mut self.ring, guard, chains)
    }

    /// Counts what the oldest `chains` held that wasn't a frame.
    #[cold]
    fn count_drops(&mut self, chains: usize) {
        let gone = self.empty.iter().take_while(|(before, _)| *before < chains).count();
        for (_, held) in self.empty.drain(..gone) {
            let drops = &self.shared.drops;
            match held {
                Held::Malformed => drops.malformed.add(1),
                Held::BadHeader => drops.bad_header.add(1),
                Held::TooLong => drops.too_long.add(1),
            }
        }
        for (before, _) in &mut self.empty {
            *before -= chains;
        }
    }
}

/// What came of fetching plain chains.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fetched {
    /// There may be more of them.
    Some,
    /// What comes next, if anything, isn't plain.
    UpToAnother,
    /// The batch has no room for more. What was taken and not noted is taken again by the next pass.
    All,
}

impl Transmit for TransmitQueue {
    fn fetch<'g>(
        &'g mut self,
        guard: &'g Guard<'_>,
        batch: &mut Batch<'g>,
    ) -> Result<(), QueueError> {
        self.ring.begin(guard)?;
        self.fetched = 0;
        self.empty.clear();
        let (features, mtu) = (self.features, self.shared.config.mtu);
        let checker = Checker { features, header: features.header_len(), mtu };
        let mut chain = Chain::new();
        while self.fetched < CHAINS {
            match self.fetch_plain(guard, &checker, batch)? {
                Fetched::Some => continue,
                Fetched::All => break,
                Fetched::UpToAnother => {}
            }
            if self.fetched == CHAINS || !self.ring.next(guard, &mut chain)? {
                break;
            }
            match checker.check(&mut chain) {
                Ok(offload) if batch.push(chain.readable(), offload) => self.note(None),
                Ok(_) => break, // no room; it is taken again by the next pass
                Err(held) => self.note(Some(held)),
            }
        }
        if self.fetched == self.empty.len() {
            self.give_back(guard, self.fetched)?;
        }
        Ok(())
    }

    fn complete(&mut self, guard: &Guard<'_>, frames: usize) -> Result<(), QueueError> {
        let mut chains = frames.min(self.fetched - self.empty.len());
        for (before, _) in &self.empty {
            // Empty ones among them, and behind the last.
            if *before > chains {
                break;
            }
            chains += 1;
        }
        self.give_back(guard, chains)
    }

    fn arm(&mut self, guard: &Guard<'_>) -> Result<bool, QueueError> {
        self.ring.arm(guard)
    }

    fn disarm(&mut self, guard: &Guard<'_>) -> Result<(), QueueError> {
        self.ring.disarm(guard)
    }

    fn due(&self) -> Option<Instant> {
        self.notifier.due()
    }

    fn remind(&mut self, guard: &Guard<'_>) -> Result<(), QueueError> {
        self.notifier.remind(&mut self.ring, guard)
    }
}

/// What a chain's frame is judged by.
struct Checker {
    features: Features,
    /// Bytes in front of the frame; what is behind the first 12 says nothing about a frame sent.
    header: usize,
    mtu: u16,
}

impl Checker {
    /// Takes the header off and says what is to be done to the frame, or why it is dropped.
    fn check(&self, chain: &mut Chain<'_>) -> Result<Offload, Held> {
        let header = if chain.is_cut() { None } else { chain.take_array::<{ VnetHeader::LEN }>() };
        let header: VnetHeader = zerocopy::transmute!(header.ok_or(Held::Malformed)?);
        let mut more = [0; HASH_HEADER - VnetHeader::LEN];
        let more = &mut more[..self.header - VnetHeader::LEN];
        if chain.take(more) < more.len() {
            return Err(Held::Malformed);
        }
        self.judge(header, chain.readable_len(), chain.readable())
    }

    /// The same for a chain in one piece; and the frame.
    #[inline]
    fn check_piece<'g>(
        &self,
        piece: &VolatileSlice<'g>,
    ) -> Result<(Offload, VolatileSlice<'g>), Held> {
        let frame = piece.offset(self.header).map_err(|_| Held::Malformed)?;
        // Each word is read once, and never written: a header that was just put together is slow to take apart.
        let start = piece.get_ref::<u64>(0).map_err(|_| Held::Malformed)?.load();
        if u64::from_le(start) & PLAIN == 0 {
            return Ok((self.judge_plain(frame.len())?, frame));
        }
        let end = piece.get_ref::<u32>(8).map_err(|_| Held::Malformed)?.load();
        let mut header = VnetHeader::default();
        header.as_mut_bytes()[..8].copy_from_slice(&start.to_ne_bytes());
        header.as_mut_bytes()[8..].copy_from_slice(&end.to_ne_bytes());
        Ok((self.judge(header, frame.len(), &[frame])?, frame))
    }

    /// What is to be done to a frame of `len` bytes if nothing is.
    #[inline]
    fn judge_plain(&self, len: usize) -> Result<Offload, Held> {
        match len {
            0..ETHERNET => Err(Held::Malformed),
            _ if len <= usize::from(self.mtu) + LINK_HEADERS as usize => Ok(Offload::default()),
            _ => Err(Held::TooLong),
        }
    }

    fn judge(
        &self,
        header: VnetHeader,
        len: usize,
        frame: &[VolatileSlice<'_>],
    ) -> Result<Offload, Held> {
        if len < ETHERNET {
            return Err(Held::Malformed);
        }
        let len = u32::try_from(len).map_err(|_| Held::TooLong)?;
        let offload = header.offload(len, || packet_type(frame)).map_err(|_| Held::BadHeader)?;
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
                SegmentationKind::Udp4 | SegmentationKind::Udp6 => Features::HOST_USO,
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
                let headers = if segmentation.kind.is_tcp() { TCP_HEADERS } else { UDP_HEADERS };
                len <= MAX_LONG_FRAME && segmentation.size <= self.mtu.saturating_sub(headers)
            }
        }
    }
}

/// The EtherType of the packet in a frame of these pieces. Should the driver change it meanwhile, whoever cuts the frame finds out.
#[cold]
fn packet_type(pieces: &[VolatileSlice<'_>]) -> u16 {
    let mut start = [0; LINK_HEADERS as usize];
    let mut filled = 0;
    for piece in pieces {
        filled += piece.copy_to(&mut start[filled..]);
    }
    ether_type(&start[..filled])
}
