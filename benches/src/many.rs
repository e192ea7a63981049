//! Many functions at once: fairness among them, many to one, one to many, and the way over the cable and back.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use pando_engine::Rate;

use crate::Effort;
use crate::driver::{self, Care, Ring, SIZE, Shape};
use crate::machine::{Machine, Plan, VirtualFunction, mac};
use crate::page::{Axis, Line, Plot};
use crate::pin::Processors;
use crate::report::{Measured, Report};
use crate::rounds::{self, Case};

/// Functions that send at once.
const SENDERS: usize = 8;

/// The function that takes what they send, and one whose driver may stop to.
const SINK: u16 = SENDERS as u16;
const OTHER: u16 = SINK + 1;

/// Chains published at once.
const BATCH: u16 = 32;

/// An address of nobody on the card.
const FAR: [u8; 6] = [2, 0, 0, 1, 0, 1];

/// What a limited function may send, in Mbit/s.
const LIMIT: u64 = 1000;

/// Parts of a second that the plot of shares is made of, and how many of each kind.
const SLICE: Duration = Duration::from_millis(5);
const SLICES: usize = 20;

/// A card and its functions, all driven by one thread.
struct Many {
    /// Goes last: the functions are in it.
    machine: Machine,
    functions: Vec<Driven>,
}

/// A function with its rings.
struct Driven {
    transmit: Ring,
    receive: Ring,
    function: VirtualFunction,
    /// Its driver takes frames and gives buffers.
    takes: bool,
}

/// What each function has sent and got, in frames.
#[derive(Default)]
struct Counts {
    sent: Vec<u64>,
    received: Vec<u64>,
}

impl Many {
    /// Functions of which number n sends to `to[n]`.
    fn new(processors: Processors, shape: Shape, to: &[[u8; 6]]) -> Result<Self> {
        let functions = to.len() as u16;
        let mut machine =
            Machine::new(processors, Plan { functions, translated: false, memory: 32 })?;
        let mut driven = Vec::new();
        for (vf, to) in (0..).zip(to) {
            let transmit = driver::transmit_ring(&mut machine.memory, shape, *to, mac(vf))?;
            let receive = driver::receive_ring(&mut machine.memory, shape)?;
            let function = VirtualFunction::start(&machine, vf, receive.place(), transmit.place())?;
            driven.push(Driven { transmit, receive, function, takes: true });
        }
        Ok(Self { machine, functions: driven })
    }

    /// Lets the functions `senders` send for a tenth of `time` unmeasured, then for `time`; then lets everything arrive.
    fn flood(&mut self, senders: &[usize], time: Duration) -> Counts {
        self.send_for(senders, time / 10);
        let counts = self.send_for(senders, time);
        self.drain();
        counts
    }

    fn send_for(&mut self, senders: &[usize], time: Duration) -> Counts {
        let mut counts =
            Counts { sent: vec![0; self.functions.len()], received: vec![0; self.functions.len()] };
        let start = Instant::now();
        while start.elapsed() < time {
            for number in senders {
                counts.sent[*number] += self.functions[*number].send();
            }
            for (function, received) in self.functions.iter_mut().zip(&mut counts.received) {
                *received += function.receive();
            }
        }
        counts
    }

    fn drain(&mut self) {
        let start = Instant::now();
        while self.functions.iter().any(|function| function.transmit.in_flight() > 0)
            && start.elapsed() < Duration::from_millis(100)
        {
            for function in &mut self.functions {
                function.transmit.collect();
                function.receive();
            }
        }
    }

    /// Limits what a function may send, in Mbit/s.
    fn limit(&self, vf: usize, limit: Option<u64>) -> Result<()> {
        let port = self.machine.switch.find(&format!("nic0.vf{vf}"));
        let rate = limit.map(|limit| Rate { bits_per_second: limit * 1_000_000 });
        port.context("the function has no port")?.set_rate(rate);
        Ok(())
    }
}

impl Driven {
    /// Publishes frames if there is room; how many have been sent since the last call.
    #[inline]
    fn send(&mut self) -> u64 {
        let (sent, _) = self.transmit.collect();
        if SIZE - self.transmit.in_flight() >= BATCH && self.transmit.publish(BATCH) {
            self.function.ring_transmit();
        }
        sent.into()
    }

    /// Takes frames and gives their buffers back; how many frames.
    #[inline]
    fn receive(&mut self) -> u64 {
        if !self.takes {
            return 0;
        }
        let (_, frames) = self.receive.collect();
        let missing = SIZE - self.receive.in_flight();
        if missing > 0 && self.receive.publish(missing) {
            self.function.ring_receive();
        }
        frames
    }
}

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
    Ok(())
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

fn mpps(frames: u64, time: Duration) -> f64 {
    frames as f64 / time.as_secs_f64() / 1e6
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
