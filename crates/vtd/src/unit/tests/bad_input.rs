//! What a guest can write into tables and registers, and what must come of it: the specified fault or error, and a unit that
//! goes on.

use super::*;

/// The fault recorded first: reason and address or index.
fn first_fault(bench: &Bench) -> Option<(u64, u64)> {
    let high = bench.read64(0x228);
    (high >> 63 != 0).then(|| (high >> 32 & 0xff, bench.read64(0x220)))
}

/// A unit whose translation is on with one page mapped, after `change`.
fn with(change: impl FnOnce(&Bench)) -> Bench {
    let bench = Bench::new();
    bench.map(0x7000, 0x20_0000 | 3);
    bench.enable_translation();
    change(&bench);
    bench
}

/// What one function has wrong does not show at another, nor later.
fn goes_on(bench: &Bench) {
    bench.store(ROOT + 16 * u64::from(VF.bus()), CONTEXTS | 1);
    bench.store(CONTEXTS + 16 * u64::from(VF.function()), TOP | 1);
    bench.store(CONTEXTS + 16 * u64::from(VF.function()) + 8, 5 << 8 | 2);
    bench.map(0x7000, 0x20_0000 | 3);
    assert_eq!(bench.translate(0x7000, Access::Read), Ok(0x20_0000));
}

const CONTEXT: u64 = CONTEXTS + 16 * 0x11;
/// No RAM is there: a hole, or a device's BAR.
const BAR: u64 = 0xf000_0000;

#[test]
fn every_table_entry_that_is_wrong_faults_as_specified() {
    let rows: [(&str, u64, u64, u64); 17] = [
        ("root entry not present", ROOT + 0x30, 0, 0x1),
        ("reserved bit in a root entry", ROOT + 0x30, CONTEXTS | 3, 0xa),
        ("reserved upper half of a root entry", ROOT + 0x38, 1, 0xa),
        ("context table in a BAR", ROOT + 0x30, BAR | 1, 0x9),
        ("context entry not present", CONTEXT, 0, 0x2),
        ("reserved bit in a context entry", CONTEXT, TOP | 1 << 5 | 1, 0xb),
        ("reserved translation type", CONTEXT, TOP | 3 << 2 | 1, 0x3),
        ("reserved width", CONTEXT + 8, 5 << 8 | 7, 0x3),
        ("top table in a BAR", CONTEXT, BAR | 1, 0x3),
        ("top table beyond the host's width", CONTEXT, 1 << 50 | 1, 0xb),
        ("table in a BAR", TOP, BAR | 3, 0x7),
        ("table beyond the host's width", TOP, 1 << 50 | 3, 0xc),
        ("large page at a level that has none", TOP, 0x8000 | 1 << 7 | 3, 0xc),
        ("large page that is not aligned", 0x4000, 0x1000 | 1 << 7 | 3, 0xc),
        ("page not present", 0x3000 + 8 * 7, 0, 0x6),
        ("page that may only be written", 0x3000 + 8 * 7, 0x20_0000 | 2, 0x6),
        ("page where interrupts are", 0x3000 + 8 * 7, 0xfee0_0000 | 3, 0xe),
    ];
    for (what, at, value, reason) in rows {
        let bench = with(|bench| bench.store(at, value));
        assert_eq!(bench.translate(0x7abc, Access::Read), Err(Fault::Translation), "{what}");
        assert_eq!(first_fault(&bench), Some((reason, 0x7000)), "{what}");
        bench.store(ROOT + 0x38, 0);
        goes_on(&bench);
    }
}

/// A table that is its own entry is walked to its last level and no further.
#[test]
fn loops_in_tables_end() {
    let bench = with(|bench| bench.store(TOP, TOP | 3));
    assert_eq!(bench.translate(0xabc, Access::Read), Ok(TOP + 0xabc));
    for root in [ROOT, CONTEXTS] {
        bench.store(CONTEXT, root | 1);
        let _ = bench.translate(0x1_0000, Access::Read); // any answer will do
    }
    goes_on(&bench);
}

#[test]
fn a_large_page_leaks_no_interrupt_address() {
    let bench = with(|bench| bench.store(0x4000, 0xfec0_0000 | 1 << 7 | 3));
    let large = 0xfee0_0000 - 0xfec0_0000;
    bench.store(0x4000 + 8, 0xfee0_0000 | 1 << 7 | 3);
    assert_eq!(bench.translate(0x1000, Access::Write), Ok(0xfec0_1000));
    for _ in 0..2 {
        assert!(bench.translate(large + 0x1000, Access::Write).is_err(), "walked or cached");
    }
    assert_eq!(first_fault(&bench), Some((0xe, large + 0x1000)));
}

#[test]
fn root_and_interrupt_tables_outside_ram() {
    for base in [BAR, 0xffff_ffff_ffff_f000] {
        let bench = Bench::new();
        bench.write64(0x20, base & !0xc00);
        bench.command(1 << 30);
        bench.command(1 << 31);
        assert!(bench.translate(0x7000, Access::Write).is_err());
        assert_eq!(first_fault(&bench), Some((0x8, 0x7000)));
        bench.write64(0xb8, base | 1 << 11 | 0xf);
        bench.command(1 << 24);
        bench.command(1 << 25);
        let message = MsiMessage { address: 0xfee0_0018 | 3 << 5, data: 0 };
        assert!(bench.unit.remap(VF, message).is_err());
        assert_eq!(bench.read64(0x238) >> 32 & 0xff, 0x23);
    }
}

#[test]
fn an_index_beyond_the_interrupt_table() {
    let bench = Bench::new();
    bench.write64(0xb8, INTERRUPTS | 1 << 11); // 2 entries
    bench.command(1 << 24);
    bench.command(1 << 25);
    for (handle, data, reason) in
        [(2u64, 0, 0x21), (1, 1, 0x21), (0x7fff, 0xffff, 0x21), (0, 1 << 16, 0x20)]
    {
        let message = MsiMessage { address: 0xfee0_0018 | handle << 5, data };
        assert!(bench.unit.remap(VF, message).is_err());
        assert_eq!(first_fault(&bench).map(|fault| fault.0), Some(reason), "{handle:#x} {data:#x}");
        bench.write32(0x22c, 1 << 31);
        let head = bench.read32(0x34);
        assert_eq!(head & 2, 0, "nothing is pending");
        bench.unit.shared.faults.reset();
    }
}

#[test]
fn the_root_pointer_may_change_while_translation_is_on() {
    let bench = with(|_| ());
    assert_eq!(bench.translate(0x7000, Access::Read), Ok(0x20_0000));
    bench.write64(0x20, 0x9000); // takes effect with the command only
    assert_eq!(bench.translate(0x7000, Access::Read), Ok(0x20_0000));
    bench.command(1 << 30);
    assert!(bench.translate(0x7000, Access::Read).is_err(), "the new table is empty");
    bench.write64(0x20, ROOT);
    bench.command(1 << 30);
    assert_eq!(bench.translate(0x7000, Access::Read), Ok(0x20_0000));
}

/// A queue as full as it gets, of nothing but work: it ends, and the unit answers.
#[test]
fn invalidation_storms_end() {
    let mut bench = with(|_| ());
    bench.enable_queue();
    let pages = |page: u64| [0x2 | 3 << 4 | 5 << 16, (page << 12) | (page % 19)];
    for round in 0..8u64 {
        let storm: Vec<_> = (0..127).flat_map(|page| [pages(page + round), WAIT]).collect();
        bench.submit(&storm);
        assert_eq!(bench.load(STATUS) as u32, 2);
        assert_eq!(bench.read64(0x80), bench.tail);
    }
    assert_eq!(bench.translate(0x7000, Access::Read), Ok(0x20_0000));
}

/// Faults beyond the records are lost and counted, and everything goes on once they are taken.
#[test]
fn a_storm_of_faults_is_told_once() {
    let bench = with(|_| ());
    bench.write32(0x3c, 0x61);
    bench.write32(0x40, 0xfee0_1000);
    bench.write32(0x38, 0);
    for function in 0..100 {
        let source = RequesterId::new(7, function);
        assert!(bench.unit.translate(source, Iova(0x7000), Access::Write).is_err());
    }
    assert_eq!(bench.sent.0.lock().unwrap().len(), 1, "one event");
    assert_eq!(bench.read32(0x34) & 0x3, 0x3, "pending and overflowed");
    let report = bench.unit.report();
    assert_eq!((report.faults, report.faults_lost), (8, 92));
    (0..8).for_each(|record| bench.write32(0x22c + 16 * record, 1 << 31));
    bench.write32(0x34, 1);
    assert_eq!(bench.read32(0x34) & 0x3, 0);
    assert!(bench.translate(0x10_0000, Access::Write).is_err());
    assert_eq!(bench.sent.0.lock().unwrap().len(), 2);
}

/// One function at fault again and again leaves the records to others; once its fault is read, the next is told.
#[test]
fn a_function_at_fault_uses_one_record() {
    let bench = with(|_| ());
    for page in 0..100 {
        assert!(bench.translate(0x10_0000 + page * 0x1000, Access::Write).is_err());
    }
    let other = RequesterId::new(7, 1);
    assert!(bench.unit.translate(other, Iova(0x7000), Access::Read).is_err());
    let report = bench.unit.report();
    assert_eq!((report.faults, report.faults_collapsed, report.faults_lost), (2, 99, 0));
    assert_eq!(bench.read64(0x238) & 0xffff, u64::from(other.0));
    bench.write32(0x22c, 1 << 31);
    assert!(bench.translate(0x20_0000, Access::Write).is_err());
    assert_eq!((bench.read64(0x240), bench.read64(0x248) & 0xffff), (0x20_0000, u64::from(VF.0)));
}
