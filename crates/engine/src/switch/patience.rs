//! How long senders may be kept waiting for a receiver: a leaky bucket of time.
//!
//! A receiver without buffers spends its patience while frames wait for it, and earns some back with what it takes. One that hangs
//! costs its senders [`MOST`] once; one that dribbles must take a frame every [`PER_FRAME`], or bytes at the pace of [`PER_BYTE`],
//! or lose frames. Generous enough for a receiver whose processor is away for a time slice, or emulated.

use std::time::{Duration, Instant};

/// What can be saved up.
pub(crate) const MOST: Duration = Duration::from_millis(10);

/// What a frame earns.
const PER_FRAME: Duration = Duration::from_micros(100);

/// What a byte earns besides: 160 Mbit/s.
const PER_BYTE: Duration = Duration::from_nanos(50);

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

    /// The receiver took everything: so many frames of so many bytes.
    pub(super) fn satisfied(&mut self, frames: usize, bytes: u64) {
        self.earn(frames, bytes);
        self.waiting_since = None;
    }

    /// The receiver took only so much, and more wants in: until when it may wait; `None` if not any longer.
    pub(super) fn refused(&mut self, frames: usize, bytes: u64, now: Instant) -> Option<Instant> {
        let since = self.waiting_since.replace(now).unwrap_or(now);
        self.left = self.left.saturating_sub(now.saturating_duration_since(since));
        self.earn(frames, bytes);
        (!self.left.is_zero()).then(|| now + self.left)
    }

    fn earn(&mut self, frames: usize, bytes: u64) {
        if frames > 0 && self.left < MOST {
            let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
            self.left = (self.left + PER_FRAME * frames as u32 + PER_BYTE * bytes).min(MOST);
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
        assert_eq!(patience.refused(0, 0, start), Some(start + MOST));
        assert!(patience.refused(0, 0, start + MOST / 2).is_some());
        assert_eq!(patience.refused(0, 0, start + MOST), None);
        assert_eq!(patience.refused(0, 0, start + MOST * 10), None, "still");
        assert!(patience.refused(1, 64, start + MOST * 11).is_some(), "it took one");
        assert_eq!(patience.refused(0, 0, start + MOST * 12), None);
    }

    #[test]
    fn a_dribbling_receiver_is_found_out() {
        let mut patience = Patience::new();
        let start = Instant::now();
        for frame in 0..1000 {
            patience.refused(1, 64, start + PER_FRAME * 4 * frame);
        }
        assert!(patience.left <= PER_FRAME + PER_BYTE * 64);
    }

    #[test]
    fn whoever_keeps_up_keeps_its_patience() {
        let mut patience = Patience::new();
        let start = Instant::now();
        for frame in 0..10_000 {
            assert!(patience.refused(1, 64, start + PER_FRAME * frame).is_some());
        }
        patience.satisfied(64, 64);
        assert!(patience.left > MOST / 2);
        let mut patience = Patience::new();
        // Long frames may take longer.
        for frame in 0..1000 {
            assert!(
                patience.refused(1, 65_536, start + Duration::from_millis(3) * frame).is_some()
            );
        }
    }
}
