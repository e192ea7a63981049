//! A virtio card's doorbells (virtio 1.3, 4.1.4.4), which a machine answers without the card's registers: frames from the PF to a
//! VF by polling; doorbells of queues that are not there, of a function that was reset, and of a BAR that moves on.

#![no_std]
#![no_main]

mod support;

use support::acpi::Acpi;
use support::ecam::NOTHING;
use support::memory::{FREE, read_u8, read_u32, write_u8, write_u16, write_u32};
use support::pci::{BUS_MASTER, COMMAND, MEMORY};
use support::port::eventually;
use support::report::Report;
use support::sriov::Sriov;
use support::tree::{Leaf, Tree};
use support::virtio::{Queue, Virtio};

payload!(checks);

const MIB: u64 = 1 << 20;
/// The BAR of the structures, and that of the MSI-X table.
const REGISTERS: u8 = 2;
const TABLE: u8 = 4;
const RECEIVE: u16 = 0;
const TRANSMIT: u16 = 1;
/// Pages of the two queues, and the buffers.
const RECEIVE_PAGE: u64 = FREE;
const TRANSMIT_PAGE: u64 = FREE + 0x1000;
const SENT: u64 = FREE + 0x2000;
const RECEIVED: u64 = FREE + 0x3000;
/// `struct virtio_net_hdr_v1`.
const HEADER: u64 = 12;
/// The shortest frame.
const FRAME: u64 = 60;

/// The PF, which sends, and its first VF, which receives.
struct Pair {
    leaf: Leaf,
    sriov: Sriov,
    pf: Virtio,
    vf: Virtio,
    transmit: Queue,
    receive: Queue,
    /// Frames offered.
    sent: u8,
}

fn checks(acpi: &Acpi, report: &mut Report) {
    let Some(ecam) = acpi.ecam() else { return report.check("there is ECAM", false) };
    let Some(mut pair) = Tree::walk(ecam).leaf(0).and_then(Pair::find) else {
        return report.check("there is a card with VFs", false);
    };
    report.check("both accept the features", pair.start_pf() && pair.start_vf());
    report.check("a frame goes from PF to VF", pair.passes());
    nobodys(&mut pair, report);
    moves(&mut pair, report);
    resets(&mut pair, report);
}

/// Doorbells behind the last queue, in every size, are as good as none.
fn nobodys(pair: &mut Pair, report: &mut Report) {
    for (function, name) in [(pair.pf, "the PF goes on"), (pair.vf, "the VF goes on")] {
        for queue in [function.queues(), function.queues() + 1, 500, 1023] {
            let doorbell = function.doorbell(queue);
            write_u16(doorbell, queue);
            write_u32(doorbell, u32::MAX);
            write_u8(doorbell + 1, 0xff);
        }
        report.check(name, function.is_live());
    }
    report.check("frames still pass", pair.passes());
}

/// Whoever lies where a doorbell was gets what is written there.
fn moves(pair: &mut Pair, report: &mut Report) {
    let Leaf { function, base, .. } = pair.leaf;
    let other = function.after(1);
    other.bar(1).place(base + 8 * MIB);
    other.command(MEMORY);
    let old = pair.pf.doorbell(TRANSMIT);
    for (name, new) in [("moved", base + 9 * MIB), ("moved again", base + 10 * MIB)] {
        let before = pair.pf.doorbell(TRANSMIT);
        pair.move_pf(new);
        let gone = read_u32(before) == NOTHING && pair.pf.doorbell(TRANSMIT) & !0x1fff == new;
        report.check(name, gone && pair.passes());
    }
    other.bar(1).place(old & !0xfff);
    write_u32(old, 0x1234_5678);
    report.equal("another BAR at the old place", read_u32(old), 0x1234_5678);
    write_u16(old, TRANSMIT);
    report.equal("gets all writes", read_u32(old), 0x1234_0000 | u32::from(TRANSMIT));
    other.bar(1).place(base + 8 * MIB);
    pair.move_pf(old & !0x1fff);
    report.equal("back", pair.pf.doorbell(TRANSMIT), old);
    report.check("frames pass as before", pair.passes());
    function.command(BUS_MASTER);
    write_u16(old, TRANSMIT);
    function.command(MEMORY | BUS_MASTER);
    report.check("and after decoding was off", pair.passes());
}

/// After a reset, of the device or of the function, its doorbells are nobody's until it is driven again.
fn resets(pair: &mut Pair, report: &mut Report) {
    let before = pair.used();
    pair.pf.reset();
    pair.offer();
    report.check("a reset device", !pair.pf.is_live());
    report.check("starts again", pair.start_pf() && pair.passes());
    report.equal("with the frames since then", pair.used(), [1, before[1] + 1]);

    let vf = pair.sriov.vf(0);
    vf.reset();
    write_u16(pair.vf.doorbell(TRANSMIT), TRANSMIT);
    let before = pair.used();
    pair.offer();
    report.check("the PF goes on meanwhile", eventually(|| pair.used()[0] == before[0] + 1));
    report.equal("a reset VF takes nothing", pair.used()[1], before[1]);
    vf.command(BUS_MASTER);
    report.check("it starts again too", pair.start_vf() && pair.passes());

    let doorbell = pair.pf.doorbell(TRANSMIT);
    pair.leaf.function.reset();
    write_u16(doorbell, TRANSMIT);
    report.equal("a reset PF has no VFs", vf.read(COMMAND), NOTHING);
    let again = Pair::find(pair.leaf);
    let passes = |mut pair: Pair| pair.start_pf() && pair.start_vf() && pair.passes();
    report.check("the card starts all over", again.is_some_and(passes));
}

impl Pair {
    /// Places everything and finds both functions' registers.
    fn find(leaf: Leaf) -> Option<Self> {
        let Leaf { function, base, .. } = leaf;
        function.bar(REGISTERS).place(base);
        function.bar(TABLE).place(base + MIB);
        function.command(MEMORY | BUS_MASTER);
        let sriov = Sriov::of(function)?;
        sriov.bar(REGISTERS).place(base + 2 * MIB);
        sriov.bar(TABLE).place(base + 3 * MIB);
        sriov.enable(1);
        sriov.vf(0).command(BUS_MASTER);
        let pf = Virtio::of(function, |bar| function.bar(bar).address())?;
        let vf = Virtio::of(sriov.vf(0), |bar| sriov.bar(bar).address())?;
        let (transmit, receive) = (Queue::default(), Queue::default());
        Some(Self { leaf, sriov, pf, vf, transmit, receive, sent: 0 })
    }

    /// Moves the PF's registers.
    fn move_pf(&mut self, to: u64) {
        let function = self.leaf.function;
        function.bar(REGISTERS).place(to);
        if let Some(pf) = Virtio::of(function, |bar| function.bar(bar).address()) {
            self.pf = pf;
        }
    }

    /// Resets the PF and sets its queue to work; whether it accepts the features.
    fn start_pf(&mut self) -> bool {
        let accepted = self.pf.negotiate();
        self.transmit = self.pf.queue(TRANSMIT, TRANSMIT_PAGE);
        self.pf.start();
        accepted
    }

    /// The same with the VF.
    fn start_vf(&mut self) -> bool {
        let accepted = self.vf.negotiate();
        self.receive = self.vf.queue(RECEIVE, RECEIVE_PAGE);
        self.vf.start();
        accepted
    }

    /// Rings for one more frame and one more buffer.
    fn offer(&mut self) {
        self.sent += 1;
        (0..HEADER + FRAME).for_each(|at| write_u8(SENT + at, self.byte(at)));
        (0..HEADER + FRAME).for_each(|at| write_u8(RECEIVED + at, 0));
        self.receive.add(RECEIVED, 2048, true);
        write_u16(self.vf.doorbell(RECEIVE), RECEIVE);
        self.transmit.add(SENT, (HEADER + FRAME) as u32, false);
        write_u16(self.pf.doorbell(TRANSMIT), TRANSMIT);
    }

    /// A byte of the header, which is zero, or the frame: addresses of VF and PF, a type for experiments, and numbers.
    fn byte(&self, at: u64) -> u8 {
        const ADDRESSES: [u8; 14] = [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x88, 0xb5];
        match at.checked_sub(HEADER) {
            None => 0,
            Some(at) => ADDRESSES.get(at as usize).copied().unwrap_or(at as u8 ^ self.sent),
        }
    }

    /// Whether one more frame arrives, alone and whole.
    fn passes(&mut self) -> bool {
        let before = self.used();
        self.offer();
        let arrived = eventually(|| self.used() == before.map(|used| used + 1));
        let same = (HEADER..HEADER + FRAME).all(|at| read_u8(RECEIVED + at) == self.byte(at));
        arrived && same && self.receive.written(before[1]) == (HEADER + FRAME) as u32
    }

    /// Buffers used by the PF and by the VF.
    fn used(&self) -> [u16; 2] {
        [self.transmit.used(), self.receive.used()]
    }
}
