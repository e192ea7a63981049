//! The parts of the path, each alone on one processor: nanoseconds per call, or per frame where a batch is the call.

mod copies;
mod paths;

use std::hint::black_box;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::Effort;
use crate::pin::Processors;
use crate::report::{Measured, Report};
use crate::rounds::{self, Case};

/// Measures them.
pub(crate) fn run(effort: &Effort, processors: Processors, report: &mut Report) -> Result<()> {
    report.group("Parts");
    paths::run(effort, processors, report)?;
    copies::run(effort, report)
}

/// One part, or several that are compared.
struct Parts<'a> {
    names: Vec<&'static str>,
    cases: Vec<Case<'a>>,
    time: Duration,
}

impl<'a> Parts<'a> {
    fn new(effort: &Effort) -> Self {
        Self { names: Vec::new(), cases: Vec::new(), time: effort.sample / 4 }
    }

    /// Adds a part; `call` is one call of it.
    fn add(mut self, name: &'static str, mut call: impl FnMut() + 'a) -> Self {
        let time = self.time;
        self.names.push(name);
        self.cases.push(Case::new(move || Ok(per_call(time, &mut call))));
        self
    }

    fn measure(mut self, effort: &Effort, report: &mut Report, name: &str) -> Result<()> {
        let samples = rounds::take(effort.rounds, &mut self.cases)?;
        let measured: Vec<_> = self
            .names
            .iter()
            .zip(&samples)
            .map(|(who, samples)| Measured { who, samples })
            .collect();
        report.add(name, "ns", false, &measured);
        Ok(())
    }
}

/// Nanoseconds per call, over about `time`.
fn per_call(time: Duration, call: &mut dyn FnMut()) -> f64 {
    let mut calls = 0u32;
    let start = Instant::now();
    loop {
        for _ in 0..64 {
            black_box(&mut *call)();
        }
        calls += 64;
        let elapsed = start.elapsed();
        if elapsed >= time {
            return elapsed.as_nanos() as f64 / f64::from(calls);
        }
    }
}
