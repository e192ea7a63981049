//! Receive side scaling and hash reports.

use crate::spec::{Features, ctrl};
use crate::testing::{Driver, Guest, Header, LINUX, hash_config, rss_config};

use super::{frame, mac, tcp, vf};

/// A TCP frame from a port, between the addresses of the verification suite for RSS.
fn flow(port: u16) -> Vec<u8> {
    let mut frame = tcp(mac(1), mac(0), 10);
    frame[26..34].copy_from_slice(&[66, 9, 149, 187, 161, 142, 100, 80]);
    frame[34..38].copy_from_slice(&[port.to_be_bytes(), 1766u16.to_be_bytes()].concat());
    frame
}

/// What the suite says about port 2794: over the addresses, and over the ports too.
const ADDRESSES: u32 = 0x323e_8fc2;
const PORTS: u32 = 0x51cc_c178;

/// The pairs that frames come in at.
fn pairs_of(a: &mut Driver, b: &mut Driver, frames: &[Vec<u8>]) -> Vec<u16> {
    let mut pair_of = |frame: &Vec<u8>| {
        a.send(1, Header::default(), frame, 1);
        a.wait_used(1);
        (0..4).find(|pair| b.used(2 * pair).is_some()).expect("it came in")
    };
    frames.iter().map(&mut pair_of).collect()
}

#[test]
fn frames_go_where_the_table_says() {
    let guest = Guest::new();
    let mut a = guest.driven(vf(0), LINUX);
    let mut b = guest.driven(vf(1), LINUX | Features::HASH_REPORT);
    (0..4).for_each(|pair| b.post(2 * pair, 64, 2048));
    let set = |b: &mut Driver, types, table: &[u16], other| {
        assert_eq!(b.command(ctrl::MQ_RSS_CONFIG, &rss_config(types, table, other)), ctrl::OK);
    };
    let mut table = [0; 128];
    table[PORTS as usize % 128] = 3;
    table[ADDRESSES as usize % 128] = 2;
    set(&mut b, 0x3f, &table, 1);
    let other = frame(mac(1), mac(0), 100);
    assert_eq!(pairs_of(&mut a, &mut b, &[flow(2794), other.clone()]), [3, 1]);
    set(&mut b, 1, &table, 3);
    assert_eq!(pairs_of(&mut a, &mut b, &[flow(2794), flow(1), other.clone()]), [2, 2, 3]);
    set(&mut b, 0, &table, 2);
    assert_eq!(pairs_of(&mut a, &mut b, &[flow(2794), other.clone()]), [2, 2]);
    set(&mut b, 0x3f, &[0, 1, 2, 3], 0);
    let flows: Vec<_> = (0..16).map(flow).collect();
    let mut pairs = pairs_of(&mut a, &mut b, &flows);
    pairs.sort_unstable();
    pairs.dedup();
    assert_eq!(pairs, [0, 1, 2, 3]);
    assert_eq!(b.command(ctrl::MQ_PAIRS_SET, &[1, 0]), ctrl::OK);
    assert_eq!(pairs_of(&mut a, &mut b, &flows), [0; 16], "the last command counts");
    assert_eq!(b.command(ctrl::MQ_RSS_CONFIG, &rss_config(0x3f, &[4], 0)), ctrl::ERR);
    b.probe(LINUX);
    b.post(0, 64, 2048);
    assert_eq!(pairs_of(&mut a, &mut b, &flows), [0; 16], "and a reset");
}

/// The longer header is each side's own business.
#[test]
fn a_hash_is_reported_to_whoever_asks() {
    let guest = Guest::new();
    for (sender, receiver) in [
        (LINUX, LINUX | Features::HASH_REPORT),
        (LINUX | Features::HASH_REPORT, LINUX | Features::HASH_REPORT),
        (LINUX | Features::HASH_REPORT, LINUX),
    ] {
        let mut a = guest.driven(vf(0), sender);
        let mut b = guest.driven(vf(1), receiver);
        b.post(0, 64, 64);
        let reports = receiver.contains(Features::HASH_REPORT);
        let mut expect = |b: &mut Driver, frame: &[u8], report| {
            for pieces in [1, 3] {
                a.send(1, Header::default(), frame, pieces);
                let (header, received, lens) = b.receive(0);
                assert_eq!(received, frame);
                assert_eq!(header.report, reports.then_some(report));
                let len = frame.len() + receiver.header_len();
                assert_eq!(usize::from(header.num_buffers), len.div_ceil(64));
                assert_eq!(lens.iter().sum::<u32>() as usize, len);
                assert_eq!((header.flags, header.gso_type), (0, 0));
            }
        };
        expect(&mut b, &flow(2794), (0, 0));
        if reports {
            assert_eq!(b.command(ctrl::MQ_HASH_CONFIG, &hash_config(0x3f)), ctrl::OK);
        }
        expect(&mut b, &flow(2794), (PORTS, 2));
        expect(&mut b, &frame(mac(1), mac(0), 60), (0, 0));
        expect(&mut b, &frame(mac(1), mac(0), 500), (0, 0));
        if reports {
            assert_eq!(b.command(ctrl::MQ_HASH_CONFIG, &hash_config(1)), ctrl::OK);
            expect(&mut b, &flow(2794), (ADDRESSES, 1));
        }
    }
}

/// A buffer of one piece, one frame each.
#[test]
fn whole_frames_have_their_report_too() {
    let guest = Guest::new();
    let mut a = guest.driven(vf(0), LINUX);
    let mut b = guest.driven(vf(1), LINUX | Features::HASH_REPORT);
    assert_eq!(b.command(ctrl::MQ_HASH_CONFIG, &hash_config(0x3f)), ctrl::OK);
    b.post(0, 8, 2048);
    for _ in 0..4 {
        a.send(1, Header::default(), &flow(2794), 1);
        let (header, received, _) = b.receive(0);
        assert_eq!((header.report, received), (Some((PORTS, 2)), flow(2794)));
    }
}
