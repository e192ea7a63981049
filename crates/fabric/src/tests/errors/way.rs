//! What is logged byte for byte, what the root port collects, and what stays silent.

use pando_tlp::{Fault, Iova, Marks};

use super::*;

const UR: u32 = 1 << 20;
const POISON: u32 = 1 << 12;

/// Clears the root port as `aer_irq` does, and the log of `name` as its driver does; returns what the root port had.
fn serve(tree: &Tree, name: &str) -> (u32, u32) {
    let (guest, port) = (tree.guest(), tree.guest().find_port("rp"));
    let (status, source) = tree.root();
    guest.write(port, AER + 0x30, status);
    let id = tree.id(name);
    guest.write(id, AER + 4, guest.read(id, AER + 4));
    guest.write(id, AER + 0x10, guest.read(id, AER + 0x10));
    (status, source)
}

#[test]
fn a_lost_write_is_reported_by_the_root_port_with_its_header() {
    let tree = Tree::new(false);
    assert_eq!(tree.sender.write(Iova(0x12_3456_7ffe), &[0; 16]), Err(Fault::UnsupportedRequest));
    let header = [0x6000_0001, 0x0300_000c, 0x12, 0x3456_7ffc];
    let expected = Log { uncorrectable: UR, correctable: 0, first: 20, header };
    assert_eq!(tree.log("rp"), expected);
    assert_eq!((tree.loggers(), tree.interrupts()), (vec!["rp"], 1));
    let source = u32::from(tree.id("rp").0) << 16;
    assert_eq!(serve(&tree, "rp"), (0x24, source));
    // Served, the next one interrupts anew; unserved, it doesn't.
    for expected in [1, 0] {
        assert!(tree.sender.write(Iova(0x200_0000), &[0; 4]).is_err());
        assert_eq!(tree.interrupts(), expected);
    }
    assert_eq!(tree.root().0, 0x2c, "more than one");
}

#[test]
fn a_lost_read_is_told_to_its_requester_and_only_counted_elsewhere() {
    let tree = Tree::new(false);
    assert!(tree.sender.read(Iova(0x12_0000_0000), &mut [0; 4]).is_err());
    assert_eq!(tree.log("rp"), Log { correctable: 0x2000, ..Log::default() });
    assert_eq!((tree.interrupts(), tree.root().0), (0, 0));
    assert_eq!(tree.guest().read(SENDER, 4) >> 16 & 0xf900, 0x2000, "Received Master Abort");
    tree.unmask_advisory();
    assert!(tree.sender.read(Iova(0x12_0000_0000), &mut [0; 4]).is_err());
    let header = [0x2000_0001, 0x0300_000f, 0x12, 0];
    let expected = Log { uncorrectable: UR, correctable: 0x2000, first: 20, header };
    assert_eq!((tree.log("rp"), tree.interrupts(), tree.root().0), (expected, 1, 1));
}

/// A peer that has nothing at the address: the message of a device passes every port above it.
#[test]
fn what_a_device_detects_travels_up_with_its_own_id() {
    type Writes = &'static [(&'static str, u16, u16)];
    let table: [(Writes, _, _); 5] = [
        (&[], 1, (0x24, 0x0400_0000)),
        (&[("b", 0x3e, 0)], 0, (0, 0)),
        (&[("sw", 0x3e, 0)], 0, (0, 0)),
        (&[("rp", 0x3e, 0)], 0, (0, 0)),
        (&[("b", 0x3e, 0), ("b", 0x3e, 2)], 1, (0x24, 0x0400_0000)),
    ];
    for (writes, interrupts, root) in table {
        let tree = Tree::new(false);
        for (port, register, value) in writes {
            tree.guest().write16(tree.id(port), *register, *value);
        }
        let nowhere = Iova(TARGET_BAR + 0x8_0000);
        assert_eq!(tree.sender.write(nowhere, &[0; 4]), Err(Fault::UnsupportedRequest));
        assert_eq!(tree.loggers(), ["target"]);
        let low = (TARGET_BAR + 0x8_0000) as u32;
        assert_eq!(tree.log("target").header, [0x6000_0001, 0x0300_000f, 0x80, low]);
        assert_eq!((tree.interrupts(), tree.root()), (interrupts, root), "{writes:?}");
        let received = tree.guest().read(tree.id("b"), 0x1c) >> 30 & 1;
        assert_eq!(received, 1, "Received System Error");
    }
}

#[test]
fn a_switch_port_reports_only_if_its_device_control_says_so() {
    let tree = Tree::new(false);
    let guest = tree.guest();
    let own = Iova(SENDER_BAR);
    tree.report(tree.id("a"), 0);
    assert!(tree.sender.write(own, &[0; 4]).is_err());
    assert_eq!((tree.log("a").uncorrectable, tree.interrupts()), (UR, 0));
    tree.report(tree.id("a"), 0xf);
    tree.report(tree.id("sw"), 0);
    assert!(tree.sender.write(own, &[0; 4]).is_err());
    assert_eq!(tree.interrupts(), 0, "the port above neither sends nor passes such messages");
    guest.write16(tree.id("sw"), 0x04, 0x0506);
    assert!(tree.sender.write(own, &[0; 4]).is_err());
    assert_eq!((tree.interrupts(), tree.root()), (1, (0x24, u32::from(tree.id("a").0) << 16)));
    assert_eq!(guest.read(tree.id("sw"), 4) >> 30 & 1, 1, "Signaled System Error");
}

#[test]
fn poison_is_seen_on_the_way_and_thrown_away_at_the_end() {
    let poison = Marks { poisoned: true, ..Marks::default() };
    let tree = Tree::new(false);
    tree.sender.write_marked(Iova(0x1000), &[0xff; 4], poison).unwrap();
    let mut ram = [0xee_u8; 4];
    tree.machine_ram.run(pando_tlp::Gpa(0x1000), 4).unwrap().slice().copy_to(&mut ram[..]);
    assert_eq!(ram, [0; 4]);
    assert_eq!(tree.log("a"), Log { correctable: 0x2000, ..Log::default() });
    let header = [0x4000_4001, 0x0300_000f, 0x1000, 0];
    let expected = Log { uncorrectable: POISON, correctable: 0, first: 12, header };
    assert_eq!((tree.log("rp"), tree.interrupts()), (expected, 1));
    assert_eq!(tree.guest().read(SENDER, 4) >> 24 & 1, 1, "Master Data Parity Error");
    assert_eq!(tree.guest().read(tree.id("a"), 0x1c) >> 31, 1, "Detected Parity Error");
    serve(&tree, "rp");

    tree.sender.write_marked(Iova(TARGET_BAR), &[0xff; 4], poison).unwrap();
    assert_eq!(tree.log("target").uncorrectable, POISON);
    assert!(tree.target.0.lock().unwrap().is_empty());
    assert_eq!(tree.root(), (0x24, 0x0400_0000));
    let counts = tree.fabric.report().counts;
    assert_eq!(counts.poisoned_writes, 2);
}

#[test]
fn a_device_may_refuse() {
    let tree = Tree::new(false);
    tree.unmask_advisory();
    let refused = Iova(TARGET_BAR + REFUSED);
    assert_eq!(tree.sender.read(refused, &mut [0; 4]), Err(Fault::CompleterAbort));
    let header = [0x2000_0001, 0x0300_000f, 0x80, (TARGET_BAR + REFUSED) as u32];
    let log = Log { uncorrectable: 1 << 15, correctable: 0x2000, first: 15, header };
    assert_eq!(tree.log("target"), log);
    assert_eq!(tree.guest().read(SENDER, 4) >> 16 & 0xf900, 0x1000, "Received Target Abort");
    assert_eq!(tree.guest().read(TARGET, 4) >> 16 & 0xf900, 0x0800, "Signaled Target Abort");
    serve(&tree, "target");
    // A CPU's access: all ones, and the log shows the root complex.
    assert_eq!(tree.guest().read_memory(TARGET_BAR + REFUSED), u64::MAX);
    assert_eq!(tree.log("target").header[1], 0x0000_00ff);
    serve(&tree, "target");
    assert_eq!(tree.interrupts(), 2);
    tree.sender.write(refused, &[0; 4]).unwrap();
    eventually(|| tree.interrupts() == 1);
    assert_eq!(tree.root(), (0x24, 0x0400_0400));
}

#[test]
fn a_cpu_that_looks_around_and_a_closed_gate_are_no_errors() {
    let tree = Tree::new(false);
    let guest = tree.guest();
    for target in [0x0310, 0x0501, 0x2000, 0xffff] {
        assert!(!guest.is_there(RequesterId(target)));
        guest.write(RequesterId(target), 0x04, 6);
    }
    assert_eq!(guest.read_memory(TARGET_BAR + 0x8_0000), u64::MAX);
    guest.write16(SENDER, 0x04, 0x0402);
    assert_eq!(tree.sender.write(Iova(0x12_0000_0000), &[0; 4]), Err(Fault::Gated));
    assert_eq!((tree.loggers(), tree.interrupts()), (vec![], 0));
}

#[test]
fn a_port_without_bus_master_enable_says_so() {
    let tree = Tree::new(false);
    tree.guest().write16(tree.id("a"), 0x04, 0x0402);
    assert!(tree.sender.write(Iova(0x1000), &[0; 4]).is_err());
    assert_eq!((tree.loggers(), tree.log("a").uncorrectable), (vec!["a"], UR));
    // What is behind a port in reset can't be reached: the port says so.
    tree.guest().write16(tree.id("a"), 0x04, 0x0406);
    tree.guest().write16(tree.id("b"), 0x3e, 0x42);
    assert_eq!(tree.sender.write(Iova(TARGET_BAR), &[0; 4]), Err(Fault::UnsupportedRequest));
    assert_eq!(tree.log("b").uncorrectable, UR);
}

#[test]
fn a_hot_reset_keeps_the_log_and_the_report_shows_it() {
    let tree = Tree::new(false);
    let nowhere = Iova(TARGET_BAR + 0x8_0000);
    assert!(tree.sender.write(nowhere, &[0; 4]).is_err());
    assert!(tree.sender.write(Iova(SENDER_BAR), &[0; 4]).is_err());
    let guest = tree.guest();
    guest.write16(tree.id("rp"), 0x3e, 0x42);
    guest.write16(tree.id("rp"), 0x3e, 0x02);
    tree.enumerate();
    assert_eq!(tree.log("target").uncorrectable, UR);
    assert_eq!(tree.log("a").uncorrectable, UR);
    let report = serde_json::to_value(tree.fabric.report()).unwrap();
    let root = &report["root"]["ports"][0];
    assert_eq!(root["errors"]["root"], 0x2c);
    let port = &root["below"]["ports"][0]["below"]["ports"][0];
    assert_eq!((&port["id"], &port["refused"]["unsupported_requests"]), (&"a".into(), &1.into()));
    assert_eq!(port["errors"]["uncorrectable"], UR);
    assert!(port["errors"].get("root").is_none());
}
