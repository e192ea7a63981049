//! One frame in flight: from the sender's publishing to the receiver's seeing it, with nobody asleep.

use std::time::Duration;

use anyhow::{Result, ensure};

use crate::Effort;
use crate::driver::Shape;
use crate::forward::{Bare, Pando};
use crate::machine::Plan;
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
    for _ in 0..effort.rounds {
        let times = [
            pando.drive(|link| link.one_by_one(FRAMES)),
            bare.drive(peers::RAW, |link| link.one_by_one(FRAMES))?,
            bare.drive(peers::CRATE, |link| link.one_by_one(FRAMES))?,
        ];
        for (samples, times) in samples.iter_mut().zip(times) {
            ensure!(times.len() == FRAMES, "a frame was lost, after {}", times.len());
            let [p50, p99] = percentiles(times);
            samples[0].push(p50);
            samples[1].push(p99);
        }
    }
    for (index, name) in ["latency/p50", "latency/p99"].into_iter().enumerate() {
        let measured = |who, of: usize| Measured { who, samples: &samples[of][index] };
        let all = [measured("pando", 0), measured("raw", 1), measured("virtio-queue", 2)];
        report.add(name, "ns", false, &all);
    }
    Ok(())
}

/// The median and the 99th percentile, in nanoseconds.
fn percentiles(mut times: Vec<Duration>) -> [f64; 2] {
    times.sort();
    [50, 99].map(|percent| times[(times.len() - 1) * percent / 100].as_nanos() as f64)
}
