//! How long senders may be kept waiting for a receiver: a leaky bucket of time.
//!
//! A receiver without buffers spends its patience while frames wait for it, and earns some back with each frame it takes. One that
//! hangs costs its senders [`MOST`] once; one that dribbles must take a frame every [`PER_FRAME`] or lose frames.

use std::time::{Duration, Instant};

/// What can be saved up.
pub(crate) const MOST: Duration = Duration::from_millis(2);

/// What a frame earns.
const PER_FRAME: Duration = Duration::from_micros(50);

#[derive(Debug)]
pub(super) struct Patience {
    left: Duration,
    /// When the wait under way was last paid for.
    waiting_since: Option<Instant>,
}

impl Patience {
    pub(super) fn new() -> Self {
        Self { left: MOST, waiting_since: None }
    }

    /// The receiver took all of `frames`.
    pub(super) fn satisfied(&mut self, frames: usize) {
        self.earn(frames);
        self.waiting_since = None;
    }

    /// The receiver took only `frames`, and more want in: until when they may wait; `None` if not any longer.
    pub(super) fn refused(&mut self, frames: usize, now: Instant) -> Option<Instant> {
        let since = self.waiting_since.replace(now).unwrap_or(now);
        self.left = self.left.saturating_sub(now.saturating_duration_since(since));
        self.earn(frames);
        (!self.left.is_zero()).then(|| now + self.left)
    }

    fn earn(&mut self, frames: usize) {
        if frames > 0 && self.left < MOST {
            self.left = (self.left + PER_FRAME * frames as u32).min(MOST);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hung_receiver_costs_its_senders_a_bounded_time_once() {
        let mut patience = Patience::new();
        let start = Instant::now();
        assert_eq!(patience.refused(0, start), Some(start + MOST));
        assert!(patience.refused(0, start + MOST / 2).is_some());
        assert_eq!(patience.refused(0, start + MOST), None);
        assert_eq!(patience.refused(0, start + MOST * 10), None, "still");
        assert!(patience.refused(1, start + MOST * 11).is_some(), "it took one");
        assert_eq!(patience.refused(0, start + MOST * 12), None);
    }

    #[test]
    fn a_dribbling_receiver_is_found_out() {
        let mut patience = Patience::new();
        let start = Instant::now();
        let mut waits = 0;
        for frame in 0..1000 {
            waits += u32::from(patience.refused(1, start + PER_FRAME * 4 * frame).is_some());
        }
        assert!(patience.left <= PER_FRAME, "{waits}");
    }

    #[test]
    fn whoever_keeps_up_keeps_its_patience() {
        let mut patience = Patience::new();
        let start = Instant::now();
        for frame in 0..10_000 {
            let now = start + PER_FRAME * frame;
            assert!(patience.refused(1, now).is_some());
        }
        patience.satisfied(64);
        assert_eq!(patience.left, MOST);
    }
}
