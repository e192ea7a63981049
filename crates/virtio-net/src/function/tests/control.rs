//! The control queue.

use crate::layout;
use crate::spec::{Features, config, ctrl};
use crate::testing::{Driver, Guest, Header, LINUX, PACKED, eventually};

use super::{frame, mac, vf};

/// Linux's receive mode, as it sets it when an interface comes up.
fn receive_mode(driver: &mut Driver, promiscuous: u8, all_multicast: u8) {
    assert_eq!(driver.command(ctrl::RX_PROMISC, &[promiscuous]), ctrl::OK);
    assert_eq!(driver.command(ctrl::RX_ALLMULTI, &[all_multicast]), ctrl::OK);
    assert_eq!(driver.command(ctrl::MAC_TABLE_SET, &[0; 8]), ctrl::OK);
}

#[test]
fn commands_take_effect_on_what_comes_in() {
    let guest = Guest::new();
    let mut a = guest.driven(vf(0), LINUX);
    let mut b = guest.driven(vf(1), LINUX);
    receive_mode(&mut b, 0, 0);
    b.post(0, 64, 2048);
    let group = pando_engine::MacAddress([0x33, 0x33, 0, 0, 0, 1]);
    let new = pando_engine::MacAddress([2, 0, 0, 0, 9, 9]);
    let send = |a: &mut Driver, to, len| {
        a.send(1, Header::default(), &frame(to, mac(0), len), 1);
        a.wait_used(1);
    };
    // Each frame that doesn't pass is followed by one that does.
    send(&mut a, group, 100);
    send(&mut a, mac(1), 101);
    assert_eq!(b.receive(0).1.len(), 101);
    assert_eq!(b.command(ctrl::RX_ALLMULTI, &[1]), ctrl::OK);
    send(&mut a, group, 102);
    assert_eq!(b.receive(0).1.len(), 102);
    assert_eq!(b.command(ctrl::MAC_ADDR_SET, &new.0), ctrl::OK);
    assert_eq!(b.function.report().mac, new.to_string());
    send(&mut a, mac(1), 103);
    send(&mut a, new, 104);
    assert_eq!(b.receive(0).1.len(), 104);
    let send_tagged = |a: &mut Driver, to, len| {
        let mut frame = frame(to, mac(0), len);
        frame[12..16].copy_from_slice(&[0x81, 0, 0, 5]);
        a.send(1, Header::default(), &frame, 1);
        a.wait_used(1);
    };
    send_tagged(&mut a, new, 105);
    assert_eq!(b.command(ctrl::VLAN_ADD, &5u16.to_le_bytes()), ctrl::OK);
    send_tagged(&mut a, new, 106);
    assert_eq!(b.receive(0).1.len(), 106);
    assert_eq!(b.command(ctrl::VLAN_DEL, &5u16.to_le_bytes()), ctrl::OK);
    assert_eq!(b.command(ctrl::RX_PROMISC, &[1]), ctrl::OK);
    send_tagged(&mut a, mac(3), 107);
    assert_eq!(b.receive(0).1.len(), 107);
}

#[test]
fn commands_may_be_split_anywhere() {
    for linux in [LINUX, PACKED] {
        let guest = Guest::new();
        let mut driver = guest.driven(vf(0), linux);
        let table = [&[1, 0][..], &[1, 0, 0, 0, 2, 0, 0, 0, 0, 7, 0, 0, 0, 0]].concat();
        for step in [1, 2, 3, 5, table.len()] {
            assert_eq!(driver.raw_command(&table, step), ctrl::OK, "in pieces of {step}");
        }
    }
}

#[test]
fn malformed_commands_are_answered_and_the_queue_goes_on() {
    let guest = Guest::new();
    let mut driver = guest.driven(vf(0), LINUX);
    for bad in [&[][..], &[0], &[0, 0], &[9, 9, 9], &[1, 0, 255, 255, 255, 255], &[4, 0, 5, 0]] {
        let answer = if bad.is_empty() {
            continue;
        } else {
            driver.raw_command(bad, 1)
        };
        assert_eq!(answer, ctrl::ERR, "{bad:?}");
    }
    let long = vec![0; crate::control::MAX_COMMAND + 1];
    assert_eq!(driver.raw_command(&long, 4096), ctrl::ERR);
    // Nothing to write the answer to.
    let queue = driver.control_queue();
    let buffer = driver.memory.allocate(8);
    driver.add(queue, &[(buffer, 3, false)]);
    driver.kick(queue);
    assert_eq!(driver.wait_used(queue).1, 0);
    // Nothing but room for an answer.
    driver.add(queue, &[(buffer, 8, true)]);
    driver.kick(queue);
    assert_eq!(driver.wait_used(queue).1, 1);
    assert_eq!(driver.command(ctrl::MQ_PAIRS_SET, &[4, 0]), ctrl::OK);
    assert_eq!(driver.status(), 0xf);
}

#[test]
fn an_announcement_is_asked_for_until_it_is_acknowledged() {
    let guest = Guest::new();
    let mut driver = guest.driven(vf(0), LINUX);
    let status = |driver: &Driver| driver.read(layout::DEVICE + config::STATUS, 2);
    let generation = |driver: &Driver| driver.read(crate::spec::common::CONFIG_GENERATION, 1);
    let before = generation(&driver);
    driver.function.announce();
    assert_eq!(status(&driver), 3);
    assert_ne!(generation(&driver), before);
    assert_eq!(driver.signals.count(0), 1);
    assert_eq!(driver.command(ctrl::ANNOUNCE_ACK, &[]), ctrl::OK);
    assert_eq!(status(&driver), 1);
    let plain = guest.driven(vf(1), Features::VERSION_1);
    plain.function.announce();
    assert_eq!(status(&plain), 1, "it can't acknowledge");
}

#[test]
fn the_link_state_is_the_hosts_and_outlives_resets() {
    let guest = Guest::new();
    let mut driver = guest.driver(vf(0));
    driver.function.set_link(false);
    driver.negotiate(LINUX);
    driver.find_queues();
    driver.add_status(4);
    let status = |driver: &Driver| driver.read(layout::DEVICE + config::STATUS, 2);
    let link_up = |_: &Driver| guest.switch.report()[0].link_up;
    assert_eq!((status(&driver), link_up(&driver)), (0, false));
    assert_eq!(driver.signals.count(0), 0);
    assert_eq!(driver.command(ctrl::RX_PROMISC, &[1]), ctrl::OK);
    assert!(!link_up(&driver), "a command doesn't plug the cable in");
    for (up, signals) in [(true, 1), (true, 1), (false, 2)] {
        driver.function.set_link(up);
        assert_eq!((status(&driver), link_up(&driver)), (u64::from(up), up));
        assert_eq!(driver.signals.count(0), signals);
    }
    driver.reset();
    driver.function.set_link(true);
    assert_eq!((status(&driver), link_up(&driver)), (1, false), "nobody drives it");
    assert_eq!(driver.signals.count(0), 2);
}

#[test]
fn a_control_queue_without_more_pairs_is_the_third_queue() {
    let guest = Guest::new();
    let mut driver = guest.driven(vf(0), LINUX - Features::MQ);
    assert_eq!(driver.control_queue(), 2);
    assert_eq!(driver.command(ctrl::RX_PROMISC, &[1]), ctrl::OK);
    assert_eq!(driver.command(ctrl::MQ_PAIRS_SET, &[1, 0]), ctrl::ERR);
}

#[test]
fn frames_spread_over_the_pairs_that_are_set() {
    let guest = Guest::new();
    let mut a = guest.driven(vf(0), LINUX);
    let mut b = guest.driven(vf(1), LINUX);
    for pair in 0..4 {
        b.post(2 * pair, 64, 2048);
    }
    let flow = |port: u16| {
        let mut frame = super::tcp(mac(1), mac(0), 10);
        frame[34..36].copy_from_slice(&port.to_be_bytes());
        frame
    };
    let counts = |b: &mut Driver| -> Vec<usize> {
        (0..4).map(|pair| std::iter::from_fn(|| b.used(2 * pair)).count()).collect()
    };
    let mut send = |b: &mut Driver| {
        for port in 0..40 {
            a.send(1, Header::default(), &flow(port), 1);
            a.wait_used(1);
        }
        let mut all = vec![0; 4];
        eventually("all frames", || {
            all.iter_mut().zip(counts(b)).for_each(|(sum, more)| *sum += more);
            all.iter().sum::<usize>() == 40
        });
        all
    };
    assert_eq!(send(&mut b), [40, 0, 0, 0]);
    assert_eq!(b.command(ctrl::MQ_PAIRS_SET, &[4, 0]), ctrl::OK);
    for pair in 0..4 {
        b.post(2 * pair, 40, 2048);
    }
    assert!(send(&mut b).iter().filter(|count| **count > 0).count() > 1);
}
