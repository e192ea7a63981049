//! A sender and a receiver, driven by one thread for a while.

use std::hint::spin_loop;
use std::time::{Duration, Instant};

use super::{Ring, SIZE};

/// Chains published at once unless it is measured what that makes.
pub(crate) const BATCH: u16 = 32;

/// Passes between two looks at the clock.
const PASSES: u32 = 32;

/// An end of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Sender,
    Receiver,
}

/// Both ends of a flow, with their doorbells.
pub(crate) struct Link<'a> {
    pub(crate) transmit: &'a mut Ring,
    pub(crate) receive: &'a mut Ring,
    /// Chains published at once, at most.
    pub(crate) batch: u16,
    /// What the driver does with memory that it takes back: which side, where, how many bytes.
    pub(crate) unmap: &'a dyn Fn(Side, u64, u32),
    /// Rings the sender's doorbell.
    pub(crate) ring_transmit: &'a dyn Fn(),
    /// Rings the receiver's doorbell.
    pub(crate) ring_receive: &'a dyn Fn(),
}

/// What arrived in which time.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sample {
    pub(crate) frames: u64,
    pub(crate) time: Duration,
}

impl Sample {
    /// Million frames a second.
    pub(crate) fn mpps(self) -> f64 {
        self.frames as f64 / self.time.as_secs_f64() / 1e6
    }
}

/// Does `pass`, which tells how many frames have arrived, over and over for `time`.
#[inline]
pub(crate) fn pass_for(time: Duration, mut pass: impl FnMut() -> u64) -> Sample {
    let start = Instant::now();
    let mut frames = 0;
    loop {
        for _ in 0..PASSES {
            frames += pass();
        }
        let elapsed = start.elapsed();
        if elapsed >= time {
            return Sample { frames, time: elapsed };
        }
    }
}

impl Link<'_> {
    /// Sends as fast as the rings take it: for a tenth of `time` unmeasured, then for `time`; then lets everything arrive.
    pub(crate) fn flood(&mut self, time: Duration) -> Sample {
        self.prepare();
        self.send_for(time / 10);
        let sample = self.send_for(time);
        self.drain();
        sample
    }

    /// Sends `count` frames, each after the one before has arrived; the times from publishing to arrival.
    pub(crate) fn one_by_one(&mut self, count: usize) -> Vec<Duration> {
        self.prepare();
        let mut times = Vec::with_capacity(count);
        for _ in 0..count {
            let start = Instant::now();
            if self.transmit.publish(1) {
                (self.ring_transmit)();
            }
            while !self.receive.has_used() {
                if start.elapsed() > LOST {
                    return times;
                }
                spin_loop();
            }
            times.push(start.elapsed());
            self.receive();
            while self.transmit.in_flight() > 0 && start.elapsed() < LOST {
                self.transmit.collect();
            }
        }
        times
    }

    fn prepare(&mut self) {
        let missing = SIZE - self.receive.in_flight();
        if missing > 0 && self.receive.publish(missing) {
            (self.ring_receive)();
        }
    }

    fn send_for(&mut self, time: Duration) -> Sample {
        pass_for(time, || {
            self.send();
            self.receive()
        })
    }

    #[inline]
    fn send(&mut self) {
        let (chains, _) = self.transmit.collect();
        self.transmit.taken_back(chains).for_each(|(at, len)| (self.unmap)(Side::Sender, at, len));
        let room = SIZE - self.transmit.in_flight();
        if room >= self.batch && self.transmit.publish(self.batch) {
            (self.ring_transmit)();
        }
    }

    #[inline]
    fn receive(&mut self) -> u64 {
        let (chains, frames) = self.receive.collect();
        self.receive.taken_back(chains).for_each(|(at, len)| (self.unmap)(Side::Receiver, at, len));
        if chains > 0 && self.receive.publish(chains) {
            (self.ring_receive)();
        }
        frames
    }

    /// Waits for what is on its way.
    fn drain(&mut self) {
        let start = Instant::now();
        while self.transmit.in_flight() > 0 && start.elapsed() < LOST {
            self.transmit.collect();
            self.receive();
            spin_loop();
        }
        self.receive();
    }
}

/// After so long a frame has been lost.
const LOST: Duration = Duration::from_millis(500);
