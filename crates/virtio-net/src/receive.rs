//! A receive queue: frames written behind a 12-byte header, into one chain or, with MRG_RXBUF, over several
//! (virtio 1.3, 5.1.6.3 and 5.1.6.4). Leaves out hash reports.

use std::sync::Arc;

use pando_engine::ring::{Chain, SplitRing, Writer};
use pando_engine::vnet::VnetHeader;
use pando_engine::{Accepts, Batch, Checksum, FrameRef, HEAD, Offload, QueueError, Receive};
use pando_tlp::{Guard, write_array};
use vm_memory::VolatileSlice;
use zerocopy::IntoBytes;

use crate::shared::Shared;
use crate::spec::Features;

/// Buffers that a frame is spread over at most: a long frame in buffers of 256 bytes.
const MAX_BUFFERS: usize = 257;

/// One receive queue at work.
pub(crate) struct ReceiveQueue {
    ring: SplitRing,
    shared: Arc<Shared>,
    index: u16,
    mergeable: bool,
    /// Bytes written into each buffer of the frame in hand.
    filled: Vec<u32>,
}

/// What became of one frame.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Written,
    Dropped,
    NoBuffers,
}

impl ReceiveQueue {
    pub(crate) fn new(
        ring: SplitRing,
        shared: Arc<Shared>,
        index: u16,
        features: Features,
    ) -> Self {
        let mergeable = features.contains(Features::MRG_RXBUF);
        Self { ring, shared, index, mergeable, filled: Vec::with_capacity(MAX_BUFFERS) }
    }

    /// Writes one frame and puts its buffers; leaves them if it wasn't written.
    fn write<'g>(
        &mut self,
        guard: &'g Guard<'_>,
        chain: &mut Chain<'g>,
        frame: FrameRef<'_, '_>,
    ) -> Result<Outcome, QueueError> {
        let outcome = self.fill(guard, chain, frame)?;
        if outcome == Outcome::Written {
            for &written in &self.filled {
                self.ring.put(guard, written)?;
            }
        } else {
            self.ring.rewind();
        }
        Ok(outcome)
    }

    fn fill<'g>(
        &mut self,
        guard: &'g Guard<'_>,
        chain: &mut Chain<'g>,
        frame: FrameRef<'_, '_>,
    ) -> Result<Outcome, QueueError> {
        self.filled.clear();
        if !self.ring.next(guard, chain)? {
            return Ok(Outcome::NoBuffers);
        }
        if let Some(written) = write_whole(chain.writable(), self.shared.accepts(), &frame) {
            self.filled.push(written);
            return Ok(Outcome::Written);
        }
        let Some(count) = Count::of(chain.writable()) else {
            return Err(QueueError::Driver("a receive buffer is shorter than its header"));
        };
        if !self.mergeable && chain.writable_len() < frame.len as usize + VnetHeader::LEN {
            self.shared.drops.buffers_too_small.add(1);
            return Ok(Outcome::Dropped);
        }
        let mut source = Source::new(header(&frame, self.shared.accepts()), frame);
        loop {
            let mut writer = Writer::new(chain.writable());
            let done = source.write(&mut writer);
            if writer.written() == 0 {
                return Err(QueueError::Driver("a receive buffer without room"));
            }
            self.filled.push(writer.written() as u32);
            if done {
                count.set(self.filled.len() as u16);
                return Ok(Outcome::Written);
            }
            if self.filled.len() == MAX_BUFFERS {
                self.shared.drops.buffers_too_small.add(1);
                return Ok(Outcome::Dropped);
            }
            if !self.ring.next(guard, chain)? {
                return Ok(Outcome::NoBuffers);
            }
        }
    }
}

impl Receive for ReceiveQueue {
    fn accepts(&self) -> Accepts {
        self.shared.accepts()
    }

    fn deliver(
        &mut self,
        guard: &Guard<'_>,
        batch: &Batch<'_>,
        frames: &[u16],
    ) -> Result<usize, QueueError> {
        self.ring.begin(guard)?;
        let mut chain = Chain::new();
        let mut taken = 0;
        for &frame in frames {
            let frame = batch.frame(usize::from(frame));
            if self.write(guard, &mut chain, frame)? == Outcome::NoBuffers {
                break;
            }
            taken += 1;
        }
        if self.ring.publish(guard)? {
            self.shared.signal_queue(self.index);
        }
        Ok(taken)
    }

    fn arm(&mut self, guard: &Guard<'_>) -> Result<bool, QueueError> {
        self.ring.arm_for_more(guard)
    }
}

/// The header of a frame; a driver without GUEST_CSUM sees no flags (5.1.6.4.1).
fn header(frame: &FrameRef<'_, '_>, accepts: Accepts) -> VnetHeader {
    let mut offload = frame.offload;
    if offload.checksum == Checksum::Valid && !accepts.contains(Accepts::CHECKSUM) {
        offload = Offload::default();
    }
    VnetHeader::new(offload, frame.head())
}

/// The header of a frame to which nothing is to be done, in one buffer.
const PLAIN: [u8; VnetHeader::LEN] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0];

/// Writes a frame that fits into the first piece of its first buffer, header and all; `None`, and nothing that counts, if it
/// doesn't. Returns the bytes written.
#[inline]
fn write_whole(
    pieces: &[VolatileSlice<'_>],
    accepts: Accepts,
    frame: &FrameRef<'_, '_>,
) -> Option<u32> {
    let piece = pieces.first().filter(|piece| {
        piece.len().checked_sub(VnetHeader::LEN).is_some_and(|room| room >= frame.len as usize)
    })?;
    if frame.offload == Offload::default() {
        // Most headers; from a constant, since a header that was just put together is slow to copy.
        write_array(piece, 0, &PLAIN)?;
    } else {
        let header: [u8; VnetHeader::LEN] = zerocopy::transmute!(header(frame, accepts));
        write_array(piece, 0, &header)?;
    }
    let mut at = VnetHeader::LEN;
    match frame.head().first_chunk::<HEAD>() {
        Some(head) => write_array(piece, at, head)?,
        None => {
            piece.offset(at).ok()?.copy_from(frame.head());
        }
    }
    at += frame.head().len();
    for segment in frame.rest {
        segment.copy_to_volatile_slice(piece.offset(at).ok()?);
        at += segment.len();
    }
    Some(at as u32)
}

/// What is still to be written of a frame: header, head, the rest.
struct Source<'b, 'f> {
    header: VnetHeader,
    frame: FrameRef<'b, 'f>,
    /// Piece in hand: 0 the header, 1 the head, then the segments.
    piece: usize,
    /// Bytes of it that are written.
    offset: usize,
}

impl<'b, 'f> Source<'b, 'f> {
    fn new(header: VnetHeader, frame: FrameRef<'b, 'f>) -> Self {
        Self { header, frame, piece: 0, offset: 0 }
    }

    /// Writes until `writer` is full; `true` at the end of the frame.
    fn write(&mut self, writer: &mut Writer<'_, '_>) -> bool {
        loop {
            let (len, written) = match self.piece {
                0 => write_bytes(writer, self.header.as_bytes(), self.offset),
                1 => write_bytes(writer, self.frame.head(), self.offset),
                segment => match self.frame.rest.get(segment - 2) {
                    Some(segment) => write_segment(writer, segment, self.offset),
                    None => return true,
                },
            };
            self.offset += written;
            if self.offset < len {
                return false;
            }
            (self.piece, self.offset) = (self.piece + 1, 0);
        }
    }
}

fn write_bytes(writer: &mut Writer<'_, '_>, bytes: &[u8], offset: usize) -> (usize, usize) {
    (bytes.len(), writer.write(&bytes[offset..]))
}

fn write_segment(
    writer: &mut Writer<'_, '_>,
    segment: &VolatileSlice<'_>,
    offset: usize,
) -> (usize, usize) {
    (segment.len(), segment.offset(offset).map_or(0, |rest| writer.copy(rest)))
}

/// Where a frame's `num_buffers` lies in its first buffer: known last, written last.
struct Count<'g> {
    low: VolatileSlice<'g>,
    high: VolatileSlice<'g>,
}

impl<'g> Count<'g> {
    /// `None` if the buffer has no room for a header.
    fn of(pieces: &[VolatileSlice<'g>]) -> Option<Self> {
        let (low, high) = (byte_at(pieces, 10)?, byte_at(pieces, 11)?);
        Some(Self { low, high })
    }

    fn set(&self, count: u16) {
        let [low, high] = count.to_le_bytes();
        self.low.copy_from(&[low]);
        self.high.copy_from(&[high]);
    }
}

/// The byte `offset` bytes into `pieces`.
fn byte_at<'g>(pieces: &[VolatileSlice<'g>], mut offset: usize) -> Option<VolatileSlice<'g>> {
    for piece in pieces {
        if offset < piece.len() {
            return piece.subslice(offset, 1).ok();
        }
        offset -= piece.len();
    }
    None
}
