//! A bench: frames from one VF to another as fast as a guest sends them and takes them back, polling; then one after the other, from the
//! doorbell to the interrupt. It tells counts and ticks of the time stamp counter, and leaves the arithmetic to the host.

#![no_std]
#![no_main]

mod support;

use support::acpi::Acpi;
use support::interrupts::{self, arrived, message};
use support::memory::{FREE, write_u8, write_u16};
use support::msix::Msix;
use support::pci::{BUS_MASTER, MEMORY};
use support::report::Report;
use support::ring::{self, EVENT_IDX, Ring};
use support::sriov::Sriov;
use support::time::ticks;
use support::tree::{Leaf, Tree};
use support::virtio::Virtio;

payload!(measure);

const MIB: u64 = 1 << 20;
/// BARs: the structures, and the MSI-X table.
const REGISTERS: u8 = 2;
const TABLE: u8 = 4;
const RECEIVE: u16 = 0;
const TRANSMIT: u16 = 1;
/// `struct virtio_net_hdr_v1`.
const HEADER: u32 = 12;
/// Chains made available at once.
const BATCH: u16 = 32;
/// The receiver's MSI-X entry, and the CPU's vector.
const ENTRY: u16 = 1;
const VECTOR: u8 = 40;

/// Ticks, of which there are two or three in a nanosecond: of a flood unmeasured and measured, of a pause in which workers go to sleep,
/// and after which a frame is lost.
const WARM_UP: u64 = 500_000_000;
const FLOOD: u64 = 5_000_000_000;
const PAUSE: u64 = 3_000_000;
const LOST: u64 = 1_000_000_000;
/// Frames of the second part.
const SINGLE: usize = 1000;

/// Two VFs of a card, sender and receiver.
struct Pair {
    functions: [Virtio; 2],
    transmit: Ring,
    receive: Ring,
    rung: u64,
}

fn measure(acpi: &Acpi, report: &mut Report) {
    let Some(ecam) = acpi.ecam() else { return report.check("there is ECAM", false) };
    let Some(mut pair) = Tree::walk(ecam).leaf(0).and_then(Pair::find) else {
        return report.check("there is a card with two VFs", false);
    };
    interrupts::enable();
    report.value("start", ticks(), "ticks");
    for (frame, [frames, time, doorbells]) in [
        (64, ["frames of 64", "ticks of 64", "doorbells of 64"]),
        (1500, ["frames of 1500", "ticks of 1500", "doorbells of 1500"]),
    ] {
        if !pair.start(frame) {
            return report.check("both accept the features", false);
        }
        pair.flood(WARM_UP);
        let before = pair.rung;
        let (got, took) = pair.flood(FLOOD);
        report.value(frames, got, "frames");
        report.value(time, took, "ticks");
        report.value(doorbells, pair.rung - before, "writes");
    }
    report.check("the VFs start again", pair.start(64));
    let mut times = [[0; SINGLE]; 2];
    let mut rung = 0;
    for index in 0..SINGLE {
        let Some((doorbell, interrupt)) = pair.single() else {
            return report.check("each frame interrupts", false);
        };
        times[0][index] = doorbell;
        times[1][index] = interrupt;
        rung += u64::from(doorbell > 0);
    }
    times.iter_mut().for_each(|times| times.sort_unstable());
    let [doorbell, interrupt] = times;
    report.value("doorbells heard", rung, "writes");
    report.value("doorbell", doorbell[SINGLE / 2], "ticks");
    report.value("interrupt", interrupt[SINGLE / 2], "ticks");
    report.value("interrupt, p99", interrupt[SINGLE * 99 / 100], "ticks");
    report.value("stop", ticks(), "ticks");
}

impl Pair {
    /// Places everything and finds the registers of both VFs.
    fn find(leaf: Leaf) -> Option<Self> {
        let Leaf { function, base, .. } = leaf;
        function.bar(REGISTERS).place(base);
        function.bar(TABLE).place(base + MIB);
        function.command(MEMORY | BUS_MASTER);
        let sriov = Sriov::of(function)?;
        let sizes = [REGISTERS, TABLE].map(|bar| sriov.bar(bar).size());
        sriov.bar(REGISTERS).place(base + 2 * MIB);
        sriov.bar(TABLE).place(base + 3 * MIB);
        sriov.enable(2);
        let place = |vf: u16, bar: u8| {
            let size = if bar == TABLE { sizes[1] } else { sizes[0] };
            sriov.bar(bar).address() + u64::from(vf) * size
        };
        let vf = |number: u16| {
            sriov.vf(number).command(BUS_MASTER);
            Virtio::of(sriov.vf(number), |bar| place(number, bar))
        };
        let functions = [vf(0)?, vf(1)?];
        let msix = Msix::placed(sriov.vf(1), |bar| place(1, bar))?;
        msix.program(ENTRY, message(VECTOR), false);
        msix.control(true, false);
        let [transmit, receive] = Self::rings(64);
        Some(Self { functions, transmit, receive, rung: 0 })
    }

    fn rings(frame: u32) -> [Ring; 2] {
        let len = frame + HEADER;
        [Ring::new(FREE, len, false), Ring::new(FREE + ring::MEMORY, len.max(1536), true)]
    }

    /// Resets both VFs and gives them new rings for frames of this length; whether they accept the features.
    fn start(&mut self, frame: u32) -> bool {
        let [sender, receiver] = self.functions;
        let accepted = sender.negotiate_with(EVENT_IDX) && receiver.negotiate_with(EVENT_IDX);
        [self.transmit, self.receive] = Self::rings(frame);
        for chain in 0..ring::SIZE {
            write_head(self.transmit.buffer(chain) + u64::from(HEADER));
        }
        sender.place(TRANSMIT, ring::SIZE, self.transmit.places(), None);
        receiver.place(RECEIVE, ring::SIZE, self.receive.places(), Some(ENTRY));
        sender.start();
        receiver.start();
        self.give(ring::SIZE);
        accepted
    }

    /// Sends for so many ticks; frames that arrived, and the ticks it took.
    fn flood(&mut self, time: u64) -> (u64, u64) {
        let start = ticks();
        let mut frames = 0;
        loop {
            for _ in 0..32 {
                self.transmit.collect();
                if self.transmit.room() >= BATCH {
                    self.send(BATCH);
                }
                frames += u64::from(self.take());
            }
            let took = ticks() - start;
            if took >= time {
                return (frames, took);
            }
        }
    }

    /// Sends one frame when nothing has happened for a while: the ticks of the doorbell's write, 0 if the device wanted none, and
    /// those from before it until the interrupt was counted. `None` if it never was.
    fn single(&mut self) -> Option<(u64, u64)> {
        let quiet = ticks();
        while ticks() - quiet < PAUSE {
            self.transmit.collect();
            self.take();
        }
        self.receive.want_interrupt();
        let before = arrived(VECTOR);
        let start = ticks();
        let rung = self.send(1);
        let doorbell = if rung { ticks() - start } else { 0 };
        while arrived(VECTOR) == before {
            if ticks() - start > LOST {
                return None;
            }
        }
        Some((doorbell, ticks() - start))
    }

    /// Makes frames available and rings if the device wants it.
    fn send(&mut self, count: u16) -> bool {
        let wanted = self.transmit.publish(count);
        if wanted {
            write_u16(self.functions[0].doorbell(TRANSMIT), TRANSMIT);
            self.rung += 1;
        }
        wanted
    }

    /// Takes frames that arrived and gives their buffers back.
    fn take(&mut self) -> u16 {
        let count = self.receive.collect();
        if count > 0 {
            self.give(count);
        }
        count
    }

    fn give(&mut self, count: u16) {
        if self.receive.publish(count) {
            write_u16(self.functions[1].doorbell(RECEIVE), RECEIVE);
            self.rung += 1;
        }
    }
}

/// A frame's addresses, from the first VF to the second, and a type for experiments.
fn write_head(frame: u64) {
    let head = [2, 0, 0, 0, 0, 3, 2, 0, 0, 0, 0, 2, 0x88, 0xb5];
    (0..).zip(head).for_each(|(at, byte)| write_u8(frame + at, byte));
}
