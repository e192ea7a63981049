use std::net::{Ipv4Addr, Ipv6Addr};

use etherparse::PacketBuilder;

use super::*;
use crate::identity::Model;
use crate::spec::descriptor::rss_type;
use crate::spec::filter::fdir::*;
use crate::spec::general::FDIRCTRL;
use flow_director::Table;

/// The key of the verification suite for RSS.
const KEY: [u8; 40] = [
    0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67, 0x25, 0x3d, 0x43, 0xa3, 0x8f, 0xb0,
    0xd0, 0xca, 0x2b, 0xcb, 0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3, 0x80, 0x30, 0xf2, 0x0c,
    0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa,
];

/// All fields on; RETA entry n is n modulo 16.
pub(super) fn storage(mrqc: u32) -> Storage {
    let storage = Storage::new(Model::default());
    for (index, bytes) in (0..).zip(KEY.chunks(4)) {
        storage.set(RSSRK + 4 * index, u32::from_le_bytes(bytes.try_into().unwrap()));
    }
    for index in 0..32u32 {
        let first = (4 * index % 16) as u8;
        storage.set(RETA + 4 * index, u32::from_le_bytes([first, first + 1, first + 2, first + 3]));
    }
    storage.set(MRQC, mrqc | 0x00f3_0000);
    storage
}

pub(super) fn selection(storage: &Storage, layout: Layout) -> Selection {
    Selection::read(storage, layout, Director::default())
}

#[derive(Clone, Copy)]
pub(super) enum L4 {
    Tcp,
    Udp,
    None,
}

pub(super) fn v4(source: [u8; 4], destination: [u8; 4], ports: (u16, u16), l4: L4) -> Vec<u8> {
    let ip = PacketBuilder::ethernet2([2; 6], [4; 6]).ipv4(source, destination, 64);
    let mut bytes = Vec::new();
    match l4 {
        L4::Tcp => ip.tcp(ports.0, ports.1, 1, 1).write(&mut bytes, &[0; 20]),
        L4::Udp => ip.udp(ports.0, ports.1).write(&mut bytes, &[0; 20]),
        L4::None => ip.icmpv4_echo_request(1, 1).write(&mut bytes, &[0; 20]),
    }
    .unwrap();
    bytes
}

pub(super) fn v6(source: &str, destination: &str, ports: (u16, u16), l4: L4) -> Vec<u8> {
    let address = |text: &str| text.parse::<Ipv6Addr>().unwrap().octets();
    let ip = PacketBuilder::ethernet2([2; 6], [4; 6]);
    let ip = ip.ipv6(address(source), address(destination), 64);
    let mut bytes = Vec::new();
    match l4 {
        L4::Tcp => ip.tcp(ports.0, ports.1, 1, 1).write(&mut bytes, &[0; 20]),
        L4::Udp => ip.udp(ports.0, ports.1).write(&mut bytes, &[0; 20]),
        L4::None => ip.icmpv6_echo_request(1, 1).write(&mut bytes, &[0; 20]),
    }
    .unwrap();
    bytes
}

fn hash(frame: &[u8]) -> (u32, u32) {
    let head = &frame[..frame.len().min(64)];
    let selection = selection(&storage(1), Layout::Whole);
    selection.rss.hash(&Packet::of(head), head).unwrap()
}

#[test]
fn toeplitz_agrees_with_the_verification_suite() {
    let cases = [
        ("66.9.149.187", 2794, "161.142.100.80", 1766, 0x323e_8fc2, 0x51cc_c178),
        ("199.92.111.2", 14230, "65.69.140.83", 4739, 0xd718_262a, 0xc626_b0ea),
        ("24.19.198.95", 12898, "12.22.207.184", 38024, 0xd2d0_a5de, 0x5c2b_394a),
        ("38.27.205.30", 48228, "209.142.163.6", 2217, 0x8298_9176, 0xafc7_327f),
        ("153.39.163.191", 44251, "202.188.127.2", 1303, 0x5d18_09c5, 0x10e8_28a2),
    ];
    for (source, from, destination, to, alone, with_ports) in cases {
        let address = |text: &str| text.parse::<Ipv4Addr>().unwrap().octets();
        let frame = |l4| v4(address(source), address(destination), (from, to), l4);
        assert_eq!(hash(&frame(L4::None)), (alone, rss_type::IPV4));
        assert_eq!(hash(&frame(L4::Tcp)), (with_ports, rss_type::TCP4));
        assert_eq!(hash(&frame(L4::Udp)), (with_ports, rss_type::UDP4));
    }
    let cases = [
        ("3ffe:2501:200:1fff::7", 2794, "3ffe:2501:200:3::1", 1766, 0x2cc1_8cd5, 0x4020_7d3d),
        ("3ffe:501:8::260:97ff:fe40:efab", 14230, "ff02::1", 4739, 0x0f0c_461c, 0xdde5_1bbf),
        (
            "3ffe:1900:4545:3:200:f8ff:fe21:67cf",
            44251,
            "fe80::200:f8ff:fe21:67cf",
            38024,
            0x4b61_e985,
            0x02d1_feef,
        ),
    ];
    for (source, from, destination, to, alone, with_ports) in cases {
        let frame = |l4| v6(source, destination, (from, to), l4);
        assert_eq!(hash(&frame(L4::None)), (alone, rss_type::IPV6));
        assert_eq!(hash(&frame(L4::Tcp)), (with_ports, rss_type::TCP6));
        assert_eq!(hash(&frame(L4::Udp)), (with_ports, rss_type::UDP6));
    }
}

#[test]
fn fields_that_are_off_are_not_hashed() {
    let storage = storage(1);
    storage.set(MRQC, 1 | 1 << 17);
    let selection = selection(&storage, Layout::Whole);
    let hash = |frame: &[u8]| selection.rss.hash(&Packet::of(&frame[..54]), &frame[..54]);
    let tcp = v4([66, 9, 149, 187], [161, 142, 100, 80], (2794, 1766), L4::Tcp);
    assert_eq!(hash(&tcp), Some((0x323e_8fc2, rss_type::IPV4)), "addresses only");
    assert_eq!(hash(&v6("::1", "::2", (1, 2), L4::Tcp)), None);
    assert_eq!(hash(&[0; 60]), None, "no IP");
}

#[test]
fn the_pool_bounds_the_queue() {
    let frame = v4([66, 9, 149, 187], [161, 142, 100, 80], (2794, 1766), L4::Tcp);
    let head = &frame[..54];
    let entry = 0x51cc_c178 & 0x7f & 0xf; // 8
    let queue = |selection: &Selection, pool| selection.queue(pool, head).map(QueueIndex::get);
    let whole = storage(1);
    assert_eq!(queue(&selection(&whole, Layout::Whole), None), Some(entry));
    let none = storage(0);
    assert_eq!(queue(&selection(&none, Layout::Whole), None), Some(0));
    let pools = storage(0xa);
    // 0x51ccc178 & 0x7f = 0x78: entry 8 of every 16; change it to 3.
    pools.set(RETA + 0x78, 0x0303_0303);
    for (rqpl, expected) in [(0, 0), (1, 1), (2, 3), (7, 3)] {
        pools.set(PSRTYPE + 4 * 5, rqpl << 29);
        let selection = selection(&pools, Layout::Pools32);
        assert_eq!(queue(&selection, Some(Pool(5))), Some(5 * 4 + expected), "RQPL {rqpl}");
    }
    let no_rss = storage(8);
    no_rss.set(PSRTYPE + 4 * 5, 2 << 29);
    assert_eq!(queue(&selection(&no_rss, Layout::Pools64), Some(Pool(5))), Some(10));
}

#[test]
fn a_queue_that_every_frame_goes_to_is_known_beforehand() {
    let only = |storage: &Storage, layout, pool: Option<u8>| {
        selection(storage, layout).only(pool.map(Pool)).map(QueueIndex::get)
    };
    assert_eq!(only(&storage(1), Layout::Whole, None), None, "RSS");
    let whole = storage(0);
    assert_eq!(only(&whole, Layout::Whole, None), Some(0));
    for (mode, rqpl, expected) in [(0xa, 0, Some(20)), (0xa, 1, None), (8, 1, Some(20))] {
        let pools = storage(mode);
        pools.set(PSRTYPE + 4 * 5, rqpl << 29);
        assert_eq!(only(&pools, Layout::Pools32, Some(5)), expected, "{mode} {rqpl}");
    }
    whole.set(ETQF, 1 << 31 | 0x88f7);
    assert_eq!(only(&whole, Layout::Whole, None), Some(0), "a filter that chooses no queue");
    for (filter, value) in [(ETQS, 1 << 31 | 7 << 16), (SYNQF, 1 | 9 << 1), (SAQF + 0x600, 1 << 31)]
    {
        whole.set(filter, value);
        assert_eq!(only(&whole, Layout::Whole, None), None, "{filter:#x}");
        whole.set(filter, 0);
    }
    let mut table = Table::default();
    let counts = Arc::default();
    whole.set(FDIRCTRL, 1);
    table.start(1, &counts);
    let only = |table: &Table| {
        let director = Director::new(table, &whole, Arc::default());
        Selection::read(&whole, Layout::Whole, director).only(None)
    };
    assert!(only(&table).is_some(), "no filter");
    table.command(&whole, 1, ADD, &counts);
    assert_eq!(only(&table), None, "a filter");
}

#[test]
fn ethertype_filters() {
    let storage = storage(1);
    storage.set(ETQF + 4 * 3, 1 << 31 | 0x88f7);
    storage.set(ETQS + 4 * 3, 1 << 31 | 7 << 16);
    storage.set(ETQF + 4 * 5, 1 << 31 | 1 << 29 | 0x8808);
    let selection = selection(&storage, Layout::Whole);
    let mut frame = vec![0; 60];
    frame[12..14].copy_from_slice(&[0x88, 0xf7]);
    assert_eq!(selection.queue(None, &frame).map(QueueIndex::get), Some(7));
    assert_eq!(selection.ether_types.number(&Packet::of(&frame), None), Some(3));
    assert_eq!(selection.ether_types.refused(), [0x8808]);
    // Without a queue of its own the frame goes on, but is named.
    frame[12..14].copy_from_slice(&[0x88, 0x08]);
    assert_eq!(selection.queue(None, &frame).map(QueueIndex::get), Some(0));
    assert_eq!(selection.ether_types.number(&Packet::of(&frame), None), Some(5));
}

#[test]
fn five_tuples_by_priority_with_fields_left_out() {
    let storage = storage(0);
    let filter = |number: u32, ignored: u32, priority: u32, queue: u32| {
        storage.set(SAQF + 4 * number, u32::from_le_bytes([10, 0, 0, 1]));
        storage.set(SAQF + 0x200 + 4 * number, u32::from_le_bytes([10, 0, 0, 2]));
        let ports = [1000u16.to_be_bytes(), 2000u16.to_be_bytes()].concat();
        let ports = u32::from_le_bytes(ports.try_into().unwrap());
        storage.set(SAQF + 0x400 + 4 * number, ports);
        let ftqf = 1 << 31 | 1 << 30 | ignored << 25 | priority << 2;
        storage.set(SAQF + 0x600 + 4 * number, ftqf);
        storage.set(SAQF + 0x800 + 4 * number, queue << 21 | 0x80 << 12);
    };
    filter(0, 0b01111, 1, 3); // any TCP
    filter(7, 0, 5, 4); // exactly this flow
    filter(9, 0b11101, 2, 5); // to 10.0.0.2
    let selection = selection(&storage, Layout::Whole);
    let queue = |frame: &[u8]| selection.queue(None, &frame[..40]).unwrap().get();
    assert_eq!(queue(&v4([10, 0, 0, 1], [10, 0, 0, 2], (1000, 2000), L4::Tcp)), 4);
    assert_eq!(queue(&v4([10, 0, 0, 1], [10, 0, 0, 2], (1000, 2001), L4::Tcp)), 5);
    assert_eq!(queue(&v4([10, 0, 0, 1], [10, 0, 0, 3], (1, 1), L4::Tcp)), 3);
    assert_eq!(queue(&v4([10, 0, 0, 1], [10, 0, 0, 3], (1, 1), L4::Udp)), 0);
    assert_eq!(queue(&v6("::1", "::2", (1, 1), L4::Tcp)), 0);
}

#[test]
fn syn_packets_have_a_queue_of_their_own() {
    let storage = storage(0);
    storage.set(SYNQF, 1 | 9 << 1);
    let selection = selection(&storage, Layout::Whole);
    let mut frame = v4([10, 0, 0, 1], [10, 0, 0, 2], (1, 2), L4::Tcp);
    assert_eq!(selection.queue(None, &frame[..54]).unwrap().get(), 0);
    frame[47] |= 2;
    assert_eq!(selection.queue(None, &frame[..54]).unwrap().get(), 9);
}
