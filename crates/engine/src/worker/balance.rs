//! When a worker gives a task away. Tasks are spread evenly over the workers as they come, but which of them are busy is their
//! drivers' affair: some workers may have many that compete, while others sleep.
//!
//! Every worker tells how many tasks with a backlog compete for it. One that has no time left and at least two such tasks more than
//! another gives one of them to it; then they are equal, or closer, and nobody gives it back. A task is in one worker's list at a
//! time and carries its queue along, so its frames stay in order.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::shared::Shared;

/// What it judges by: long against a task's turns, short against a person's patience.
const WINDOW: Duration = Duration::from_millis(10);

/// What a worker has seen in the current window.
#[derive(Debug)]
pub(super) struct Balance {
    since: Instant,
    worked: Duration,
    rounds: u32,
}

impl Balance {
    /// A window that begins now.
    pub(super) fn new(now: Instant) -> Self {
        Self { since: now, worked: Duration::ZERO, rounds: 0 }
    }

    #[inline]
    pub(super) fn begin_round(&mut self) {
        self.rounds += 1;
    }

    /// It is `now`, after so much time with work. `true` at the end of a window.
    #[inline]
    pub(super) fn is_over(&mut self, now: Instant, worked: Option<Duration>) -> bool {
        self.worked += worked.unwrap_or_default();
        now - self.since >= WINDOW
    }

    /// Whether a task that had work in so many rounds always had some.
    pub(super) fn is_backlogged(&self, worked: u32) -> bool {
        worked > self.rounds / 2
    }

    /// At `now`, its end: tells that `competing` tasks were backlogged. Returns the worker that is to have one of them.
    pub(super) fn settle(
        &self,
        now: Instant,
        competing: usize,
        own: &Shared,
        workers: &[Arc<Shared>],
    ) -> Option<usize> {
        let time = now - self.since;
        // Somebody who is half idle can take more, whatever it has.
        let competing = if self.worked * 2 < time { 0 } else { competing.max(1) };
        own.competing.store(competing, Ordering::Relaxed);
        if self.worked * 10 < time * 9 {
            return None;
        }
        let load = |worker: &&Arc<Shared>| worker.competing.load(Ordering::Relaxed);
        let least = workers.iter().min_by_key(load)?;
        (load(&least) + 2 <= competing).then(|| {
            // Others see it before the receiver's own window is over.
            least.competing.fetch_add(1, Ordering::Relaxed);
            least.number
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering::Relaxed;

    use super::*;
    use crate::Finisher;

    #[test]
    fn gives_only_with_no_time_left_and_two_more_than_the_other() {
        let now = Instant::now();
        let finisher = Finisher::new();
        let shared = |number| Arc::new(Shared::new(number, finisher.counters().clone()).unwrap());
        let workers = [0, 1, 2].map(shared);
        // Tasks that compete, time worked in ms of 10, what the others have; then who gets one, and what is told.
        for (competing, worked, others, to, told) in [
            (2, 10, [1, 0], Some(2), 2),
            (2, 10, [1, 1], None, 2),
            (3, 10, [1, 2], Some(1), 3),
            (5, 8, [0, 0], None, 5),
            (5, 4, [0, 0], None, 0),
            (0, 10, [0, 0], None, 1),
            (1, 10, [0, 0], None, 1),
        ] {
            workers[1].competing.store(others[0], Relaxed);
            workers[2].competing.store(others[1], Relaxed);
            let mut balance = Balance::new(now);
            assert!(!balance.is_over(now + WINDOW / 2, None));
            assert!(balance.is_over(now + WINDOW, Some(Duration::from_millis(worked))));
            let case = format!("{competing} in {worked} ms beside {others:?}");
            assert_eq!(
                balance.settle(now + WINDOW, competing, &workers[0], &workers),
                to,
                "{case}"
            );
            assert_eq!(workers[0].competing.load(Relaxed), told, "{case}");
            let more =
                [1, 2].map(|worker| workers[worker].competing.load(Relaxed) - others[worker - 1]);
            assert_eq!(more, [1, 2].map(|worker| usize::from(to == Some(worker))), "{case}");
        }
    }

    #[test]
    fn a_backlog_is_work_in_most_rounds() {
        let mut balance = Balance::new(Instant::now());
        (0..10).for_each(|_| balance.begin_round());
        assert!(balance.is_backlogged(6) && !balance.is_backlogged(5));
    }
}
