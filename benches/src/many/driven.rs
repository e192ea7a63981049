//! Many functions of one card with their rings, all driven by one thread.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use pando_engine::Rate;

use crate::driver::{self, BATCH, Ring, SIZE, Shape};
use crate::machine::{Machine, Plan, VirtualFunction, mac};
use crate::pin::Processors;

/// A card and its functions, all driven by one thread.
pub(super) struct Many {
    /// Goes last: the functions are in it.
    pub(super) machine: Machine,
    pub(super) functions: Vec<Driven>,
}

/// A function with its rings.
pub(super) struct Driven {
    transmit: Ring,
    receive: Ring,
    function: VirtualFunction,
    /// Its driver takes frames and gives buffers.
    pub(super) takes: bool,
}

/// What each function has sent and got, in frames.
#[derive(Default)]
pub(super) struct Counts {
    pub(super) sent: Vec<u64>,
    pub(super) received: Vec<u64>,
}

impl Many {
    /// Functions of which number n sends to `to[n]`.
    pub(super) fn new(processors: Processors, shape: Shape, to: &[[u8; 6]]) -> Result<Self> {
        Self::with_workers(processors, shape, to, 1)
    }

    /// The same on so many workers, which get the functions' transmit queues in turn.
    pub(super) fn with_workers(
        processors: Processors,
        shape: Shape,
        to: &[[u8; 6]],
        workers: usize,
    ) -> Result<Self> {
        let plan = Plan { functions: to.len() as u16, translated: false, memory: 32 };
        let mut machine = Machine::with_workers(processors, plan, workers)?;
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
    pub(super) fn flood(&mut self, senders: &[usize], time: Duration) -> Counts {
        self.send_for(senders, time / 10);
        let counts = self.send_for(senders, time);
        self.drain();
        counts
    }

    pub(super) fn send_for(&mut self, senders: &[usize], time: Duration) -> Counts {
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
    pub(super) fn limit(&self, vf: usize, limit: Option<u64>) -> Result<()> {
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

/// Million frames a second.
pub(super) fn mpps(frames: u64, time: Duration) -> f64 {
    frames as f64 / time.as_secs_f64() / 1e6
}
