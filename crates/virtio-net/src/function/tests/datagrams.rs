//! Long frames of several datagrams.

use pando_engine::Counter;

use crate::spec::{Features, ctrl};
use crate::testing::{Driver, Guest, Header, LINUX};

use super::{mac, sum, vf};

/// Bytes of the Ethernet and IP headers.
fn start(v4: bool) -> usize {
    if v4 { 34 } else { 54 }
}

/// A UDP frame of `payload` bytes, its checksum the pseudo header's sum.
fn udp(v4: bool, payload: usize) -> Vec<u8> {
    let len = (8 + payload) as u16;
    let mut frame = [&mac(1).0[..], &mac(0).0].concat();
    let addresses = if v4 {
        let total = (20 + len).to_be_bytes();
        frame.extend([&[8, 0, 0x45, 0][..], &total, &[0, 1, 0, 0, 64, 17]].concat());
        let addresses = [10, 0, 0, 1, 10, 0, 0, 2];
        let ip = [&frame[14..], &addresses].concat();
        frame.extend((!sum(&ip)).to_be_bytes());
        addresses.to_vec()
    } else {
        let len = len.to_be_bytes();
        frame.extend([&[0x86, 0xdd, 0x60, 0, 0, 0][..], &len, &[17, 64]].concat());
        [[0xfd; 16], [0xfe; 16]].concat()
    };
    frame.extend(&addresses);
    let pseudo = [&addresses[..], &[0, 17], &len.to_be_bytes()].concat();
    frame.extend([&[0x12, 0x34, 0x56, 0x78][..], &len.to_be_bytes()].concat());
    frame.extend(sum(&pseudo).to_be_bytes());
    frame.extend((0..payload).map(|at| (at % 253) as u8));
    frame
}

/// The header of such a frame that is to be cut into datagrams of `size`.
fn to_be_cut(v4: bool, size: u16) -> Header {
    let start = start(v4) as u16;
    let header = Header { flags: 1, gso_type: 5, hdr_len: start + 8, ..Header::default() };
    Header { gso_size: size, csum_start: start, csum_offset: 6, ..header }
}

fn pair(guest: &Guest, sender: Features, receiver: Features) -> (Driver, Driver) {
    let (a, mut b) = (guest.driven(vf(0), sender), guest.driven(vf(1), receiver));
    b.post(0, 64, 2048);
    (a, b)
}

#[test]
fn they_stay_whole_for_whoever_takes_them_and_are_cut_for_others() {
    let guest = Guest::new();
    let both = Features::GUEST_USO4 | Features::GUEST_USO6;
    for (receiver, whole) in [
        (LINUX, [true, true]),
        (LINUX - Features::GUEST_USO6, [true, false]),
        (LINUX - Features::GUEST_USO4, [false, true]),
        (LINUX - both, [false, false]),
        (LINUX - Features::GUEST_CSUM, [false, false]),
    ] {
        let (mut a, mut b) = pair(&guest, LINUX, receiver);
        for (v4, whole) in [true, false].into_iter().zip(whole) {
            for pieces in [1, 5] {
                let sent = udp(v4, 3500);
                a.send(1, to_be_cut(v4, 1000), &sent, pieces);
                if whole {
                    let (header, received, _) = b.receive(0);
                    assert_eq!(received, sent);
                    assert_eq!(Header { num_buffers: 0, ..header }, to_be_cut(v4, 1000));
                    continue;
                }
                for (at, len) in [(0, 1000), (1000, 1000), (2000, 1000), (3000, 500)] {
                    let (header, received, _) = b.receive(0);
                    let headers = start(v4) + 8;
                    assert_eq!((header.gso_type, header.num_buffers), (0, 1));
                    assert_eq!(received.len(), headers + len);
                    assert_eq!(received[headers..], sent[headers + at..headers + at + len]);
                }
            }
        }
    }
}

#[test]
fn they_can_be_switched_off_at_run_time() {
    let guest = Guest::new();
    let (mut a, mut b) = pair(&guest, LINUX, LINUX);
    let offloads = Features::GUEST_CSUM | Features::GUEST_USO6;
    assert_eq!(b.command(ctrl::GUEST_OFFLOADS_SET, &offloads.bits().to_le_bytes()), ctrl::OK);
    a.send(1, to_be_cut(true, 500), &udp(true, 1000), 1);
    assert_eq!([b.receive(0).0.gso_type, b.receive(0).0.gso_type], [0, 0]);
    a.send(1, to_be_cut(false, 500), &udp(false, 1000), 1);
    assert_eq!(b.receive(0).0.gso_type, 5);
}

#[test]
fn those_that_cannot_be_cut_are_dropped() {
    let guest = Guest::new();
    let (mut a, mut b) = pair(&guest, LINUX, LINUX - Features::GUEST_USO4);
    let mut neither = udp(true, 3000);
    neither[12..14].copy_from_slice(&[8, 6]);
    let bad = [
        (to_be_cut(true, 0), udp(true, 3000)),
        (Header { gso_type: 0x85, ..to_be_cut(true, 1000) }, udp(true, 3000)),
        (to_be_cut(true, 1000), neither),
        (to_be_cut(true, 1473), udp(true, 3000)),
    ];
    for (header, frame) in &bad {
        a.send(1, *header, frame, 1);
        a.wait_used(1);
    }
    let drops = |a: &Driver| {
        let report = a.function.report();
        [&report.drops.bad_header, &report.drops.too_long].map(Counter::get)
    };
    assert_eq!(drops(&a), [3, 1]);
    // Of these the finisher finds out.
    for (header, frame) in [
        (to_be_cut(true, 1), udp(true, 3000)),
        (Header { csum_start: 54, ..to_be_cut(true, 1000) }, udp(true, 3000)),
    ] {
        a.send(1, header, &frame, 1);
        a.wait_used(1);
    }
    a.send(1, to_be_cut(true, 1472), &udp(true, 1472), 1);
    assert_eq!(b.receive(0).1.len(), 1514);
    assert_eq!(b.used(0), None);
    let mut a = guest.driven(vf(2), LINUX - Features::HOST_USO);
    a.send(1, to_be_cut(true, 1000), &udp(true, 3000), 1);
    a.wait_used(1);
    assert_eq!(drops(&a), [1, 0]);
}
