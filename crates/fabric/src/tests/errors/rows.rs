//! Every case of access control, end to end: controls of the sender's port, what becomes of a write and of a read, who logs it.

use pando_tlp::{Fault, Gpa, Iova, Marks};

use super::*;

const SV: u16 = 1 << 0;
const TB: u16 = 1 << 1;
const RR: u16 = 1 << 2;
const CR: u16 = 1 << 3;
const UF: u16 = 1 << 4;
const EC: u16 = 1 << 5;
const DT: u16 = 1 << 6;

const PLAIN: Marks = Marks { poisoned: false, translated: false };
const TRANSLATED: Marks = Marks { translated: true, ..PLAIN };

/// Where a request ended up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// At the target's BAR, and the IOMMU never saw it.
    Peer,
    /// In RAM, where the IOMMU said.
    Ram,
    /// Unsupported Request, logged by this port.
    Unsupported(&'static str),
    /// ACS violation, logged by this port.
    Violation(&'static str),
    /// It arrived, and its completion got lost at this port.
    Lost(&'static str),
}

/// Where the IOMMU sends the page of the target's BAR.
const PAGE: u64 = 0x5000;
/// What is written there by a write, and what a read finds.
const WRITTEN: [u8; 4] = [0xa5; 4];

struct Row {
    /// ACS Control of a, b and rp, and a's Egress Control Vector: b is port 2.
    controls: [u16; 3],
    vector: u32,
    marks: Marks,
    to: u64,
    write: End,
    read: End,
}

fn run(row: &Row, write: bool) -> End {
    let tree = Tree::new(true);
    tree.unmask_advisory();
    let guest = tree.guest();
    for (port, bits) in ["a", "b", "rp"].into_iter().zip(row.controls) {
        guest.set_acs(guest.find_port(port), bits);
    }
    guest.set_egress(guest.find_port("a"), row.vector);
    for page in [row.to & !0xfff, 0x9000] {
        tree.outside.pages.lock().unwrap().push((page, PAGE));
    }
    let mut data = [0xee; 4];
    let result = if write {
        tree.sender.write_marked(Iova(row.to), &WRITTEN, row.marks)
    } else {
        tree.sender.read_marked(Iova(row.to), &mut data, row.marks)
    };
    let counts = tree.fabric.report().counts;
    let at = |tree: &Tree| {
        let loggers = tree.loggers();
        loggers.iter().copied().find(|name| tree.log(name).correctable != 0 || write).unwrap()
    };
    match result {
        Ok(()) if !tree.outside.asked.lock().unwrap().is_empty() => {
            let mut ram = [0; 4];
            tree.machine_ram
                .run(Gpa(PAGE + row.to % 0x1000), 4)
                .unwrap()
                .slice()
                .copy_to(&mut ram[..]);
            assert_eq!(if write { ram } else { data }, if write { WRITTEN } else { [0; 4] });
            End::Ram
        }
        Ok(()) => {
            eventually(|| !write || tree.target.0.lock().unwrap().len() == 1);
            assert!(write || data == [0x11; 4]);
            End::Peer
        }
        Err(Fault::CompleterAbort) => {
            assert_eq!((counts.violations, tree.log(at(&tree)).uncorrectable), (1, 1 << 21));
            End::Violation(at(&tree))
        }
        Err(_) if counts.lost_completions > 0 => {
            assert_eq!(tree.log("sender").uncorrectable, 1 << 14, "Completion Timeout");
            assert_eq!(tree.log(at(&tree)).uncorrectable, 1 << 16, "Unexpected Completion");
            End::Lost(at(&tree))
        }
        Err(fault) => {
            assert_eq!((fault, counts.unsupported_requests), (Fault::UnsupportedRequest, 1));
            assert_eq!(tree.log(at(&tree)).uncorrectable, 1 << 20);
            End::Unsupported(at(&tree))
        }
    }
}

#[test]
fn each_case_of_access_control_ends_where_the_table_says() {
    use End::{Lost, Peer, Ram, Unsupported, Violation};
    let peer = TARGET_BAR + 0x10;
    let row =
        |controls, vector, marks, to, write, read| Row { controls, vector, marks, to, write, read };
    #[rustfmt::skip]
    let table = [
        // No control: across the switch.
        row([0, 0, 0], 0, PLAIN, peer, Peer, Peer),
        row([SV, SV, SV], 0, PLAIN, peer, Peer, Peer),
        // Redirect climbs through the root port's own window: Upstream Forwarding there, or nowhere.
        row([RR, 0, 0], 0, PLAIN, peer, Unsupported("rp"), Unsupported("rp")),
        row([RR, 0, UF], 0, PLAIN, peer, Ram, Ram),
        row([RR | UF | SV, RR | UF | SV, RR | UF | SV], 0, PLAIN, peer, Ram, Ram),
        // The sender's own range.
        row([0, 0, 0], 0, PLAIN, SENDER_BAR, Unsupported("a"), Unsupported("a")),
        row([UF, 0, 0], 0, PLAIN, SENDER_BAR, Unsupported("rp"), Unsupported("rp")),
        row([UF, 0, UF], 0, PLAIN, SENDER_BAR, Ram, Ram),
        // Egress Control.
        row([EC, 0, 0], 0, PLAIN, peer, Peer, Peer),
        row([EC | RR, 0, UF], 0, PLAIN, peer, Peer, Peer),
        row([EC, 0, 0], 1 << 2, PLAIN, peer, Violation("a"), Violation("a")),
        row([EC | RR, 0, UF], 1 << 2, PLAIN, peer, Ram, Ram),
        row([0, EC, 0], 1 << 2, PLAIN, peer, Peer, Peer),
        // Translation Blocking; the root complex takes no translated requests.
        row([TB, 0, 0], 0, PLAIN, 0x9000, Ram, Ram),
        row([TB, 0, 0], 0, TRANSLATED, 0x9000, Violation("a"), Violation("a")),
        row([0, 0, TB], 0, TRANSLATED, 0x9000, Violation("rp"), Violation("rp")),
        row([0, 0, 0], 0, TRANSLATED, 0x9000, Unsupported("rp"), Unsupported("rp")),
        row([TB | DT, 0, 0], 0, TRANSLATED, peer, Violation("a"), Violation("a")),
        // Direct Translated.
        row([0, 0, 0], 0, TRANSLATED, peer, Peer, Peer),
        row([RR | DT, 0, UF], 0, TRANSLATED, peer, Peer, Peer),
        row([RR | DT, 0, UF], 0, PLAIN, peer, Ram, Ram),
        row([EC | DT, 0, 0], 1 << 2, TRANSLATED, peer, Peer, Peer),
        row([RR, 0, UF], 0, TRANSLATED, peer, Unsupported("rp"), Unsupported("rp")),
        // Completion Redirect: the target's port sends the completion up, where it needs Upstream Forwarding too.
        row([CR, 0, 0], 0, PLAIN, peer, Peer, Peer),
        row([0, CR, 0], 0, PLAIN, peer, Peer, Lost("rp")),
        row([0, CR, UF], 0, PLAIN, peer, Peer, Peer),
    ];
    for (number, row) in table.iter().enumerate() {
        assert_eq!(run(row, true), row.write, "row {number}, a write");
        assert_eq!(run(row, false), row.read, "row {number}, a read");
    }
}

#[test]
fn a_forged_bus_number_is_logged_where_it_is_checked() {
    for validating in ["a", "rp"] {
        let tree = Tree::new(false);
        let guest = tree.guest();
        guest.set_acs(guest.find_port(validating), SV);
        // The port renumbers its bus after the function has captured the old number.
        guest.write(guest.find_port("a"), 0x18, u32::from_le_bytes([2, 0x40, 0x40, 0]));
        let ranges = if validating == "a" { 0xff } else { 2 };
        guest.write(guest.find_port("rp"), 0x18, u32::from_le_bytes([0, 1, ranges, 0]));
        assert_eq!(tree.sender.write(Iova(0x1000), &[0; 4]), Err(Fault::CompleterAbort));
        let port = tree.fabric.tree.topology.ports.iter().position(|port| port.id == validating);
        let bridge = &tree.fabric.tree.bridges[port.unwrap()];
        assert_eq!(bridge.error_status().uncorrectable, 1 << 21, "{validating}");
        assert_eq!(bridge.read(AER + 0x20), 0x0300_000f, "the id that was sent");
    }
}
