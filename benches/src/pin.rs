//! Which processor a thread runs on: the driver's side on the first that this process may use, the engine's on the last, and where
//! an engine has several workers, on those before it.

use std::collections::BTreeSet;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use rustix::process::Pid;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// The processors of the two sides, found once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Processors {
    pub(crate) driver: usize,
    pub(crate) engine: usize,
    allowed: CpuSet,
}

impl Processors {
    /// The first and the last that this process may use.
    pub(crate) fn find() -> Result<Self> {
        let allowed = sched_getaffinity(None).context("cannot ask for this process' processors")?;
        Self::of(allowed).context("no processor")
    }

    fn of(allowed: CpuSet) -> Option<Self> {
        let mut numbers = (0..CpuSet::MAX_CPU).filter(|number| allowed.is_set(*number));
        let driver = numbers.next()?;
        let engine = numbers.next_back().unwrap_or(driver);
        Some(Self { driver, engine, allowed })
    }

    /// How many workers have a processor of their own beside the driver's; no less than one.
    pub(crate) fn workers(self) -> usize {
        self.engines(usize::MAX).len()
    }

    /// The processors of `count` workers, from the last one down: fewer, if the driver's side leaves no more.
    fn engines(self, count: usize) -> Vec<usize> {
        let own =
            (self.driver + 1..self.engine).rev().filter(|number| self.allowed.is_set(*number));
        std::iter::once(self.engine).chain(own).take(count).collect()
    }

    /// Keeps the calling thread at the driver's side.
    pub(crate) fn drive(self) -> Result<()> {
        sched_setaffinity(None, &set(&[self.driver])).context("cannot choose a processor")
    }

    /// Runs `start` where every processor of the two is to be seen, then keeps the threads it started at the engine's side.
    pub(crate) fn at_engine<T>(self, start: impl FnOnce() -> Result<T>) -> Result<T> {
        self.at_engines(1, start)
    }

    /// The same where `start` starts `workers` threads: each gets the next of the engine's processors.
    pub(crate) fn at_engines<T>(
        self,
        workers: usize,
        start: impl FnOnce() -> Result<T>,
    ) -> Result<T> {
        let engines = self.engines(workers);
        let before = threads()?;
        sched_setaffinity(None, &set(&[&[self.driver], &engines[..]].concat()))?;
        let started = start();
        for (thread, engine) in threads()?.difference(&before).zip(engines.iter().cycle()) {
            let _ = sched_setaffinity(Pid::from_raw(*thread), &set(&[*engine])); // it may be gone
            if engines.len() < workers {
                take_turns(*thread)?;
            }
        }
        self.drive()?;
        started
    }
}

/// Gives a thread that shares its processor the ordinary priority: with a real-time one it would never make room for the other.
fn take_turns(thread: i32) -> Result<()> {
    let mut chrt = Command::new("chrt");
    chrt.args(["--other", "--pid", "0", &thread.to_string()]);
    let status = chrt.status().context("cannot run chrt of Debian's package util-linux")?;
    ensure!(status.success(), "cannot give a worker the ordinary priority");
    Ok(())
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

#[cfg(test)]
mod tests {
    use super::{Processors, set};

    #[test]
    fn workers_get_the_last_processors_and_never_the_drivers_if_there_is_another() {
        for (allowed, workers, engines) in [
            (&[0, 1, 2, 3][..], 1, &[3][..]),
            (&[0, 1, 2, 3], 2, &[3, 2]),
            (&[0, 1, 2, 3], 8, &[3, 2, 1]),
            (&[2, 5, 9], 2, &[9, 5]),
            (&[0, 1], 2, &[1]),
            (&[7], 2, &[7]),
        ] {
            let processors = Processors::of(set(allowed)).unwrap();
            assert_eq!(processors.engines(workers), engines, "{workers} on {allowed:?}");
        }
        assert_eq!(Processors::of(set(&[2, 5, 9])).map(Processors::workers), Some(2));
        assert!(Processors::of(set(&[])).is_none());
    }
}
