//! Frames from one VF to another as fast as they go, and the same rings under the raw loop, under `virtio-queue` and under testpmd.

use anyhow::Result;

use crate::Effort;
use crate::driver::{self, BATCH, Care, LONG, Link, Ring, Shape, Side};
use crate::machine::{Layout, Machine, Plan, VirtualFunction, mac};
use crate::memory::Memory;
use crate::page::{Axis, Line, Plot};
use crate::peers::testpmd::{Installed, Testpmd};
use crate::peers::{self, Peer};
use crate::pin::Processors;
use crate::report::{Measured, Report};
use crate::rounds::{self, Case};

/// Frame lengths, each with its name.
const SIZES: [(u32, &str); 5] =
    [(64, "64"), (256, "256"), (1500, "1500"), (9000, "9000"), (LONG, "64K")];

/// Chains published at once, each with its name.
const BATCHES: [(u16, &str); 9] = [
    (1, "1"),
    (2, "2"),
    (4, "4"),
    (8, "8"),
    (16, "16"),
    (32, "32"),
    (64, "64"),
    (128, "128"),
    (256, "256"),
];

/// Two VFs of a machine with a flow between them.
pub(crate) struct Pando {
    /// Goes last: the functions are in it.
    pub(crate) machine: Machine,
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
        Ok(Self { machine, transmit, receive, sender, receiver, _others })
    }

    /// Its two ends.
    pub(crate) fn drive<T>(&mut self, run: impl FnOnce(&mut Link<'_>) -> T) -> T {
        self.drive_strictly(&|_, _, _| {}, run)
    }

    /// The same with a driver that does this with each buffer that it takes back.
    pub(crate) fn drive_strictly<T>(
        &mut self,
        unmap: &dyn Fn(Side, u64, u32),
        run: impl FnOnce(&mut Link<'_>) -> T,
    ) -> T {
        let (sender, receiver) = (&self.sender, &self.receiver);
        run(&mut Link {
            transmit: &mut self.transmit,
            receive: &mut self.receive,
            batch: BATCH,
            unmap,
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
        Ok(run(&mut polled(&mut self.transmit, &mut self.receive)))
    }
}

/// The same rings with testpmd between them: what is sent at its first port arrives at its second.
struct Outside {
    testpmd: Testpmd,
    transmit: Ring,
    receive: Ring,
}

impl Outside {
    fn new(installed: &Installed, processors: Processors, shape: Shape) -> Result<Self> {
        let mut memory = Memory::new(memory_for(shape))?;
        let transmit = driver::transmit_ring(&mut memory, shape, mac(1), mac(0))?;
        let receive = driver::receive_ring(&mut memory, shape)?;
        let [idle, unused] = [(); 2].map(|()| driver::receive_ring(&mut memory, Shape::whole(64)));
        let rings = [[idle?.place(), transmit.place()], [receive.place(), unused?.place()]];
        let testpmd = installed.start(processors, shape, Layout::Split, &memory, rings)?;
        let mut outside = Self { testpmd, transmit, receive };
        let Self { testpmd, transmit, receive } = &mut outside;
        testpmd.wait_for(|| !polled(transmit, receive).one_by_one(1).is_empty())?;
        Ok(outside)
    }

    fn drive<T>(&mut self, run: impl FnOnce(&mut Link<'_>) -> T) -> Result<T> {
        let _running = self.testpmd.run()?;
        Ok(run(&mut polled(&mut self.transmit, &mut self.receive)))
    }
}

/// Two rings under an engine that polls them.
fn polled<'a>(transmit: &'a mut Ring, receive: &'a mut Ring) -> Link<'a> {
    Link {
        transmit,
        receive,
        batch: BATCH,
        unmap: &|_, _, _| {},
        ring_transmit: &|| {},
        ring_receive: &|| {},
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
    let sizes = SIZES.map(|(_, size)| size);
    report.plot_over("Throughput over frame size", "bytes", "forward", &sizes);
    report.group("64 B, by how many chains the driver publishes at once");
    for (batch, name) in BATCHES {
        let name = format!("batch/{name}");
        if effort.wants(&name) {
            batches(effort, report, processors, batch, &name)?;
        }
    }
    report.plot_over(
        "Throughput over batch size, 64 B",
        "frames published at once",
        "batch",
        &BATCHES.map(|(_, name)| name),
    );
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
        let points =
            ["2", "63", "255"].map(|count| report.median(&format!("functions/64/{count}")));
        let points = (0..).map(f64::from).zip(points.into_iter().flatten()).collect();
        report.plot(Plot {
            title: "Throughput over functions driven, 64 B".to_owned(),
            x: Axis::named("functions", ["2", "63", "255"]),
            y: "Mpps".to_owned(),
            lines: vec![Line { name: "pando".to_owned(), points }],
        });
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
    let installed = effort.testpmd.as_ref();
    let outside = installed.map(|testpmd| Outside::new(testpmd, processors, natural));
    let mut outside = outside.transpose()?;
    let time = effort.sample;
    let mut cases = vec![
        Case::new(|| Ok(pando.drive(|link| link.flood(time).mpps()))),
        Case::new(|| raw.drive(peers::RAW, |link| link.flood(time).mpps())),
        Case::new(|| crate_.drive(peers::CRATE, |link| link.flood(time).mpps())),
    ];
    if let Some(outside) = &mut outside {
        cases.push(Case::new(|| outside.drive(|link| link.flood(time).mpps())));
    }
    let samples = rounds::take(effort.rounds, &mut cases)?;
    drop(cases);
    let names = ["pando", "raw", "virtio-queue", "testpmd"].into_iter().zip(&samples);
    let all: Vec<_> = names.map(|(who, samples)| Measured { who, samples }).collect();
    report.add(name, "Mpps", true, &all);
    Ok(())
}

/// Pando and the raw loop where so many chains are published at once.
fn batches(
    effort: &Effort,
    report: &mut Report,
    processors: Processors,
    batch: u16,
    name: &str,
) -> Result<()> {
    let shape = Shape::whole(64);
    let plan = Plan { functions: 2, translated: false, memory: 16 };
    let mut pando = Pando::new(processors, shape, plan)?;
    let mut raw = Bare::new(processors, shape)?;
    let flood = |link: &mut Link<'_>| {
        link.batch = batch;
        link.flood(effort.sample).mpps()
    };
    let samples = rounds::take(
        effort.rounds,
        &mut [Case::new(|| Ok(pando.drive(flood))), Case::new(|| raw.drive(peers::RAW, flood))],
    )?;
    let of = |who, of: usize| Measured { who, samples: &samples[of] };
    report.add(name, "Mpps", true, &[of("pando", 0), of("raw", 1)]);
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
