//! How fast a port or one of its queues may send: a token bucket kept as the time at which it is full again (the same arithmetic
//! as ITU-T I.371's generic cell rate algorithm), and what fair sharing needs to know of a port.
//!
//! Time is given by whoever asks.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// What may be sent at once after a pause: as much as the rate gives in this time. A worker that overslept loses nothing.
const BURST: Duration = Duration::from_millis(4);

/// How long a queue sleeps at most: a new rate counts from then on.
const LONGEST_WAIT: Duration = Duration::from_millis(10);

/// Parts of a nanosecond that time is kept in.
const PARTS: u64 = 16;

/// No rate: nothing is slower than a byte in this many picoseconds (about 18 minutes).
const SLOWEST: u64 = 1 << 50;

/// A speed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Bits per second of frames, from the destination address to the end of the payload.
    pub bits_per_second: u64,
}

/// A rate and what was sent under it. One thread at a time asks and spends; with several their bursts add up.
#[derive(Debug, Default)]
pub(crate) struct Pacer {
    /// Picoseconds a byte takes; 0: no limit.
    byte: AtomicU64,
    /// When all that was sent is paid for, in parts of nanoseconds from the start.
    paid: AtomicU64,
}

impl Pacer {
    /// From now on `rate` holds.
    pub(crate) fn set(&self, rate: Option<Rate>) {
        const PICOSECONDS: u64 = 8_000_000_000_000;
        let byte = |rate: Rate| PICOSECONDS.div_ceil(rate.bits_per_second.max(1)).min(SLOWEST);
        let byte = rate.map_or(0, byte);
        if self.byte.swap(byte, Relaxed) != byte {
            self.paid.store(0, Relaxed);
        }
    }

    /// How many bytes may be sent now, or until when none may. The last frame may be longer than what is left.
    pub(crate) fn allowance(&self, now: Instant) -> Result<u64, Instant> {
        let byte = self.byte.load(Relaxed);
        if byte == 0 {
            return Ok(u64::MAX);
        }
        let now_parts = parts(now);
        let (full, paid) =
            (now_parts.saturating_add(BURST_PARTS), self.paid.load(Relaxed).max(now_parts));
        match full.checked_sub(paid) {
            Some(left) if left > 0 => Ok((left.saturating_mul(1000) / PARTS / byte).max(1)),
            _ => {
                let wait = Duration::from_nanos((paid - full) / PARTS + 1);
                Err(now + wait.min(LONGEST_WAIT))
            }
        }
    }

    /// So many bytes were sent.
    pub(crate) fn spend(&self, bytes: u64, now: Instant) {
        let byte = self.byte.load(Relaxed);
        if byte != 0 && bytes != 0 {
            let cost =
                u64::try_from(u128::from(bytes) * u128::from(byte) * u128::from(PARTS) / 1000);
            let paid = self.paid.load(Relaxed).max(parts(now));
            self.paid.store(paid.saturating_add(cost.unwrap_or(u64::MAX)), Relaxed);
        }
    }
}

const BURST_PARTS: u64 = BURST.as_nanos() as u64 * PARTS;

/// Time since the first question, in parts of nanoseconds: enough for 36 years.
fn parts(now: Instant) -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    let since = now.saturating_duration_since(*START.get_or_init(|| now));
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX / PARTS).saturating_mul(PARTS)
}

/// How many of a port's transmit queues have work: they share what one function gets.
#[derive(Debug, Default)]
pub(crate) struct Share(AtomicU32);

impl Share {
    pub(crate) fn enter(&self) {
        self.0.fetch_add(1, Relaxed);
    }

    pub(crate) fn leave(&self) {
        self.0.fetch_sub(1, Relaxed);
    }

    /// Queues with work, at least one.
    pub(crate) fn queues(&self) -> u64 {
        u64::from(self.0.load(Relaxed)).max(1)
    }
}

#[cfg(test)]
mod tests;
