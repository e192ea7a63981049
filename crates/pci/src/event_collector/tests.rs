use pando_tlp::MsiMessage;

use super::*;
use crate::testing::{Wire, WireLink};

const ID: RequesterId = RequesterId(0x00f8);
const AER: u16 = 0x100;

fn collector() -> (EventCollector, Arc<Wire>) {
    let wire = Wire::new();
    let link = Arc::new(WireLink(wire.clone()));
    let collector = EventCollector::new(Identity::default(), 0xf8, 1 << 16, link).unwrap();
    let write = |register, value| {
        collector.config_write(ConfigKind::Type0, ID, register, value, ByteEnables::ALL).unwrap();
    };
    write(0x04, 0x0004);
    write(0x4c, 0xfee0_1000);
    write(0x54, 0x41);
    write(0x48, 1 << 16);
    write(AER + 0x2c, 7);
    (collector, wire)
}

#[test]
fn errors_of_associated_devices_are_kept_and_told_once() {
    let (collector, wire) = collector();
    let read = |register| collector.config_read(ConfigKind::Type0, ID, register).unwrap();
    assert!(!collector.collect(RequesterId(0x0008), ErrorMessage::Fatal), "not its device");
    assert_eq!(read(AER + 0x30), 0);
    assert!(collector.collect(RequesterId(0x0081), ErrorMessage::NonFatal));
    assert!(collector.collect(RequesterId(0x0080), ErrorMessage::NonFatal));
    assert_eq!((read(AER + 0x30), read(AER + 0x34)), (0x2c, 0x0081_0000));
    assert_eq!(wire.take(), [(ID, MsiMessage { address: 0xfee0_1000, data: 0x41 })]);
    collector.reset();
    assert_eq!((read(AER + 0x30), read(0x04) & 4), (0, 0));
}

#[test]
fn only_its_own_id_answers() {
    let (collector, _) = collector();
    assert_eq!(collector.config_read(ConfigKind::Type0, RequesterId(0x00f9), 0), None);
    assert_eq!(collector.config_read(ConfigKind::Type1, ID, 0), None);
    assert_eq!(collector.function(ID), Some(FunctionId::Pf));
}
