//! Fair sharing of a worker: deficit round robin by bytes (Shreedhar and Varghese, 1995). Work-conserving: a task that is alone has
//! no limit, and one that has nothing to send, or may not, gives its turn away.
//!
//! The quantum adapts to what a pass moves, so that senders of equal frames take turns pass by pass. Knows neither queues nor time.

/// The quantum's bounds, in bytes: turns are neither too short for a batch of full Ethernet frames nor too long for those who wait.
const LEAST: u64 = 4 << 10;
const MOST: u64 = 128 << 10;

/// What a worker's tasks get per round.
#[derive(Debug)]
pub(super) struct Quantum {
    bytes: u64,
    /// The most that a pass could have moved in this round, and how many tasks had work.
    most: u64,
    busy: u32,
    contended: bool,
}

/// One task's account.
#[derive(Debug, Default)]
pub(super) struct Turn {
    /// What it may still send in this round; below zero, what it has sent too much.
    left: i64,
    limited: bool,
}

impl Quantum {
    pub(super) fn new() -> Self {
        // Not knowing yet, it takes nobody for alone.
        Self { bytes: MOST, most: 0, busy: 2, contended: false }
    }

    /// Learns from the round before.
    pub(super) fn begin_round(&mut self) {
        self.contended = self.busy > 1;
        if self.most > 0 {
            self.bytes = self.most.clamp(LEAST, MOST);
        }
        (self.most, self.busy) = (0, 0);
    }

    /// A pass could have moved so many bytes, if nothing had limited it.
    pub(super) fn offered(&mut self, bytes: u64) {
        self.most = self.most.max(bytes);
    }

    /// A task with work has had its turn, or has to wait for the next.
    pub(super) fn busy(&mut self) {
        self.busy += 1;
    }
}

impl Turn {
    /// Begins a turn of a task whose port has work in `queues` queues; returns how many bytes it may send. 0: not its turn.
    pub(super) fn begin(&mut self, quantum: &Quantum, queues: u64) -> u64 {
        self.limited = quantum.contended;
        if !self.limited {
            self.left = 0;
            return u64::MAX;
        }
        self.left = self.left.saturating_add((quantum.bytes / queues).max(1) as i64);
        self.budget()
    }

    /// After a pass: what it may send in another one right away; 0: nothing.
    pub(super) fn go_on(&mut self, worked: bool, bytes: u64) -> u64 {
        if !self.limited {
            return 0;
        }
        self.left = self.left.saturating_sub(i64::try_from(bytes).unwrap_or(i64::MAX));
        if !worked {
            self.left = self.left.min(0); // nothing is saved up
        }
        if worked && bytes > 0 { self.budget() } else { 0 }
    }

    fn budget(&self) -> u64 {
        u64::try_from(self.left).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests;
