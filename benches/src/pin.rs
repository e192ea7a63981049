//! Which processor a thread runs on: the driver's side on the first that this process may use, the engine's on the last.

use anyhow::{Context, Result};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// A side of the link between driver and engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// Where the guest's driver runs.
    Driver,
    /// Where the device's worker runs.
    Engine,
}

/// The processors of the two sides, found once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Processors {
    driver: usize,
    engine: usize,
}

impl Processors {
    /// The first and the last that this process may use.
    pub(crate) fn find() -> Result<Self> {
        let allowed = sched_getaffinity(None).context("cannot ask for this process' processors")?;
        let mut numbers = (0..CpuSet::MAX_CPU).filter(|number| allowed.is_set(*number));
        let driver = numbers.next().context("no processor")?;
        let engine = numbers.next_back().unwrap_or(driver);
        Ok(Self { driver, engine })
    }

    /// Keeps the calling thread, and threads it starts from now on, at one side.
    pub(crate) fn pin(self, side: Side) -> Result<()> {
        let mut set = CpuSet::new();
        set.set(if side == Side::Driver { self.driver } else { self.engine });
        sched_setaffinity(None, &set).context("cannot choose a processor")
    }

    /// Runs `start` at the engine's side, so that the threads it starts stay there.
    pub(crate) fn at_engine<T>(self, start: impl FnOnce() -> Result<T>) -> Result<T> {
        self.pin(Side::Engine)?;
        let started = start();
        self.pin(Side::Driver)?;
        started
    }
}
