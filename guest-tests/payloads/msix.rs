//! MSI-X (PCIe 6.0, 6.1.4 and 7.7.2) from the table to the CPU: an exerciser raises, the local APIC delivers, and what is masked
//! waits in the pending bits.

#![no_std]
#![no_main]

mod support;

use support::acpi::Acpi;
use support::exerciser::Exerciser;
use support::interrupts::{self, arrived, message};
use support::memory::{FREE, read_u32, read_whole_u64, write_u32, write_whole_u64};
use support::msix::{DATA, Msix, VECTOR_CONTROL};
use support::pci::{BUS_MASTER, MEMORY};
use support::port::eventually;
use support::report::Report;
use support::tree::Tree;

payload!(checks);

/// The CPU's vectors.
const FIRST: u8 = 40;
const SECOND: u8 = 41;

fn checks(acpi: &Acpi, report: &mut Report) {
    let Some(ecam) = acpi.ecam() else { return report.check("there is ECAM", false) };
    let Some(leaf) = Tree::walk(ecam).leaf(0) else {
        return report.check("there is an endpoint", false);
    };
    leaf.function.bar(0).place(leaf.base);
    leaf.function.command(MEMORY | BUS_MASTER);
    let Some(msix) = Msix::of(leaf.function) else { return report.check("it has MSI-X", false) };
    let card = Exerciser(leaf.base);
    interrupts::enable();
    table(msix, report);
    deliver(msix, card, report);
    entry_mask(msix, card, report);
    function_mask(msix, card, report);
    gate(msix, card, |bits| leaf.function.command(bits), report);
    elsewhere(msix, card, report);
    disabled(msix, card, report);
}

fn table(msix: Msix, report: &mut Report) {
    report.equal("number of entries", msix.vectors(), 8);
    let is_new = |entry| read_whole_u64(entry) == 0 && read_whole_u64(entry + DATA) == 1 << 32;
    report.check("each is masked and zero", (0..8).all(|vector| is_new(msix.entry(vector))));
    msix.program(2, (0x1_2345_6788, 0x99), true);
    let entry = msix.entry(2);
    report.equal("an address by halves", read_whole_u64(entry), 0x1_2345_6788);
    report.equal("data and mask", read_whole_u64(entry + DATA), 1 << 32 | 0x99);
    msix.program_whole(2, (0xfedc_ba98_7654_3210, 0x66), true);
    let dwords = [0, 4, DATA, VECTOR_CONTROL].map(|at| read_u32(entry + at));
    report.equal("all by 8 bytes", dwords, [0x7654_3210, 0xfedc_ba98, 0x66, 1]);
    report.check("the entries beside it", is_new(msix.entry(1)) && is_new(msix.entry(3)));
}

fn deliver(msix: Msix, card: Exerciser, report: &mut Report) {
    msix.program(0, message(FIRST), false);
    msix.program_whole(1, message(SECOND), false);
    msix.control(true, false);
    card.raise(0);
    report.check("an interrupt arrives", eventually(|| arrived(FIRST) == 1));
    card.raise(1);
    report.check("another vector", eventually(|| arrived(SECOND) == 1));
    report.equal("the first did not come again", arrived(FIRST), 1);
    for _ in 0..10 {
        let before = arrived(FIRST);
        card.raise(0);
        eventually(|| arrived(FIRST) > before);
    }
    report.equal("each one arrives once", arrived(FIRST), 11);
    report.equal("nothing is pending", msix.pending(), 0);
}

fn entry_mask(msix: Msix, card: Exerciser, report: &mut Report) {
    let before = arrived(FIRST);
    msix.mask(0, true);
    card.raise(0);
    report.check("a masked entry is pending", eventually(|| msix.pending() == 1));
    write_u32(msix.pending, 0);
    write_whole_u64(msix.pending, u64::MAX);
    report.equal("the pending bits are read-only", read_whole_u64(msix.pending), 1);
    card.raise(0);
    let other = arrived(SECOND);
    card.raise(1);
    report.check("another entry is not masked", eventually(|| arrived(SECOND) > other));
    report.equal("nothing arrived", arrived(FIRST), before);
    // The message is read when it is sent.
    msix.program(0, message(SECOND), true);
    let other = arrived(SECOND);
    msix.mask(0, false);
    report.check("unmasked it arrives, once, as it is now", eventually(|| arrived(SECOND) > other));
    report.equal("the pending bit is gone", msix.pending(), 0);
    report.equal("the old message is not sent", arrived(FIRST), before);
    report.equal("once", arrived(SECOND), other + 1);
    msix.program(0, message(FIRST), false);
}

fn function_mask(msix: Msix, card: Exerciser, report: &mut Report) {
    let before = [arrived(FIRST), arrived(SECOND)];
    msix.control(true, true);
    card.raise(0);
    card.raise(1);
    report.check("all are pending", eventually(|| msix.pending() == 0b11));
    report.check("nothing arrives", before == [arrived(FIRST), arrived(SECOND)]);
    msix.mask(1, true);
    msix.control(true, false);
    report.check("what nothing else masks", eventually(|| arrived(FIRST) > before[0]));
    report.equal("is no longer pending", msix.pending(), 0b10);
    msix.mask(1, false);
    report.check("the last one", eventually(|| arrived(SECOND) > before[1]));
    report.equal("nothing is left", msix.pending(), 0);
}

/// Without Bus Master Enable a message can't leave.
fn gate(msix: Msix, card: Exerciser, command: impl Fn(u16), report: &mut Report) {
    let before = arrived(FIRST);
    command(MEMORY);
    card.raise(0);
    report.check("without bus master it waits", eventually(|| msix.pending() == 1));
    report.equal("nothing has arrived", arrived(FIRST), before);
    command(MEMORY | BUS_MASTER);
    report.check("with bus master it comes", eventually(|| arrived(FIRST) > before));
    report.equal("and is done", msix.pending(), 0);
}

/// A message is a write like others; only its address makes it an interrupt.
fn elsewhere(msix: Msix, card: Exerciser, report: &mut Report) {
    write_u32(FREE, 0);
    msix.program(3, (FREE, 0xcafe_f00d), false);
    card.raise(3);
    report.check("a message to RAM", eventually(|| read_u32(FREE) == 0xcafe_f00d));
}

fn disabled(msix: Msix, card: Exerciser, report: &mut Report) {
    let before = arrived(FIRST);
    msix.control(false, false);
    card.raise(0);
    report.check("a command after it", card.write(FREE));
    report.equal("disabled it is not pending", msix.pending(), 0);
    msix.control(true, false);
    card.raise(0);
    report.check("enabled it comes", eventually(|| arrived(FIRST) > before));
    report.equal("but not what was raised before", arrived(FIRST), before + 1);
}
