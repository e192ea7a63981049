use super::*;

#[test]
fn every_field_lies_where_linux_reads_it() {
    let platform = layout::platform(1, 128 << 20, 40, 256, false).unwrap();
    let map = crate::memory_map(&platform);
    let header = [0xaa; 0x77];
    let initrd = Some(Initrd { address: 0x1_2345_6000, size: 0x789 });
    let page = ZeroPage { setup_header: &header, memory_map: &map, rsdp: 0xe_0000, initrd };
    let Blob { address, bytes } = page.build();

    assert_eq!((address, bytes.len()), (0x7000, 4096));
    assert_eq!(bytes[0x1ef], 0, "sentinel");
    assert_eq!(bytes[0x1f1..0x210], [0xaa; 0x1f]);
    assert_eq!(bytes[0x070..0x078], 0xe_0000_u64.to_le_bytes());
    assert_eq!(bytes[0x210], 0xff);
    assert_eq!(bytes[0x218..0x220], [0x00, 0x60, 0x45, 0x23, 0x89, 0x07, 0, 0]);
    assert_eq!(bytes[0x0c0..0x0c8], [1, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(bytes[0x228..0x22c], 0x2_0000_u32.to_le_bytes());
    assert_eq!(bytes[0x1e8], map.len() as u8);
    assert_eq!(
        bytes[0x2d0..0x2e4],
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0xfc, 9, 0, 0, 0, 0, 0, 1, 0, 0, 0]
    );
    assert_eq!(bytes[..0x70], [0; 0x70], "screen_info and APM");
}

#[test]
fn too_long_a_header_and_too_many_entries_stay_inside_the_page() {
    let platform = layout::platform(1, 128 << 20, 40, 256, false).unwrap();
    let map = crate::memory_map(&platform).repeat(100);
    let header = [0; 4096];
    let page = ZeroPage { setup_header: &header, memory_map: &map, rsdp: 0, initrd: None };
    assert_eq!(page.build().bytes.len(), 4096);
    assert_eq!(page.build().bytes[0x1e8], 128);
}
