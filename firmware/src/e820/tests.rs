use super::*;

#[test]
fn map_of_a_machine_with_memory_above_the_hole() {
    let platform = layout::platform(2, 5 << 30, 40, 256, false).unwrap();
    let map: Vec<_> = memory_map(&platform)
        .iter()
        .map(|entry| (entry.range.base, entry.range.end(), entry.kind as u32))
        .collect();
    let expected = [
        (0, 0x9_fc00, 1),
        (0x9_fc00, 0x10_0000, 2),
        (0x10_0000, 0x8000_0000, 1),
        (0xe000_0000, 0xf000_0000, 2),
        (0xfffb_c000, 0xfffc_0000, 2),
        (0x1_0000_0000, 0x1_c000_0000, 1),
    ];
    assert_eq!(map, expected);
}
