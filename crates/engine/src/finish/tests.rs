use etherparse::{
    Ipv4Header, Ipv6Header, NetSlice, PacketBuilder, PacketBuilderStep, SlicedPacket, TcpHeader,
    TransportSlice,
};
use pando_tlp::Epochs;
use proptest::prelude::*;

use super::*;
use crate::SegmentationKind;

const SEQUENCE: u32 = 0xffff_f000; // wraps within a long frame

/// A receiver with a given appetite.
struct Sink {
    accepts: Accepts,
    room: usize,
    frames: Vec<(Vec<u8>, Offload)>,
}

impl Sink {
    fn new(accepts: Accepts, room: usize) -> Self {
        Self { accepts, room, frames: Vec::new() }
    }
}

impl Receive for Sink {
    fn accepts(&self) -> Accepts {
        self.accepts
    }

    fn deliver(
        &mut self,
        _: &Guard<'_>,
        batch: &Batch<'_>,
        frames: &[u16],
    ) -> Result<usize, QueueError> {
        let taken = frames.len().min(self.room);
        self.room -= taken;
        for index in &frames[..taken] {
            let frame = batch.frame(usize::from(*index));
            assert!(self.accepts.contains(frame.offload.needs()));
            let mut bytes = vec![0; MAX_FRAME];
            let bytes = copy_out(frame, &mut bytes).unwrap().to_vec();
            self.frames.push((bytes, frame.offload));
        }
        Ok(taken)
    }

    fn arm(&mut self, _: &Guard<'_>) -> Result<bool, QueueError> {
        Ok(true)
    }
}

fn deliver(
    finisher: &mut Finisher,
    sink: &mut Sink,
    frames: &mut [(Vec<u8>, Offload)],
    part: usize,
) -> Delivered {
    let epochs = Epochs::new();
    let mut participant = epochs.join();
    let guard = participant.enter();
    let mut batch = Batch::new();
    let indices: Vec<u16> = (0..frames.len() as u16).collect();
    for (bytes, offload) in frames {
        // In two pieces, so that the copy has to put them together.
        let middle = 20.min(bytes.len());
        let (a, b) = bytes.split_at_mut(middle);
        assert!(batch.push(&[VolatileSlice::from(a), VolatileSlice::from(b)], *offload));
    }
    finisher.deliver(&guard, sink, &batch, &indices, part).unwrap()
}

#[derive(Clone, Copy, Debug)]
enum Ip {
    V4,
    V6,
    V6Extended,
}

fn ethernet(tagged: bool) -> Vec<u8> {
    let mut bytes = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];
    if tagged {
        bytes.extend([0x81, 0x00, 0x00, 0x64]);
    }
    bytes
}

/// A frame of one transport header and its payload. Returns it with the offset of the transport header; checksum not filled in.
fn frame(ip: Ip, tagged: bool, protocol: u8, transport: &[u8], payload: &[u8]) -> (Vec<u8>, u16) {
    let mut bytes = ethernet(tagged);
    let len = transport.len() + payload.len();
    match ip {
        Ip::V4 => {
            let mut header =
                Ipv4Header::new(0, 64, protocol.into(), [10, 0, 0, 1], [10, 0, 0, 2]).unwrap();
            header.identification = 0xfffe;
            header.total_len = (20 + len) as u16;
            header.header_checksum = header.calc_header_checksum();
            bytes.extend([0x08, 0x00]);
            bytes.extend(header.to_bytes());
        }
        Ip::V6 | Ip::V6Extended => {
            let extension = if matches!(ip, Ip::V6Extended) { 16 } else { 0 };
            let header = Ipv6Header {
                payload_length: (extension + len) as u16,
                next_header: if extension == 0 { protocol } else { 0 }.into(),
                hop_limit: 64,
                source: [0x20; 16],
                destination: [0x30; 16],
                ..Ipv6Header::default()
            };
            bytes.extend([0x86, 0xdd]);
            bytes.extend(header.to_bytes());
            if extension != 0 {
                bytes.extend([60, 0, 1, 4, 0, 0, 0, 0]); // hop-by-hop, then destination options
                bytes.extend([protocol, 0, 1, 4, 0, 0, 0, 0]);
            }
        }
    }
    let start = bytes.len() as u16;
    bytes.extend(transport);
    bytes.extend(payload);
    (bytes, start)
}

fn tcp_header() -> TcpHeader {
    let mut header = TcpHeader::new(1000, 80, SEQUENCE, 4096);
    header.acknowledgment_number = 77;
    (header.ack, header.psh, header.fin, header.cwr) = (true, true, true, true);
    header.set_options_raw(&[1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8]).unwrap();
    header
}

/// A TCP frame that asks for segmentation.
fn long(ip: Ip, tagged: bool, payload: &[u8], size: u16) -> (Vec<u8>, Offload) {
    let (bytes, start) = frame(ip, tagged, 6, &tcp_header().to_bytes(), payload);
    let kind = if matches!(ip, Ip::V4) { SegmentationKind::Tcp4 } else { SegmentationKind::Tcp6 };
    let segmentation = Some(Segmentation { kind, size, ecn: true });
    (bytes, Offload { checksum: Checksum::Partial { start, offset: 16 }, segmentation })
}

/// A frame that only lacks its checksum, with the pseudo header's sum in place as a driver leaves it.
fn partial(
    ip: Ip,
    protocol: u8,
    offset: u16,
    transport: &[u8],
    payload: &[u8],
) -> (Vec<u8>, Offload) {
    let (mut bytes, start) = frame(ip, false, protocol, transport, payload);
    let len = (transport.len() + payload.len()) as u16;
    let addresses = if matches!(ip, Ip::V4) { 26..34 } else { 22..54 };
    let pseudo = Sum::default().add(&bytes[addresses]).add_word(len).add_word(protocol.into());
    let at = usize::from(start + offset);
    let sum = pseudo.checksum().map(|byte| !byte);
    bytes[at..at + 2].copy_from_slice(&sum);
    let checksum = Checksum::Partial { start, offset };
    (bytes, Offload { checksum, segmentation: None })
}

/// Checks one finished TCP frame by an independent implementation, and returns its header and payload.
fn parse(bytes: &[u8], tagged: bool) -> (TcpHeader, u16, Vec<u8>) {
    let packet = SlicedPacket::from_ethernet(bytes).unwrap();
    assert_eq!(packet.vlan_ids().len(), usize::from(tagged));
    let Some(TransportSlice::Tcp(tcp)) = &packet.transport else { panic!("not TCP") };
    let header = tcp.to_header();
    let (checksum, identification) = match packet.net.as_ref().unwrap() {
        NetSlice::Ipv4(ip) => {
            let ip = ip.header().to_header();
            assert_eq!(ip.header_checksum, ip.calc_header_checksum());
            (header.calc_checksum_ipv4(&ip, tcp.payload()).unwrap(), ip.identification)
        }
        NetSlice::Ipv6(ip) => {
            (header.calc_checksum_ipv6(&ip.header().to_header(), tcp.payload()).unwrap(), 0)
        }
        _ => panic!("not IP"),
    };
    assert_eq!(header.checksum, checksum);
    (header, identification, tcp.payload().to_vec())
}

/// What `pieces` must be, being cut from `payload`.
fn check_pieces(pieces: &[(Vec<u8>, Offload)], ip: Ip, tagged: bool, payload: &[u8], size: usize) {
    assert_eq!(pieces.len(), payload.len().div_ceil(size));
    let mut together = Vec::new();
    for (index, (bytes, offload)) in pieces.iter().enumerate() {
        let last = index + 1 == pieces.len();
        let (tcp, identification, piece) = parse(bytes, tagged);
        assert_eq!(tcp.sequence_number, SEQUENCE.wrapping_add(together.len() as u32));
        assert_eq!((tcp.fin, tcp.psh, tcp.cwr, tcp.ack), (last, last, index == 0, true));
        assert_eq!(tcp.options, tcp_header().options);
        if matches!(ip, Ip::V4) {
            assert_eq!(identification, 0xfffe_u16.wrapping_add(index as u16));
        }
        assert_eq!(*offload, Offload { checksum: Checksum::Valid, segmentation: None });
        assert!(piece.len() == size || last);
        together.extend(piece);
    }
    assert_eq!(together, payload);
}

fn any_ip() -> impl Strategy<Value = Ip> {
    prop_oneof![Just(Ip::V4), Just(Ip::V6), Just(Ip::V6Extended)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn pieces_reassemble_to_the_original(
        ip in any_ip(), tagged: bool, size in 48u16..9000,
        payload in (1usize..60_000, any::<u8>())
            .prop_map(|(len, seed)| (0..len).map(|i| (i * 7 + i / 251) as u8 ^ seed).collect::<Vec<_>>()),
    ) {
        let mut sink = Sink::new(Accepts::empty(), usize::MAX);
        let frames = &mut [long(ip, tagged, &payload, size)];
        let done = deliver(&mut Finisher::new(), &mut sink, frames, 0);
        prop_assert_eq!(done, Delivered { taken: 1, ..Delivered::default() });
        check_pieces(&sink.frames, ip, tagged, &payload, usize::from(size));
    }

    /// Whatever a sender claims about whatever bytes, nothing is written where the switch has decided, and nothing panics.
    #[test]
    fn claims_never_reach_the_addresses(
        mut bytes in proptest::collection::vec(any::<u8>(), 14..400), start: u16, offset in 0u16..80, tagged: bool,
        small in proptest::option::of(0u16..100), kind in proptest::option::of(any::<bool>()), size: u16, ip4: bool,
    ) {
        bytes[12..14].copy_from_slice(if tagged { &[0x81, 0] } else if ip4 { &[8, 0] } else { &[0x86, 0xdd] });
        let before = bytes.clone();
        let segmentation = kind.map(|four| Segmentation {
            kind: if four { SegmentationKind::Tcp4 } else { SegmentationKind::Tcp6 }, size, ecn: false,
        });
        let checksum = Checksum::Partial { start: small.unwrap_or(start), offset };
        let mut sink = Sink::new(Accepts::empty(), usize::MAX);
        let done = deliver(&mut Finisher::new(), &mut sink, &mut [(bytes, Offload { checksum, segmentation })], 0);
        prop_assert_eq!(done.taken, 1);
        prop_assert_eq!(done.dropped == 1, sink.frames.is_empty());
        let decided = if tagged { 16 } else { 14 };
        for (bytes, _) in &sink.frames {
            prop_assert_eq!(&bytes[..decided], &before[..decided]);
        }
    }
}

#[test]
fn checksums_agree_with_another_implementation() {
    let mut sink = Sink::new(Accepts::empty(), usize::MAX);
    let mut finisher = Finisher::new();
    for (ip, len) in [(Ip::V4, 0), (Ip::V4, 1001), (Ip::V6, 1400), (Ip::V6, 33), (Ip::V4, 30)] {
        let payload: Vec<u8> = (0..len).map(|i| i as u8).collect();
        let frame = partial(ip, 6, 16, &tcp_header().to_bytes(), &payload);
        deliver(&mut finisher, &mut sink, &mut [frame], 0);
        let (bytes, offload) = sink.frames.pop().unwrap();
        assert_eq!(parse(&bytes, false).2, payload);
        assert_eq!(offload.checksum, Checksum::Valid);
    }
    assert_eq!(finisher.counters().checksums.get(), 5);
}

#[test]
fn a_udp_checksum_of_zero_is_sent_as_ones() {
    let udp = |payload: [u8; 2]| {
        let frame = partial(Ip::V4, 17, 6, &[0, 7, 0, 7, 0, 10, 0, 0], &payload);
        let mut sink = Sink::new(Accepts::empty(), 1);
        deliver(&mut Finisher::new(), &mut sink, &mut [frame], 0);
        let bytes = sink.frames.pop().unwrap().0;
        u16::from_be_bytes([bytes[40], bytes[41]])
    };
    // With a payload equal to the checksum over a zero payload the sum is all ones, and its complement zero.
    let over_zero = udp([0, 0]);
    assert_eq!(udp(over_zero.to_be_bytes()), 0xffff);

    let oracle = PacketBuilder::ethernet2([2; 6], [4; 6]).ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64);
    let oracle: PacketBuilderStep<_> = oracle.udp(7, 7);
    let mut bytes = Vec::new();
    oracle.write(&mut bytes, &[0, 0]).unwrap();
    assert_eq!(over_zero, u16::from_be_bytes([bytes[40], bytes[41]]));
}

#[test]
fn what_is_accepted_goes_as_it_is() {
    let payload = vec![1; 4000];
    let all = Accepts::all();
    for (accepts, pieces) in [
        (all, 1),
        (all - Accepts::ECN, 3),
        (all - Accepts::TCP4, 3),
        (Accepts::CHECKSUM, 3),
        (all - Accepts::TCP6, 1),
    ] {
        let mut sink = Sink::new(accepts, usize::MAX);
        deliver(&mut Finisher::new(), &mut sink, &mut [long(Ip::V4, false, &payload, 1448)], 0);
        assert_eq!(sink.frames.len(), pieces, "{accepts:?}");
    }
}

#[test]
fn order_is_kept_between_finished_and_other_frames() {
    let plain = |tag: u8| (vec![tag; 60], Offload::default());
    let tcp = tcp_header().to_bytes();
    let mut frames = vec![
        plain(1),
        partial(Ip::V4, 6, 16, &tcp, &[2; 10]),
        partial(Ip::V4, 6, 16, &tcp, &[3; 10]),
        long(Ip::V6, false, &[4; 100], 60),
        plain(5),
        partial(Ip::V4, 6, 16, &tcp, &[6; 10]),
    ];
    let mut sink = Sink::new(Accepts::empty(), usize::MAX);
    let done = deliver(&mut Finisher::new(), &mut sink, &mut frames, 0);
    assert_eq!(done, Delivered { taken: 6, ..Delivered::default() });
    let last: Vec<u8> = sink.frames.iter().map(|(bytes, _)| bytes[bytes.len() - 1]).collect();
    assert_eq!(last, [1, 2, 3, 4, 4, 5, 6]);
}

#[test]
fn a_long_frame_goes_on_where_the_receiver_had_no_buffers() {
    let payload: Vec<u8> = (0..20_000u32).map(|i| (i / 3) as u8).collect();
    let mut finisher = Finisher::new();
    let mut sink = Sink::new(Accepts::empty(), 0);
    let (mut part, mut rounds) = (0, 0);
    loop {
        sink.room = 30;
        let done =
            deliver(&mut finisher, &mut sink, &mut [long(Ip::V4, true, &payload, 100)], part);
        part = done.part;
        rounds += 1;
        if done.taken == 1 {
            break;
        }
    }
    assert_eq!(rounds, 7);
    check_pieces(&sink.frames, Ip::V4, true, &payload, 100);
    let counters = finisher.counters();
    assert_eq!((counters.long_frames.get(), counters.segments.get()), (1, 200));
}

#[test]
fn a_short_receiver_leaves_the_rest() {
    let tcp = tcp_header().to_bytes();
    let bad = (
        vec![9; 60],
        Offload { checksum: Checksum::Partial { start: 60, offset: 0 }, segmentation: None },
    );
    let good = |tag| partial(Ip::V4, 6, 16, &tcp, &[tag; 10]);
    let mut frames = vec![good(1), bad, good(2), good(3), good(4)];
    let mut sink = Sink::new(Accepts::empty(), 2);
    let done = deliver(&mut Finisher::new(), &mut sink, &mut frames, 0);
    assert_eq!((done.taken, done.dropped, done.part), (3, 1, 0));
}

#[test]
fn many_frames_pass_through_one_scratch() {
    let tcp = tcp_header().to_bytes();
    let mut frames: Vec<_> =
        (0..64).map(|tag| partial(Ip::V6, 6, 16, &tcp, &[tag; 8000])).collect();
    let mut sink = Sink::new(Accepts::empty(), usize::MAX);
    let done = deliver(&mut Finisher::new(), &mut sink, &mut frames, 0);
    assert_eq!(done, Delivered { taken: 64, ..Delivered::default() });
    for (index, (bytes, _)) in sink.frames.iter().enumerate() {
        assert_eq!(parse(bytes, false).2, vec![index as u8; 8000]);
    }
}

#[test]
fn frames_that_lie_are_dropped_with_a_reason() {
    type Lie = fn(&mut Vec<u8>, &mut Offload);
    let set = |offload: &mut Offload, change: fn(&mut Segmentation)| {
        change(offload.segmentation.as_mut().unwrap());
    };
    let lies: &[(Lie, Unfinishable)] = &[
        (|b, _| b[14] = 0x44, Unfinishable::Headers), // IHL below 5
        (|b, _| b[14] = 0x65, Unfinishable::Headers), // version
        (|b, _| b[20] = 0x20, Unfinishable::Headers), // more fragments
        (|b, _| b[21] = 0x01, Unfinishable::Headers), // fragment offset
        (|b, _| b[23] = 17, Unfinishable::Headers),   // UDP
        (|b, _| b[46] = 0x40, Unfinishable::Headers), // TCP data offset below 5
        (|b, _| b[12..14].copy_from_slice(&[0x86, 0xdd]), Unfinishable::Headers),
        (|b, _| b.truncate(40), Unfinishable::Headers), // inside the TCP header
        (|b, _| b.truncate(66), Unfinishable::Headers), // no payload
        (|_, o| o.checksum = Checksum::Unknown, Unfinishable::Headers),
        (|_, o| o.checksum = Checksum::Partial { start: 34, offset: 6 }, Unfinishable::Headers),
        (|_, o| o.checksum = Checksum::Partial { start: 38, offset: 16 }, Unfinishable::Headers),
        (|b, _| b.resize(MAX_FRAME + 1, 0), Unfinishable::TooLong),
    ];
    for (number, (lie, expected)) in lies.iter().enumerate() {
        let (mut bytes, mut offload) = long(Ip::V4, false, &[0; 3000], 1448);
        lie(&mut bytes, &mut offload);
        refused(bytes, offload, *expected, number);
    }
    let (bytes, mut offload) = long(Ip::V4, false, &[0; 3000], 1448);
    set(&mut offload, |segmentation| segmentation.size = 47);
    refused(bytes, offload, Unfinishable::SegmentSize, 100);
    let (bytes, mut offload) = long(Ip::V4, false, &[0; 65_490], 1448);
    set(&mut offload, |segmentation| segmentation.size = u16::MAX);
    refused(bytes, offload, Unfinishable::TooLong, 101);
}

#[test]
fn ipv6_extension_headers_are_walked_with_a_bound() {
    let (mut bytes, offload) = long(Ip::V6Extended, false, &[0; 3000], 1440);
    bytes[54] = 43; // the second is a routing header with segments left
    bytes[65] = 0;
    bytes[62 + 3] = 1;
    refused(bytes.clone(), offload, Unfinishable::Headers, 0);
    bytes[54] = 44; // a fragment
    refused(bytes.clone(), offload, Unfinishable::Headers, 1);
    bytes[54] = 60;
    bytes[62] = 0; // hop-by-hop for ever, each 8 bytes long
    bytes[70..].fill(0);
    refused(bytes.clone(), offload, Unfinishable::Headers, 2);
    bytes[54] = 60;
    bytes[63] = 255; // longer than the bound
    refused(bytes, offload, Unfinishable::Headers, 3);
}

fn refused(bytes: Vec<u8>, offload: Offload, expected: Unfinishable, number: usize) {
    let mut finisher = Finisher::new();
    let mut sink = Sink::new(Accepts::empty(), usize::MAX);
    let done = deliver(&mut finisher, &mut sink, &mut [(bytes, offload)], 0);
    assert_eq!((done.taken, done.dropped), (1, 1), "case {number}");
    assert!(sink.frames.is_empty(), "case {number}");
    let counters = finisher.counters();
    let count = match expected {
        Unfinishable::TooLong => &counters.dropped_too_long,
        Unfinishable::Checksum => &counters.dropped_checksum,
        Unfinishable::Headers => &counters.dropped_headers,
        Unfinishable::SegmentSize => &counters.dropped_segment_size,
    };
    assert_eq!(count.get(), 1, "case {number}: {counters:?}");
}

#[test]
fn datagrams_are_cut_with_lengths_and_checksums_of_their_own() {
    for v4 in [true, false] {
        let ethernet = PacketBuilder::ethernet2([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]);
        let ip = match v4 {
            true => ethernet.ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64),
            false => ethernet.ipv6([1; 16], [2; 16], 64),
        };
        let payload: Vec<u8> = (0..1000u32).map(|byte| byte as u8).collect();
        let mut bytes = Vec::new();
        ip.udp(1000, 2000).write(&mut bytes, &payload).unwrap();
        let start = (bytes.len() - payload.len() - 8) as u16;
        let kind = if v4 { SegmentationKind::Udp4 } else { SegmentationKind::Udp6 };
        for (size, frames) in [(300u16, 4), (20, 50), (999, 2)] {
            let offload = Offload {
                checksum: Checksum::Partial { start, offset: 6 },
                segmentation: Some(Segmentation { kind, size, ecn: false }),
            };
            let mut sink = Sink::new(Accepts::empty(), 100);
            let mut given = [(bytes.clone(), offload)];
            let done = deliver(&mut Finisher::new(), &mut sink, &mut given, 0);
            assert_eq!((done.taken, sink.frames.len()), (1, frames));
            let mut got = Vec::new();
            for (frame, _) in &sink.frames {
                let sliced = SlicedPacket::from_ethernet(frame).unwrap();
                let Some(TransportSlice::Udp(udp)) = &sliced.transport else { panic!("no UDP") };
                let header = udp.to_header();
                let expected = match sliced.net.as_ref().unwrap() {
                    NetSlice::Ipv4(ip) => {
                        header.calc_checksum_ipv4(&ip.header().to_header(), udp.payload())
                    }
                    NetSlice::Ipv6(ip) => {
                        header.calc_checksum_ipv6(&ip.header().to_header(), udp.payload())
                    }
                    _ => panic!("no IP"),
                };
                assert_eq!(header.checksum, expected.unwrap());
                got.extend_from_slice(udp.payload());
            }
            assert_eq!(got, payload);
        }
        let offload = Offload {
            checksum: Checksum::Partial { start, offset: 6 },
            segmentation: Some(Segmentation { kind, size: 1, ecn: false }),
        };
        let mut sink = Sink::new(Accepts::empty(), 2000);
        let done = deliver(&mut Finisher::new(), &mut sink, &mut [(bytes, offload)], 0);
        assert_eq!((done.dropped, sink.frames.len()), (1, 0), "a thousand from one is too much");
    }
}
