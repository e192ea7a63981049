//! What more workers make: pairs of functions, each with a worker of its own, all driven by one thread that moves indices only.
//!
//! Workers get a processor each as long as there are some beside the driver's; beyond that they share, and nothing is gained.

use anyhow::Result;

use super::driven::{Many, mpps};
use super::shape;
use crate::Effort;
use crate::machine::mac;
use crate::pin::Processors;
use crate::report::{Measured, Report};
use crate::rounds::{self, Case};

/// Workers at least, though they may have to share a processor, and at most.
const LEAST: usize = 2;
const MOST: usize = 8;

/// Measures it, from one worker up.
pub(super) fn run(effort: &Effort, processors: Processors, report: &mut Report) -> Result<()> {
    let own = processors.workers();
    report.group(format!(
        "A pair of functions for each worker, 64 B, beside one pair and one worker; up to {own} with a processor of their own, more share"
    ));
    let names: Vec<_> = (1..=own.clamp(LEAST, MOST)).map(|count| count.to_string()).collect();
    let figure = |count: &str| format!("workers/{count}");
    if !names.iter().any(|count| effort.wants(&figure(count))) {
        return Ok(());
    }
    let pairs = |count| Many::with_workers(processors, shape(64), &each_other(count), count);
    let mut machines = (1..=names.len()).map(pairs).collect::<Result<Vec<_>>>()?;
    let time = effort.sample * 2; // those that share a processor take turns of some milliseconds
    let mut cases: Vec<_> = (1..)
        .zip(&mut machines)
        .map(|(count, pairs)| {
            let senders: Vec<_> = (0..count).collect();
            Case::new(move || Ok(mpps(pairs.flood(&senders, time).received.iter().sum(), time)))
        })
        .collect();
    let samples = rounds::take(effort.rounds, &mut cases)?;
    for (count, samples_of) in names.iter().zip(&samples) {
        let all = Measured { who: "together", samples: samples_of };
        let one = Measured { who: "one", samples: &samples[0] };
        report.add(&figure(count), "Mpps", true, &[all, one]);
    }
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    report.plot_over(
        "Throughput over workers, 64 B",
        "workers, with a pair of functions each",
        "workers",
        &names,
    );
    Ok(())
}

/// Where the functions of `pairs` pairs send to. The senders come first: so each worker gets one, then each an idle receiver's.
fn each_other(pairs: usize) -> Vec<[u8; 6]> {
    let pairs = pairs as u16;
    (0..2 * pairs).map(|vf| mac((vf + pairs) % (2 * pairs))).collect()
}

#[cfg(test)]
mod tests {
    use super::{each_other, mac};

    #[test]
    fn the_first_half_sends_to_the_second() {
        assert_eq!(each_other(1), [1, 0].map(mac));
        assert_eq!(each_other(2), [2, 3, 0, 1].map(mac));
    }
}
