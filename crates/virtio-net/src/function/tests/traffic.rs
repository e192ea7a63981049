//! Frames from function to function.

use crate::spec::{Features, ctrl};
use crate::testing::{Driver, Guest, Header, LINUX, PACKED, PLAIN, eventually};

use super::{checksum_is_right, frame, mac, tcp, unfinished, vf};

const ONE_BUFFER: Header = Header {
    flags: 0,
    gso_type: 0,
    hdr_len: 0,
    gso_size: 0,
    csum_start: 0,
    csum_offset: 0,
    num_buffers: 1,
    report: None,
};

fn pair(guest: &Guest, sender: Features, receiver: Features) -> (Driver, Driver) {
    (guest.driven(vf(0), sender), guest.driven(vf(1), receiver))
}

#[test]
fn frames_arrive_as_they_were_sent() {
    let guest = Guest::new();
    for features in [
        LINUX,
        PLAIN,
        LINUX - Features::EVENT_IDX,
        LINUX - Features::INDIRECT_DESC,
        LINUX - Features::IN_ORDER,
        PACKED,
        PACKED - Features::IN_ORDER,
        PLAIN | Features::RING_PACKED,
        PACKED - Features::EVENT_IDX,
        PACKED - Features::INDIRECT_DESC,
    ] {
        let (mut a, mut b) = pair(&guest, features, features);
        b.post(0, 32, 2048);
        for (len, pieces) in [(14, 1), (60, 1), (64, 1), (65, 2), (1514, 1), (1514, 7), (1518, 30)]
        {
            let sent = frame(mac(1), mac(0), len);
            a.send(1, Header::default(), &sent, pieces);
            assert_eq!(a.wait_used(1).1, 0);
            let (header, received, _) = b.receive(0);
            assert_eq!(header, ONE_BUFFER);
            assert_eq!(received, sent);
        }
        eventually("an interrupt for each side", || {
            a.signals.count(2) > 0 && b.signals.count(1) > 0
        });
    }
}

#[test]
fn a_mergeable_receiver_gets_a_frame_over_several_full_buffers() {
    for linux in [LINUX, PACKED] {
        let guest = Guest::new();
        let (mut a, mut b) = pair(&guest, linux, linux);
        b.post(0, 64, 256);
        for len in [244, 245, 1000, 1514] {
            let sent = frame(mac(1), mac(0), len);
            a.send(1, Header::default(), &sent, 3);
            a.wait_used(1);
            let (header, received, lens) = b.receive(0);
            assert_eq!(usize::from(header.num_buffers), (len + 12).div_ceil(256));
            assert!(
                lens[..lens.len() - 1].iter().all(|len| *len == 256),
                "all but the last are full"
            );
            assert_eq!(received, sent);
        }
    }
}

#[test]
fn what_is_unfinished_stays_so_for_whoever_takes_it() {
    for linux in [LINUX, PACKED] {
        let guest = Guest::new();
        let (mut a, mut b) = pair(&guest, linux, linux);
        b.post(0, 64, 2048);
        let sent = tcp(mac(1), mac(0), 20_000);
        a.send(1, unfinished(1400), &sent, 10);
        a.wait_used(1);
        let (header, received, lens) = b.receive(0);
        assert_eq!(received, sent);
        assert_eq!(lens.len(), 10);
        assert_eq!((header.flags, header.gso_type, header.gso_size), (1, 1, 1400));
        assert_eq!((header.csum_start, header.csum_offset), (34, 16));
        let sent = tcp(mac(1), mac(0), 100);
        a.send(1, unfinished(0), &sent, 1);
        assert_eq!(b.receive(0).0, Header { num_buffers: 1, ..unfinished(0) });
    }
}

/// Receivers without segmentation, without checksums, without mergeable buffers: the engine finishes what they don't take.
#[test]
fn what_a_receiver_does_not_take_is_finished_for_it() {
    let guest = Guest::new();
    let segmentation = Features::GUEST_TSO4 | Features::GUEST_TSO6 | Features::GUEST_ECN;
    for receiver in [LINUX - segmentation, LINUX - segmentation - Features::GUEST_CSUM, PLAIN] {
        let (mut a, mut b) = pair(&guest, LINUX, receiver);
        b.post(0, 64, 2048);
        let sent = tcp(mac(1), mac(0), 10_000);
        a.send(1, unfinished(1400), &sent, 4);
        let mut payload: Vec<u8> = Vec::new();
        while payload.len() < 10_000 {
            let (header, received, lens) = b.receive(0);
            assert_eq!((header.gso_type, lens.len()), (0, 1));
            if !receiver.contains(Features::GUEST_CSUM) {
                assert_eq!(header, ONE_BUFFER);
            }
            assert!(header.flags & 1 != 0 || checksum_is_right(&received));
            assert!(received.len() <= 1454);
            payload.extend(&received[54..]);
        }
        assert_eq!(payload, sent[54..]);
        a.send(1, unfinished(0), &tcp(mac(1), mac(0), 100), 1);
        let (header, received, _) = b.receive(0);
        assert_eq!(header.flags & 1 != 0, receiver.contains(Features::GUEST_CSUM));
        assert_ne!(header.flags & 1 != 0, checksum_is_right(&received));
    }
}

#[test]
fn offloads_can_be_switched_at_run_time() {
    let guest = Guest::new();
    let (mut a, mut b) = pair(&guest, LINUX, LINUX);
    b.post(0, 64, 2048);
    for (offloads, flags) in [(0_u64, 0), (2, 1), (0, 0)] {
        assert_eq!(b.command(ctrl::GUEST_OFFLOADS_SET, &offloads.to_le_bytes()), ctrl::OK);
        a.send(1, unfinished(0), &tcp(mac(1), mac(0), 100), 1);
        assert_eq!(b.receive(0).0.flags, flags);
    }
}

#[test]
fn broadcasts_reach_everyone_but_their_sender() {
    let guest = Guest::new();
    let mut drivers: Vec<_> = (0..4).map(|function| guest.driven(vf(function), LINUX)).collect();
    drivers.iter_mut().for_each(|driver| driver.post(0, 8, 2048));
    let sent = frame(pando_engine::MacAddress::BROADCAST, mac(0), 100);
    drivers[0].send(1, Header::default(), &sent, 1);
    for driver in &mut drivers[1..] {
        assert_eq!(driver.receive(0).1, sent);
    }
    assert_eq!(drivers[0].used(0), None);
}

#[test]
fn bad_headers_and_frames_are_dropped_and_their_buffers_used() {
    let guest = Guest::new();
    let (mut a, mut b) = pair(&guest, LINUX - Features::HOST_TSO6, LINUX);
    b.post(0, 16, 2048);
    let good = frame(mac(1), mac(0), 100);
    let long = tcp(mac(1), mac(0), 5000);
    let bad = [
        (Header::default(), frame(mac(1), mac(0), 13 + 14)[..13].to_vec()),
        (Header::default(), vec![]),
        (Header::default(), frame(mac(1), mac(0), 1523)),
        (Header { flags: 1, csum_start: 99, ..Header::default() }, good.clone()),
        (
            Header { flags: 1, csum_start: 0xffff, csum_offset: 0xffff, ..Header::default() },
            good.clone(),
        ),
        (Header { gso_type: 1, gso_size: 1000, ..Header::default() }, long.clone()),
        (Header { gso_type: 9, ..unfinished(1000) }, long.clone()),
        (Header { gso_size: 0, ..unfinished(1000) }, long.clone()),
        (Header { gso_type: 4, ..unfinished(1000) }, long.clone()),
        (unfinished(1461), long),
    ];
    for (header, frame) in &bad {
        a.send(1, *header, frame, 1);
        a.wait_used(1);
    }
    // Shorter than a header.
    let buffer = a.memory.allocate(16);
    a.add(1, &[(buffer, 11, false)]);
    a.kick(1);
    a.wait_used(1);
    a.send(1, Header::default(), &good, 1);
    assert_eq!(b.receive(0).1, good);
    assert_eq!(b.used(0), None);
    assert_eq!(a.status(), 0xf);
    let report = a.function.report();
    let drops = [&report.drops.malformed, &report.drops.bad_header, &report.drops.too_long];
    assert_eq!(drops.map(pando_engine::Counter::get), [3, 6, 2]);
}

#[test]
fn a_batch_of_bad_and_good_frames_is_completed_in_order() {
    for linux in [LINUX, PACKED, LINUX - Features::IN_ORDER, PACKED - Features::IN_ORDER] {
        let guest = Guest::new();
        let (mut a, mut b) = pair(&guest, linux, linux);
        b.post(0, 128, 2048);
        let mut good = 0;
        for round in 0..100 {
            let bad = round % 3 == 1;
            let header =
                if bad { Header { flags: 1, ..Header::default() } } else { Header::default() };
            good += usize::from(!bad);
            let bytes = [&header.bytes()[..], &frame(mac(1), mac(0), 100 + round)].concat();
            let buffer = a.memory.allocate(bytes.len());
            a.memory.write(buffer, &bytes);
            a.add(1, &[(buffer, bytes.len() as u32, false)]);
        }
        a.kick(1);
        for _ in 0..100 {
            a.wait_used(1);
        }
        let lens: Vec<_> = (0..good).map(|_| b.receive(0).1.len()).collect();
        let expected: Vec<_> =
            (0..100).filter(|round| round % 3 != 1).map(|round| 100 + round).collect();
        assert_eq!(lens, expected);
    }
}

#[test]
fn frames_sent_in_order_are_told_used_at_once_and_each_received_one_with_its_length() {
    for in_order in [false, true] {
        let guest = Guest::new();
        let linux = if in_order { LINUX } else { LINUX - Features::IN_ORDER };
        let (mut a, mut b) = pair(&guest, linux, linux);
        b.post(0, 16, 2048);
        // All ten are there before the queue is looked at.
        a.requester.set_open(false);
        pando_tlp::Link::epochs(&*guest.link).synchronize();
        for index in 0..10 {
            a.send(1, Header::default(), &frame(mac(1), mac(0), 100 + index), 1);
        }
        a.requester.set_open(true);
        a.function.resume();
        for index in 0..10 {
            assert_eq!(b.receive(0).1.len(), 100 + index);
        }
        (0..10).for_each(|head| assert_eq!(a.wait_used(1), (head, 0)));
        let element = |driver: &crate::testing::Driver, queue: usize, at: u64| {
            let bytes = driver.memory.read(driver.rings[queue].used + 4 + 8 * at, 8);
            (u32::from(bytes[0]), u32::from(bytes[4]))
        };
        let sent: Vec<_> = (0..10).map(|at| element(&a, 1, at)).collect();
        let received: Vec<_> = (0..10).map(|at| element(&b, 0, at)).collect();
        let each: Vec<_> = (0..10).map(|head| (head, 0)).collect();
        let batch = [&[(9, 0)][..], &[(0, 0); 9]].concat();
        assert_eq!(sent, if in_order { batch } else { each });
        assert_eq!(received, (0..10).map(|head| (head, 112 + head)).collect::<Vec<_>>());
    }
}

#[test]
fn a_receiver_without_buffers_gets_its_frames_once_it_has_some_or_loses_only_its_own() {
    for linux in [LINUX, PACKED] {
        let guest = Guest::new();
        let (mut a, mut b) = pair(&guest, linux, linux);
        let mut c = guest.driven(vf(2), linux);
        c.post(0, 16, 2048);
        a.send(1, Header::default(), &frame(mac(1), mac(0), 100), 1);
        a.send(1, Header::default(), &frame(mac(2), mac(0), 101), 1);
        assert_eq!(c.receive(0).1.len(), 101);
        a.wait_used(1);
        a.wait_used(1);
        b.post(0, 16, 2048);
        a.send(1, Header::default(), &frame(mac(1), mac(0), 102), 1);
        assert!([100, 102].contains(&b.receive(0).1.len()));
    }
}

#[test]
fn a_buffer_too_small_for_a_frame_stays_for_the_next() {
    let guest = Guest::new();
    let (mut a, mut b) = pair(&guest, LINUX, LINUX - Features::MRG_RXBUF);
    b.post(0, 4, 512);
    a.send(1, Header::default(), &frame(mac(1), mac(0), 600), 1);
    a.send(1, Header::default(), &frame(mac(1), mac(0), 500), 1);
    assert_eq!(b.receive(0).1.len(), 500);
    assert_eq!(b.function.report().drops.buffers_too_small.get(), 1);
    assert_eq!(b.status(), 0xf);
}

/// iPXE puts one header buffer in front of every chain, and takes nothing but a MAC address and an MTU.
#[test]
fn buffers_may_share_their_header_and_come_in_pieces() {
    let guest = Guest::new();
    let (mut a, mut b) = pair(&guest, LINUX, PLAIN | Features::MTU);
    let header = b.memory.allocate(16);
    let data = b.memory.allocate(4096);
    for at in 0..2 {
        let data = data + 2048 * at;
        b.add(0, &[(header, 12, true), (data, 1, true), (data + 1, 2000, true)]);
    }
    b.kick(0);
    for (at, payload) in [(0, 10), (2048, 1460)] {
        let sent = tcp(mac(1), mac(0), payload);
        a.send(1, unfinished(0), &sent, 1);
        assert_eq!(b.wait_used(0).1 as usize, sent.len() + 12);
        let received = b.memory.read(data + at, sent.len());
        assert!(checksum_is_right(&received));
        assert_eq!(received[54..], sent[54..]);
        assert_eq!(Header::of(&b.memory.read(header, 12)), ONE_BUFFER);
    }
}

#[test]
fn a_frame_that_no_ring_can_hold_is_dropped_and_those_behind_it_arrive() {
    for linux in [LINUX, PACKED] {
        let guest = Guest::new();
        let (mut a, mut b) = pair(&guest, linux, linux);
        b.post(0, 256, 16);
        a.send(1, unfinished(1400), &tcp(mac(1), mac(0), 10_000), 1);
        a.wait_used(1);
        a.send(1, Header::default(), &frame(mac(1), mac(0), 60), 1);
        let (header, received, _) = b.receive(0);
        assert_eq!((header.num_buffers, received.len()), (5, 60));
        assert_eq!(b.status(), 0xf);
    }
}
