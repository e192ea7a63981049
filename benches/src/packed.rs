//! Packed rings beside split rings (virtio 1.3, 2.8): the same frames from one VF to another, with a driver that writes each descriptor.

use std::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};
use std::sync::atomic::fence;
use std::time::{Duration, Instant};

use anyhow::Result;
use vm_memory::{Bytes, VolatileSlice};

use crate::Effort;
use crate::driver::{self, BATCH, HEADER, RingPlace, SIZE, Sample, Shape};
use crate::forward::Pando;
use crate::machine::{Layout, Machine, Plan, VirtualFunction, mac};
use crate::memory::Memory;
use crate::pin::Processors;
use crate::report::{Measured, Report};
use crate::rounds::{self, Case};

/// Flags of a descriptor.
const WRITE: u16 = 2;
const AVAILABLE: u16 = 1 << 7;
const USED: u16 = 1 << 15;

/// What event suppression says.
const DISABLED: u16 = 1;
const AT_DESCRIPTOR: u16 = 2;

/// Measures it.
pub(crate) fn run(effort: &Effort, processors: Processors, report: &mut Report) -> Result<()> {
    report.group("VF to VF by packed rings, used in order and not, beside split rings");
    for (frame, name) in [(64, "packed/64"), (1500, "packed/1500")] {
        if !effort.wants(name) {
            continue;
        }
        let mut ordered = Flow::new(processors, frame, Layout::PackedInOrder)?;
        let mut packed = Flow::new(processors, frame, Layout::Packed)?;
        let plan = Plan { functions: 2, translated: false, memory: 16 };
        let mut split = Pando::new(processors, Shape::whole(frame), plan)?;
        let time = effort.sample;
        let samples = rounds::take(
            effort.rounds,
            &mut [
                Case::new(|| Ok(ordered.flood(time))),
                Case::new(|| Ok(packed.flood(time))),
                Case::new(|| Ok(split.drive(|link| link.flood(time).mpps()))),
            ],
        )?;
        let of = |who, of: usize| Measured { who, samples: &samples[of] };
        report.add(name, "Mpps", true, &[of("in order", 0), of("packed", 1), of("split", 2)]);
    }
    Ok(())
}

/// A sender and a receiver on one card.
struct Flow {
    /// Goes last: the functions are in it.
    _machine: Machine,
    sender: VirtualFunction,
    receiver: VirtualFunction,
    transmit: Ring,
    receive: Ring,
}

/// A ring as its driver sees it, one descriptor to a buffer.
struct Ring {
    memory: VolatileSlice<'static>,
    place: RingPlace,
    buffers: Vec<u64>,
    /// What every descriptor says of its buffer.
    len: u32,
    flags: u16,
    in_order: bool,
    /// Buffers given and taken back since the beginning. Which one is given next, once all were: the one taken back so long ago.
    given: u32,
    taken: u32,
    ids: Vec<u16>,
}

impl Flow {
    fn new(processors: Processors, frame: u32, layout: Layout) -> Result<Self> {
        let plan = Plan { functions: 2, translated: false, memory: 16 };
        let mut machine = Machine::new(processors, plan)?;
        let shape = Shape::whole(frame);
        let memory = &mut machine.memory;
        let transmit = Ring::new(memory, frame + HEADER, 0, layout)?;
        let mut bytes = vec![0; HEADER as usize];
        bytes.extend(driver::frame_head(shape, mac(1), mac(0)));
        bytes.truncate((frame + HEADER) as usize);
        for buffer in &transmit.buffers {
            memory.write(*buffer, &bytes)?;
        }
        let receive = Ring::new(memory, shape.buffer, WRITE, layout)?;
        let idle = [WRITE, 0].map(|flags| Ring::new(memory, 64, flags, layout));
        let [idle, unused] = idle.map(|ring| ring.map(|ring| ring.place));
        let sender = VirtualFunction::with(&machine, 0, layout, idle?, transmit.place)?;
        let receiver = VirtualFunction::with(&machine, 1, layout, receive.place, unused?)?;
        Ok(Self { _machine: machine, sender, receiver, transmit, receive })
    }

    /// Mpps over `time`, after a tenth of it unmeasured.
    fn flood(&mut self, time: Duration) -> f64 {
        self.take();
        self.send_for(time / 10);
        let mpps = self.send_for(time).mpps();
        let start = Instant::now();
        while self.transmit.in_flight() > 0 && start.elapsed() < time {
            self.transmit.take();
            self.take();
        }
        mpps
    }

    fn send_for(&mut self, time: Duration) -> Sample {
        driver::pass_for(time, || {
            self.transmit.take();
            if SIZE - self.transmit.in_flight() >= BATCH && self.transmit.give(BATCH) {
                self.sender.ring_transmit();
            }
            self.take()
        })
    }

    /// Takes what has arrived, and gives its buffers back.
    fn take(&mut self) -> u64 {
        let frames = self.receive.take();
        let missing = SIZE - self.receive.in_flight();
        if missing > 0 && self.receive.give(missing) {
            self.receiver.ring_receive();
        }
        frames
    }
}

impl Ring {
    fn new(memory: &mut Memory, len: u32, flags: u16, layout: Layout) -> Result<Self> {
        let place = RingPlace {
            descriptors: memory.allocate(16 * u64::from(SIZE))?,
            available: memory.allocate(4)?,
            used: memory.allocate(4)?,
        };
        let buffers = (0..SIZE).map(|_| memory.buffer(len.into())).collect::<Result<_>>()?;
        let in_order = layout == Layout::PackedInOrder;
        let memory = memory.whole();
        let ids = (0..SIZE).collect();
        let ring = Self { memory, place, buffers, len, flags, in_order, given: 0, taken: 0, ids };
        ring.store(place.available + 2, DISABLED); // it polls
        Ok(ring)
    }

    /// Buffers that the device has.
    #[inline]
    fn in_flight(&self) -> u16 {
        self.given.wrapping_sub(self.taken) as u16
    }

    /// Whether the ring has been gone through an odd number of times after `count` descriptors: what AVAIL then isn't.
    #[inline]
    fn wrapped(count: u32) -> bool {
        (count / u32::from(SIZE)) & 1 != 0
    }

    /// Gives `count` buffers, each for itself; `true` if the device wants to be notified.
    fn give(&mut self, count: u16) -> bool {
        let before = self.given;
        for _ in 0..count {
            let slot = self.given % u32::from(SIZE);
            let id = self.ids[slot as usize];
            let own = if Self::wrapped(self.given) { USED } else { AVAILABLE };
            let at = (self.place.descriptors + 16 * u64::from(slot)) as usize;
            // They lie inside, or nothing arrives.
            let _ = self.memory.store(self.buffers[usize::from(id)], at, Relaxed);
            let rest =
                u64::from(self.flags | own) << 48 | u64::from(id) << 32 | u64::from(self.len);
            let _ = self.memory.store(rest, at + 8, Release);
            self.given = self.given.wrapping_add(1);
        }
        fence(SeqCst);
        let event: u32 = self.memory.load(self.place.used as usize, Relaxed).unwrap_or_default();
        match (event >> 16) as u16 & 3 {
            DISABLED => false,
            AT_DESCRIPTOR => self.has_passed(event as u16, before),
            _ => true,
        }
    }

    /// Whether the descriptor that `event` names is among those given since there were `before`.
    fn has_passed(&self, event: u16, before: u32) -> bool {
        let position = |count: u32| count % (2 * u32::from(SIZE));
        // The first time through the wrap counter is 1.
        let wrapped = event >> 15 == 0;
        let event = u32::from(event & 0x7fff) + if wrapped { u32::from(SIZE) } else { 0 };
        let since =
            position(event.wrapping_sub(position(before)).wrapping_add(2 * u32::from(SIZE)));
        since < self.given.wrapping_sub(before)
    }

    /// Takes back what the device has used.
    fn take(&mut self) -> u64 {
        let before = self.taken;
        while self.taken != self.given {
            let slot = self.taken % u32::from(SIZE);
            let at = (self.place.descriptors + 16 * u64::from(slot)) as usize + 8;
            let rest: u64 = self.memory.load(at, Acquire).unwrap_or_default();
            let (id, flags) = ((rest >> 32) as u16, (rest >> 48) as u16);
            let turn = !Self::wrapped(self.taken);
            if (flags & AVAILABLE != 0) != turn || (flags & USED != 0) != turn {
                break;
            }
            // In order, one element tells of all up to its own.
            let count = if self.in_order {
                (u32::from(id) + u32::from(SIZE) - slot) % u32::from(SIZE) + 1
            } else {
                1
            };
            self.ids[slot as usize] = if self.in_order { slot as u16 } else { id };
            self.taken = self.taken.wrapping_add(count);
        }
        self.taken.wrapping_sub(before).into()
    }

    fn store(&self, at: u64, value: u16) {
        let _ = self.memory.store(value, at as usize, Relaxed);
    }
}
