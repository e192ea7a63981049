//! How far a transmit queue has got with the frames it hasn't completed: frames wait for one receiver while those behind them go on.

use crate::frame::FRAMES;

/// Bits and entries count from the oldest frame not completed.
pub(super) struct Progress {
    /// Frames that are done with.
    done: u64,
    /// Frames that everyone but their owner has got.
    offered: u64,
    /// For a waiting long frame: how many of the frames it is cut into its owner has got.
    parts: [u16; FRAMES],
}

impl Progress {
    pub(super) fn new() -> Self {
        Self { done: 0, offered: 0, parts: [0; FRAMES] }
    }

    #[inline]
    pub(super) fn is_done(&self, frame: usize) -> bool {
        self.done >> frame & 1 != 0
    }

    #[inline]
    pub(super) fn is_offered(&self, frame: usize) -> bool {
        self.offered >> frame & 1 != 0
    }

    /// Whether frames that were looked at before wait.
    #[inline]
    pub(super) fn has_offered(&self) -> bool {
        self.offered != 0
    }

    #[inline]
    pub(super) fn part(&self, frame: usize) -> usize {
        usize::from(self.parts[frame])
    }

    pub(super) fn set_part(&mut self, frame: usize, part: usize) {
        self.parts[frame] = part as u16;
    }

    /// After a pass over `frames` frames of which those in `waiting` wait: `true` if any was done in it.
    #[inline]
    pub(super) fn settle(&mut self, frames: usize, waiting: u64) -> bool {
        let all = if frames == 0 { 0 } else { u64::MAX >> (64 - frames) };
        let before = std::mem::replace(&mut self.done, all & !waiting);
        self.offered = all;
        self.done & !before != 0
    }

    /// How many frames, from the oldest, can be completed.
    #[inline]
    pub(super) fn complete(&self) -> usize {
        self.done.trailing_ones() as usize
    }

    /// The `frames` oldest were completed.
    #[inline]
    pub(super) fn advance(&mut self, frames: usize) {
        let shift = |bits: u64| bits.checked_shr(frames as u32).unwrap_or(0);
        (self.done, self.offered) = (shift(self.done), shift(self.offered));
        if self.offered != 0 {
            self.parts.copy_within(frames.., 0);
            self.parts[FRAMES - frames..].fill(0);
        } else {
            self.parts = [0; FRAMES];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_behind_a_waiting_one_are_done_once() {
        let mut progress = Progress::new();
        assert!(progress.settle(4, 0b0010));
        assert_eq!(progress.complete(), 1);
        progress.set_part(1, 7);
        progress.advance(1);
        assert_eq!([0, 1, 2, 3].map(|frame| progress.is_done(frame)), [false, true, true, false]);
        assert!(progress.is_offered(0) && !progress.is_offered(3));
        assert_eq!(progress.part(0), 7);
        assert!(!progress.settle(3, 0b001), "nothing new");
        assert!(progress.settle(3, 0));
        assert_eq!(progress.complete(), 3);
        progress.advance(3);
        assert!(!progress.is_done(0) && !progress.is_offered(0));
    }

    #[test]
    fn a_full_batch_is_forgotten_at_once() {
        let mut progress = Progress::new();
        assert!(progress.settle(64, 0));
        assert_eq!(progress.complete(), 64);
        progress.advance(64);
        assert!(!progress.is_done(0));
        assert!(!progress.settle(0, 0));
    }
}
