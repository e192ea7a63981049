use proptest::prelude::*;

use super::*;

#[test]
fn headers_behind_a_tag() {
    let mut bytes = vec![0; 12];
    bytes.extend([0x81, 0, 0x60, 5, 8, 0]);
    bytes
        .extend([0x46, 0, 0, 52, 0, 0, 0x40, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, 1, 1, 1, 1]);
    bytes.extend([0x12, 0x34, 0x56, 0x78]);
    let packet = Packet::of(&bytes);
    assert_eq!((packet.tag, packet.ether_type), (Some(0x6005), 0x800));
    assert_eq!(packet.network, Some(Network::V4 { options: true }));
    assert_eq!((packet.network_at, packet.transport_at, packet.end), (18, 42, 70));
    assert_eq!(packet.ports(&bytes), Some((0x1234, 0x5678)));
    assert_eq!(packet.addresses(&bytes), Some((&[10, 0, 0, 1][..], &[10, 0, 0, 2][..])));
    assert_eq!(packet.ipv4_checksum(&bytes), Some(false));
}

#[test]
fn fragments_have_no_ports() {
    let mut bytes = vec![0; 12];
    bytes.extend([8, 0, 0x45, 0, 0, 40, 0, 0, 0x20, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
    bytes.extend([0; 20]);
    let packet = Packet::of(&bytes);
    assert!(packet.fragment);
    assert_eq!((packet.transport, packet.ports(&bytes)), (None, None));
}

proptest! {
    #[test]
    fn nothing_is_too_short_or_too_strange(mut bytes in proptest::collection::vec(any::<u8>(), 0..64), kind in 0..4) {
        if let (Some(place), Some(kind)) = (bytes.get_mut(12..15), [[8, 0, 0x45], [0x86, 0xdd, 0x60], [0x81, 0, 0]].get(kind as usize)) {
            place.copy_from_slice(kind);
        }
        let packet = Packet::of(&bytes);
        let _ = (packet.ports(&bytes), packet.addresses(&bytes), packet.tcp_flags(&bytes));
        let _ = (packet.ipv4_checksum(&bytes), packet.headers(&bytes));
    }
}
