use std::time::Duration;

use etherparse::{
    ArpPacket, Icmpv4Type, Icmpv6Type, NetSlice, PacketBuilder, SlicedPacket, TransportSlice,
};

use super::reflect::{PEER, reflect};
use crate::uplink::UplinkConfig;
use crate::uplink::testing::{Hand, only, plain, wait};

const GUEST: [u8; 6] = [2, 0, 0, 0, 0, 1];
const OTHER: [u8; 6] = [2, 0, 0, 0, 0, 2];
const A: [u8; 4] = [10, 0, 0, 1];
const B: [u8; 4] = [10, 0, 0, 9];
const A6: [u8; 16] = [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
const B6: [u8; 16] = [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9];

/// A frame built by another implementation.
macro_rules! frame {
    ($builder:expr, $payload:expr) => {{
        let mut bytes = Vec::new();
        $builder.write(&mut bytes, $payload).unwrap();
        bytes
    }};
}

fn answer(mut frame: Vec<u8>) -> Option<Vec<u8>> {
    reflect(&mut frame).then_some(frame)
}

/// Source and destination of the answer's headers.
fn addresses(bytes: &[u8]) -> (Vec<u8>, Vec<u8>) {
    match SlicedPacket::from_ethernet(bytes).unwrap().net.unwrap() {
        NetSlice::Ipv4(ip) => (ip.header().source().to_vec(), ip.header().destination().to_vec()),
        NetSlice::Ipv6(ip) => (ip.header().source().to_vec(), ip.header().destination().to_vec()),
        _ => panic!("no IP"),
    }
}

#[test]
fn pings_are_answered() {
    let four = PacketBuilder::ethernet2(GUEST, OTHER).ipv4(A, B, 64).icmpv4_echo_request(7, 8);
    let bytes = answer(frame!(four, &[5; 56])).unwrap();
    assert_eq!((&bytes[..6], &bytes[6..12]), (&GUEST[..], &OTHER[..]));
    assert_eq!(addresses(&bytes), (B.to_vec(), A.to_vec()));
    let packet = SlicedPacket::from_ethernet(&bytes).unwrap();
    let Some(TransportSlice::Icmpv4(icmp)) = packet.transport else { panic!("not ICMP") };
    assert!(
        matches!(icmp.icmp_type(), Icmpv4Type::EchoReply(echo) if echo.id == 7 && echo.seq == 8)
    );
    assert_eq!(icmp.checksum(), icmp.icmp_type().calc_checksum(icmp.payload()));

    let six = PacketBuilder::ethernet2(GUEST, OTHER).ipv6(A6, B6, 64).icmpv6_echo_request(7, 8);
    let bytes = answer(frame!(six, &[5; 57])).unwrap();
    assert_eq!(addresses(&bytes), (B6.to_vec(), A6.to_vec()));
    let packet = SlicedPacket::from_ethernet(&bytes).unwrap();
    let Some(TransportSlice::Icmpv6(icmp)) = packet.transport else { panic!("not ICMPv6") };
    assert!(matches!(icmp.icmp_type(), Icmpv6Type::EchoReply(_)));
    assert!(icmp.is_checksum_valid(B6, A6));
}

#[test]
fn udp_and_tcp_come_back_with_their_checksums_right() {
    for tagged in [false, true] {
        let ethernet = PacketBuilder::ethernet2(GUEST, OTHER);
        let bytes = if tagged {
            let vlan = etherparse::VlanId::try_new(7).unwrap();
            frame!(ethernet.single_vlan(vlan).ipv4(A, B, 64).udp(1000, 7), b"hello")
        } else {
            frame!(ethernet.ipv4(A, B, 64).udp(1000, 7), b"hello")
        };
        let bytes = answer(bytes).unwrap();
        let packet = SlicedPacket::from_ethernet(&bytes).unwrap();
        assert_eq!(packet.vlan_ids().len(), usize::from(tagged));
        let (Some(NetSlice::Ipv4(ip)), Some(TransportSlice::Udp(udp))) =
            (&packet.net, &packet.transport)
        else {
            panic!("not UDP");
        };
        assert_eq!((udp.source_port(), udp.destination_port()), (7, 1000));
        assert_eq!(udp.payload(), b"hello");
        let header = ip.header().to_header();
        assert_eq!(header.header_checksum, header.calc_header_checksum());
        let checksum = udp.to_header().calc_checksum_ipv4(&header, udp.payload()).unwrap();
        assert_eq!(udp.checksum(), checksum);
    }
    let tcp = PacketBuilder::ethernet2(GUEST, OTHER).ipv6(A6, B6, 64).tcp(1000, 7, 1, 4096).syn();
    let bytes = answer(frame!(tcp, &[])).unwrap();
    let packet = SlicedPacket::from_ethernet(&bytes).unwrap();
    let Some(TransportSlice::Tcp(tcp)) = packet.transport else { panic!("not TCP") };
    assert_eq!((tcp.source_port(), tcp.destination_port(), tcp.syn()), (7, 1000, true));
}

fn arp(operation: u16, sender: [u8; 4], target: [u8; 4]) -> Vec<u8> {
    let mut bytes = [[0xff; 6], GUEST].concat();
    bytes.extend([8, 6, 0, 1, 8, 0, 6, 4]);
    bytes.extend(operation.to_be_bytes());
    bytes.extend([&GUEST[..], &sender, &[0; 6], &target].concat());
    bytes
}

#[test]
fn arp_is_answered_but_no_probe() {
    let bytes = answer(arp(1, A, B)).unwrap();
    assert_eq!((&bytes[..6], &bytes[6..12]), (&GUEST[..], &PEER.0[..]));
    let packet = SlicedPacket::from_ethernet(&bytes).unwrap();
    let Some(NetSlice::Arp(arp_slice)) = packet.net else { panic!("not ARP") };
    let reply: ArpPacket = arp_slice.to_packet();
    assert_eq!(reply.operation.0, 2);
    assert_eq!((reply.sender_hw_addr(), reply.sender_protocol_addr()), (&PEER.0[..], &B[..]));
    assert_eq!((reply.target_hw_addr(), reply.target_protocol_addr()), (&GUEST[..], &A[..]));
    assert_eq!(answer(arp(1, [0; 4], B)), None); // is B free?
    assert_eq!(answer(arp(1, A, A)), None); // I am A
    assert_eq!(answer(arp(2, A, B)), None); // a reply
}

fn solicitation(source: [u8; 16]) -> Vec<u8> {
    let mut group = [0; 16];
    (group[0], group[1], group[11], group[12], group[15]) = (0xff, 2, 1, 0xff, 9);
    let mut icmp = vec![0, 0, 0, 0];
    icmp.extend(B6);
    icmp.extend([1, 1]);
    icmp.extend(GUEST);
    let ip = PacketBuilder::ethernet2(GUEST, [0x33, 0x33, 0xff, 0, 0, 9]).ipv6(source, group, 255);
    frame!(ip.icmpv6_raw(135, 0, [0; 4]), &icmp[4..])
}

#[test]
fn neighbours_are_answered_but_no_probe() {
    let bytes = answer(solicitation(A6)).unwrap();
    assert_eq!((&bytes[..6], &bytes[6..12]), (&GUEST[..], &PEER.0[..]));
    assert_eq!(addresses(&bytes), (B6.to_vec(), A6.to_vec()));
    let packet = SlicedPacket::from_ethernet(&bytes).unwrap();
    let Some(TransportSlice::Icmpv6(icmp)) = packet.transport else { panic!("not ICMPv6") };
    assert!(icmp.is_checksum_valid(B6, A6));
    assert_eq!((icmp.slice()[0], icmp.slice()[4]), (136, 0x60));
    assert_eq!(icmp.slice()[8..24], B6);
    assert_eq!(icmp.slice()[24..32], [&[2, 1][..], &PEER.0].concat());
    assert_eq!(answer(solicitation([0; 16])), None);
}

#[test]
fn what_nobody_would_answer_is_not() {
    let everyone = PacketBuilder::ethernet2(GUEST, [0xff; 6]).ipv4(A, [255; 4], 64).udp(68, 67);
    assert_eq!(answer(frame!(everyone, &[0; 300])), None);
    let reply = PacketBuilder::ethernet2(GUEST, OTHER).ipv4(A, B, 64).icmpv4_echo_reply(7, 8);
    assert_eq!(answer(frame!(reply, &[0; 8])), None);
}

proptest::proptest! {
    #[test]
    fn no_frame_is_too_strange(
        mut bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 14..120),
        kind in 0usize..6,
    ) {
        let ether_type = [[8, 0], [8, 6], [0x86, 0xdd], [0x81, 0], [0x88, 0xa8], [1, 2]][kind];
        bytes[12..14].copy_from_slice(&ether_type);
        let len = bytes.len();
        proptest::prop_assert!(answer(bytes).is_none_or(|bytes| bytes.len() == len));
    }
}

#[test]
fn the_descriptor_tells_when_something_comes_back() {
    let mut uplink = UplinkConfig::Loopback.open(1).unwrap();
    let queue = only(&mut uplink);
    let mut hand = Hand::new();
    assert!(!hand.arm(&mut *queue.transmit));
    assert!(!wait(&queue.readable, Duration::ZERO));
    hand.send(&mut *queue.receive, &[plain(3, 60), plain(4, 9000)]);
    assert!(wait(&queue.readable, Duration::ZERO));
    let frames = hand.fetch(&mut *queue.transmit).unwrap();
    assert_eq!(frames.iter().map(|(bytes, _)| bytes.len()).collect::<Vec<_>>(), [60, 9000]);
    assert_eq!((&frames[0].0[..6], frames[0].0[20]), (&[2, 0, 0, 0, 0, 2][..], 3));
    assert!(!hand.arm(&mut *queue.transmit));
    assert!(!wait(&queue.readable, Duration::ZERO));
}

#[test]
fn a_full_mirror_drops_and_counts() {
    let mut uplink = UplinkConfig::Loopback.open(1).unwrap();
    let mut hand = Hand::new();
    let frames = vec![plain(1, 60); 200];
    hand.send(&mut *only(&mut uplink).receive, &frames);
    assert_eq!(uplink.counters.out_frames.get(), 64);
    assert_eq!(uplink.counters.out_dropped_full.get(), 136);
    assert_eq!(hand.fetch(&mut *only(&mut uplink).transmit).unwrap().len(), 64);
}
