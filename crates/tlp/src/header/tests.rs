use super::*;

const PLAIN: Marks = Marks { poisoned: false, translated: false };
const POISON: Marks = Marks { poisoned: true, ..PLAIN };
const TRANSLATED: Marks = Marks { translated: true, ..PLAIN };

#[test]
fn a_header_is_what_the_wire_has() {
    use Access::{Read, Write};
    let id = RequesterId(0x0508);
    // (access, address, length, marks) -> the four dwords
    let table = [
        ((Write, 0x1000, 4, PLAIN), [0x4000_0001, 0x0508_000f, 0x1000, 0]),
        ((Write, 0x1001, 1, PLAIN), [0x4000_0001, 0x0508_0002, 0x1000, 0]),
        ((Write, 0x1002, 4, PLAIN), [0x4000_0002, 0x0508_003c, 0x1000, 0]),
        ((Write, 0x12_3456_7ffc, 64, PLAIN), [0x6000_0001, 0x0508_000f, 0x12, 0x3456_7ffc]),
        ((Write, 0x1000, 4096, POISON), [0x4000_4020, 0x0508_00ff, 0x1000, 0]),
        ((Read, 0x1000, 4096, PLAIN), [0x0000_0080, 0x0508_00ff, 0x1000, 0]),
        ((Read, 0x1_0000_0003, 2, PLAIN), [0x2000_0002, 0x0508_0018, 1, 0]),
        ((Write, 0, 4, TRANSLATED), [0x4000_0801, 0x0508_000f, 0, 0]),
        ((Read, 0x1003, 4096, PLAIN), [0x0000_0080, 0x0508_00f8, 0x1000, 0]),
        ((Read, 0, 0, PLAIN), [0x0000_0001, 0x0508_0001, 0, 0]),
        ((Read, u64::MAX, 8, PLAIN), [0x2000_0001, 0x0508_0008, u32::MAX, 0xffff_fffc]),
    ];
    for ((access, address, len, marks), expected) in table {
        let header = TlpHeader::memory(id, access, address, len, marks);
        assert_eq!(header.0, expected, "{access:?} {address:#x} {len} {marks:?}");
        assert_eq!(header.is_posted(), access == Write);
    }
}

#[test]
fn a_completion_names_both_sides() {
    let header = TlpHeader::completion(RequesterId(0x300), RequesterId(0x201), 0x1084, 8);
    assert_eq!(header.0, [0x4a00_0002, 0x0300_0008, 0x0201_0004, 0]);
}
