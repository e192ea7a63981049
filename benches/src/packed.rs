//! Packed rings beside split rings: the same frames from one VF to another, with a driver that writes each descriptor, and the same
//! packed rings under testpmd.

mod ring;

use std::time::{Duration, Instant};

use anyhow::Result;

use crate::Effort;
use crate::driver::{self, BATCH, HEADER, RingPlace, SIZE, Sample, Shape};
use crate::forward::Pando;
use crate::machine::{Layout, Machine, Plan, VirtualFunction, mac};
use crate::memory::Memory;
use crate::peers::testpmd::{Installed, Testpmd};
use crate::pin::Processors;
use crate::report::{Measured, Report};
use crate::rounds::{self, Case};
use ring::{Ring, WRITE};

/// Measures it.
pub(crate) fn run(effort: &Effort, processors: Processors, report: &mut Report) -> Result<()> {
    report.group("VF to VF by packed rings, used in order and not, beside split rings");
    for (frame, name) in [(64, "packed/64"), (1500, "packed/1500")] {
        if effort.wants(name) {
            beside_split(effort, processors, report, frame, name)?;
        }
    }
    Ok(())
}

fn beside_split(
    effort: &Effort,
    processors: Processors,
    report: &mut Report,
    frame: u32,
    name: &str,
) -> Result<()> {
    let mut ordered = Card::new(processors, frame, Layout::PackedInOrder)?;
    let mut packed = Card::new(processors, frame, Layout::Packed)?;
    let plan = Plan { functions: 2, translated: false, memory: 16 };
    let mut split = Pando::new(processors, Shape::whole(frame), plan)?;
    let installed = effort.testpmd.as_ref();
    let outside = installed.map(|testpmd| Outside::new(testpmd, processors, frame));
    let mut outside = outside.transpose()?;
    let time = effort.sample;
    let mut cases = vec![
        Case::new(|| Ok(ordered.flood(time))),
        Case::new(|| Ok(packed.flood(time))),
        Case::new(|| Ok(split.drive(|link| link.flood(time).mpps()))),
    ];
    if let Some(outside) = &mut outside {
        cases.push(Case::new(|| outside.flood(time)));
    }
    let samples = rounds::take(effort.rounds, &mut cases)?;
    drop(cases);
    let names = ["in order", "packed", "split", "testpmd"].into_iter().zip(&samples);
    let all: Vec<_> = names.map(|(who, samples)| Measured { who, samples }).collect();
    report.add(name, "Mpps", true, &all);
    Ok(())
}

/// A sender and a receiver on one card.
struct Card {
    /// Goes last: the functions are in it.
    _machine: Machine,
    sender: VirtualFunction,
    receiver: VirtualFunction,
    flow: Flow,
}

impl Card {
    fn new(processors: Processors, frame: u32, layout: Layout) -> Result<Self> {
        let plan = Plan { functions: 2, translated: false, memory: 16 };
        let mut machine = Machine::new(processors, plan)?;
        let flow = Flow::new(&mut machine.memory, frame, layout)?;
        let [[idle, transmit], [receive, unused]] = flow.places(&mut machine.memory, layout)?;
        let sender = VirtualFunction::with(&machine, 0, layout, idle, transmit)?;
        let receiver = VirtualFunction::with(&machine, 1, layout, receive, unused)?;
        Ok(Self { _machine: machine, sender, receiver, flow })
    }

    fn flood(&mut self, time: Duration) -> f64 {
        let (sender, receiver) = (&self.sender, &self.receiver);
        self.flow.flood(time, &|| sender.ring_transmit(), &|| receiver.ring_receive())
    }
}

/// The same rings, used in order, with testpmd between them.
struct Outside {
    testpmd: Testpmd,
    flow: Flow,
}

impl Outside {
    fn new(installed: &Installed, processors: Processors, frame: u32) -> Result<Self> {
        let layout = Layout::PackedInOrder;
        let mut memory = Memory::new(16)?;
        let flow = Flow::new(&mut memory, frame, layout)?;
        let rings = flow.places(&mut memory, layout)?;
        let testpmd = installed.start(processors, Shape::whole(frame), layout, &memory, rings)?;
        let mut outside = Self { testpmd, flow };
        let Self { testpmd, flow } = &mut outside;
        testpmd.wait_for(|| flow.flood(Duration::from_millis(1), &|| {}, &|| {}) > 0.0)?;
        Ok(outside)
    }

    fn flood(&mut self, time: Duration) -> Result<f64> {
        let _running = self.testpmd.run()?;
        Ok(self.flow.flood(time, &|| {}, &|| {}))
    }
}

/// The rings of a sender and a receiver.
struct Flow {
    transmit: Ring,
    receive: Ring,
}

impl Flow {
    fn new(memory: &mut Memory, frame: u32, layout: Layout) -> Result<Self> {
        let shape = Shape::whole(frame);
        let transmit = Ring::new(memory, frame + HEADER, 0, layout)?;
        let mut bytes = vec![0; HEADER as usize];
        bytes.extend(driver::frame_head(shape, mac(1), mac(0)));
        bytes.truncate((frame + HEADER) as usize);
        for buffer in &transmit.buffers {
            memory.write(*buffer, &bytes)?;
        }
        let receive = Ring::new(memory, shape.buffer, WRITE, layout)?;
        Ok(Self { transmit, receive })
    }

    /// The receive and the transmit ring of the sender, then of the receiver; one of each is a new one without buffers.
    fn places(&self, memory: &mut Memory, layout: Layout) -> Result<[[RingPlace; 2]; 2]> {
        let idle = Ring::new(memory, 64, WRITE, layout)?.place;
        let unused = Ring::new(memory, 64, 0, layout)?.place;
        Ok([[idle, self.transmit.place], [self.receive.place, unused]])
    }

    /// Mpps over `time`, after a tenth of it unmeasured. The two ring the sender's and the receiver's doorbell.
    fn flood(&mut self, time: Duration, ring_transmit: &dyn Fn(), ring_receive: &dyn Fn()) -> f64 {
        self.take(ring_receive);
        self.send_for(time / 10, ring_transmit, ring_receive);
        let mpps = self.send_for(time, ring_transmit, ring_receive).mpps();
        let start = Instant::now();
        while self.transmit.in_flight() > 0 && start.elapsed() < time {
            self.transmit.take();
            self.take(ring_receive);
        }
        mpps
    }

    fn send_for(
        &mut self,
        time: Duration,
        ring_transmit: &dyn Fn(),
        ring_receive: &dyn Fn(),
    ) -> Sample {
        driver::pass_for(time, || {
            self.transmit.take();
            if SIZE - self.transmit.in_flight() >= BATCH && self.transmit.give(BATCH) {
                ring_transmit();
            }
            self.take(ring_receive)
        })
    }

    /// Takes what has arrived, and gives its buffers back.
    fn take(&mut self, ring_receive: &dyn Fn()) -> u64 {
        let frames = self.receive.take();
        let missing = SIZE - self.receive.in_flight();
        if missing > 0 && self.receive.give(missing) {
            ring_receive();
        }
        frames
    }
}
