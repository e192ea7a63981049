use super::*;

#[test]
fn a_header_is_what_the_wire_has() {
    use Access::{Read, Write};
    let id = RequesterId(0x0508);
    // (access, address, length, poisoned) -> the four dwords
    let table = [
        ((Write, 0x1000, 4, false), [0x4000_0001, 0x0508_000f, 0x1000, 0]),
        ((Write, 0x1001, 1, false), [0x4000_0001, 0x0508_0002, 0x1000, 0]),
        ((Write, 0x1002, 4, false), [0x4000_0002, 0x0508_003c, 0x1000, 0]),
        ((Write, 0x12_3456_7ffc, 64, false), [0x6000_0001, 0x0508_000f, 0x12, 0x3456_7ffc]),
        ((Write, 0x1000, 4096, true), [0x4000_4020, 0x0508_00ff, 0x1000, 0]),
        ((Read, 0x1000, 4096, false), [0x0000_0080, 0x0508_00ff, 0x1000, 0]),
        ((Read, 0x1_0000_0003, 2, false), [0x2000_0002, 0x0508_0018, 1, 0]),
        ((Read, 0x1003, 4096, false), [0x0000_0080, 0x0508_00f8, 0x1000, 0]),
        ((Read, 0, 0, false), [0x0000_0001, 0x0508_0001, 0, 0]),
        ((Read, u64::MAX, 8, false), [0x2000_0001, 0x0508_0008, u32::MAX, 0xffff_fffc]),
    ];
    for ((access, address, len, poisoned), expected) in table {
        let header = TlpHeader::memory(id, access, address, len, poisoned);
        assert_eq!(header.0, expected, "{access:?} {address:#x} {len} {poisoned}");
        assert_eq!(header.is_posted(), access == Write);
    }
}
