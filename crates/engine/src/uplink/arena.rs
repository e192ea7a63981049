//! Frames from outside, one after another in one piece of own memory, until the engine has delivered them.

use std::collections::VecDeque;

use vm_memory::VolatileSlice;

use crate::{Batch, MAX_FRAME, Offload};

/// Bytes of memory: some long frames, or a batch of ordinary ones. Only what is used becomes resident.
const SIZE: usize = 256 * 1024;

/// Frames kept at most: as many as a batch has.
const FRAMES: usize = 64;

/// The longest that is taken at once, with a header in front.
const LONGEST: usize = MAX_FRAME + 64;

#[derive(Debug)]
pub(crate) struct Arena {
    bytes: Box<[u8]>,
    frames: VecDeque<Slot>,
    end: usize,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    start: usize,
    len: usize,
    offload: Offload,
}

impl Arena {
    pub(crate) fn new() -> Self {
        Self {
            bytes: vec![0; SIZE].into_boxed_slice(),
            frames: VecDeque::with_capacity(FRAMES),
            end: 0,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// Room for another frame, longer than [`MAX_FRAME`] and a header; `None` if there isn't that much.
    pub(crate) fn room(&mut self) -> Option<&mut [u8]> {
        if self.frames.len() == FRAMES {
            return None;
        }
        self.bytes[self.end..].get_mut(..LONGEST)
    }

    /// Keeps the `len` bytes that were put `skip` bytes into the room. Together they fit into it, and `len` is at least 14.
    pub(crate) fn keep(&mut self, skip: usize, len: usize, offload: Offload) {
        self.frames.push_back(Slot { start: self.end + skip, len, offload });
        self.end += (skip + len).next_multiple_of(64).min(LONGEST);
    }

    /// Adds the frames kept to `batch`, oldest first, as far as they fit.
    pub(crate) fn push_into<'g>(&'g mut self, batch: &mut Batch<'g>) {
        let (mut rest, mut at) = (&mut self.bytes[..], 0);
        for slot in &self.frames {
            let (_, tail) = std::mem::take(&mut rest).split_at_mut(slot.start - at);
            let (frame, tail) = tail.split_at_mut(slot.len);
            (rest, at) = (tail, slot.start + slot.len);
            if !batch.push(&[VolatileSlice::from(frame)], slot.offload) {
                break;
            }
        }
    }

    /// Forgets the oldest `frames`.
    pub(crate) fn complete(&mut self, frames: usize) {
        self.frames.drain(..frames.min(self.frames.len()));
        if self.frames.is_empty() {
            self.end = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(arena: &mut Arena, fill: u8, skip: usize, len: usize) -> bool {
        let Some(room) = arena.room() else { return false };
        room[skip..skip + len].fill(fill);
        arena.keep(skip, len, Offload::default());
        true
    }

    fn firsts(arena: &mut Arena) -> Vec<(u8, u32)> {
        let mut batch = Batch::new();
        arena.push_into(&mut batch);
        batch.iter().map(|frame| (frame.head()[0], frame.len)).collect()
    }

    #[test]
    fn frames_stay_until_completed() {
        let mut arena = Arena::new();
        assert!(
            put(&mut arena, 1, 12, 60) && put(&mut arena, 2, 0, 1514) && put(&mut arena, 3, 0, 14)
        );
        assert_eq!(firsts(&mut arena), [(1, 60), (2, 1514), (3, 14)]);
        assert_eq!(firsts(&mut arena).len(), 3);
        arena.complete(2);
        assert!(put(&mut arena, 4, 0, 100));
        assert_eq!(firsts(&mut arena), [(3, 14), (4, 100)]);
        arena.complete(2);
        assert!(arena.is_empty());
    }

    #[test]
    fn room_ends_and_comes_back() {
        for (len, most) in [(60, FRAMES), (MAX_FRAME, 3)] {
            let mut arena = Arena::new();
            let count = (0..).take_while(|_| put(&mut arena, 7, 12, len)).count();
            assert_eq!(count, most);
            assert_eq!(firsts(&mut arena).len(), most);
            arena.complete(count);
            assert!(put(&mut arena, 7, 12, len));
        }
    }
}
