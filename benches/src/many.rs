//! Many functions at once: fairness among them, many to one, one to many, the way over the cable and back, and pairs with a worker each.

mod driven;
mod workers;

use std::time::Duration;

use anyhow::Result;

use crate::Effort;
use crate::driver::{Care, Shape};
use crate::machine::mac;
use crate::page::{Axis, Line, Plot};
use crate::pin::Processors;
use crate::report::{Measured, Report};
use crate::rounds::{self, Case};
use driven::{Counts, Many, mpps};

/// Functions that send at once.
const SENDERS: usize = 8;

/// The function that takes what they send, and one whose driver may stop to.
const SINK: u16 = SENDERS as u16;
const OTHER: u16 = SINK + 1;

/// An address of nobody on the card.
const FAR: [u8; 6] = [2, 0, 0, 1, 0, 1];

/// What a limited function may send, in Mbit/s.
const LIMIT: u64 = 1000;

/// Parts of a second that the plot of shares is made of, and how many of each kind.
const SLICE: Duration = Duration::from_millis(5);
const SLICES: usize = 20;

/// Measures it all.
pub(crate) fn run(effort: &Effort, processors: Processors, report: &mut Report) -> Result<()> {
    report.group("Eight functions that send 1500 B to one: Jain's index of what each sends; one alone beside all; one that may send 1 Gbit/s, one whose receiver hangs, and the six others");
    if effort.wants("fair/index") || effort.wants("fair/alone") || effort.wants("fair/mixed") {
        fair(effort, processors, report)?;
    }
    if effort.wants("fair/shares") {
        shares(processors, report)?;
    }
    report.group("Many to one and one to many, 64 B: frames that arrive");
    if effort.wants("many/to one") || effort.wants("many/from one") {
        many(effort, processors, report)?;
    }
    report.group("To the loopback uplink and back, beside VF to VF");
    for (frame, name) in [(64, "uplink/64"), (1500, "uplink/1500")] {
        if effort.wants(name) {
            uplink(effort, processors, report, frame, name)?;
        }
    }
    workers::run(effort, processors, report)
}

fn shape(frame: u32) -> Shape {
    Shape::whole(frame).with(Care::Index)
}

/// Everybody sends to the sink, but for the last sender, whose frames go to the other one.
fn towards_sink() -> Vec<[u8; 6]> {
    let mut to = vec![mac(SINK); SENDERS + 2];
    to[SENDERS - 1] = mac(OTHER);
    to
}

/// Jain's index: 1 if all are equal.
fn jain(shares: &[u64]) -> f64 {
    let sum: f64 = shares.iter().map(|share| *share as f64).sum();
    let squares: f64 = shares.iter().map(|share| (*share as f64).powi(2)).sum();
    if squares == 0.0 { 0.0 } else { sum * sum / (shares.len() as f64 * squares) }
}

fn fair(effort: &Effort, processors: Processors, report: &mut Report) -> Result<()> {
    let mut many = Many::new(processors, shape(1500), &towards_sink())?;
    let all: Vec<_> = (0..SENDERS).collect();
    let time = effort.sample * 2;
    let [mut index, mut alone, mut total] = [const { Vec::new() }; 3];
    let [mut others, mut limited, mut stalled] = [const { Vec::new() }; 3];
    for _ in 0..effort.rounds {
        let sent = many.flood(&all, time).sent;
        index.push(jain(&sent[..SENDERS]));
        total.push(mpps(sent.iter().sum(), time));
        alone.push(mpps(many.flood(&[0], time).sent[0], time));
        many.limit(0, Some(LIMIT))?;
        many.functions[usize::from(OTHER)].takes = false;
        let sent = many.flood(&all, time).sent;
        many.limit(0, None)?;
        many.functions[usize::from(OTHER)].takes = true;
        limited.push(mpps(sent[0], time));
        stalled.push(mpps(sent[SENDERS - 1], time));
        others.push(mpps(sent[1..SENDERS - 1].iter().sum(), time));
    }
    report.add("fair/index", "", true, &[Measured { who: "8 busy", samples: &index }]);
    report.add(
        "fair/alone",
        "Mpps",
        true,
        &[Measured { who: "alone", samples: &alone }, Measured { who: "8 busy", samples: &total }],
    );
    report.add(
        "fair/mixed",
        "Mpps",
        true,
        &[
            Measured { who: "others", samples: &others },
            Measured { who: "limited", samples: &limited },
            Measured { who: "stalled", samples: &stalled },
        ],
    );
    Ok(())
}

/// The plot of shares over time: all busy, then one limited, then one stalled besides, then one alone.
fn shares(processors: Processors, report: &mut Report) -> Result<()> {
    let mut many = Many::new(processors, shape(1500), &towards_sink())?;
    let all: Vec<_> = (0..SENDERS).collect();
    let mut lines: Vec<_> =
        (0..SENDERS).map(|vf| Line { name: format!("VF {vf}"), points: Vec::new() }).collect();
    many.send_for(&all, SLICE);
    for slice in 0..4 * SLICES {
        match slice / SLICES {
            1 => many.limit(0, Some(LIMIT))?,
            2 => many.functions[usize::from(OTHER)].takes = false,
            _ => {}
        }
        let senders = if slice / SLICES == 3 { &all[1..2] } else { &all[..] };
        let sent = many.send_for(senders, SLICE).sent;
        for (line, sent) in lines.iter_mut().zip(sent) {
            let at = SLICE.as_secs_f64() * 1000.0 * slice as f64;
            line.points.push((at, mpps(sent, SLICE)));
        }
    }
    many.limit(0, None)?;
    report.plot(Plot {
        title: "Shares: all busy; VF 0 limited; VF 7's receiver hangs; VF 1 alone".to_owned(),
        x: Axis::numbers("ms"),
        y: "Mpps".to_owned(),
        lines,
    });
    Ok(())
}

fn many(effort: &Effort, processors: Processors, report: &mut Report) -> Result<()> {
    let mut to_one = Many::new(processors, shape(64), &[mac(SINK); SENDERS + 1])?;
    let mut to_all = Many::new(processors, shape(64), &[[0xff; 6]; SENDERS + 1])?;
    let (all, time): (Vec<_>, _) = ((0..SENDERS).collect(), effort.sample);
    let arrived = |counts: Counts| mpps(counts.received.iter().sum(), time);
    let mut pairs = Many::new(processors, shape(64), &[mac(1), mac(0)])?;
    let samples = {
        let (to_one, pairs) = (&mut to_one, &mut pairs);
        rounds::take(
            effort.rounds,
            &mut [
                Case::new(|| Ok(arrived(to_one.flood(&all, time)))),
                Case::new(|| Ok(arrived(to_all.flood(&[0], time)))),
                Case::new(|| Ok(arrived(pairs.flood(&[0], time)))),
            ],
        )?
    };
    for (name, who, samples_of) in [("many/to one", "8 to 1", 0), ("many/from one", "1 to 8", 1)] {
        let of = |who, of: usize| Measured { who, samples: &samples[of] };
        report.add(name, "Mpps", true, &[of(who, samples_of), of("1 to 1", 2)]);
    }
    Ok(())
}

fn uplink(
    effort: &Effort,
    processors: Processors,
    report: &mut Report,
    frame: u32,
    name: &str,
) -> Result<()> {
    let mut far = Many::new(processors, shape(frame), &[FAR, FAR])?;
    far.machine.loop_back()?;
    let mut near = Many::new(processors, shape(frame), &[mac(1), mac(0)])?;
    let time = effort.sample;
    let samples = rounds::take(
        effort.rounds,
        &mut [
            Case::new(|| Ok(mpps(far.flood(&[0], time).received[0], time))),
            Case::new(|| Ok(mpps(near.flood(&[0], time).received[1], time))),
        ],
    )?;
    let of = |who, of: usize| Measured { who, samples: &samples[of] };
    report.add(name, "Mpps", true, &[of("there and back", 0), of("VF to VF", 1)]);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::jain;

    #[test]
    fn the_index_of_fairness() {
        assert_eq!(jain(&[5, 5, 5, 5]), 1.0);
        assert_eq!(jain(&[7, 0, 0, 0]), 0.25);
        assert_eq!(jain(&[0, 0]), 0.0);
    }
}
