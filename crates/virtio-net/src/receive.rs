//! A receive queue: frames written behind a header of 12 bytes, or 20 with HASH_REPORT, into one chain or, with MRG_RXBUF, over
//! several (virtio 1.3, 5.1.6.3 and 5.1.6.4). Buffers are used in the order they came in, and each is told used on its own even where
//! that was promised (VIRTIO_F_IN_ORDER): one skipped in a batch would count as full (2.7.9), and drivers read every length.

mod write;

use std::sync::Arc;
use std::time::Instant;

use pando_engine::ring::{BULK, Buffers, Chain, Ring, Writer};
use pando_engine::{Accepts, Batch, FrameRef, QueueError, Receive};
use pando_tlp::{Access, Guard};
use vm_memory::VolatileSlice;

use crate::notifier::Notifier;
use crate::shared::Shared;
use crate::spec::Features;
use write::{Count, Headers, Source, write_whole};

/// Buffers that a frame is spread over at most: a long frame in buffers of 256 bytes.
const MAX_BUFFERS: usize = 257;

/// One receive queue at work.
pub(crate) struct ReceiveQueue {
    ring: Ring,
    shared: Arc<Shared>,
    notifier: Notifier,
    mergeable: bool,
    headers: Headers,
    /// Bytes that the buffer seen last has, as far as it is one piece; 0 before the first.
    room: usize,
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
    pub(crate) fn new(ring: Ring, shared: Arc<Shared>, index: u16, features: Features) -> Self {
        let mergeable = features.contains(Features::MRG_RXBUF);
        let headers = Headers::new(features);
        let filled = Vec::with_capacity(MAX_BUFFERS);
        let notifier = Notifier::new(shared.clone(), index);
        Self { ring, shared, notifier, mergeable, headers, room: 0, filled }
    }

    /// Writes the first of `frames`, as long as each goes into one buffer in one piece; returns how many.
    #[inline]
    fn write_plain(
        &mut self,
        guard: &Guard<'_>,
        batch: &Batch<'_>,
        frames: &[u16],
    ) -> Result<usize, QueueError> {
        let (room, header) = (self.room, self.headers.len());
        let fits = |frame: &&u16| batch.len_of(usize::from(**frame)) as usize + header <= room;
        let most = frames.iter().take_while(fits).count();
        if most == 0 {
            return Ok(0);
        }
        let mut buffers = Buffers::new();
        self.ring.next_plain(guard, Access::Write, most, &mut buffers)?;
        self.filled.clear();
        for (frame, buffer) in frames.iter().zip(&buffers) {
            self.room = buffer.len();
            let Some(bytes) = write_whole(buffer, &self.headers, &batch.frame(usize::from(*frame)))
            else {
                break;
            };
            self.filled.push(bytes);
        }
        self.ring.put_many(guard, &self.filled)?;
        self.ring.rewind();
        Ok(self.filled.len())
    }

    /// Writes a frame over several buffers of one piece each. `false`, and nothing that counts, if they aren't, or aren't enough.
    fn write_spread(
        &mut self,
        guard: &Guard<'_>,
        frame: FrameRef<'_, '_>,
    ) -> Result<bool, QueueError> {
        let len = frame.len as usize + self.headers.len();
        let needed = if self.room == 0 { usize::MAX } else { len.div_ceil(self.room) };
        if !self.mergeable || needed > BULK {
            return Ok(false);
        }
        let mut buffers = Buffers::new();
        self.ring.next_plain(guard, Access::Write, needed, &mut buffers)?;
        self.filled.clear();
        let mut left = len;
        for buffer in &buffers {
            let written = buffer.len().min(left);
            self.filled.push(written as u32);
            left -= written;
            if left == 0 {
                break;
            }
        }
        let first = buffers.first().map_or(0, VolatileSlice::len);
        if left > 0 || first < self.headers.len() {
            self.ring.rewind();
            return Ok(false);
        }
        self.room = first;
        let mut writer = Writer::new(&buffers);
        writer.write(&self.headers.of(&frame, self.filled.len() as u16));
        writer.write(frame.head());
        for segment in frame.rest {
            writer.copy(*segment);
        }
        self.ring.put_many(guard, &self.filled)?;
        self.ring.rewind();
        Ok(true)
    }

    /// Writes one frame and puts its buffers; leaves them if it wasn't written.
    fn write<'g>(
        &mut self,
        guard: &'g Guard<'_>,
        chain: &mut Chain<'g>,
        frame: FrameRef<'_, '_>,
    ) -> Result<Outcome, QueueError> {
        if self.write_spread(guard, frame)? {
            return Ok(Outcome::Written);
        }
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
        let first = chain.writable().first();
        self.room = first.map_or(0, VolatileSlice::len);
        if let Some(written) = first.and_then(|piece| write_whole(piece, &self.headers, &frame)) {
            self.filled.push(written);
            return Ok(Outcome::Written);
        }
        let Some(count) = Count::of(chain.writable()) else {
            return Err(QueueError::Driver("a receive buffer is shorter than its header"));
        };
        if !self.mergeable && chain.writable_len() < frame.len as usize + self.headers.len() {
            self.shared.drops.buffers_too_small.add(1);
            return Ok(Outcome::Dropped);
        }
        let mut source = Source::new(self.headers.of(&frame, 1), frame);
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
        self.headers.follow(&self.shared);
        let mut chain = Chain::new();
        let mut taken = 0;
        loop {
            taken += self.write_plain(guard, batch, &frames[taken..])?;
            let Some(frame) = frames.get(taken) else { break };
            let frame = batch.frame(usize::from(*frame));
            if self.write(guard, &mut chain, frame)? == Outcome::NoBuffers {
                break;
            }
            taken += 1;
        }
        self.notifier.publish(&mut self.ring, guard, taken)?;
        Ok(taken)
    }

    fn arm(&mut self, guard: &Guard<'_>) -> Result<bool, QueueError> {
        self.ring.arm_for_more(guard)
    }

    fn bring_near(&self) {
        self.ring.bring_pass_near();
    }

    fn due(&self) -> Option<Instant> {
        self.notifier.due()
    }

    fn remind(&mut self, guard: &Guard<'_>) -> Result<(), QueueError> {
        self.notifier.remind(&mut self.ring, guard)
    }
}
