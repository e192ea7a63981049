//! Frames in a byte stream, each after its length in 4 bytes, big-endian: taking them apart whatever the peer sends.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::ops::Range;

use vm_memory::VolatileSlice;

use crate::uplink::UplinkCounters;
use crate::{Batch, MAX_FRAME, Offload};

/// Bytes of a length.
pub(super) const PREFIX: usize = 4;

/// Bytes buffered: more than the longest frame, so that a frame is always completed in the end.
const SIZE: usize = 256 * 1024;
const _: () = assert!(SIZE > PREFIX + MAX_FRAME);

/// Frames kept at most: as many as a batch has.
const FRAMES: usize = 64;

/// Reads at once at most.
const READS: usize = 8;

/// How reading ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Filled {
    /// The peer has no more.
    Empty,
    /// There may be more.
    More,
    /// The peer is gone.
    Gone,
}

/// What came in and isn't delivered yet.
pub(super) struct Input {
    bytes: Box<[u8]>,
    /// Read and not yet taken apart.
    fresh: Range<usize>,
    /// Taken apart and not yet completed.
    frames: VecDeque<Range<usize>>,
    /// Of an oversized frame, how much of it is still to be thrown away.
    skip: usize,
}

impl Input {
    pub(super) fn new() -> Self {
        Self {
            bytes: vec![0; SIZE].into_boxed_slice(),
            fresh: 0..0,
            frames: VecDeque::with_capacity(FRAMES),
            skip: 0,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// Forgets the half frame of a peer that is gone; whole frames stay.
    pub(super) fn disconnect(&mut self) {
        self.fresh.start = self.fresh.end;
        self.skip = 0;
    }

    /// Reads until `peer` has no more, or there is no room, or it has sent enough nonsense for now.
    pub(super) fn fill(&mut self, peer: &mut impl Read, counters: &UplinkCounters) -> Filled {
        self.take_apart(counters);
        for _ in 0..READS {
            let Some(room) = self.room() else { return Filled::More };
            match peer.read(room) {
                Ok(0) => return Filled::Gone,
                Ok(len) => {
                    self.fresh.end += len;
                    self.take_apart(counters);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Filled::Empty,
                Err(_) => return Filled::Gone,
            }
        }
        Filled::More
    }

    /// Where to read to; `None` if there are frames enough for now.
    fn room(&mut self) -> Option<&mut [u8]> {
        if self.frames.is_empty() {
            self.bytes.copy_within(self.fresh.clone(), 0);
            self.fresh = 0..self.fresh.len();
        }
        let full = self.frames.len() == FRAMES || self.fresh.end == SIZE;
        (!full).then(|| &mut self.bytes[self.fresh.end..])
    }

    fn take_apart(&mut self, counters: &UplinkCounters) {
        let (mut frames, mut bytes) = (0, 0);
        while self.frames.len() < FRAMES {
            let skipped = self.skip.min(self.fresh.len());
            self.skip -= skipped;
            self.fresh.start += skipped;
            let fresh = &self.bytes[self.fresh.clone()];
            let Some(&[a, b, c, d]) = fresh.first_chunk() else { break };
            let len = u32::from_be_bytes([a, b, c, d]) as usize;
            if len > MAX_FRAME {
                counters.in_dropped_oversize.add(1);
                self.skip = len;
                self.fresh.start += PREFIX;
            } else if len > fresh.len() - PREFIX {
                break;
            } else {
                let start = self.fresh.start + PREFIX;
                self.fresh.start = start + len;
                if len < 14 {
                    counters.in_dropped_runt.add(1);
                    continue;
                }
                self.frames.push_back(start..start + len);
                frames += 1;
                bytes += len as u64;
            }
        }
        if frames > 0 {
            counters.in_frames.add(frames);
            counters.in_bytes.add(bytes);
        }
    }

    /// Adds the frames to `batch`, oldest first, as far as they fit.
    pub(super) fn push_into<'g>(&'g mut self, batch: &mut Batch<'g>) {
        let (mut rest, mut at) = (&mut self.bytes[..], 0);
        for frame in &self.frames {
            let (_, tail) = std::mem::take(&mut rest).split_at_mut(frame.start - at);
            let (bytes, tail) = tail.split_at_mut(frame.len());
            (rest, at) = (tail, frame.end);
            if !batch.push(&[VolatileSlice::from(bytes)], Offload::default()) {
                break;
            }
        }
    }

    /// Forgets the oldest `frames`.
    pub(super) fn complete(&mut self, frames: usize) {
        self.frames.drain(..frames.min(self.frames.len()));
    }
}
