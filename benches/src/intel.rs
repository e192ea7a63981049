//! The 82599's rings beside split rings: the same frames from one VF to another, with a driver that writes each descriptor.

use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::time::{Duration, Instant};

use anyhow::Result;
use vm_memory::{Bytes, VolatileSlice};

use crate::Effort;
use crate::driver::{self, BATCH, HEADER, SIZE, Sample, Shape};
use crate::forward::Pando;
use crate::machine::{Machine, Plan, Registers, mac};
use crate::memory::Memory;
use crate::pin::Processors;
use crate::report::{Measured, Report};
use crate::rounds::{self, Case};

/// Transmit: advanced data with FCS, end of packet, report status.
const COMMAND: u32 = 1 << 29 | 3 << 20 | 1 << 25 | 1 << 24 | 1 << 27;

/// Bytes of a receive buffer.
const BUFFER: u64 = 2048;

/// Measures it.
pub(crate) fn run(effort: &Effort, processors: Processors, report: &mut Report) -> Result<()> {
    report.group("VF to VF on the 82599, beside split rings");
    for (frame, name) in [(64, "82599/64"), (1500, "82599/1500")] {
        if !effort.wants(name) {
            continue;
        }
        let mut intel = Flow::new(processors, frame)?;
        let plan = Plan { functions: 2, translated: false, memory: 16 };
        let mut split = Pando::new(processors, Shape::whole(frame), plan)?;
        let time = effort.sample;
        let samples = rounds::take(
            effort.rounds,
            &mut [
                Case::new(|| Ok(intel.flood(time))),
                Case::new(|| Ok(split.drive(|link| link.flood(time).mpps()))),
            ],
        )?;
        let of = |who, of: usize| Measured { who, samples: &samples[of] };
        report.add(name, "Mpps", true, &[of("82599", 0), of("split", 1)]);
    }
    Ok(())
}

/// A sender and a receiver on one card.
struct Flow {
    /// Goes last: the functions are in it.
    _machine: Machine,
    frame: u32,
    transmit: Ring,
    receive: Ring,
}

/// A ring as its driver sees it.
struct Ring {
    registers: Registers,
    memory: VolatileSlice<'static>,
    base: u64,
    buffers: Vec<u64>,
    /// The next descriptor to give to the card, and the oldest that it has.
    tail: u16,
    head: u16,
}

impl Flow {
    fn new(processors: Processors, frame: u32) -> Result<Self> {
        let plan = Plan { functions: 2, translated: false, memory: 16 };
        let mut machine = Machine::intel(processors, plan)?;
        machine.open_pools(2);
        let head = driver::frame_head(Shape::whole(frame), mac(1), mac(0));
        let (from, to) = (machine.intel_vf(0), machine.intel_vf(1));
        let transmit = Ring::new(&mut machine.memory, from, u64::from(frame + HEADER))?;
        for buffer in &transmit.buffers {
            machine.memory.write(*buffer, &head[..head.len().min(frame as usize)])?;
        }
        let mut receive = Ring::new(&mut machine.memory, to, BUFFER)?;
        transmit.registers.start_transmit(transmit.base, SIZE)?;
        receive.registers.start_receive(receive.base, SIZE)?;
        receive.give_buffers(SIZE - 1);
        Ok(Self { _machine: machine, frame, transmit, receive })
    }

    /// Mpps over `time`, after a tenth of it unmeasured.
    fn flood(&mut self, time: Duration) -> f64 {
        self.send_for(time / 10);
        let mpps = self.send_for(time).mpps();
        let start = Instant::now();
        while self.transmit.head != self.transmit.tail && start.elapsed() < time {
            self.transmit.take_sent();
            self.take();
        }
        mpps
    }

    fn send_for(&mut self, time: Duration) -> Sample {
        driver::pass_for(time, || {
            self.transmit.take_sent();
            if SIZE - 1 - self.transmit.given() >= BATCH {
                self.transmit.send(BATCH, self.frame);
            }
            self.take()
        })
    }

    fn take(&mut self) -> u64 {
        let count = self.receive.take_received();
        let missing = SIZE - 1 - self.receive.given();
        if missing >= BATCH {
            self.receive.give_buffers(missing);
        }
        count
    }
}

impl Ring {
    fn new(memory: &mut Memory, registers: Registers, buffer: u64) -> Result<Self> {
        let base = memory.allocate(16 * u64::from(SIZE))?;
        let buffers = (0..SIZE).map(|_| memory.buffer(buffer)).collect::<Result<_>>()?;
        Ok(Self { registers, memory: memory.whole(), base, buffers, tail: 0, head: 0 })
    }

    /// Descriptors that the card has.
    #[inline]
    fn given(&self) -> u16 {
        self.tail.wrapping_sub(self.head) % SIZE
    }

    fn send(&mut self, count: u16, frame: u32) {
        let rest = u64::from(COMMAND | frame) | u64::from(frame) << (32 + 14);
        (0..count).for_each(|_| self.give(rest));
        self.registers.transmit_tail(self.tail);
    }

    fn give_buffers(&mut self, count: u16) {
        (0..count).for_each(|_| self.give(0));
        self.registers.receive_tail(self.tail);
    }

    #[inline]
    fn give(&mut self, rest: u64) {
        let at = self.base as usize + 16 * usize::from(self.tail);
        // They lie inside, or nothing arrives.
        let _ = self.memory.store(self.buffers[usize::from(self.tail)], at, Relaxed);
        let _ = self.memory.store(rest, at + 8, Release);
        self.tail = (self.tail + 1) % SIZE;
    }

    /// Takes back what was sent: DD is in the last dword.
    fn take_sent(&mut self) {
        while self.head != self.tail && self.status(12) & 1 != 0 {
            self.head = (self.head + 1) % SIZE;
        }
    }

    /// Takes what was received: DD is in dword 2.
    fn take_received(&mut self) -> u64 {
        let mut count = 0;
        while self.head != self.tail && self.status(8) & 1 != 0 {
            self.head = (self.head + 1) % SIZE;
            count += 1;
        }
        count
    }

    #[inline]
    fn status(&self, offset: usize) -> u32 {
        let at = self.base as usize + 16 * usize::from(self.head) + offset;
        self.memory.load(at, Acquire).unwrap_or_default()
    }
}
