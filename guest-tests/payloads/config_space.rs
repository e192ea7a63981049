//! Configuration space through ECAM (PCIe 6.0, 7.2.2, 7.3.3): from unnumbered buses down to an endpoint, in accesses of every
//! size; what is not there; and numbers that change while the tree is in use.

#![no_std]
#![no_main]

mod support;

use support::acpi::Acpi;
use support::ecam::{BUS_NUMBERS, CLASS, Function, HEADER_TYPE, IDENTITY, NOTHING};
use support::memory::{read_u8, read_u16, read_u32, read_whole_u64};
use support::pci::{BAR0, COMMAND, EXTENDED, MEMORY_WINDOW};
use support::report::Report;

payload!(checks);

/// Secondary and Subordinate Bus Number.
const SECONDARY: u64 = BUS_NUMBERS + 1;
const SUBORDINATE: u64 = BUS_NUMBERS + 2;
/// Cache Line Size, a byte that software may use as it likes.
const CACHE_LINE: u64 = 0x0c;

fn checks(acpi: &Acpi, report: &mut Report) {
    let Some(ecam) = acpi.ecam() else { return report.check("there is ECAM", false) };
    let at = |bus, device, function| Function::at(ecam, bus, device, function);
    number_from_the_root(&at, report);
    sizes(at(3, 0, 0), report);
    holes(&at, report);
    renumber(&at, report);
}

/// The root port, the switch and the endpoint get the buses 1, 2 and 3.
fn number_from_the_root(at: &impl Fn(u8, u8, u8) -> Function, report: &mut Report) {
    let ports = [("a root port", 0, 1), ("an upstream port", 1, 0), ("a downstream port", 2, 0)];
    for (name, bus, device) in ports {
        let port = at(bus, device, 0);
        let begin = [port.read(BUS_NUMBERS), port.read(MEMORY_WINDOW), port.read(COMMAND) & 0xffff];
        let kind = port.read_byte(HEADER_TYPE) & 0x7f;
        let below = at(bus + 1, 0, 0).is_there();
        let power_on = port.is_port() && kind == 1 && begin == [0; 3] && !below;
        report.check(name, power_on);
        port.write(BUS_NUMBERS, u32::from_le_bytes([bus, bus + 1, 0xff, 0]));
    }
    let endpoint = at(3, 0, 0);
    report.check("an endpoint", endpoint.is_there() && !endpoint.is_port());
    report.equal("its header has type 0", endpoint.read_byte(HEADER_TYPE) & 0x7f, 0);
    let other = at(2, 1, 0);
    report.check("the other port leads nowhere", other.is_port() && !at(4, 0, 0).is_there());
}

/// Accesses of every size see and change the same registers.
fn sizes(endpoint: Function, report: &mut Report) {
    let registers =
        [("the identity", IDENTITY), ("the class", CLASS), ("what is extended", EXTENDED)];
    for (name, register) in registers {
        let at = endpoint.address(register);
        let bytes = [0, 1, 2, 3, 4, 5, 6, 7].map(|byte| read_u8(at + byte));
        let words = [0, 2, 4, 6].map(|word| u64::from(read_u16(at + word)));
        let words = words.into_iter().rev().fold(0, |value, word| value << 16 | word);
        let dwords = u64::from(read_u32(at + 4)) << 32 | u64::from(read_u32(at));
        let all = [u64::from_le_bytes(bytes), words, dwords];
        report.equal(name, all, [read_whole_u64(at); 3]);
    }
    endpoint.write(BAR0, 0x1234_5678);
    let kept = endpoint.read(BAR0);
    endpoint.write_byte(BAR0 + 3, 0xab);
    report.equal("a byte changes alone", endpoint.read(BAR0), kept & 0xff_ffff | 0xab00_0000);
    endpoint.write_word(BAR0 + 2, 0xcdef);
    report.equal("a word changes alone", endpoint.read(BAR0), kept & 0xffff | 0xcdef_0000);
    endpoint.write(BAR0, 0);
    let identity = endpoint.read(IDENTITY);
    endpoint.write(IDENTITY, !identity);
    report.equal("identity is read-only", endpoint.read(IDENTITY), identity);
}

/// Who is not there reads all ones and takes no write, without harm to others.
fn holes(at: &impl Fn(u8, u8, u8) -> Function, report: &mut Report) {
    let absent = [
        ("another device of a link", at(3, 1, 0)),
        ("another function", at(3, 0, 1)),
        ("a device beside the root port", at(0, 31, 0)),
        ("a device beside the downstream ports", at(2, 2, 0)),
        ("a bus that no port carries on", at(200, 0, 0)),
    ];
    let before = at(3, 0, 0).read(CACHE_LINE);
    for (name, function) in absent {
        let is_hole = [IDENTITY, EXTENDED, 0xffc].into_iter().all(|register| {
            function.write(register, 0);
            function.write_byte(register, 0);
            function.read(register) == NOTHING
                && function.read_word(register + 2) == 0xffff
                && function.read_byte(register + 3) == 0xff
        });
        report.check(name, is_hole);
        function.write(CACHE_LINE, !before);
    }
    report.equal("writes there reach nobody", at(3, 0, 0).read(CACHE_LINE), before);
}

/// After each byte that changes, requests take the way that the numbers then say.
fn renumber(at: &impl Fn(u8, u8, u8) -> Function, report: &mut Report) {
    let (upstream, port, other) = (at(1, 0, 0), at(2, 0, 0), at(2, 1, 0));
    at(3, 0, 0).write_byte(CACHE_LINE, 0x77);
    let is_at = |bus| at(bus, 0, 0).is_there() && at(bus, 0, 0).read_byte(CACHE_LINE) == 0x77;
    port.write_byte(SECONDARY, 7);
    report.check("the new number leads there", is_at(7));
    report.check("the old one does not", !at(3, 0, 0).is_there());
    port.write_byte(SUBORDINATE, 7);
    report.check("a bus alone", is_at(7) && !at(8, 0, 0).is_there());
    upstream.write_byte(SUBORDINATE, 6);
    report.check("the port above passes it no more", !at(7, 0, 0).is_there());
    report.check("but the port itself answers", port.is_there());
    upstream.write_byte(SUBORDINATE, 7);
    report.check("and again", is_at(7));
    // The lower device number takes what both claim.
    other.write(BUS_NUMBERS, 0x00_07_07_02);
    report.check("two ports with one number", is_at(7));
    port.write(BUS_NUMBERS, 0x00_03_03_02);
    report.check("the other port has its own below", at(7, 0, 0).is_there() && !is_at(7));
    report.check("back at its old number", is_at(3));
    upstream.write_byte(SECONDARY, 5);
    let moved = at(5, 0, 0);
    report.check("a switch moves with all its ports", moved.is_port() && at(5, 1, 0).is_port());
    report.check("its old number is free", !at(2, 0, 0).is_there());
    report.check("numbers below its own it does not pass", !is_at(3));
    moved.write(BUS_NUMBERS, 0x00_06_06_05);
    report.check("one above it does", is_at(6));
}
