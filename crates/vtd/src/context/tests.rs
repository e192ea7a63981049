use super::*;

const ROOT: Gpa = Gpa(0x1000);
const CONTEXTS: u64 = 0x2000;
const SOURCE: RequesterId = RequesterId(0x0310);

fn ram() -> GuestRam {
    GuestRam::anonymous(&[(Gpa(0), 0x10000)]).unwrap()
}

fn store(ram: GuestRam, address: u64, value: u64) {
    ram.run(Gpa(address), 8).unwrap().slice().store(value, 0, Ordering::SeqCst).unwrap();
}

fn with(root: [u64; 2], context: [u64; 2], levels: u32) -> Result<Context, ContextFault> {
    let ram = ram();
    for half in 0..2 {
        store(ram, ROOT.0 + 16 * 3 + 8 * half, root[half as usize]);
        store(ram, CONTEXTS + 16 * 0x10 + 8 * half, context[half as usize]);
    }
    find(ram, ROOT, SOURCE, Limits { levels, host_width: 46 })
}

#[test]
fn every_field_of_the_entries_is_checked() {
    let root = [CONTEXTS | 1, 0];
    let table = [0x5000 | 1, 7 << 8 | 2];
    let second_stage = |table, levels| Ok((7, Kind::SecondStage { table: Gpa(table), levels }));
    let rows = [
        (root, table, 4, second_stage(0x5000, 4)),
        (root, [0x5001, 7 << 8 | 1], 4, second_stage(0x5000, 3)),
        (root, [0x5001, 7 << 8 | 3], 5, second_stage(0x5000, 5)),
        (root, [0x9, 7 << 8 | 2], 4, Ok((7, Kind::PassThrough))),
        (root, [0x9, 7 << 8 | 1], 4, Err(Reason::CONTEXT_INVALID)), // pass-through needs the largest width
        (root, [0x5001, 7 << 8 | 3], 4, Err(Reason::CONTEXT_INVALID)), // deeper than the unit
        (root, [0x5001, 7 << 8], 4, Err(Reason::CONTEXT_INVALID)),
        (root, [0x5005, 7 << 8 | 2], 4, Err(Reason::CONTEXT_INVALID)), // device TLBs aren't there
        (root, [0x500d, 7 << 8 | 2], 4, Err(Reason::CONTEXT_INVALID)), // reserved type
        (root, [0x5011, 7 << 8 | 2], 4, Err(Reason::CONTEXT_RESERVED)),
        (root, [0x5001, 1 << 24 | 2], 4, Err(Reason::CONTEXT_RESERVED)),
        (root, [0x5000, 2], 4, Err(Reason::CONTEXT_NOT_PRESENT)),
        ([0, 0], table, 4, Err(Reason::ROOT_NOT_PRESENT)),
        ([CONTEXTS | 3, 0], table, 4, Err(Reason::ROOT_RESERVED)),
        ([CONTEXTS | 1, 1], table, 4, Err(Reason::ROOT_RESERVED)),
        ([0xffff_0000 | 1, 0], table, 4, Err(Reason::CONTEXT_ACCESS)),
        ([0x3fff_ffff_f000 | 1, 0], table, 4, Err(Reason::CONTEXT_ACCESS)),
        ([0x4000_0000_0000 | 1, 0], table, 4, Err(Reason::ROOT_RESERVED)), // beyond the host's width
        ([0xffff_ffff_ffff_f000 | 1, 0], table, 4, Err(Reason::ROOT_RESERVED)),
        (root, [0x4000_0000_0001, 2], 4, Err(Reason::CONTEXT_RESERVED)),
        (root, [0x5001, 1 << 7 | 2], 4, Err(Reason::CONTEXT_RESERVED)),
        (root, [0x4000_0000_0009, 7 << 8 | 2], 4, Ok((7, Kind::PassThrough))), // its table is ignored
    ];
    for (number, (root, context, levels, expected)) in rows.into_iter().enumerate() {
        let found = with(root, context, levels);
        assert_eq!(
            found.map(|c| (c.domain, c.kind)).map_err(|f| f.reason),
            expected,
            "row {number}"
        );
    }
}

#[test]
fn a_root_outside_ram_is_an_access_fault() {
    let limits = Limits { levels: 4, host_width: 46 };
    for root in [0xffff_f000, 0xffff_ffff_ffff_f000] {
        let found = find(ram(), Gpa(root), SOURCE, limits);
        assert_eq!(found.unwrap_err().reason, Reason::ROOT_ACCESS);
    }
}

#[test]
fn fault_recording_can_be_switched_off_even_without_presence() {
    assert!(with([CONTEXTS | 1, 0], [2, 0], 4).unwrap_err().no_recording);
    assert!(with([CONTEXTS | 1, 0], [0x5003, 2], 4).unwrap().no_recording);
}
