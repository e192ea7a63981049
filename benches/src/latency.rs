//! One frame in flight: from the sender's publishing to the receiver's seeing it, with nobody asleep.

use std::time::Duration;

use anyhow::{Result, ensure};

use crate::Effort;
use crate::driver::Shape;
use crate::forward::{Bare, Pando};
use crate::machine::Plan;
use crate::page::{Axis, Line, Plot};
use crate::peers;
use crate::pin::Processors;
use crate::report::{Measured, Report};

/// Frames of a sample.
const FRAMES: usize = 20_000;

/// Measures it.
pub(crate) fn run(effort: &Effort, processors: Processors, report: &mut Report) -> Result<()> {
    report.group("One 64-byte frame in flight, one way");
    if !effort.wants("latency/p50") && !effort.wants("latency/p99") {
        return Ok(());
    }
    let shape = Shape::whole(64);
    let plan = Plan { functions: 2, translated: false, memory: 16 };
    let mut pando = Pando::new(processors, shape, plan)?;
    let mut bare = Bare::new(processors, shape)?;
    let mut samples: [[Vec<f64>; 2]; 3] = Default::default();
    let mut last: [Vec<Duration>; 3] = Default::default();
    for _ in 0..effort.rounds {
        let times = [
            pando.drive(|link| link.one_by_one(FRAMES)),
            bare.drive(peers::RAW, |link| link.one_by_one(FRAMES))?,
            bare.drive(peers::CRATE, |link| link.one_by_one(FRAMES))?,
        ];
        last = times;
        for (samples, times) in samples.iter_mut().zip(&mut last) {
            ensure!(times.len() == FRAMES, "a frame was lost, after {}", times.len());
            times.sort();
            samples[0].push(percentile(times, 50.0));
            samples[1].push(percentile(times, 99.0));
        }
    }
    report.plot(distribution(&last));
    for (index, name) in ["latency/p50", "latency/p99"].into_iter().enumerate() {
        let measured = |who, of: usize| Measured { who, samples: &samples[of][index] };
        let all = [measured("pando", 0), measured("raw", 1), measured("virtio-queue", 2)];
        report.add(name, "ns", false, &all);
    }
    Ok(())
}

/// In nanoseconds, of sorted times.
fn percentile(times: &[Duration], percent: f64) -> f64 {
    let at = (times.len() - 1) as f64 * percent / 100.0;
    times[at as usize].as_nanos() as f64
}

/// The plot of how many frames took at most how long.
fn distribution(times: &[Vec<Duration>; 3]) -> Plot {
    let percents = || (0..=99).map(f64::from).chain([99.5, 99.7]);
    let line =
        |times: &Vec<Duration>| percents().map(|part| (percentile(times, part), part)).collect();
    let lines = ["pando", "raw", "virtio-queue"].into_iter().zip(times);
    Plot {
        title: "Latency of one 64-byte frame in flight, last round".to_owned(),
        x: Axis::numbers("ns"),
        y: "% of frames within".to_owned(),
        lines: lines
            .map(|(name, times)| Line { name: name.to_owned(), points: line(times) })
            .collect(),
    }
}
