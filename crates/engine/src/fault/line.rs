//! One direction of a faulty cable: decides for each frame what happens to it, and holds back those that are late.

use std::collections::VecDeque;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};

use super::random::Random;
use super::{FaultCounters, Faults};
use crate::finish::copy_out;
use crate::uplink::Arena;
use crate::{FrameRef, MAX_FRAME, Offload};

/// Bytes held back at most; a frame beyond that isn't late.
const HELD: usize = 4 << 20;

/// Frames held back at most.
const FRAMES: usize = 4096;

pub(super) struct Line {
    faults: Faults,
    random: Random,
    late: VecDeque<(Instant, Box<[u8]>)>,
    held: usize,
    timer: OwnedFd,
    counters: Arc<FaultCounters>,
}

/// What happens to one frame.
struct Fate {
    drop: bool,
    twice: bool,
    flip: Option<u64>,
    late: bool,
}

impl Line {
    pub(super) fn new(faults: Faults, counters: Arc<FaultCounters>) -> rustix::io::Result<Self> {
        let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::CLOEXEC)?;
        let random = Random::new(faults.seed);
        Ok(Self { faults, random, late: VecDeque::new(), held: 0, timer, counters })
    }

    /// Readable when a late frame's time has come.
    pub(super) fn timer(&self) -> io::Result<OwnedFd> {
        self.timer.try_clone()
    }

    /// Lets a finished frame meet its fate: what is left of it goes into `arena`. `false`, and nothing happens, if that may not
    /// have room.
    pub(super) fn pass(&mut self, frame: FrameRef<'_, '_>, arena: &mut Arena) -> bool {
        let Some(room) = arena.room() else { return false };
        let fate = self.fate();
        let Some(bytes) = copy_out(frame, &mut room[..MAX_FRAME]) else { return true };
        let counters = &self.counters;
        if fate.drop {
            counters.dropped.add(1);
            return true;
        }
        if let Some(flip) = fate.flip {
            let bit = flip % (bytes.len() as u64 * 8);
            bytes[(bit / 8) as usize] ^= 1 << (bit % 8);
            counters.corrupted.add(1);
        }
        let copy = (fate.late || fate.twice).then(|| Box::<[u8]>::from(&*bytes));
        if fate.late && self.held + bytes.len() <= HELD && self.late.len() < FRAMES {
            counters.delayed.add(1);
            self.hold(copy.clone());
        } else {
            arena.keep(0, frame.len as usize, Offload::default());
        }
        if let (true, Some(copy), Some(room)) = (fate.twice, copy, arena.room()) {
            room[..copy.len()].copy_from_slice(&copy);
            arena.keep(0, copy.len(), Offload::default());
            self.counters.duplicated.add(1);
        }
        true
    }

    /// Moves frames whose time has come into `arena`; `true` if it was full before all were moved.
    pub(super) fn release(&mut self, arena: &mut Arena) -> bool {
        let Some(&(due, _)) = self.late.front() else { return false };
        let now = Instant::now();
        if due > now {
            return false;
        }
        while let Some((due, bytes)) = self.late.front()
            && *due <= now
        {
            let Some(room) = arena.room() else { return true };
            room[..bytes.len()].copy_from_slice(bytes);
            arena.keep(0, bytes.len(), Offload::default());
            self.held -= bytes.len();
            self.late.pop_front();
        }
        self.set_timer(self.late.front().map(|(due, _)| *due - now));
        false
    }

    /// Draws the same number of times for every frame, so that one fault does not shift the others.
    fn fate(&mut self) -> Fate {
        let Self { faults, random, .. } = self;
        let drop = random.chance(faults.drop);
        let twice = random.chance(faults.duplicate);
        let corrupt = random.chance(faults.corrupt);
        let bit = random.next();
        Fate { drop, twice, flip: corrupt.then_some(bit), late: random.chance(faults.delay) }
    }

    fn hold(&mut self, bytes: Option<Box<[u8]>>) {
        let Some(bytes) = bytes else { return };
        // The time first: the timer, set after it, expires no sooner.
        let due = Instant::now() + self.faults.delay_by;
        if self.late.is_empty() {
            self.set_timer(Some(self.faults.delay_by));
        }
        self.held += bytes.len();
        self.late.push_back((due, bytes));
    }

    /// Makes the timer readable after `delay`, or never.
    fn set_timer(&self, delay: Option<Duration>) {
        let none = Timespec { tv_sec: 0, tv_nsec: 0 };
        let it_value = delay.map_or(none, |delay| {
            let delay = delay.max(Duration::from_nanos(1)); // zero would stop the timer
            Timespec { tv_sec: delay.as_secs() as i64, tv_nsec: i64::from(delay.subsec_nanos()) }
        });
        let setting = Itimerspec { it_interval: none, it_value };
        let _ = timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &setting);
    }
}
