use super::*;

fn entry(blob: &Blob, address: u64) -> u64 {
    let offset = (address - blob.address) as usize;
    u64::from_le_bytes(blob.bytes[offset..offset + 8].try_into().unwrap())
}

/// Walks the tables as a CPU does.
fn translate(blob: &Blob, address: u64) -> Option<u64> {
    let mut table = blob.address;
    for shift in [39, 30, 21] {
        let entry = entry(blob, table + (address >> shift & 511) * 8);
        if entry & PRESENT_WRITABLE != PRESENT_WRITABLE {
            return None;
        }
        table = entry & !0xfff;
        if entry & LARGE_PAGE != 0 {
            return Some(table | address & 0x1f_ffff);
        }
    }
    None
}

#[test]
fn the_first_four_gib_map_to_themselves() {
    let tables = page_tables();
    for address in [0, 0x1234, 0x20_0000, 0x7fff_ffff, 0xffff_ffff] {
        assert_eq!(translate(&tables, address), Some(address));
    }
    assert_eq!(translate(&tables, 1 << 32), None);
    assert_eq!(tables.bytes.len(), 6 * 4096);
}
