use std::sync::Arc;

use pando_tlp::{Access, Marks, RequesterId};

use super::*;
use crate::capability::pcie::PortKind;
use crate::testing::{Wire, WireLink};
use crate::{Acs, Bridge, BridgeConfig, ByteEnables, Identity};

/// Offsets of a port's capabilities.
const PCIE: u16 = 0x60;
const AER: u16 = 0x100;
const UR: u32 = 1 << 20;
const ACS: u32 = 1 << 21;
const POISON: u32 = 1 << 12;

fn port(kind: PortKind) -> (Bridge, Arc<Wire>) {
    let wire = Wire::new();
    let config = BridgeConfig {
        acs: Some(Acs::all_but_egress_control()),
        upper: Some(Arc::new(WireLink(wire.clone()))),
        occupied: true,
        ..BridgeConfig::new(kind, Identity::default(), RequesterId(0x10))
    };
    let bridge = Bridge::new(config).unwrap();
    assert_eq!((bridge.read(PCIE) as u8, bridge.read(AER) as u16), (0x10, 1));
    (bridge, wire)
}

fn write(bridge: &Bridge, register: u16, value: u32) {
    bridge.write(register, value, ByteEnables::ALL);
}

fn error(kind: ErrorKind, access: Access) -> DetectedError {
    let header = TlpHeader::memory(RequesterId(0x300), access, 0x8_1234_5678, 8, Marks::default());
    DetectedError::at_completer(kind, header)
}

/// What a port's registers hold: Device Status, uncorrectable and correctable status, First Error Pointer, Secondary Status.
fn registers(bridge: &Bridge) -> (u32, u32, u32, u32, u32) {
    (
        bridge.read(PCIE + 8) >> 16,
        bridge.read(AER + 4),
        bridge.read(AER + 0x10),
        bridge.read(AER + 0x18),
        bridge.read(0x1c) >> 16,
    )
}

/// Masks, severities and enables in the order of the figure of 6.2.5.
#[test]
fn each_error_leaves_what_the_figure_says() {
    use Access::{Read, Write};
    use ErrorKind::{AcsViolation, CompleterAbort, Poisoned, UnsupportedRequest};
    use ErrorMessage::{Correctable, Fatal, NonFatal};
    struct Row {
        kind: ErrorKind,
        access: Access,
        /// Device Control, Command, uncorrectable mask, severity, correctable mask.
        set: (u32, u32, u32, u32, u32),
        registers: (u32, u32, u32, u32, u32),
        message: Option<ErrorMessage>,
    }
    let row = |kind, access, set, registers, message| Row { kind, access, set, registers, message };
    let (all, usual, masked) = (0xf, 0x0046_2030, 0xe000);
    let table = [
        // Posted: non-fatal.
        row(
            UnsupportedRequest,
            Write,
            (all, 0, 0, usual, masked),
            (0xa, UR, 0, 20, 0),
            Some(NonFatal),
        ),
        row(UnsupportedRequest, Write, (0x2, 0, 0, usual, masked), (0xa, UR, 0, 20, 0), None),
        row(UnsupportedRequest, Write, (0x8, 0, 0, usual, masked), (0xa, UR, 0, 20, 0), None),
        row(
            UnsupportedRequest,
            Write,
            (0, 0x100, 0, usual, masked),
            (0xa, UR, 0, 20, 0),
            Some(NonFatal),
        ),
        row(UnsupportedRequest, Write, (all, 0, UR, usual, masked), (0xa, UR, 0, 0, 0), None),
        row(UnsupportedRequest, Write, (all, 0, 0, UR, masked), (0xc, UR, 0, 20, 0), Some(Fatal)),
        row(
            AcsViolation,
            Write,
            (all, 0, 0, usual, masked),
            (0x2, ACS, 0, 21, 0x800),
            Some(NonFatal),
        ),
        row(AcsViolation, Write, (0x4, 0, 0, ACS, masked), (0x4, ACS, 0, 21, 0x800), Some(Fatal)),
        row(AcsViolation, Write, (0x2, 0, 0, ACS, masked), (0x4, ACS, 0, 21, 0x800), None),
        row(
            Poisoned,
            Write,
            (all, 0, 0, usual, masked),
            (0x2, POISON, 0, 12, 0x8000),
            Some(NonFatal),
        ),
        // Not posted: advisory, and silent unless software asks for it.
        row(UnsupportedRequest, Read, (all, 0, 0, usual, masked), (0x9, 0, 0x2000, 0, 0), None),
        row(
            UnsupportedRequest,
            Read,
            (all, 0, 0, usual, 0),
            (0x9, UR, 0x2000, 20, 0),
            Some(Correctable),
        ),
        row(UnsupportedRequest, Read, (0xe, 0x100, 0, usual, 0), (0x9, UR, 0x2000, 20, 0), None),
        row(
            AcsViolation,
            Read,
            (all, 0, 0, usual, 0),
            (0x1, ACS, 0x2000, 21, 0x800),
            Some(Correctable),
        ),
        row(
            AcsViolation,
            Read,
            (all, 0, ACS, usual, 0),
            (0x1, ACS, 0x2000, 0, 0x800),
            Some(Correctable),
        ),
        row(AcsViolation, Read, (all, 0, 0, ACS, masked), (0x4, ACS, 0, 21, 0x800), Some(Fatal)),
        row(CompleterAbort, Read, (all, 0, 0, usual, masked), (0x1, 0, 0x2000, 0, 0x800), None),
    ];
    for Row { kind, access, set, registers: expected, message } in table {
        let (bridge, _) = port(PortKind::Downstream);
        let (control, command, mask, severity, correctable_mask) = set;
        write(&bridge, PCIE + 8, control);
        write(&bridge, 0x04, command);
        write(&bridge, AER + 8, mask);
        write(&bridge, AER + 0xc, severity);
        write(&bridge, AER + 0x14, correctable_mask);
        let sent = bridge.detect(&error(kind, access));
        assert_eq!((registers(&bridge), sent), (expected, message), "{kind:?} {access:?} {set:x?}");
        let signaled = bridge.read(0x04) >> 30 & 1 != 0;
        assert_eq!(signaled, command != 0 && sent.is_some_and(|sent| sent != Correctable));
    }
}

#[test]
fn the_first_error_keeps_its_log_until_it_is_cleared() {
    let (bridge, _) = port(PortKind::RootPort);
    let log = || [0x1c, 0x20, 0x24, 0x28].map(|register| bridge.read(AER + register));
    bridge.detect(&error(ErrorKind::AcsViolation, Access::Write));
    let first = [0x6000_0002, 0x0300_00ff, 8, 0x1234_5678];
    assert_eq!((bridge.read(AER + 0x18), log()), (21, first));
    let other = TlpHeader::memory(RequesterId(0x400), Access::Write, 0x1000, 4, Marks::default());
    bridge.detect(&DetectedError::at_completer(ErrorKind::UnsupportedRequest, other));
    assert_eq!((bridge.read(AER + 4), bridge.read(AER + 0x18), log()), (UR | ACS, 21, first));
    write(&bridge, AER + 4, ACS);
    bridge.detect(&DetectedError::at_completer(ErrorKind::UnsupportedRequest, other));
    assert_eq!((bridge.read(AER + 4), bridge.read(AER + 0x18)), (UR, 20));
    assert_eq!(log(), [0x4000_0001, 0x0400_000f, 0x1000, 0]);
    bridge.hot_reset();
    assert_eq!((bridge.read(AER + 4), log()[2]), (UR, 0x1000), "sticky");
    assert_eq!(bridge.read(PCIE + 8) >> 16, 0);
    bridge.reset();
    assert_eq!((bridge.read(AER + 4), log()), (0, [0; 4]));
}

#[test]
fn a_message_passes_a_port_that_is_told_to_pass_it() {
    use ErrorMessage::{Correctable, Fatal, NonFatal};
    // (port, Bridge Control, Device Control, Command) -> which of the three pass
    let table = [
        (PortKind::Upstream, 0, 0xf, 0x100, [false, false, false]),
        (PortKind::Upstream, 2, 0xf, 0, [true, true, true]),
        (PortKind::Downstream, 2, 0, 0, [true, false, false]),
        (PortKind::Downstream, 2, 0x2, 0, [true, true, false]),
        (PortKind::Downstream, 2, 0, 0x100, [true, true, true]),
        (PortKind::RootPort, 2, 0, 0, [true, true, true]),
        (PortKind::RootPort, 0, 0xf, 0x100, [false, false, false]),
    ];
    for (kind, bridge_control, control, command, expected) in table {
        let (bridge, _) = port(kind);
        write(&bridge, 0x3c, bridge_control << 16);
        write(&bridge, PCIE + 8, control);
        write(&bridge, 0x04, command);
        let passes = [Correctable, NonFatal, Fatal].map(|message| bridge.forward(message));
        assert_eq!(passes, expected, "{kind:?}");
        assert_eq!(bridge.read(0x1c) >> 30 & 1, 1, "Received System Error");
    }
    let (bridge, _) = port(PortKind::Downstream);
    write(&bridge, 0x3c, 2 << 16);
    assert!(bridge.forward(Correctable));
    assert_eq!(bridge.read(0x1c), 0, "not an error of the system");
    write(&bridge, 0x3c, 0x42 << 16);
    assert!(!bridge.forward(Correctable), "in reset");
}

/// A root port with its interrupt on, and what it does with messages.
struct Root {
    bridge: Bridge,
    wire: Arc<Wire>,
}

impl Root {
    fn new(command: u32) -> Self {
        let (bridge, wire) = port(PortKind::RootPort);
        write(&bridge, 0x04, 0x4);
        let msi = (bridge.read(0x34) as u16..).find(|at| bridge.read(*at & 0xfc) as u8 == 5);
        let msi = msi.unwrap() & 0xfc;
        write(&bridge, msi + 4, 0xfee0_1000);
        write(&bridge, msi + 0xc, 0x4123);
        write(&bridge, msi, 1 << 16);
        write(&bridge, AER + 0x2c, command);
        Self { bridge, wire }
    }

    fn receive(&self, source: u16, message: ErrorMessage) -> usize {
        self.bridge.receive(RequesterId(source), message);
        self.wire.take().len()
    }

    fn state(&self) -> (u32, u32) {
        (self.bridge.read(AER + 0x30), self.bridge.read(AER + 0x34))
    }
}

#[test]
fn the_root_port_keeps_the_first_source_of_either_class() {
    use ErrorMessage::{Correctable, Fatal, NonFatal};
    let table: [(&[(u16, ErrorMessage)], _); 6] = [
        (&[(0x301, Correctable)], (0x01, 0x0301)),
        (&[(0x301, Correctable), (0x302, Correctable)], (0x03, 0x0301)),
        (&[(0x301, NonFatal)], (0x24, 0x0301_0000)),
        (&[(0x301, NonFatal), (0x302, Fatal)], (0x6c, 0x0301_0000)),
        (&[(0x301, Fatal), (0x302, NonFatal)], (0x7c, 0x0301_0000)),
        (&[(0x301, Fatal), (0x302, Correctable)], (0x55, 0x0301_0302)),
    ];
    for (messages, expected) in table {
        let root = Root::new(7);
        for (source, message) in messages {
            root.receive(*source, *message);
        }
        assert_eq!(root.state(), expected, "{messages:?}");
    }
}

#[test]
fn an_interrupt_comes_when_the_first_enabled_error_does() {
    use ErrorMessage::{Correctable, Fatal, NonFatal};
    let root = Root::new(0b110);
    assert_eq!(root.receive(1, Correctable), 0, "not enabled");
    assert_eq!(root.receive(2, NonFatal), 1);
    assert_eq!(root.receive(3, NonFatal), 0);
    assert_eq!(root.receive(4, Fatal), 0, "still the same condition");
    write(&root.bridge, AER + 0x2c, 0);
    write(&root.bridge, AER + 0x2c, 1);
    assert_eq!(root.wire.take().len(), 1, "enabled while it is pending");
    write(&root.bridge, AER + 0x30, 0x7f);
    assert_eq!(root.wire.take().len(), 0);
    assert_eq!(root.receive(5, Correctable), 1);
}

/// The order of `aer_enable_rootport` and `aer_irq`: what is read is what is cleared, and each further error interrupts anew.
#[test]
fn the_order_of_linux_loses_no_error() {
    let root = Root::new(0);
    let bridge = &root.bridge;
    root.receive(0x55, ErrorMessage::Fatal);
    // Left over from before: cleared, then reporting is switched on.
    write(bridge, AER + 0x30, bridge.read(AER + 0x30));
    write(bridge, AER + 4, bridge.read(AER + 4));
    write(bridge, AER + 0x2c, bridge.read(AER + 0x2c) | 7);
    assert!(root.wire.take().is_empty());
    for round in 0..3 {
        assert_eq!(root.receive(0x301 + round, ErrorMessage::NonFatal), 1);
        let status = bridge.read(AER + 0x30);
        assert_eq!(status & 5, 4);
        assert_eq!(bridge.read(AER + 0x34) >> 16, u32::from(0x301 + round));
        write(bridge, AER + 0x30, status);
        assert_eq!(bridge.read(AER + 0x30), 0);
    }
    assert!(root.wire.take().is_empty());
}
