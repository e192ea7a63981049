use proptest::prelude::*;
use zerocopy::{FromBytes, IntoBytes};

use super::*;

fn header(flags: u8, gso_type: u8, gso_size: u16, start: u16, offset: u16) -> VnetHeader {
    VnetHeader {
        flags,
        gso_type,
        gso_size: U16::new(gso_size),
        csum_start: U16::new(start),
        csum_offset: U16::new(offset),
        ..VnetHeader::default()
    }
}

#[test]
fn layout_is_the_specifications() {
    let bytes = [1, 0x81, 0x36, 0, 0xb4, 0x05, 0x22, 0, 0x10, 0, 2, 0];
    let header = VnetHeader::read_from_bytes(&bytes).unwrap();
    assert_eq!(VnetHeader::LEN, 12);
    assert_eq!((header.flags, header.gso_type), (NEEDS_CSUM, GSO_TCPV4 | GSO_ECN));
    assert_eq!((header.hdr_len.get(), header.gso_size.get()), (54, 1460));
    assert_eq!((header.csum_start.get(), header.csum_offset.get()), (34, 16));
    assert_eq!(header.num_buffers.get(), 2);
    assert_eq!(header.as_bytes(), bytes);
}

#[test]
fn what_a_header_may_say() {
    use VnetError::{SegmentChecksum, SegmentSize, SegmentationType};
    let partial = |start, offset| Checksum::Partial { start, offset };
    let tcp = |kind, size, ecn| Some(Segmentation { kind, size, ecn });
    let cases = [
        (header(0, 0, 0, 0, 0), 60, Ok((Checksum::Unknown, None))),
        // Stray values without their flag mean nothing.
        (header(0, 0, 1460, 0xffff, 0xffff), 60, Ok((Checksum::Unknown, None))),
        (header(DATA_VALID, 0, 0, 0, 0), 60, Ok((Checksum::Unknown, None))),
        (header(NEEDS_CSUM, 0, 0, 34, 6), 60, Ok((partial(34, 6), None))),
        (header(NEEDS_CSUM, 0, 0, 34, 24), 60, Ok((partial(34, 24), None))),
        (header(NEEDS_CSUM, 0, 0, 34, 25), 60, Err(VnetError::Checksum)),
        (header(NEEDS_CSUM, 0, 0, 0xffff, 0xffff), 60, Err(VnetError::Checksum)),
        // Into the addresses: a way round the spoof check.
        (header(NEEDS_CSUM, 0, 0, 0, 6), 60, Err(VnetError::Checksum)),
        (header(NEEDS_CSUM, 0, 0, 13, 6), 60, Err(VnetError::Checksum)),
        (
            header(NEEDS_CSUM, GSO_TCPV4, 1460, 34, 16),
            9000,
            Ok((partial(34, 16), tcp(SegmentationKind::Tcp4, 1460, false))),
        ),
        (
            header(NEEDS_CSUM, GSO_TCPV6 | GSO_ECN, 1440, 54, 16),
            9000,
            Ok((partial(54, 16), tcp(SegmentationKind::Tcp6, 1440, true))),
        ),
        (header(NEEDS_CSUM, GSO_TCPV4, 0, 34, 16), 9000, Err(SegmentSize)),
        (header(0, GSO_TCPV4, 1460, 34, 16), 9000, Err(SegmentChecksum)),
        (header(NEEDS_CSUM, 3, 1460, 34, 6), 9000, Err(SegmentationType)),
        (
            header(NEEDS_CSUM, GSO_UDP_L4, 1460, 34, 6),
            9000,
            Ok((partial(34, 6), tcp(SegmentationKind::Udp4, 1460, false))),
        ),
        (header(NEEDS_CSUM, GSO_UDP_L4 | GSO_ECN, 1460, 34, 6), 9000, Err(SegmentationType)),
        (header(NEEDS_CSUM, GSO_UDP_L4, 0, 34, 6), 9000, Err(SegmentSize)),
        (header(NEEDS_CSUM, GSO_ECN, 1460, 34, 16), 9000, Err(SegmentationType)),
        (header(NEEDS_CSUM, 0x21, 1460, 34, 16), 9000, Err(SegmentationType)),
    ];
    for (header, len, expected) in cases {
        let expected = expected.map(|(checksum, segmentation)| Offload { checksum, segmentation });
        assert_eq!(header.offload(len, || IPV4), expected, "{header:?}");
    }
}

#[test]
fn the_packet_says_over_what_its_datagrams_are() {
    let header = header(NEEDS_CSUM, GSO_UDP_L4, 1000, 34, 6);
    let kind = |ether_type| {
        let offload = header.offload(9000, || ether_type)?;
        Ok(offload.segmentation.map(|segmentation| segmentation.kind))
    };
    assert_eq!(kind(IPV4), Ok(Some(SegmentationKind::Udp4)));
    assert_eq!(kind(IPV6), Ok(Some(SegmentationKind::Udp6)));
    assert_eq!(kind(0x806), Err(VnetError::SegmentationType));
    let sent = VnetHeader::new(header.offload(9000, || IPV6).unwrap(), &[]);
    assert_eq!((sent.gso_type, sent.gso_size.get(), sent.hdr_len.get()), (GSO_UDP_L4, 1000, 42));
}

#[test]
fn header_length_is_the_real_one_where_it_shows() {
    let segmentation = Some(Segmentation { kind: SegmentationKind::Tcp4, size: 1448, ecn: false });
    let offload = Offload { checksum: Checksum::Partial { start: 34, offset: 16 }, segmentation };
    let mut head = [0; 64];
    head[46] = 0x80;
    assert_eq!(VnetHeader::new(offload, &head).hdr_len.get(), 66);
    assert_eq!(VnetHeader::new(offload, &head[..40]).hdr_len.get(), 54);
}

proptest! {
    /// Whatever is accepted is inside the frame, and survives the way back into a header.
    #[test]
    fn accepted_headers_are_safe_and_come_back(bytes: [u8; 12], len in 14u32..70_000, v6: bool) {
        let kind = || if v6 { IPV6 } else { IPV4 };
        let header = VnetHeader::read_from_bytes(&bytes).unwrap();
        if let Ok(offload) = header.offload(len, kind) {
            if let Checksum::Partial { start, offset } = offload.checksum {
                prop_assert!(start >= 14 && u32::from(start) + u32::from(offset) + 2 <= len);
            }
            prop_assert!(offload.segmentation.is_none_or(|segmentation| segmentation.size != 0));
            prop_assert_eq!(VnetHeader::new(offload, &[]).offload(len, kind), Ok(offload));
        }
    }
}
