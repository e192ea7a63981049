use super::*;

#[test]
fn descriptors_and_what_they_mean() {
    let pages = |address, mask| {
        Some(Command::Translations(Scope::Pages { domain: 9, address: Iova(address), mask }))
    };
    let rows = [
        (0x1 | 1 << 4, 0, Some(Command::Entries)),
        (0x1 | 3 << 4 | 9 << 16 | 0x310 << 32, 0, Some(Command::Entries)),
        (0x1, 0, None),
        (0x1 | 1 << 4 | 1 << 6, 0, None),
        (0x1 | 1 << 4, 1, None),
        (0x2 | 1 << 4 | 0xc0, 0, Some(Command::Translations(Scope::Global))),
        (0x2 | 2 << 4 | 9 << 16, 0, Some(Command::Translations(Scope::Domain(9)))),
        (0x2 | 3 << 4 | 9 << 16, 0x7000 | 0x40 | 3, pages(0x7000, 3)),
        (0x2 | 3 << 4 | 9 << 16, 0x7000 | 19, None),
        (0x2 | 3 << 4 | 9 << 16, 0x7000 | 1 << 7, None),
        (0x2, 0, None),
        (0x2 | 1 << 4 | 1 << 32, 0, None),
        (0x3, 0, None),
        (0x4 | 1 << 4 | 2 << 27 | 5 << 32, 0, Some(Command::Entries)),
        (0x4 | 1 << 5, 0, None),
        (
            0x5 | 1 << 5 | 2 << 32,
            0x8004,
            Some(Command::Wait { status: Some((2, Gpa(0x8004))), interrupt: false }),
        ),
        (0x5 | 1 << 4 | 1 << 6, 0, Some(Command::Wait { status: None, interrupt: true })),
        (0x5 | 1 << 5, 0x8001, None),
        (0x5 | 1 << 8, 0, None),
        (0x6, 0, None),
        (0x5 | 1 << 9, 0, None),
        (0, 0, None),
    ];
    for (low, high, expected) in rows {
        assert_eq!(decode(low, high), expected, "{low:#x} {high:#x}");
    }
}
