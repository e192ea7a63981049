use std::sync::atomic::Ordering;

use vm_memory::Bytes;

use super::*;

const TABLE: Table =
    Table { base: Gpa(0x1000), entries: 256, extended: true, compatibility: false };
const SOURCE: RequesterId = RequesterId(0x0311);

fn ram(entry: [u64; 2], index: u64) -> GuestRam {
    let ram = GuestRam::anonymous(&[(Gpa(0), 0x8000)]).unwrap();
    for half in 0..2 {
        let address = Gpa(TABLE.base.0 + 16 * index + 8 * half);
        ram.run(address, 8)
            .unwrap()
            .slice()
            .store(entry[half as usize], 0, Ordering::SeqCst)
            .unwrap();
    }
    ram
}

/// As Linux composes it: handle, subhandle valid.
fn message(index: u64) -> MsiMessage {
    let address =
        0xfee0_0000 | (index & 0x7fff) << 5 | index >> 15 << 2 | REMAPPABLE | SUBHANDLE_VALID;
    MsiMessage { address, data: 0 }
}

fn outcome(entry: [u64; 2], table: &Table, message: MsiMessage) -> Result<MsiMessage, Reason> {
    remap(ram(entry, 5), table, SOURCE, message).map_err(|fault| fault.reason)
}

const ENTRY: u64 = 1 | 0x41 << 16 | 0x0001_0003 << 32;
const VERIFIED: u64 = 0x0311 | 1 << 18;

#[test]
fn an_entry_becomes_the_message_of_its_destination() {
    let logical_level = ENTRY | 1 << 2 | 1 << 3 | 1 << 4 | 1 << 5;
    let sent = outcome([logical_level, VERIFIED], &TABLE, message(5)).unwrap();
    let address = 0xfee0_0000 | 0x03 << 12 | 1 << 3 | 1 << 2 | 0x0001_0000 << 32;
    assert_eq!(sent, MsiMessage { address, data: 0x41 | 1 << 8 | 1 << 15 | 1 << 14 });
    let narrow = Table { extended: false, ..TABLE };
    let sent = outcome([1 | 0x41 << 16 | 0x0300 << 32, VERIFIED], &narrow, message(5)).unwrap();
    assert_eq!(sent, MsiMessage { address: 0xfee0_3000, data: 0x41 });
}

#[test]
fn what_is_blocked_and_why() {
    let with_data = |data| MsiMessage { data, ..message(4) };
    let rows = [
        ([ENTRY, VERIFIED], message(256), Reason::INDEX_BEYOND_TABLE),
        ([ENTRY, VERIFIED], message(0xffff), Reason::INDEX_BEYOND_TABLE),
        ([ENTRY, VERIFIED], with_data(1 << 16 | 1), Reason::REQUEST_RESERVED),
        ([ENTRY & !1, VERIFIED], message(5), Reason::ENTRY_NOT_PRESENT),
        ([ENTRY | 1 << 12, VERIFIED], message(5), Reason::ENTRY_RESERVED),
        ([ENTRY | 1 << 15, VERIFIED], message(5), Reason::ENTRY_RESERVED), // posted
        ([ENTRY | 1 << 24, VERIFIED], message(5), Reason::ENTRY_RESERVED),
        ([ENTRY, VERIFIED | 1 << 20], message(5), Reason::ENTRY_RESERVED),
        ([ENTRY, 3 << 18], message(5), Reason::ENTRY_RESERVED),
        ([ENTRY, 0x0310 | 1 << 18], message(5), Reason::SOURCE_MISMATCH),
        ([ENTRY, 0x0405 | 2 << 18], message(5), Reason::SOURCE_MISMATCH),
        (
            [ENTRY, VERIFIED],
            MsiMessage { address: 0xfee0_1000, data: 0x41 },
            Reason::COMPATIBILITY_BLOCKED,
        ),
    ];
    for (entry, message, expected) in rows {
        assert_eq!(
            outcome(entry, &TABLE, message).unwrap_err(),
            expected,
            "{entry:x?} {message:x?}"
        );
    }
    let narrow = Table { extended: false, ..TABLE };
    assert_eq!(
        outcome([ENTRY, VERIFIED], &narrow, message(5)).unwrap_err(),
        Reason::ENTRY_RESERVED
    );
}

#[test]
fn sources_are_compared_as_the_entry_says() {
    for (high, passes) in [
        (0, true),
        (0x0315 | 1 << 18, false),
        (0x0315 | 1 << 16 | 1 << 18, true),
        (0x0317 | 2 << 16 | 1 << 18, true),
        (0x0316 | 3 << 16 | 1 << 18, true),
        (0x031e | 3 << 16 | 1 << 18, false),
        (0x0304 | 2 << 18, true),
        (0x0103 | 2 << 18, true),
    ] {
        assert_eq!(outcome([ENTRY, high], &TABLE, message(5)).is_ok(), passes, "{high:#x}");
    }
}

#[test]
fn handle_and_subhandle_make_the_index() {
    assert!(outcome([ENTRY, VERIFIED], &TABLE, MsiMessage { data: 2, ..message(3) }).is_ok());
    let without = MsiMessage { address: message(5).address & !SUBHANDLE_VALID, data: 0xdead_beef };
    assert!(
        outcome([ENTRY, VERIFIED], &TABLE, without).is_ok(),
        "data means nothing without a subhandle"
    );
}

#[test]
fn compatibility_messages_pass_only_where_allowed() {
    let old = MsiMessage { address: 0xfee0_1000, data: 0x41 };
    let allowed = Table { extended: false, compatibility: true, ..TABLE };
    assert_eq!(outcome([0; 2], &allowed, old), Ok(old));
    let extended = Table { compatibility: true, ..TABLE };
    assert_eq!(
        outcome([0; 2], &extended, old),
        Err(Reason::COMPATIBILITY_BLOCKED),
        "never with 32-bit destinations"
    );
}

#[test]
fn a_table_outside_ram_is_an_access_fault() {
    for base in [0xf000_0000, !0xfff] {
        let far = Table { base: Gpa(base), entries: 1 << 16, ..TABLE };
        assert_eq!(outcome([0; 2], &far, message(0x8000)), Err(Reason::ENTRY_ACCESS), "{base:#x}");
    }
}
