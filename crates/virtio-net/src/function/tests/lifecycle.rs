//! Reset, queue reset, bus mastering: under traffic.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use crate::layout;
use crate::spec::common as reg;
use crate::testing::{Driver, Guest, Header, LINUX, eventually};

use super::{frame, mac, vf};

/// Fills the transmit ring again and again until told to stop; the receiver gives buffers back as they come.
fn traffic(mut a: Driver, mut b: Driver, stop: Arc<AtomicBool>) -> std::thread::JoinHandle<usize> {
    std::thread::spawn(move || {
        let bytes = [&Header::default().bytes()[..], &frame(mac(1), mac(0), 1000)].concat();
        let buffer = a.memory.allocate(bytes.len());
        a.memory.write(buffer, &bytes);
        let sink = b.memory.allocate(2048);
        let (mut outstanding, mut received) = (0, 0);
        for _ in 0..128 {
            b.add(0, &[(sink, 2048, true)]);
        }
        while !stop.load(SeqCst) {
            while outstanding < 128 {
                a.add(1, &[(buffer, bytes.len() as u32, false)]);
                outstanding += 1;
            }
            a.kick(1);
            while a.used(1).is_some() {
                outstanding -= 1;
            }
            while b.used(0).is_some() {
                b.add(0, &[(sink, 2048, true)]);
                received += 1;
            }
            b.kick(0);
        }
        received
    })
}

/// A second hand on the same function's registers.
fn other_hand(driver: &Driver) -> Driver {
    let (function, memory) = (driver.function.clone(), driver.memory.clone());
    Driver::new(function, memory, driver.signals.clone(), driver.requester.clone())
}

#[test]
fn a_reset_under_traffic_ends_all_writes_of_the_function() {
    let guest = Guest::new();
    for round in 0..10 {
        let a = guest.driven(vf(0), LINUX);
        let b = guest.driven(vf(1), LINUX);
        let used: Vec<u64> = vec![a.rings[1].used, b.rings[0].used];
        let hands = [other_hand(&a), other_hand(&b)];
        let memory = a.memory.clone();
        let stop = Arc::new(AtomicBool::new(false));
        let worker = traffic(a, b, stop.clone());
        eventually("traffic", || memory.load(used[1] + 2) > 16);
        let which = round % 2;
        if round % 3 == 0 {
            hands[which].function.reset();
        } else {
            hands[which].write(reg::DEVICE_STATUS, 1, 0);
        }
        assert_eq!(hands[which].status(), 0);
        let index = memory.load(used[which] + 2);
        memory.write(used[which] + 4, &[0xaa; 64]);
        std::thread::sleep(std::time::Duration::from_millis(2));
        assert_eq!(memory.load(used[which] + 2), index, "nothing is used after the reset");
        assert_eq!(memory.read(used[which] + 4, 64), [0xaa; 64]);
        assert_eq!(hands[1 - which].status(), 0xf, "the other goes on");
        stop.store(true, SeqCst);
        worker.join().unwrap();
        hands.iter().for_each(|hand| hand.function.reset());
    }
}

#[test]
fn one_queue_is_reset_and_comes_back_while_the_others_go_on() {
    let guest = Guest::new();
    let mut a = guest.driven(vf(0), LINUX);
    let mut b = guest.driven(vf(1), LINUX);
    b.post(0, 64, 2048);
    for _ in 0..3 {
        a.write(reg::QUEUE_SELECT, 2, 1);
        a.write(reg::QUEUE_RESET, 2, 1);
        assert_eq!(a.read(reg::QUEUE_RESET, 2), 0);
        assert_eq!(a.read(reg::QUEUE_ENABLE, 2), 0);
        assert_eq!(a.function.report().queues, 8);
        a.send(3, Header::default(), &frame(mac(1), mac(0), 300), 1);
        assert_eq!(b.receive(0).1.len(), 300);
        // Linux sets it up anew, smaller, and enables it while the function works.
        a.rings[1] = a.set_up(1, 8);
        a.rings[1].size = 64;
        a.write(reg::QUEUE_SIZE, 2, 64);
        a.write(reg::QUEUE_ENABLE, 2, 1);
        a.send(1, Header::default(), &frame(mac(1), mac(0), 301), 1);
        assert_eq!(b.receive(0).1.len(), 301);
        assert_eq!(a.read(reg::QUEUE_SIZE, 2), 64);
        assert_eq!(a.function.report().queues, 9);
        assert_eq!(a.status(), 0xf);
    }
}

#[test]
fn without_bus_mastering_everything_waits_and_then_goes_on() {
    let guest = Guest::new();
    let mut a = guest.driven(vf(0), LINUX);
    let mut b = guest.driven(vf(1), LINUX);
    b.post(0, 4, 2048);
    a.requester.set_open(false);
    pando_tlp::Link::epochs(&*guest.link).synchronize();
    a.send(1, Header::default(), &frame(mac(1), mac(0), 100), 1);
    std::thread::sleep(std::time::Duration::from_millis(2));
    assert_eq!((a.used(1), b.used(0)), (None, None));
    assert_eq!(a.status(), 0xf);
    a.requester.set_open(true);
    pando_tlp::Link::epochs(&*guest.link).synchronize();
    a.function.resume();
    assert_eq!(b.receive(0).1.len(), 100);
    assert_eq!(a.status(), 0xf);
}

#[test]
fn a_reset_function_gets_nothing_and_has_its_own_address_again() {
    let guest = Guest::new();
    let mut a = guest.driven(vf(0), LINUX);
    let mut b = guest.driven(vf(1), LINUX);
    let own = b.function.report().mac;
    assert_eq!(b.command(crate::spec::ctrl::MAC_ADDR_SET, &[2, 0, 0, 0, 9, 9]), 0);
    b.reset();
    assert_eq!(b.function.report().mac, own);
    a.send(1, Header::default(), &frame(mac(1), mac(0), 100), 1);
    a.wait_used(1);
    b.probe(LINUX);
    b.post(0, 4, 2048);
    a.send(1, Header::default(), &frame(mac(1), mac(0), 101), 1);
    assert_eq!(b.receive(0).1.len(), 101);
}

/// Whoever arms events comes round late: by then the driver may be ready again.
#[test]
fn the_event_of_before_a_reset_rings_the_queue_of_after_it() {
    let guest = Guest::new();
    let mut a = guest.driven(vf(0), LINUX);
    let mut b = guest.driven(vf(1), LINUX);
    b.post(0, 8, 2048);
    let mut all = Vec::new();
    a.function.doorbells(&mut all);
    let event = all.iter().find(|(_, offset, _)| *offset == layout::doorbell(1)).unwrap().2.clone();
    let mut event = std::fs::File::from(event.try_clone().unwrap());
    for resets in [|a: &Driver| a.write(reg::DEVICE_STATUS, 1, 0), |a: &Driver| a.function.reset()]
    {
        resets(&a);
        a.probe(LINUX);
        a.send(1, Header::default(), &frame(mac(1), mac(0), 100), 1);
        assert_eq!(b.receive(0).1.len(), 100);
        let asks_at = a.rings[1].used + 4 + 8 * u64::from(a.rings[1].size);
        eventually("the queue sleeps", || a.memory.load(asks_at) == 1);
        let bytes = [&Header::default().bytes()[..], &frame(mac(1), mac(0), 101)].concat();
        let buffer = a.memory.allocate(bytes.len());
        a.memory.write(buffer, &bytes);
        a.add(1, &[(buffer, bytes.len() as u32, false)]);
        event.write_all(&1_u64.to_ne_bytes()).unwrap();
        assert_eq!(b.receive(0).1.len(), 101);
    }
}

/// Several vCPUs at one function: resets, set-ups, doorbells and reads of all kinds at once.
#[test]
fn vcpus_may_do_anything_at_once() {
    let guest = Guest::new();
    let a = guest.driven(vf(0), LINUX);
    let hands: Vec<_> = (0..3).map(|_| other_hand(&a)).collect();
    std::thread::scope(|scope| {
        for (number, hand) in (0..).zip(hands) {
            scope.spawn(move || {
                for round in 0..300_u64 {
                    match (round + number) % 5 {
                        0 => hand.write(reg::DEVICE_STATUS, 1, 0),
                        1 => hand.write(reg::DEVICE_STATUS, 1, 0xf),
                        2 => hand.write(reg::QUEUE_SELECT, 2, round % 9),
                        3 => hand.write(reg::QUEUE_ENABLE, 2, round % 2),
                        _ => hand.function.announce(),
                    }
                    hand.write(reg::DRIVER_FEATURE_SELECT, 4, 1);
                    hand.write(reg::DRIVER_FEATURE, 4, 1);
                    (0..9).for_each(|queue| hand.kick(queue));
                    (0..64).for_each(|offset| assert!(hand.read(offset, 4) <= 0xffff_ffff));
                    hand.function.resume();
                    hand.function.doorbells(&mut Vec::new());
                    hand.function.report();
                }
            });
        }
    });
    a.function.reset();
    assert_eq!(a.status(), 0);
}
