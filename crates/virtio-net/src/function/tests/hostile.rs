//! Drivers that break the rules: their queue stops, they are told, and nothing else notices.

use crate::layout;
use crate::spec::common as reg;
use crate::testing::{Driver, Guest, Header, LINUX, PACKED, descriptor, eventually};

use super::{frame, mac, vf};

pub(super) const NEEDS_RESET: u64 = 0x40;

/// Sends one frame of function 0 to function 1.
pub(super) fn works(a: &mut Driver, b: &mut Driver, queue: u16) {
    b.post(0, 1, 2048);
    let sent = frame(mac(1), mac(0), 200);
    a.send(queue, Header::default(), &sent, 1);
    assert_eq!(b.receive(0).1, sent);
    a.wait_used(queue);
}

/// Breaks the ring of a transmit queue in one way.
type Break = fn(&mut Driver);

fn publish(driver: &mut Driver, table: &[Vec<u8>]) {
    let memory = driver.memory.clone();
    let ring = &mut driver.rings[1];
    for (slot, descriptor) in (0..).zip(table) {
        memory.write(ring.desc + 16 * slot, descriptor);
    }
    ring.publish(&memory, 0);
    driver.kick(1);
}

const BREAKS: [(&str, Break); 10] = [
    ("loop", |driver| {
        publish(driver, &[descriptor(0x1000, 64, 1, 1), descriptor(0x1000, 64, 1, 0)]);
    }),
    ("loop onto itself", |driver| publish(driver, &[descriptor(0x1000, 64, 1, 0)])),
    ("next outside the table", |driver| publish(driver, &[descriptor(0x1000, 64, 1, 999)])),
    ("outside memory", |driver| publish(driver, &[descriptor(1 << 40, 64, 0, 0)])),
    ("address that wraps", |driver| publish(driver, &[descriptor(u64::MAX - 8, 64, 0, 0)])),
    ("4 GiB", |driver| publish(driver, &[descriptor(0x1000, u32::MAX, 0, 0)])),
    ("zero length", |driver| publish(driver, &[descriptor(0x1000, 0, 0, 0)])),
    ("readable after writable", |driver| {
        publish(driver, &[descriptor(0x1000, 64, 3, 1), descriptor(0x1000, 64, 0, 0)]);
    }),
    ("indirect table of odd length", |driver| publish(driver, &[descriptor(0x1000, 17, 4, 0)])),
    ("index jump", |driver| {
        driver.memory.store(driver.rings[1].avail + 2, 0x4000);
        driver.kick(1);
    }),
];

#[test]
fn a_broken_ring_stops_its_queue_alone() {
    let guest = Guest::new();
    let mut b = guest.driven(vf(1), LINUX);
    for (name, break_it) in BREAKS {
        let mut a = guest.driven(vf(0), LINUX);
        works(&mut a, &mut b, 3);
        let told = a.signals.count(0);
        break_it(&mut a);
        eventually(name, || a.status() & NEEDS_RESET != 0);
        eventually("the configuration interrupt", || a.signals.count(0) == told + 1);
        works(&mut a, &mut b, 3);
        assert_eq!(a.command(crate::spec::ctrl::RX_PROMISC, &[0]), 0, "control after {name}");
        assert_eq!(a.used(1), None, "the broken queue did nothing: {name}");
        assert_eq!(b.status() & NEEDS_RESET, 0);
        a.reset();
        assert_eq!(a.status(), 0);
        a.probe(LINUX);
        works(&mut a, &mut b, 1);
    }
}

/// The same with packed rings, whose descriptors are available by their flags (bit 7).
#[test]
fn a_broken_packed_ring_stops_its_queue_alone() {
    const AVAILABLE: u16 = 1 << 7;
    let packed = |address, len, flags| descriptor(address, len, 0, AVAILABLE | flags);
    let guest = Guest::new();
    let mut b = guest.driven(vf(1), PACKED);
    for (name, table) in [
        ("a chain longer than the ring", vec![packed(0x1000, 1, 1); 256]),
        ("outside memory", vec![packed(1 << 40, 64, 0)]),
        ("zero length", vec![packed(0x1000, 0, 0)]),
        ("readable after writable", vec![packed(0x1000, 64, 3), packed(0x1000, 64, 0)]),
        ("indirect table of odd length", vec![packed(0x1000, 17, 4)]),
    ] {
        let mut a = guest.driven(vf(0), PACKED);
        works(&mut a, &mut b, 3);
        // The head comes last: with it the chain is available, and a worker that polls takes it at once.
        for (slot, descriptor) in table.iter().enumerate().rev() {
            a.memory.write(a.rings[1].desc + 16 * slot as u64, descriptor);
        }
        a.kick(1);
        eventually(name, || a.status() & NEEDS_RESET != 0);
        works(&mut a, &mut b, 3);
        a.probe(PACKED);
        works(&mut a, &mut b, 1);
    }
}

#[test]
fn rings_outside_memory_or_crooked_stop_their_queue_alone() {
    let guest = Guest::new();
    let mut b = guest.driven(vf(1), LINUX);
    for (register, address) in [
        (reg::QUEUE_DESC, 1 << 40),
        (reg::QUEUE_DRIVER, u64::MAX - 1),
        (reg::QUEUE_DEVICE, (64 << 20) - 8),
        (reg::QUEUE_DESC, 0x1008),
        (reg::QUEUE_DRIVER, 0x1001),
        (reg::QUEUE_DEVICE, 0x1002),
    ] {
        let mut a = guest.driver(vf(0));
        a.negotiate(LINUX);
        a.write(reg::QUEUE_SELECT, 2, 1);
        a.find_queues();
        // The queue is enabled now: reset it, and enable it again where it can't be.
        a.write(reg::QUEUE_SELECT, 2, 1);
        a.write(reg::QUEUE_RESET, 2, 1);
        assert_eq!(a.read(reg::QUEUE_RESET, 2), 0);
        a.set_up(1, 8);
        a.write(register, 8, address);
        a.write(reg::QUEUE_ENABLE, 2, 1);
        a.add_status(4);
        a.kick(1);
        eventually("needs reset", || a.status() & NEEDS_RESET != 0);
        works(&mut a, &mut b, 3);
    }
}

#[test]
fn impossible_queue_sizes_stop_their_queue_alone() {
    let guest = Guest::new();
    let mut b = guest.driven(vf(1), LINUX);
    for size in [0, 3, 255, 512, 0xffff] {
        let mut a = guest.driver(vf(0));
        a.negotiate(LINUX);
        a.find_queues();
        a.write(reg::QUEUE_SELECT, 2, 1);
        a.write(reg::QUEUE_RESET, 2, 1);
        a.set_up(1, 8);
        a.write(reg::QUEUE_SIZE, 2, size);
        a.write(reg::QUEUE_ENABLE, 2, 1);
        a.add_status(4);
        assert_ne!(a.status() & NEEDS_RESET, 0, "size {size}");
        assert_eq!(a.function.report().queues, 8);
        works(&mut a, &mut b, 3);
    }
}

#[test]
fn queues_enabled_before_features_are_accepted_stay_off() {
    let guest = Guest::new();
    let mut driver = guest.driver(vf(0));
    driver.find_queues();
    driver.add_status(7);
    assert_eq!(driver.read(reg::QUEUE_ENABLE, 2), 0);
    assert_eq!(driver.function.report().queues, 0);
    driver.kick(0);
    driver.probe(LINUX);
    assert_eq!(driver.function.report().queues, 9);
}

#[test]
fn doorbells_of_queues_that_do_not_work_are_ignored() {
    let guest = Guest::new();
    let mut driver = guest.driver(vf(0));
    let ring_all = |driver: &Driver| {
        for offset in (0..layout::NOTIFY_LENGTH).step_by(2) {
            driver.write(layout::NOTIFY + offset, 2, 0xffff);
        }
    };
    ring_all(&driver);
    driver.negotiate(LINUX);
    driver.find_queues();
    ring_all(&driver);
    driver.add_status(4);
    ring_all(&driver);
    assert_eq!(driver.status(), 0xf);
}

#[test]
fn receive_buffers_shorter_than_a_header_stop_their_queue() {
    let guest = Guest::new();
    let mut a = guest.driven(vf(0), LINUX);
    let mut b = guest.driven(vf(1), LINUX);
    b.post(0, 4, 8);
    a.send(1, Header::default(), &frame(mac(1), mac(0), 100), 1);
    eventually("needs reset", || b.status() & NEEDS_RESET != 0);
    assert_eq!(a.wait_used(1).1, 0);
    assert_eq!(a.status(), 0xf);
}
