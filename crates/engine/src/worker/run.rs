//! A worker's thread: polls the tasks that have work, in turn, and sleeps when none has.
//!
//! A task without work is polled for a short while longer, then armed and left alone until its doorbell rings.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use pando_tlp::Participant;
use rustix::event::Timespec;

use crate::switch::Share;

use super::balance::Balance;
use super::fair::{Quantum, Turn};
use super::held::Holder;
use super::polling::Polling;
use super::scratch::Scratch;
use super::shared::Shared;
use super::task::{Armed, Pass, Task};

/// Between two looks at the doorbells of sleeping tasks while others keep the worker busy: after one was heard, and at most. A look
/// is a system call, and takes as long as some frames.
const SOON: Duration = Duration::from_micros(5);
const LATE: Duration = Duration::from_micros(80);

/// Rounds without work between two looks at the clock and two pauses, each of which takes a good part of such a round.
const IDLE_ROUNDS: u32 = 4;

/// How soon a paused task tries again by itself.
const RETRY: Duration = Duration::from_micros(5);

pub(super) struct Worker {
    workers: Arc<[Arc<Shared>]>,
    /// What others use of this one.
    shared: Arc<Shared>,
    participant: Participant,
    scratch: Scratch,
    active: Vec<Active>,
    given: Vec<Arc<Task>>,
    /// When to look at doorbells again, and how long that is after the last time.
    hear_at: Instant,
    hearing: Duration,
    polling: Polling,
    quantum: Quantum,
    balance: Balance,
}

/// A task that is being polled.
struct Active {
    task: Arc<Task>,
    /// Since when it has had nothing to do but wait.
    idle_since: Option<Instant>,
    /// It is paused: when to try again.
    retry_at: Option<Instant>,
    /// It is paused, and its receivers wake the worker.
    settled: bool,
    turn: Turn,
    /// Rounds of late in which it had work.
    worked: u32,
}

impl Active {
    fn new(task: Arc<Task>) -> Self {
        let turn = Turn::default();
        Self { task, idle_since: None, retry_at: None, settled: false, turn, worked: 0 }
    }
}

impl Worker {
    /// Worker number `number` of `workers`.
    pub(super) fn new(
        workers: Arc<[Arc<Shared>]>,
        number: usize,
        participant: Participant,
        scratch: Scratch,
        polling: Polling,
    ) -> Self {
        let (active, given) = (Vec::new(), Vec::new());
        let quantum = Quantum::new();
        Self {
            shared: workers[number].clone(),
            workers,
            participant,
            scratch,
            active,
            given,
            hear_at: Instant::now(),
            hearing: SOON,
            polling,
            quantum,
            balance: Balance::new(Instant::now()),
        }
    }

    /// Runs until the engine is dropped.
    pub(super) fn run(mut self) {
        let mut rounds = 0u32;
        let (mut now, mut worked) = (Instant::now(), true);
        while self.attend() {
            if worked || rounds.is_multiple_of(IDLE_ROUNDS) {
                let before = std::mem::replace(&mut now, Instant::now());
                if self.balance.is_over(now, worked.then(|| now - before)) {
                    self.share_out(now);
                }
            }
            if self.scratch.held.is_due(now) {
                self.remind(now);
            }
            worked = self.round(now);
            rounds = rounds.wrapping_add(1);
            if !worked && self.active.iter().all(|active| active.settled) {
                self.sleep();
                now = Instant::now();
            } else if now >= self.hear_at {
                self.hear(now);
            } else if !worked && rounds.is_multiple_of(IDLE_ROUNDS) {
                std::hint::spin_loop();
            }
        }
    }

    /// Looks at the doorbells of sleeping tasks; less often as long as none rings.
    fn hear(&mut self, now: Instant) {
        self.hearing = if self.shared.hear() { SOON } else { (self.hearing * 2).min(LATE) };
        self.hear_at = now + self.hearing;
    }

    /// Does what others want; `false` if that is to stop.
    fn attend(&mut self) -> bool {
        let Some(attention) = self.shared.attention(&mut self.given) else { return true };
        for task in self.given.drain(..) {
            self.active.push(Active::new(task));
        }
        if attention.retry {
            self.wake_paused();
        }
        if attention.remind {
            self.scratch.held.hasten(Instant::now());
        }
        !attention.stopping
    }

    fn wake_paused(&mut self) {
        for active in &mut self.active {
            (active.retry_at, active.settled) = (None, false);
        }
    }

    /// Lets queues send interrupts they have held back for long enough.
    #[cold]
    fn remind(&mut self, now: Instant) {
        let Self { participant, scratch: Scratch { held, failed, .. }, .. } = self;
        held.remind(now, |holder| match holder {
            Holder::Transmit(task) => task.remind(participant),
            Holder::Receive(cell) => cell.remind(&participant.enter()).unwrap_or_else(|error| {
                failed.push((cell.clone(), error));
                None
            }),
        });
        self.scratch.report_failed();
    }

    /// One turn for each task; `true` if one had work.
    fn round(&mut self, now: Instant) -> bool {
        let mut worked = false;
        let mut next = 0;
        self.scratch.now = now;
        self.quantum.begin_round();
        self.balance.begin_round();
        while let Some(active) = self.active.get_mut(next) {
            if active.retry_at.is_some_and(|at| at > now) {
                next += 1;
                continue;
            }
            let pass = self.turn(next);
            worked |= pass == Pass::Worked;
            if self.keep(next, pass, now) {
                next += 1;
            } else {
                self.active.swap_remove(next);
            }
        }
        worked
    }

    /// Passes over one task until it has had its share, or has no more work.
    fn turn(&mut self, index: usize) -> Pass {
        let active = &mut self.active[index];
        let share = active.task.share.as_deref();
        let mut budget = active.turn.begin(&self.quantum, share.map_or(1, Share::queues));
        let mut pass = Pass::Worked;
        while budget > 0 {
            (self.scratch.budget, self.scratch.spent, self.scratch.offered) = (budget, 0, 0);
            pass = active.task.run(&mut self.participant, &mut self.scratch);
            self.scratch.report_failed();
            if let Some(at) = self.scratch.holds_until.take() {
                self.scratch.held.add(Holder::Transmit(active.task.clone()), at, self.scratch.now);
            }
            self.quantum.offered(self.scratch.offered);
            budget = active.turn.go_on(pass == Pass::Worked, self.scratch.spent);
        }
        if pass == Pass::Worked && share.is_some() {
            self.quantum.busy();
        }
        pass
    }

    /// Notes what came of a pass; `false` if the task needn't be polled any more.
    fn keep(&mut self, index: usize, pass: Pass, now: Instant) -> bool {
        let active = &mut self.active[index];
        active.settled = false;
        active.retry_at = None;
        if pass == Pass::Worked {
            active.idle_since = None;
            active.worked += 1;
            return true;
        }
        let idle_since = *active.idle_since.get_or_insert(now);
        let enough = now.saturating_duration_since(idle_since) >= self.polling.time();
        match pass {
            Pass::Gone => return false,
            Pass::Idle if enough => return self.arm(index),
            Pass::Paused(until) if enough => {
                active.settled = !active.task.arm_receivers(&mut self.participant);
                active.retry_at = active.settled.then_some(until);
            }
            Pass::Paused(_) => active.retry_at = Some(now + RETRY),
            _ => {}
        }
        true
    }

    /// At the end of a window: tells others how many tasks compete for this worker, and gives one away if another has fewer.
    #[cold]
    fn share_out(&mut self, now: Instant) {
        let Self { balance, active, workers, shared, .. } = self;
        let backlogged =
            |active: &Active| active.task.share.is_some() && balance.is_backlogged(active.worked);
        let competing = active.iter().filter(|active| backlogged(active)).count();
        let to = balance.settle(now, competing, shared, workers);
        let gives = to.and_then(|to| Some((active.iter().position(backlogged)?, to)));
        for active in active.iter_mut() {
            active.worked = 0;
        }
        *balance = Balance::new(now);
        if let Some((index, to)) = gives {
            shared.given.add(1);
            active.swap_remove(index).task.move_to(to);
        }
    }

    /// Puts a task to sleep; `false` if it sleeps.
    fn arm(&mut self, index: usize) -> bool {
        let active = &mut self.active[index];
        active.idle_since = None;
        active.task.arm(&mut self.participant) == Armed::Ready
    }

    /// Sleeps until a doorbell rings, a paused task's time is over, or an interrupt held back is due.
    fn sleep(&mut self) {
        self.shared.competing.store(0, Ordering::Relaxed);
        let before = Instant::now();
        let paused = self.active.iter().filter_map(|active| active.retry_at);
        let until = paused.chain(self.scratch.held.next()).min();
        let timeout = until.map(|until| {
            let left = until.saturating_duration_since(before);
            Timespec { tv_sec: left.as_secs() as _, tv_nsec: left.subsec_nanos() as _ }
        });
        self.shared.sleep(timeout.as_ref());
        self.hearing = SOON;
        if until.is_none() {
            self.polling.slept(before.elapsed());
        }
    }
}

#[cfg(test)]
mod tests;
