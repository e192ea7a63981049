//! BARs (PCIe 6.0, 7.5.1.2.1) and windows (7.5.1.3.8) that move while memory decoding is on: what they leave reads all ones, where
//! they go answers at once, and what lies above them in the order of the machine hides them: RAM, ECAM, a port's window.

#![no_std]
#![no_main]

mod support;

use support::acpi::Acpi;
use support::ecam::{Function, NOTHING};
use support::exerciser::MAGIC;
use support::memory::{FREE, read_u8, read_u16, read_u32, read_whole_u64, write_u8, write_u32};
use support::pci::{BAR0, MEMORY, MEMORY_WINDOW, Register};
use support::report::Report;
use support::tree::{LINK, Leaf, Tree};

payload!(checks);

const MIB: u64 = 1 << 20;
/// What BARs 1 and 2, which are memory, are marked with.
const ONE: u32 = 0x1111_aaaa;
const TWO: u32 = 0x2222_bbbb;

fn checks(acpi: &Acpi, report: &mut Report) {
    let Some(ecam) = acpi.ecam() else { return report.check("there is ECAM", false) };
    let tree = Tree::walk(ecam);
    let (Some(leaf), Some(other)) = (tree.leaf(0), tree.leaf(1)) else {
        return report.check("there are two endpoints", false);
    };
    size_and_place(leaf, report);
    move_while_in_use(leaf, report);
    hidden_by_others(leaf, ecam, report);
    overlap(leaf, report);
    windows(leaf, other, report);
}

fn size_and_place(leaf: Leaf, report: &mut Report) {
    let Leaf { function, base, .. } = leaf;
    let bars = [0, 1, 2, 3, 4, 5].map(|number| function.bar(number));
    let sizes = [0x4000, 0x1000, 0x1000, 0x1000, 0x1000, 0x1000];
    report.equal("sizes by the probe", bars.map(Register::size), sizes);
    report.equal("addresses after the probe", bars.map(Register::address), [0; 6]);
    let places = [0, 1, 2, 3, 4, 5].map(|number| base + number * MIB);
    bars.into_iter().zip(places).for_each(|(bar, place)| bar.place(place));
    report.equal("addresses as written", bars.map(Register::address), places);
    report.equal("nothing decodes yet", read_u32(base + MAGIC), NOTHING);
    function.command(MEMORY);
    report.equal("now it does", read_u32(base + MAGIC), 0);
    write_u32(base + MIB, ONE);
    write_u32(base + 2 * MIB, TWO);
    report.equal("a dword", read_u32(base + MIB), ONE);
    report.equal("a word of it", read_u16(base + MIB + 2), 0x1111);
    write_u8(base + MIB + 4, 0xcc);
    report.equal("a byte", read_u8(base + MIB + 4), 0xcc);
    report.equal("8 bytes", read_whole_u64(base + MIB), 0xcc << 32 | u64::from(ONE));
    report.equal("behind the end", read_u32(base + MIB + 0x1000), NOTHING);
    function.command(0);
    report.equal("decoding off", read_u32(base + MIB), NOTHING);
    write_u32(base + MIB, 0);
    function.command(MEMORY);
    report.equal("and on again", read_u32(base + MIB), ONE);
}

/// With decoding on, byte by byte as well.
fn move_while_in_use(leaf: Leaf, report: &mut Report) {
    let (function, bar) = (leaf.function, leaf.function.bar(1));
    let (old, new) = (leaf.base + MIB, leaf.base + 8 * MIB);
    bar.place(new);
    report.equal("at the new place", read_u32(new), ONE);
    report.equal("at the old place", read_u32(old), NOTHING);
    write_u32(old, 0);
    report.equal("a write to the old place is lost", read_u32(new), ONE);
    function.write_byte(BAR0 + 4 + 2, (old >> 16) as u8);
    report.equal("moved by one byte", read_u32(old), ONE);
    function.write(BAR0 + 4, u32::MAX);
    report.equal("during a probe", read_u32(old), NOTHING);
    bar.place(old);
    report.equal("after the probe", read_u32(old), ONE);
}

fn hidden_by_others(leaf: Leaf, ecam: u64, report: &mut Report) {
    let (bar, home) = (leaf.function.bar(1), leaf.base + MIB);
    write_u32(FREE, 0x5555_5555);
    // Even windows that cover it all do not bring the BAR before RAM.
    let path = [Function::at(ecam, 0, 1, 0), Function::at(ecam, 1, 0, 0), leaf.port];
    let windows = path.map(|port| port.read(MEMORY_WINDOW));
    path.into_iter().for_each(|port| port.set_window(0, 1 << 32));
    bar.place(FREE);
    report.equal("RAM below a BAR", read_u32(FREE), 0x5555_5555);
    write_u32(FREE, 0x6666_6666);
    report.equal("takes writes", read_u32(FREE), 0x6666_6666);
    let identity = read_u32(ecam);
    bar.place(ecam);
    report.equal("ECAM below a BAR", read_u32(ecam), identity);
    bar.place(home);
    path.into_iter().zip(windows).for_each(|(port, window)| port.write(MEMORY_WINDOW, window));
    report.equal("the BAR back at its place", read_u32(home), ONE);
}

/// Of two BARs at one address one answers, whole, and the other comes out when it leaves.
fn overlap(leaf: Leaf, report: &mut Report) {
    let [one, two] = [1, 2].map(|number| leaf.function.bar(number));
    let (home, away) = (leaf.base + MIB, leaf.base + 2 * MIB);
    two.place(home);
    report.equal("of two BARs the first answers", read_u32(home), ONE);
    write_u32(home + 8, 0x77);
    one.place(away);
    report.equal("the second when it has left", read_u32(home), TWO);
    report.equal("it got no write of the first", read_u32(home + 8), 0);
    report.equal("which the first did", read_u32(away + 8), 0x77);
    one.place(home);
    two.place(away);
}

fn windows(leaf: Leaf, other: Leaf, report: &mut Report) {
    let (port, function, base) = (leaf.port, leaf.function, leaf.base);
    let outside = base + LINK - MIB;
    function.bar(1).place(outside);
    report.equal("inside the window", read_u32(outside), ONE);
    port.set_window(base, LINK - MIB);
    report.equal("outside", read_u32(outside), NOTHING);
    write_u32(outside, 0);
    report.equal("what is still inside", read_u32(base + 2 * MIB), TWO);
    port.command(0);
    report.equal("a port without memory space", read_u32(base + 2 * MIB), NOTHING);
    port.command(MEMORY);
    port.set_window(base, LINK);
    report.equal("inside again, no write arrived", read_u32(outside), ONE);
    two_ports(leaf, other, report);
}

/// The addresses of the second port's endpoint inside the first port's window too: the first has them, used or not.
fn two_ports(leaf: Leaf, other: Leaf, report: &mut Report) {
    let there = other.base + MIB;
    other.function.bar(1).place(there);
    other.function.command(MEMORY);
    write_u32(there, 0x3333);
    report.equal("the other endpoint", read_u32(there), 0x3333);
    leaf.port.set_window(leaf.base, other.base - leaf.base + LINK);
    report.equal("behind the first port's window", read_u32(there), NOTHING);
    leaf.function.bar(1).place(there);
    report.equal("which leads to the first endpoint", read_u32(there), ONE);
    leaf.port.set_window(leaf.base, 0);
    report.equal("the first window closed", read_u32(there), 0x3333);
}
