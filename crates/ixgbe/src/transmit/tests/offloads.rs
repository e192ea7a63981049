//! Checksums and segmentation, against what an independent parser makes of the frames.

use etherparse::{NetSlice, PacketBuilder, SlicedPacket, TransportSlice};
use pando_engine::{Segmentation, SegmentationKind};

use super::*;

#[derive(Clone, Copy, Debug, PartialEq)]
enum L4 {
    Tcp,
    Udp,
}

/// A frame as Linux hands it over: no checksums, a pseudo header's sum in the transport's place, no IP length if it is long.
fn packet(v4: bool, l4: L4, payload: usize) -> (Vec<u8>, [u32; 3]) {
    let builder = PacketBuilder::ethernet2([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 9]);
    let builder = match v4 {
        true => builder.ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64),
        false => builder.ipv6([1; 16], [2; 16], 64),
    };
    let payload: Vec<u8> = (0..payload).map(|byte| (byte / 7) as u8).collect();
    let mut bytes = Vec::new();
    match l4 {
        L4::Tcp => builder.tcp(1000, 2000, 77, 512).write(&mut bytes, &payload),
        L4::Udp => builder.udp(1000, 2000).write(&mut bytes, &payload),
    }
    .unwrap();
    let ip = if v4 { 20 } else { 40 };
    let (len, at) = if l4 == L4::Tcp { (20, 16) } else { (8, 6) };
    bytes[14 + ip + at..14 + ip + at + 2].fill(0x55);
    (bytes, [14, ip as u32, len])
}

/// The pseudo header's sum of a whole packet, where Linux puts it for a frame that isn't cut.
fn with_pseudo(mut bytes: Vec<u8>, v4: bool, l4: L4) -> Vec<u8> {
    let (ip, addresses) = if v4 { (20, 26..34) } else { (40, 22..54) };
    let (protocol, at) = if l4 == L4::Tcp { (6, 16) } else { (17, 6) };
    let len = bytes.len() - 14 - ip;
    let sum = pando_engine::packet::sum(&bytes[addresses]) as u64 + protocol + len as u64;
    let sum = pando_engine::packet::fold(sum);
    bytes[14 + ip + at..14 + ip + at + 2].copy_from_slice(&sum.to_be_bytes());
    bytes
}

/// Checks every checksum and length; the payload.
fn check(frame: &[u8]) -> Vec<u8> {
    let sliced = SlicedPacket::from_ethernet(frame).unwrap();
    let (v4, v6) = match sliced.net.as_ref().unwrap() {
        NetSlice::Ipv4(ip) => {
            let header = ip.header().to_header();
            assert_eq!(header.header_checksum, header.calc_header_checksum());
            assert_eq!(usize::from(header.total_len), frame.len() - 14);
            (Some(header), None)
        }
        NetSlice::Ipv6(ip) => {
            let header = ip.header().to_header();
            assert_eq!(usize::from(header.payload_length), frame.len() - 54);
            (None, Some(header))
        }
        _ => panic!("no IP"),
    };
    match sliced.transport.as_ref().unwrap() {
        TransportSlice::Tcp(tcp) => {
            let (header, payload) = (tcp.to_header(), tcp.payload());
            let sum = match (&v4, &v6) {
                (Some(ip), _) => header.calc_checksum_ipv4(ip, payload),
                (_, Some(ip)) => header.calc_checksum_ipv6(ip, payload),
                _ => unreachable!(),
            };
            assert_eq!(header.checksum, sum.unwrap());
            payload.to_vec()
        }
        TransportSlice::Udp(udp) => {
            let (header, payload) = (udp.to_header(), udp.payload());
            let sum = match (&v4, &v6) {
                (Some(ip), _) => header.calc_checksum_ipv4(ip, payload),
                (_, Some(ip)) => header.calc_checksum_ipv6(ip, payload),
                _ => unreachable!(),
            };
            assert_eq!(header.checksum, sum.unwrap());
            payload.to_vec()
        }
        _ => panic!("no transport"),
    }
}

fn command(v4: bool, l4: L4) -> u32 {
    let l4 = if l4 == L4::Tcp { 1 } else { 0 };
    l4 << TUCMD_L4T_SHIFT | if v4 { TUCMD_IPV4 } else { 0 }
}

const CASES: [(bool, L4); 4] =
    [(true, L4::Tcp), (true, L4::Udp), (false, L4::Tcp), (false, L4::Udp)];

#[test]
fn checksums_of_single_frames() {
    with_ring(Accepts::empty(), |_, ring, wire| {
        for (v4, l4) in CASES {
            let (mut bytes, lens) = packet(v4, l4, 1000);
            let whole = bytes[lens[0] as usize + lens[1] as usize + lens[2] as usize..].to_vec();
            if v4 {
                bytes[24..26].fill(0);
            }
            let bytes = with_pseudo(bytes, v4, l4);
            ring.context(lens, 0, 0, command(v4, l4));
            let last = ring.frame(&bytes, 0, TX_IXSM | TX_TXSM, 3);
            ring.ring();
            ring.wait(last);
            assert_eq!(check(&wire.expect(1)[0].0), whole, "{v4} {l4:?}");
        }
    });
}

#[test]
fn long_frames_are_cut() {
    with_ring(Accepts::empty(), |_, ring, wire| {
        for (v4, l4) in CASES {
            let (mut bytes, lens) = packet(v4, l4, 20_000);
            let headers = lens.iter().sum::<u32>() as usize;
            let whole = bytes[headers..].to_vec();
            if v4 {
                bytes[16..18].fill(0);
                bytes[24..26].fill(0);
            } else {
                bytes[18..20].fill(0);
            }
            ring.context(lens, 1400, 0x5005, command(v4, l4));
            let last = ring.frame(&bytes, TX_TSE | TX_VLE, TX_TXSM | TX_IXSM, 6);
            ring.ring();
            ring.wait(last);
            let frames = wire.expect(20_000usize.div_ceil(1400));
            let mut got = Vec::new();
            for (mut frame, _) in frames {
                assert_eq!(frame[12..16], [0x81, 0, 0x50, 5]);
                frame.drain(12..16);
                got.extend(check(&frame));
            }
            assert_eq!(got, whole, "{v4} {l4:?}");
        }
    });
}

#[test]
fn who_takes_long_frames_gets_them_as_one_packet() {
    with_ring(Accepts::all(), |_, ring, wire| {
        for (v4, l4) in CASES {
            let (mut bytes, lens) = packet(v4, l4, 20_000);
            let expected = with_pseudo(bytes.clone(), v4, l4);
            if v4 {
                bytes[16..18].fill(0);
                bytes[24..26].fill(0);
            } else {
                bytes[18..20].fill(0);
            }
            ring.context(lens, 1400, 0, command(v4, l4));
            let last = ring.frame(&bytes, TX_TSE, TX_TXSM, 6);
            ring.ring();
            ring.wait(last);
            let (frame, offload) = wire.expect(1).remove(0);
            let kind = match (v4, l4) {
                (true, L4::Tcp) => SegmentationKind::Tcp4,
                (false, L4::Tcp) => SegmentationKind::Tcp6,
                (true, L4::Udp) => SegmentationKind::Udp4,
                (false, L4::Udp) => SegmentationKind::Udp6,
            };
            let start = (lens[0] + lens[1]) as u16;
            let offset = if l4 == L4::Tcp { 16 } else { 6 };
            assert_eq!(offload.checksum, Checksum::Partial { start, offset });
            assert_eq!(offload.segmentation, Some(Segmentation { kind, size: 1400, ecn: false }));
            assert!(frame == expected, "{v4} {l4:?}: lengths and sums of one packet");
        }
    });
}

#[test]
fn sctp_gets_its_check_sequence() {
    with_ring(Accepts::empty(), |_, ring, wire| {
        let mut bytes = packet(true, L4::Udp, 100).0;
        bytes[23] = 132;
        ring.context([14, 20, 12], 0, 0, 2 << TUCMD_L4T_SHIFT | TUCMD_IPV4);
        let last = ring.frame(&bytes, 0, TX_TXSM | TX_IXSM, 4);
        ring.ring();
        ring.wait(last);
        let sent = wire.expect(1).remove(0).0;
        bytes[42..46].fill(0);
        let mut crc = crate::transmit::crc::Crc::sctp();
        crc.add(&bytes[34..]);
        assert_eq!(sent[42..46], crc.finish());
        assert_eq!(sent[46..], bytes[46..]);
        assert_eq!(pando_engine::packet::sum(&sent[14..34]), 0xffff);
    });
}
