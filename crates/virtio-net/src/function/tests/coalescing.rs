//! Interrupts that are held back.

use crate::spec::{Features, common as reg, ctrl};
use crate::testing::{Driver, Guest, Header, LINUX, PACKED, eventually};

use super::{frame, mac, vf};

/// Longer than any test.
const FOREVER: u32 = u32::MAX;

fn limits(packets: u32, time: u32) -> [u8; 8] {
    (u64::from(packets) | u64::from(time) << 32).to_le_bytes()
}

fn of_queue(queue: u16, packets: u32, time: u32) -> Vec<u8> {
    [&queue.to_le_bytes()[..], &[0; 2], &limits(packets, time)].concat()
}

/// Two functions, the second with buffers; the first doesn't care for interrupts.
fn pair(guest: &Guest, features: Features) -> (Driver, Driver) {
    let (a, mut b) = (guest.driven(vf(0), features), guest.driven(vf(1), features));
    b.post(0, 64, 2048);
    (a, b)
}

/// Sends `count` frames from `a` to `b`, which doesn't look at them; when this returns they have been delivered, and whatever is sent
/// at once for them is sent.
fn send(a: &mut Driver, count: usize) {
    for _ in 0..count {
        a.send(1, Header::default(), &frame(mac(1), mac(0), 100), 1);
        a.wait_used(1);
    }
}

/// The driver looks at `count` frames, and asks for an interrupt at the next.
fn look(b: &mut Driver, count: usize) {
    (0..count).for_each(|_| drop(b.receive(0)));
}

const RECEIVED: u16 = 1;
const SENT: u16 = 2;

#[test]
fn enough_packets_are_told_at_once_and_fewer_later() {
    for linux in [LINUX, PACKED] {
        let guest = Guest::new();
        let (mut a, mut b) = pair(&guest, linux);
        assert_eq!(b.command(ctrl::NOTF_COAL_RX_SET, &limits(4, FOREVER)), ctrl::OK);
        for round in 1..4 {
            send(&mut a, 3);
            assert_eq!(b.signals.count(RECEIVED), round - 1);
            send(&mut a, 1);
            assert_eq!(b.signals.count(RECEIVED), round);
            look(&mut b, 4);
        }
        assert_eq!(b.command(ctrl::NOTF_COAL_RX_SET, &limits(1000, 2000)), ctrl::OK);
        for round in 4..7 {
            send(&mut a, 1);
            eventually("an interrupt after a while", || b.signals.count(RECEIVED) == round);
            look(&mut b, 1);
        }
    }
}

#[test]
fn one_that_is_held_back_follows_new_limits_and_is_gone_with_its_queue() {
    let guest = Guest::new();
    let (mut a, mut b) = pair(&guest, LINUX);
    for (round, new) in
        [limits(0, 0), limits(2, FOREVER), limits(1000, 1), limits(1000, 0)].into_iter().enumerate()
    {
        assert_eq!(b.command(ctrl::NOTF_COAL_RX_SET, &limits(1000, FOREVER)), ctrl::OK);
        send(&mut a, 2);
        assert_eq!(b.signals.count(RECEIVED), round);
        assert_eq!(b.command(ctrl::NOTF_COAL_RX_SET, &new), ctrl::OK);
        eventually("an interrupt", || b.signals.count(RECEIVED) == round + 1);
        look(&mut b, 2);
    }
    assert_eq!(b.command(ctrl::NOTF_COAL_RX_SET, &limits(1000, FOREVER)), ctrl::OK);
    send(&mut a, 1);
    b.reset();
    guest.engine.reminder().remind();
    b.probe(LINUX);
    b.post(0, 64, 2048);
    send(&mut a, 1);
    assert_eq!(b.signals.count(RECEIVED), 5, "held back no longer after a reset");
}

#[test]
fn used_transmit_buffers_are_told_later_too() {
    for linux in [LINUX, PACKED] {
        let guest = Guest::new();
        let (mut a, mut b) = pair(&guest, linux);
        let send = |a: &mut Driver, b: &mut Driver, count: usize| {
            for _ in 0..count {
                a.send(1, Header::default(), &frame(mac(1), mac(0), 100), 1);
                b.receive(0);
            }
        };
        assert_eq!(a.command(ctrl::NOTF_COAL_TX_SET, &limits(3, FOREVER)), ctrl::OK);
        send(&mut a, &mut b, 2);
        assert_eq!(a.signals.count(SENT), 0);
        send(&mut a, &mut b, 1);
        eventually("the third's interrupt", || a.signals.count(SENT) == 1);
        (0..3).for_each(|_| assert_eq!(a.wait_used(1).1, 0));
        assert_eq!(a.command(ctrl::NOTF_COAL_TX_SET, &limits(1000, 2000)), ctrl::OK);
        send(&mut a, &mut b, 1);
        eventually("an interrupt after a while", || a.signals.count(SENT) == 2);
        assert_eq!(a.wait_used(1).1, 0);
    }
}

/// The driver is asked when it is due: by then it may not want one any more.
#[test]
fn what_the_driver_does_not_want_it_does_not_get() {
    let guest = Guest::new();
    let (mut a, mut b) = pair(&guest, LINUX - Features::EVENT_IDX);
    assert_eq!(b.command(ctrl::NOTF_COAL_RX_SET, &limits(2, FOREVER)), ctrl::OK);
    send(&mut a, 1);
    b.memory.store(b.rings[0].avail, 1);
    send(&mut a, 1);
    assert_eq!(b.signals.count(RECEIVED), 0);
    b.memory.store(b.rings[0].avail, 0);
    send(&mut a, 2);
    assert_eq!(b.signals.count(RECEIVED), 1);
}

#[test]
fn a_queue_can_have_limits_of_its_own() {
    let guest = Guest::new();
    let (mut a, mut b) = pair(&guest, LINUX);
    let none = (ctrl::OK, limits(0, 0));
    let get = |b: &mut Driver, queue: u16| b.ask(ctrl::NOTF_COAL_VQ_GET, &of_queue(queue, 0, 0));
    assert_eq!(get(&mut b, 0), none);
    assert_eq!(b.command(ctrl::NOTF_COAL_VQ_SET, &of_queue(0, 2, FOREVER)), ctrl::OK);
    assert_eq!(get(&mut b, 0), (ctrl::OK, limits(2, FOREVER)));
    assert_eq!((get(&mut b, 1), get(&mut b, 2)), (none, none));
    send(&mut a, 3);
    assert_eq!(b.signals.count(RECEIVED), 1);
    // For all of them; and again for one that is enabled again.
    assert_eq!(b.command(ctrl::NOTF_COAL_RX_SET, &limits(7, 8)), ctrl::OK);
    assert_eq!(get(&mut b, 0), (ctrl::OK, limits(7, 8)));
    assert_eq!((get(&mut b, 1), get(&mut b, 6)), (none, (ctrl::OK, limits(7, 8))));
    assert_eq!(b.command(ctrl::NOTF_COAL_VQ_SET, &of_queue(2, 5, 5)), ctrl::OK);
    b.write(reg::QUEUE_SELECT, 2, 2);
    b.write(reg::QUEUE_RESET, 2, 1);
    assert_eq!(get(&mut b, 2).0, ctrl::ERR, "it isn't enabled");
    b.rings[2] = b.set_up(2, 8);
    b.write(reg::QUEUE_ENABLE, 2, 1);
    assert_eq!(get(&mut b, 2), (ctrl::OK, limits(7, 8)));
    for queue in [8, 9, u16::MAX] {
        assert_eq!(get(&mut b, queue).0, ctrl::ERR);
        assert_eq!(b.command(ctrl::NOTF_COAL_VQ_SET, &of_queue(queue, 1, 1)), ctrl::ERR);
    }
    assert_eq!(b.command(ctrl::NOTF_COAL_RX_SET, &[0; 7]), ctrl::ERR);
    assert_eq!(b.command(ctrl::NOTF_COAL_VQ_SET, &[0; 3]), ctrl::ERR);
}
