//! Faults between the card and its uplink: frames dropped, delayed, duplicated or corrupted, the same ones for the same seed.
//!
//! Faults happen to frames as they are on a wire, so unfinished frames are finished first, in both directions. For tests: it
//! copies, and it allocates for frames it holds back; what it holds is bounded.

mod line;
mod random;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pando_tlp::Guard;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use serde::Serialize;

use crate::uplink::{Arena, Uplink, UplinkError, UplinkQueue, io_error};
use crate::{Accepts, Batch, Counter, Finish, Finisher, QueueError, Receive, Transmit};
use line::Line;

/// What happens to frames, each by its own chance.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Faults {
    /// Chance of a frame to vanish, 0 to 1.
    pub drop: f64,
    /// Chance of a frame to come twice, 0 to 1.
    pub duplicate: f64,
    /// Chance of a frame to have one bit flipped, 0 to 1.
    pub corrupt: f64,
    /// Chance of a frame to be held back, 0 to 1; others overtake it.
    pub delay: f64,
    /// How long it is held back.
    pub delay_by: Duration,
    /// Decides which frames: the same seed and the same frames give the same faults.
    pub seed: u64,
}

/// What happened so far.
#[derive(Debug, Default, Serialize)]
pub struct FaultCounters {
    /// Frames that vanished.
    pub dropped: Counter,
    /// Frames that came twice.
    pub duplicated: Counter,
    /// Frames with a flipped bit.
    pub corrupted: Counter,
    /// Frames held back.
    pub delayed: Counter,
}

/// Puts faults between the engine and `uplink`.
pub fn inject(uplink: Uplink, faults: Faults) -> Result<(Uplink, Arc<FaultCounters>), UplinkError> {
    let counters = Arc::<FaultCounters>::default();
    let mut seeds = random::Random::new(faults.seed);
    let mut line = || Line::new(Faults { seed: seeds.next(), ..faults }, counters.clone());
    let mut queues = Vec::new();
    for queue in uplink.queues {
        let failed = || io_error("a timer");
        let inward = line().map_err(failed())?;
        let outward = line().map_err(failed())?;
        let readable = epoll::create(CreateFlags::CLOEXEC).map_err(failed())?;
        let watched = [
            queue.readable.try_clone().map_err(io_error("a descriptor"))?,
            inward.timer().map_err(io_error("a descriptor"))?,
            outward.timer().map_err(io_error("a descriptor"))?,
        ];
        for descriptor in &watched {
            epoll::add(&readable, descriptor, EventData::new_u64(0), EventFlags::IN)
                .map_err(failed())?;
        }
        let outward = Arc::new(Mutex::new(Outward {
            inner: queue.receive,
            arena: Arena::new(),
            line: outward,
        }));
        let transmit = FaultyTransmit {
            inner: queue.transmit,
            part: 0,
            finisher: Finisher::new(),
            arena: Arena::new(),
            line: inward,
            outward: outward.clone(),
            _watched: watched,
        };
        let receive = Box::new(FaultyReceive(outward));
        queues.push(UplinkQueue { transmit: Box::new(transmit), receive, readable });
    }
    let uplink = Uplink { queues, carrier: uplink.carrier, counters: uplink.counters };
    Ok((uplink, counters))
}

struct FaultyTransmit {
    inner: Box<dyn Transmit>,
    /// How much of the inner queue's first frame has been through.
    part: usize,
    finisher: Finisher,
    arena: Arena,
    line: Line,
    outward: Arc<Mutex<Outward>>,
    /// A descriptor leaves an epoll set when it is closed.
    _watched: [std::os::fd::OwnedFd; 3],
}

struct FaultyReceive(Arc<Mutex<Outward>>);

/// The way out; also entered by the fetching half, for frames whose delay is over.
struct Outward {
    inner: Box<dyn Receive>,
    arena: Arena,
    line: Line,
}

impl Outward {
    /// Sends what has come through.
    fn send(&mut self, guard: &Guard<'_>) -> Result<(), QueueError> {
        if self.arena.is_empty() {
            return Ok(());
        }
        let mut batch = Batch::new();
        self.arena.push_into(&mut batch);
        let frames: arrayvec::ArrayVec<u16, 64> = (0..batch.len() as u16).collect();
        self.inner.deliver(guard, &batch, &frames)?;
        drop(batch);
        self.arena.complete(frames.len());
        Ok(())
    }

    fn release(&mut self, guard: &Guard<'_>) -> Result<(), QueueError> {
        while self.line.release(&mut self.arena) {
            self.send(guard)?;
        }
        self.send(guard)
    }
}

fn lock(outward: &Mutex<Outward>) -> MutexGuard<'_, Outward> {
    outward.lock().unwrap_or_else(PoisonError::into_inner)
}

impl FaultyTransmit {
    /// Takes frames from inside, as many as there is room for what they become.
    fn pull(&mut self, guard: &Guard<'_>) -> Result<(), QueueError> {
        self.line.release(&mut self.arena);
        let mut raw = Batch::new();
        self.inner.fetch(guard, &mut raw)?;
        let mut done = 0;
        for frame in raw.iter() {
            let Self { finisher, arena, line, part, .. } = self;
            let mut out = |out: &Batch<'_>| {
                Ok(out.iter().take_while(|frame| line.pass(*frame, arena)).count())
            };
            match finisher.finish(frame, *part, &mut out)? {
                Finish::Stopped(pieces) => {
                    *part = pieces;
                    break;
                }
                Finish::Whole | Finish::Unfinishable(_) => *part = 0,
            }
            done += 1;
        }
        drop(raw);
        self.inner.complete(guard, done)
    }
}

impl Transmit for FaultyTransmit {
    fn fetch<'g>(
        &'g mut self,
        guard: &'g Guard<'_>,
        batch: &mut Batch<'g>,
    ) -> Result<(), QueueError> {
        lock(&self.outward).release(guard)?;
        self.pull(guard)?;
        self.arena.push_into(batch);
        Ok(())
    }

    fn complete(&mut self, _: &Guard<'_>, frames: usize) -> Result<(), QueueError> {
        self.arena.complete(frames);
        Ok(())
    }

    fn arm(&mut self, guard: &Guard<'_>) -> Result<bool, QueueError> {
        Ok(self.inner.arm(guard)? || !self.arena.is_empty())
    }

    fn disarm(&mut self, guard: &Guard<'_>) -> Result<(), QueueError> {
        self.inner.disarm(guard)
    }
}

impl Receive for FaultyReceive {
    fn accepts(&self) -> Accepts {
        Accepts::empty()
    }

    fn deliver(
        &mut self,
        guard: &Guard<'_>,
        batch: &Batch<'_>,
        frames: &[u16],
    ) -> Result<usize, QueueError> {
        let mut outward = lock(&self.0);
        let outward = &mut *outward;
        for index in frames {
            let frame = batch.frame(usize::from(*index));
            if !outward.line.pass(frame, &mut outward.arena) {
                outward.send(guard)?;
                outward.line.pass(frame, &mut outward.arena);
            }
        }
        outward.send(guard)?;
        Ok(frames.len())
    }

    fn arm(&mut self, guard: &Guard<'_>) -> Result<bool, QueueError> {
        lock(&self.0).inner.arm(guard)
    }
}

#[cfg(test)]
mod tests;
