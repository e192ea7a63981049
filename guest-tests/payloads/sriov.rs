//! SR-IOV (PCIe 6.0, 9.3.3) by registers alone: VFs appear where the capability says, on the next bus or beside their PF, decode in
//! steps of the system page size, and vanish when they are switched off.

#![no_std]
#![no_main]

mod support;

use support::acpi::Acpi;
use support::ecam::{BUS_NUMBERS, Function, IDENTITY, NOTHING};
use support::exerciser::{Exerciser, MAGIC};
use support::memory::{FREE, read_u32, write_u32};
use support::pci::{ARI_FORWARDING, BUS_MASTER, COMMAND, DEVICE_CONTROL_2, MEMORY, PCI_EXPRESS};
use support::report::Report;
use support::sriov::*;
use support::tree::{Leaf, Tree};

payload!(checks);

/// What the platform file says.
const VFS: u16 = 20;
/// Bytes of one VF's BAR 0, and a larger page.
const BAR: u64 = 0x4000;
const LARGE_PAGE: u64 = 64 << 10;
/// The bit of System Page Size that means [`LARGE_PAGE`].
const LARGE_PAGE_BIT: u16 = 1 << 4;

fn checks(acpi: &Acpi, report: &mut Report) {
    let Some(ecam) = acpi.ecam() else { return report.check("there is ECAM", false) };
    let Some(leaf) = Tree::walk(ecam).leaf(0) else {
        return report.check("there is an endpoint", false);
    };
    leaf.function.bar(0).place(leaf.base);
    leaf.function.command(MEMORY | BUS_MASTER);
    let Some(sriov) = Sriov::of(leaf.function) else {
        return report.check("it has SR-IOV", false);
    };
    registers(sriov, report);
    on_the_next_bus(leaf, sriov, report);
    memory(leaf, sriov, report);
    dma(leaf, sriov, report);
    page_size(leaf, sriov, report);
    beside_the_pf(leaf, sriov, report);
    resets(leaf, sriov, report);
}

fn registers(sriov: Sriov, report: &mut Report) {
    report.equal("TotalVFs", sriov.read(TOTAL), VFS);
    report.equal("InitialVFs", sriov.read(INITIAL), VFS);
    report.equal("NumVFs at power-on", sriov.read(NUM_VFS), 0);
    let kept = [3, VFS, VFS + 1, u16::MAX, 0].map(|count| {
        sriov.write(NUM_VFS, count);
        sriov.read(NUM_VFS)
    });
    report.equal("NumVFs is at most TotalVFs", kept, [3, VFS, VFS, VFS, 0]);
    report.equal("the page sizes that all have", sriov.read(SUPPORTED_PAGES) & 0x553, 0x553);
    report.equal("the page size at power-on", sriov.read(PAGE_SIZE), 1);
    report.equal("size of VF BAR 0", sriov.bar(0).size(), BAR);
    report.equal("size of VF BAR 1", sriov.bar(1).size(), 0x1000);
}

fn on_the_next_bus(leaf: Leaf, sriov: Sriov, report: &mut Report) {
    let first = sriov.vf(0);
    report.check("without ARI on the next bus", sriov.read(OFFSET) >= 0x100);
    report.check("no VF yet", !answers(first));
    sriov.write(CONTROL, VF_ENABLE);
    report.check("nor with NumVFs 0", !answers(first));
    sriov.write(CONTROL, 0);
    sriov.write(NUM_VFS, 3);
    sriov.write(CONTROL, VF_ENABLE);
    let there = [0, 1, 2, 3, 4].map(|number| answers(sriov.vf(number)));
    report.equal("as many VFs as NumVFs", there, [true, true, true, false, false]);
    report.equal("a VF's identity", first.read(IDENTITY), NOTHING);
    sriov.write(NUM_VFS, 5);
    report.equal("NumVFs stays while VFs are there", sriov.read(NUM_VFS), 3);
    sriov.write(CONTROL, VF_ENABLE | ARI_HIERARCHY);
    report.equal("ARI Capable Hierarchy too", sriov.read(CONTROL), VF_ENABLE);
    leaf.port.write_byte(BUS_NUMBERS + 2, leaf.bus);
    report.check("a port that does not pass their bus", !answers(first));
    leaf.port.write_byte(BUS_NUMBERS + 2, leaf.bus + 1);
    report.check("and one that does", answers(first));
}

/// Three VFs are there.
fn memory(leaf: Leaf, sriov: Sriov, report: &mut Report) {
    let base = leaf.base + (1 << 20);
    sriov.bar(0).place(base);
    let vf = |number: u64| base + number * BAR + MAGIC;
    sriov.vf(0).command(MEMORY);
    report.equal("a VF has no memory space enable", sriov.vf(0).read_word(COMMAND), 0);
    report.equal("no memory without VF MSE", read_u32(vf(0)), NOTHING);
    sriov.write(CONTROL, VF_ENABLE | VF_MEMORY);
    (0..3).for_each(|number| write_u32(vf(number), 0x100 + number as u32));
    let values = [0, 1, 2].map(|number| read_u32(vf(number)));
    report.equal("each has registers of its own", values, [0x100, 0x101, 0x102]);
    report.equal("the PF has others", read_u32(leaf.base + MAGIC), 0);
    report.equal("behind the last VF", read_u32(vf(3)), NOTHING);
    sriov.bar(0).place(leaf.base + (2 << 20));
    report.equal("VF BARs stay while they decode", sriov.bar(0).address(), base);
    sriov.write(CONTROL, VF_ENABLE);
    sriov.bar(0).place(leaf.base + (2 << 20));
    sriov.write(CONTROL, VF_ENABLE | VF_MEMORY);
    report.equal("moved between", read_u32(leaf.base + (2 << 20) + BAR + MAGIC), 0x101);
    report.equal("away from here", read_u32(vf(1)), NOTHING);
}

/// A VF has its own Bus Master Enable.
fn dma(leaf: Leaf, sriov: Sriov, report: &mut Report) {
    let card = Exerciser(leaf.base + (2 << 20) + BAR);
    write_u32(FREE, 0);
    report.check("a VF without bus master can't send", !card.write(FREE));
    report.equal("nothing arrived", read_u32(FREE), 0);
    sriov.vf(0).command(BUS_MASTER);
    report.check("nor with that of another", !card.write(FREE));
    sriov.vf(1).command(BUS_MASTER);
    report.check("with its own it does", card.write(FREE));
    report.check("it arrived", read_u32(FREE) != 0);
}

fn page_size(leaf: Leaf, sriov: Sriov, report: &mut Report) {
    sriov.write(PAGE_SIZE, LARGE_PAGE_BIT);
    report.equal("the page size stays while VFs are there", sriov.read(PAGE_SIZE), 1);
    sriov.write(CONTROL, 0);
    report.check("VFs are gone", !answers(sriov.vf(0)) && !answers(sriov.vf(2)));
    report.equal("their memory too", read_u32(leaf.base + (2 << 20) + MAGIC), NOTHING);
    sriov.write(PAGE_SIZE, LARGE_PAGE_BIT);
    report.equal("now it changes", sriov.read(PAGE_SIZE), LARGE_PAGE_BIT);
    sriov.write(PAGE_SIZE, 3);
    report.equal("to one size at a time", sriov.read(PAGE_SIZE), LARGE_PAGE_BIT);
    report.equal("no VF BAR is smaller", sriov.bar(1).size(), LARGE_PAGE);
    let base = leaf.base + (1 << 20);
    sriov.bar(0).place(base);
    sriov.enable(2);
    let vfs = [base, base + LARGE_PAGE];
    report.equal("a page for each, as at power-on", vfs.map(|vf| read_u32(vf + MAGIC)), [0, 0]);
    vfs.into_iter().for_each(|vf| write_u32(vf + MAGIC, vf as u32));
    let values = vfs.map(|vf| u64::from(read_u32(vf + MAGIC)));
    report.equal("each has registers in its page", values, vfs);
    report.equal("behind them", vfs.map(|vf| read_u32(vf + BAR + MAGIC)), [NOTHING; 2]);
    report.equal("new ones can't send", sriov.vf(1).read_word(COMMAND), 0);
    sriov.write(CONTROL, 0);
    sriov.write(PAGE_SIZE, 1);
}

/// With ARI all functions have the PF's bus; the port must pass their numbers.
fn beside_the_pf(leaf: Leaf, sriov: Sriov, report: &mut Report) {
    let Leaf { function, port, .. } = leaf;
    let before = sriov.read(OFFSET);
    sriov.write(CONTROL, ARI_HIERARCHY);
    report.equal("with ARI right behind the PF", sriov.read(OFFSET), 1);
    sriov.enable_with(VFS, ARI_HIERARCHY);
    report
        .check("one of the first seven", sriov.vf(0) == function.after(1) && answers(sriov.vf(0)));
    report.check("one behind them, without forwarding", !answers(sriov.vf(VFS - 1)));
    let Some(pcie) = port.capability(PCI_EXPRESS) else {
        return report.check("the port is of PCI Express", false);
    };
    port.write_word(pcie + DEVICE_CONTROL_2, ARI_FORWARDING);
    report.check("with ARI forwarding", answers(sriov.vf(VFS - 1)));
    report.check("no more than that", !answers(sriov.vf(VFS)));
    sriov.write(CONTROL, 0);
    report.equal("ARI stays while VFs go", sriov.read(CONTROL), ARI_HIERARCHY);
    sriov.write(CONTROL, 0);
    port.write_word(pcie + DEVICE_CONTROL_2, 0);
    report.equal("the offset of before", sriov.read(OFFSET), before);
}

/// A VF's reset is its own, the PF's takes its VFs along.
fn resets(leaf: Leaf, sriov: Sriov, report: &mut Report) {
    let base = leaf.base + (1 << 20);
    sriov.bar(0).place(base);
    sriov.enable(2);
    (0..2).for_each(|vf| write_u32(base + vf * BAR + MAGIC, 0x300));
    sriov.vf(0).command(BUS_MASTER);
    sriov.vf(0).reset();
    report.check("a VF is there after its reset", answers(sriov.vf(0)));
    report.equal("as at power-on", read_u32(base + MAGIC), 0);
    report.equal("and can't send", sriov.vf(0).read_word(COMMAND), 0);
    report.equal("the other knows nothing of it", read_u32(base + BAR + MAGIC), 0x300);
    let (first, place) = (sriov.vf(0), sriov.bar(0).address());
    leaf.function.reset();
    report.check("a PF's reset takes its VFs along", !answers(first));
    report.equal("VF Enable is clear", sriov.read(CONTROL), 0);
    report.equal("their memory is gone", read_u32(place + MAGIC), NOTHING);
}

/// A VF has no identity, but other registers.
fn answers(function: Function) -> bool {
    function.read(COMMAND) != NOTHING
}
