//! Which processor a thread runs on: the driver's side on the first that this process may use, the engine's on the last.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use rustix::process::Pid;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// The processors of the two sides, found once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Processors {
    pub(crate) driver: usize,
    pub(crate) engine: usize,
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

    /// Keeps the calling thread at the driver's side.
    pub(crate) fn drive(self) -> Result<()> {
        sched_setaffinity(None, &set(&[self.driver])).context("cannot choose a processor")
    }

    /// Runs `start` where every processor of the two is to be seen, then keeps the threads it started at the engine's side.
    pub(crate) fn at_engine<T>(self, start: impl FnOnce() -> Result<T>) -> Result<T> {
        let before = threads()?;
        sched_setaffinity(None, &set(&[self.driver, self.engine]))?;
        let started = start();
        for thread in threads()?.difference(&before) {
            let _ = sched_setaffinity(Pid::from_raw(*thread), &set(&[self.engine])); // it may be gone
        }
        self.drive()?;
        started
    }
}

fn set(processors: &[usize]) -> CpuSet {
    let mut set = CpuSet::new();
    processors.iter().for_each(|processor| set.set(*processor));
    set
}

/// The threads of this process.
fn threads() -> Result<BTreeSet<i32>> {
    let tasks =
        std::fs::read_dir("/proc/self/task").context("cannot list this process' threads")?;
    let names = tasks.flatten().map(|task| task.file_name().to_string_lossy().parse().ok());
    Ok(names.flatten().collect())
}
