use super::*;

fn u64_at(bytes: &[u8], offset: usize) -> u64 {
    u64::from_le_bytes(bytes[offset..offset + 8].try_into().unwrap())
}

#[test]
fn start_info_points_at_its_parts() {
    let platform = layout::platform(1, 128 << 20, 40, 256, false).unwrap();
    let map = crate::memory_map(&platform);
    let initrd = Some(Initrd { address: 0x700_0000, size: 0x1234 });
    let Blob { address, bytes } = StartInfo { memory_map: &map, rsdp: 0xe_0000, initrd }.build();
    assert_eq!(bytes[..8], [0x78, 0xc5, 0x6e, 0x33, 1, 0, 0, 0]);
    assert_eq!(bytes[8..16], [0, 0, 0, 0, 1, 0, 0, 0]);
    let modules = (u64_at(&bytes, 16) - address) as usize;
    assert_eq!((u64_at(&bytes, modules), u64_at(&bytes, modules + 8)), (0x700_0000, 0x1234));
    assert_eq!(u64_at(&bytes, 24), 0x2_0000);
    assert_eq!(u64_at(&bytes, 32), 0xe_0000);
    let entries = (u64_at(&bytes, 40) - address) as usize;
    assert_eq!(u64_at(&bytes, 48), map.len() as u64);
    assert_eq!((u64_at(&bytes, entries), u64_at(&bytes, entries + 8)), (0, 0x9_fc00));
    assert_eq!(bytes.len(), entries + map.len() * 24);
}
