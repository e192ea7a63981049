//! The tables byte for byte, against files that were checked once by disassembly (`iasl -d`).
//! After a deliberate change: run with PANDO_BLESS=1, disassemble the tables anew, and read the diff.

use std::fmt::Write;
use std::path::Path;

use super::*;

fn machine(iommu: bool) -> Platform {
    layout::platform(2, 1 << 30, 40, 256, iommu).unwrap()
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::new();
    for line in bytes.chunks(16) {
        let line: Vec<_> = line.iter().map(|byte| format!("{byte:02x}")).collect();
        writeln!(text, "{}", line.join(" ")).unwrap();
    }
    text
}

fn assert_golden(name: &str, bytes: &[u8]) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/acpi/golden").join(name);
    if std::env::var_os("PANDO_BLESS").is_some() {
        std::fs::write(&file, hex(bytes)).unwrap();
    }
    assert_eq!(hex(bytes), std::fs::read_to_string(&file).unwrap(), "{name}");
}

fn sum(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |sum, byte| sum.wrapping_add(*byte))
}

#[test]
fn tables_are_as_checked() {
    assert_golden("dsdt.hex", &dsdt::table(&machine(false)));
    assert_golden("facp.hex", &fadt::table(0xe_0030));
    assert_golden("apic.hex", &madt::table(&machine(false)));
    assert_golden("mcfg.hex", &mcfg::table(&machine(false)));
}

#[test]
fn dmar_names_one_unit_for_everything_and_the_ioapic() {
    let table = dmar::table(&machine(true).dmar.unwrap(), 0xf0);
    assert_eq!(table[..4], *b"DMAR");
    assert_eq!(table[4..9], [72, 0, 0, 0, 1]);
    assert_eq!(table[36..48], [39, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    // DRHD: type, length, INCLUDE_PCI_ALL, 4 KiB, segment, base
    assert_eq!(table[48..64], [0, 0, 24, 0, 1, 0, 0, 0, 0, 0, 0xd9, 0xfe, 0, 0, 0, 0]);
    // Scope: IOAPIC, length, id as in MADT, bus, device, function
    assert_eq!(table[64..], [3, 8, 0, 0, 0xf0, 0xf0, 0x1f, 0]);
    assert_eq!(sum(&table), 0);
}

/// Follows the pointers as an operating system does and returns the signatures it meets.
fn walk(tables: &Blob) -> Vec<String> {
    let at = |address: u64| &tables.bytes[(address - tables.address) as usize..];
    let u64_at = |bytes: &[u8], offset: usize| {
        u64::from_le_bytes(bytes[offset..offset + 8].try_into().unwrap())
    };
    let table = |address: u64| {
        let bytes = at(address);
        let length = u32::from_le_bytes(bytes[4..8].try_into().unwrap()) as usize;
        assert_eq!(sum(&bytes[..length]), 0, "checksum");
        &bytes[..length]
    };
    let rsdp = at(RSDP_ADDRESS);
    assert_eq!(rsdp[..8], *b"RSD PTR ");
    assert_eq!((sum(&rsdp[..20]), sum(&rsdp[..36]), rsdp[15]), (0, 0, 2));
    let mut found = Vec::new();
    let xsdt = table(u64_at(rsdp, 24));
    for offset in (36..xsdt.len()).step_by(8) {
        let entry = table(u64_at(xsdt, offset));
        found.push(String::from_utf8_lossy(&entry[..4]).into_owned());
        if entry.starts_with(b"FACP") {
            assert_eq!(table(u64_at(entry, 140))[..4], *b"DSDT");
        }
    }
    found
}

#[test]
fn every_table_is_reached_and_sums_to_zero() {
    assert_eq!(walk(&tables(&machine(false)).unwrap()), ["FACP", "APIC", "MCFG"]);
    assert_eq!(walk(&tables(&machine(true)).unwrap()), ["FACP", "APIC", "MCFG", "DMAR"]);
}
