//! How long a worker without work polls before it sleeps.
//!
//! Waking a thread costs whoever wakes it, and that is a guest's processor, with work to do; polling costs a processor that has
//! none. Work that comes so seldom that waking takes less than a tenth of the time is not polled for. Within that a worker learns: it
//! polls for longer when that would have spared it going to sleep, and for less when it would not.

use std::sync::OnceLock;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

/// The shortest time to poll.
const SHORTEST: Duration = Duration::from_micros(2);

/// The host's choice of the longest: so many times what waking takes, and its limits.
const TIMES_WAKING: u32 = 10;
const LEAST: Duration = Duration::from_micros(50);
const MOST: Duration = Duration::from_millis(2);

/// A worker's time to poll.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Polling {
    time: Duration,
    longest: Duration,
}

impl Polling {
    pub(super) fn up_to(longest: Duration) -> Self {
        Self { time: longest, longest }
    }

    /// A task without work is polled for so long.
    #[inline]
    pub(super) fn time(self) -> Duration {
        self.time
    }

    /// Learns from a sleep that ended because there was work.
    pub(super) fn slept(&mut self, asleep: Duration) {
        let spared = self.time + asleep <= self.longest;
        let time = if spared { self.time * 2 } else { self.time / 2 };
        self.time = time.max(SHORTEST).min(self.longest);
    }
}

/// The longest time to poll unless somebody says otherwise. Nothing on a host with one processor: polling takes the time of whoever
/// would have made the work.
pub(super) fn host_choice() -> Duration {
    let alone = std::thread::available_parallelism().is_ok_and(|processors| processors.get() == 1);
    if alone { Duration::ZERO } else { (waking() * TIMES_WAKING).clamp(LEAST, MOST) }
}

/// What it takes to wake a sleeping thread here, until it runs. Measured once.
fn waking() -> Duration {
    static MEASURED: OnceLock<Duration> = OnceLock::new();
    *MEASURED.get_or_init(|| {
        let (wake, woken) = channel::<Instant>();
        let mut times = std::thread::scope(|scope| {
            let sleeper = scope.spawn(move || Vec::from_iter(woken.iter().map(|at| at.elapsed())));
            for _ in 0..9 {
                std::thread::sleep(Duration::from_millis(1)); // it falls asleep
                let _ = wake.send(Instant::now()); // fails if the sleeper is gone: then there is less to take the median of
            }
            drop(wake);
            sleeper.join().unwrap_or_default()
        });
        times.sort_unstable();
        times.get(times.len() / 2).copied().unwrap_or_default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn us(time: u64) -> Duration {
        Duration::from_micros(time)
    }

    #[test]
    fn a_worker_polls_longer_when_that_would_have_spared_it_a_sleep() {
        let mut polling = Polling::up_to(us(100));
        for (asleep, time) in
            [(1000, 50), (51, 25), (1, 50), (50, 100), (1, 50), (u64::from(u32::MAX), 25)]
        {
            polling.slept(us(asleep));
            assert_eq!(polling.time(), us(time), "after {asleep} us");
        }
        (0..100).for_each(|_| polling.slept(us(1000)));
        assert_eq!(polling.time(), SHORTEST);
    }

    #[test]
    fn a_limit_below_the_shortest_time_holds() {
        let mut polling = Polling::up_to(Duration::ZERO);
        polling.slept(us(1));
        assert_eq!(polling.time(), Duration::ZERO);
    }

    #[test]
    fn the_host_chooses_nothing_or_a_time_between_its_limits() {
        let choice = host_choice();
        assert!(choice.is_zero() || (LEAST..=MOST).contains(&choice), "{choice:?}");
        assert_eq!(host_choice(), choice, "measured once");
    }
}
