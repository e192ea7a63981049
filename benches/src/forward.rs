//! Frames from one VF to another as fast as they go, and the same rings under the raw loop and under `virtio-queue`.

use anyhow::Result;

use crate::Effort;
use crate::driver::{self, Care, LONG, Link, Ring, Shape};
use crate::machine::{Machine, Plan, VirtualFunction, mac};
use crate::memory::Memory;
use crate::peers::{self, Peer};
use crate::pin::Processors;
use crate::report::{Measured, Report};
use crate::rounds::{self, Case};

/// Frame lengths, each with its name.
const SIZES: [(u32, &str); 5] =
    [(64, "64"), (256, "256"), (1500, "1500"), (9000, "9000"), (LONG, "64K")];

/// Two VFs of a machine with a flow between them.
pub(crate) struct Pando {
    /// Goes last: the functions are in it.
    _machine: Machine,
    transmit: Ring,
    receive: Ring,
    sender: VirtualFunction,
    receiver: VirtualFunction,
    /// Driven and idle.
    _others: Vec<VirtualFunction>,
}

impl Pando {
    /// A machine whose first VF sends to its last.
    pub(crate) fn new(processors: Processors, shape: Shape, plan: Plan) -> Result<Self> {
        let mut machine = Machine::new(processors, plan)?;
        let last = plan.functions - 1;
        let small = Shape::whole(64);
        let transmit = driver::transmit_ring(&mut machine.memory, shape, mac(last), mac(0))?;
        let receive = driver::receive_ring(&mut machine.memory, shape)?;
        let unused = driver::transmit_ring(&mut machine.memory, small, mac(0), mac(last))?.place();
        let idle = driver::receive_ring(&mut machine.memory, small)?.place();
        let sender = VirtualFunction::start(&machine, 0, idle, transmit.place())?;
        let receiver = VirtualFunction::start(&machine, last, receive.place(), unused)?;
        let others = (1..last).map(|vf| VirtualFunction::start(&machine, vf, idle, unused));
        let _others = others.collect::<Result<_>>()?;
        Ok(Self { _machine: machine, transmit, receive, sender, receiver, _others })
    }

    /// Its two ends.
    pub(crate) fn drive<T>(&mut self, run: impl FnOnce(&mut Link<'_>) -> T) -> T {
        let (sender, receiver) = (&self.sender, &self.receiver);
        run(&mut Link {
            transmit: &mut self.transmit,
            receive: &mut self.receive,
            ring_transmit: &|| sender.ring_transmit(),
            ring_receive: &|| receiver.ring_receive(),
        })
    }
}

/// The same rings without a machine.
pub(crate) struct Bare {
    memory: Memory,
    transmit: Ring,
    receive: Ring,
    processors: Processors,
}

impl Bare {
    pub(crate) fn new(processors: Processors, shape: Shape) -> Result<Self> {
        let mut memory = Memory::new(memory_for(shape))?;
        let transmit = driver::transmit_ring(&mut memory, shape, mac(1), mac(0))?;
        let receive = driver::receive_ring(&mut memory, shape)?;
        Ok(Self { memory, transmit, receive, processors })
    }

    /// Drives them while `engine` moves the frames.
    pub(crate) fn drive<T>(
        &mut self,
        engine: peers::Engine,
        run: impl FnOnce(&mut Link<'_>) -> T,
    ) -> Result<T> {
        self.transmit.reset();
        self.receive.reset();
        let (from, to) = (self.transmit.place(), self.receive.place());
        let _peer = Peer::start(self.processors, engine, self.memory.ram, from, to)?;
        Ok(run(&mut Link {
            transmit: &mut self.transmit,
            receive: &mut self.receive,
            ring_transmit: &|| {},
            ring_receive: &|| {},
        }))
    }
}

/// MiB that the rings of a shape take, with room for page tables.
pub(crate) fn memory_for(shape: Shape) -> usize {
    if shape.is_long() { 64 } else { 16 }
}

/// Measures it all.
pub(crate) fn run(effort: &Effort, processors: Processors, report: &mut Report) -> Result<()> {
    report.group("VF to VF, split rings, everything on; beside it the raw loop and an engine on virtio-queue");
    for (frame, size) in SIZES {
        let name = format!("forward/{size}");
        if effort.wants(&name) {
            beside_peers(effort, report, processors, frame, Care::Descriptor, &name)?;
        }
    }
    report.group("The same with a driver that also writes each frame and reads each header, and with one that only moves indices");
    for (frame, care, name) in [
        (64, Care::Frame, "fresh/64"),
        (1500, Care::Frame, "fresh/1500"),
        (64, Care::Index, "still/64"),
        (1500, Care::Index, "still/1500"),
    ] {
        if effort.wants(name) {
            beside_peers(effort, report, processors, frame, care, name)?;
        }
    }
    report.group("2, 63 and 255 functions driven, two of them active, 64 B");
    if effort.wants("functions/64") {
        functions(effort, report, processors)?;
    }
    report.group("VT-d off and on, static pages of 4 KiB");
    for (frame, size) in [(64, "64"), (1500, "1500")] {
        if effort.wants(&format!("vtd/{size}")) {
            translation(effort, report, processors, frame, size)?;
        }
    }
    Ok(())
}

fn beside_peers(
    effort: &Effort,
    report: &mut Report,
    processors: Processors,
    frame: u32,
    care: Care,
    name: &str,
) -> Result<()> {
    let natural = Shape::natural(frame).with(care);
    let plan = Plan { functions: 2, translated: false, memory: memory_for(natural) };
    let mut pando = Pando::new(processors, natural, plan)?;
    let mut raw = Bare::new(processors, Shape::whole(frame).with(care))?;
    let mut crate_ = Bare::new(processors, Shape::whole(frame).with(care))?;
    let time = effort.sample;
    let samples = rounds::take(
        effort.rounds,
        &mut [
            Case::new(|| Ok(pando.drive(|link| link.flood(time).mpps()))),
            Case::new(|| raw.drive(peers::RAW, |link| link.flood(time).mpps())),
            Case::new(|| crate_.drive(peers::CRATE, |link| link.flood(time).mpps())),
        ],
    )?;
    report.add(
        name,
        "Mpps",
        true,
        &[
            Measured { who: "pando", samples: &samples[0] },
            Measured { who: "raw", samples: &samples[1] },
            Measured { who: "virtio-queue", samples: &samples[2] },
        ],
    );
    Ok(())
}

fn functions(effort: &Effort, report: &mut Report, processors: Processors) -> Result<()> {
    let shape = Shape::whole(64);
    let machine = |functions| {
        Pando::new(processors, shape, Plan { functions, translated: false, memory: 16 })
    };
    let (mut most, mut many, mut few) = (machine(255)?, machine(63)?, machine(2)?);
    let time = effort.sample;
    let samples = rounds::take(
        effort.rounds,
        &mut [
            Case::new(|| Ok(most.drive(|link| link.flood(time).mpps()))),
            Case::new(|| Ok(many.drive(|link| link.flood(time).mpps()))),
            Case::new(|| Ok(few.drive(|link| link.flood(time).mpps()))),
        ],
    )?;
    report.add(
        "functions/64",
        "Mpps",
        true,
        &[
            Measured { who: "255", samples: &samples[0] },
            Measured { who: "63", samples: &samples[1] },
            Measured { who: "2", samples: &samples[2] },
        ],
    );
    Ok(())
}

fn translation(
    effort: &Effort,
    report: &mut Report,
    processors: Processors,
    frame: u32,
    size: &str,
) -> Result<()> {
    let shape = Shape::whole(frame);
    let machine =
        |translated| Pando::new(processors, shape, Plan { functions: 2, translated, memory: 16 });
    let (mut on, mut off) = (machine(true)?, machine(false)?);
    let time = effort.sample;
    let samples = rounds::take(
        effort.rounds,
        &mut [
            Case::new(|| Ok(on.drive(|link| link.flood(time).mpps()))),
            Case::new(|| Ok(off.drive(|link| link.flood(time).mpps()))),
        ],
    )?;
    report.add(
        &format!("vtd/{size}"),
        "Mpps",
        true,
        &[
            Measured { who: "on", samples: &samples[0] },
            Measured { who: "off", samples: &samples[1] },
        ],
    );
    Ok(())
}
