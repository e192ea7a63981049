use std::sync::atomic::Ordering;

use vm_memory::Bytes;

use super::*;

const RW: u64 = READ | WRITE;

/// A four-level path to `leaf` placed at `level`, for the address 0.
fn path(leaf: u64, level: u32) -> GuestRam {
    let ram = GuestRam::anonymous(&[(Gpa(0), 0x10000)]).unwrap();
    for depth in (1..=5u32).rev() {
        let table = 0x1000 * u64::from(depth);
        let entry = if depth == level { leaf } else { (table - 0x1000) | RW };
        ram.run(Gpa(table), 8).unwrap().slice().store(entry, 0, Ordering::SeqCst).unwrap();
    }
    ram
}

fn at(ram: GuestRam, levels: u32, address: u64, access: Access) -> Result<Translation, Reason> {
    walk(ram, Gpa(0x1000 * u64::from(levels)), levels, 46, Iova(address), access)
}

#[test]
fn pages_of_every_size_and_depth() {
    for levels in 3..=5 {
        for (level, len) in [(1, 1u64 << 12), (2, 1 << 21), (3, 1 << 30)] {
            let size = if level > 1 { PAGE_SIZE } else { 0 };
            let target = 4 * len;
            let found = at(path(target | RW | size, level), levels, 0xabc, Access::Write).unwrap();
            let expected =
                Translation { start: Iova(0), target: Gpa(target), len, read: true, write: true };
            assert_eq!(found, expected, "{levels} levels, leaf at {level}");
        }
    }
}

#[test]
fn what_is_denied_and_why() {
    let rows = [
        (READ | 0x8000, 1, Access::Write, Reason::WRITE_DENIED),
        (WRITE | 0x8000, 1, Access::Read, Reason::READ_DENIED),
        (0x8000, 1, Access::Read, Reason::READ_DENIED),
        (0, 3, Access::Write, Reason::WRITE_DENIED),
        (RW | PAGE_SIZE, 4, Access::Read, Reason::PAGING_RESERVED),
        (RW | PAGE_SIZE | 0x1000, 2, Access::Read, Reason::PAGING_RESERVED),
        (RW | 1 << 46, 1, Access::Read, Reason::PAGING_RESERVED),
        (RW | 0x4000_0000, 3, Access::Read, Reason::PAGING_ACCESS),
    ];
    for (leaf, level, access, expected) in rows {
        assert_eq!(
            at(path(leaf, level), 4, 0, access).unwrap_err(),
            expected,
            "{leaf:#x} at {level}"
        );
    }
}

#[test]
fn addresses_beyond_the_width_fault() {
    let ram = path(0x8000 | RW, 1);
    for (levels, width) in [(3, 39), (4, 48), (5, 57)] {
        assert_eq!(at(ram, levels, 1 << width, Access::Read).unwrap_err(), Reason::BEYOND_WIDTH);
        assert_eq!(at(ram, levels, u64::MAX, Access::Read).unwrap_err(), Reason::BEYOND_WIDTH);
        assert_eq!(
            at(ram, levels, (1 << width) - 1, Access::Read).unwrap_err(),
            Reason::READ_DENIED
        );
    }
}

#[test]
fn a_top_table_outside_ram_makes_the_context_invalid() {
    let ram = path(0, 1);
    let found = walk(ram, Gpa(0x000f_ffff_ffff_f000), 4, 46, Iova(0), Access::Read);
    assert_eq!(found.unwrap_err(), Reason::CONTEXT_INVALID);
}

#[test]
fn ignored_bits_are_ignored() {
    let ignored = 1 << 62 | 0x3ff << 52 | 1 << 11 | 0x77c;
    assert!(at(path(0x8000 | RW | ignored, 1), 4, 0, Access::Write).is_ok());
}
