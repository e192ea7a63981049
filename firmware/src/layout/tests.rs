use super::*;

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

#[test]
fn memory_below_the_hole_is_one_range() {
    let platform = platform(1, 128 * MIB, 40, 256, false).unwrap();
    assert_eq!(platform.ram, [Range { base: 0, size: 128 * MIB }]);
    assert_eq!(platform.dmar, None);
}

#[test]
fn memory_goes_on_above_four_gib() {
    let platform = platform(1, 16 * GIB, 40, 256, false).unwrap();
    let expected = [Range { base: 0, size: 2 * GIB }, Range { base: 4 * GIB, size: 14 * GIB }];
    assert_eq!(platform.ram, expected);
}

#[test]
fn the_64_bit_window_lies_above_ram_and_inside_the_physical_space() {
    // (memory in GiB, address bits, window base and size in GiB)
    let cases = [
        (1, 36, 32, 16),
        (16, 36, 32, 16),
        (1, 39, 256, 128),
        (1, 40, 512, 256),
        (16, 48, 512, 256),
        (1, 52, 512, 256),
        (600, 48, 768, 256),
    ];
    for (memory, bits, base, size) in cases {
        let platform = platform(1, memory * GIB, bits, 256, true).unwrap();
        let window = platform.windows[1].range;
        assert_eq!(
            window,
            Range { base: base * GIB, size: size * GIB },
            "{memory} GiB, {bits} bits"
        );
        assert!(window.end() <= 1 << platform.dmar.unwrap().address_width);
    }
}

#[test]
fn what_cannot_be_laid_out_is_refused_with_a_reason() {
    let refused = |memory, bits, buses| platform(1, memory, bits, buses, false).unwrap_err();
    assert_eq!(refused(64 * MIB, 40, 256), LayoutError::TooLittle(64));
    assert_eq!(refused(128 * MIB + 1, 40, 256), LayoutError::Uneven);
    assert_eq!(refused(64 * GIB, 36, 256), LayoutError::TooMuch { memory: 64 << 10, bits: 36 });
    assert_eq!(refused(128 * MIB, 40, 0), LayoutError::Buses(0));
    assert_eq!(refused(128 * MIB, 40, 257), LayoutError::Buses(257));
}

#[test]
fn nothing_overlaps() {
    let platform = platform(16, 16 * GIB, 40, 256, true).unwrap();
    let mut ranges = platform.ram.clone();
    ranges.extend(platform.windows.iter().map(|window| window.range));
    ranges.extend([platform.ecam.range(), IOAPIC, DMAR]);
    ranges.push(Range { base: LOCAL_APIC, size: 0x10_0000 });
    ranges.push(Range { base: KVM_IDENTITY_MAP, size: 0x1000 });
    ranges.push(Range { base: KVM_TSS, size: 0x3000 });
    ranges.sort_by_key(|range| range.base);
    for pair in ranges.windows(2) {
        assert!(pair[0].end() <= pair[1].base, "{pair:x?}");
    }
}
