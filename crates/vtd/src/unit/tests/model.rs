//! The unit against a simple model: a translation is one that its table entry has had since it was last invalidated.

use std::collections::BTreeSet;

use arbitrary::{Result, Unstructured};

use super::*;

const PAGES: u64 = 16;

#[test]
fn a_translation_is_never_older_than_its_invalidation() {
    pando_fuzz::check(&[], 300, |bytes| steps(&mut Unstructured::new(bytes)).unwrap());
}

#[test]
fn any_tables_are_survived() {
    pando_fuzz::check(&[], 200, |bytes| tables(&mut Unstructured::new(bytes)).unwrap());
}

fn iova(page: u64) -> u64 {
    page << 12
}

fn entry(target: Option<u64>) -> u64 {
    target.map_or(0, |target| ((target << 12) + 0x20_0000) | 3)
}

/// What each page leads to, and has led to since its last invalidation.
struct Model {
    now: [Option<u64>; PAGES as usize],
    since: Vec<BTreeSet<Option<u64>>>,
}

impl Model {
    fn new() -> Self {
        let nothing = BTreeSet::from([None]);
        Self { now: [None; PAGES as usize], since: vec![nothing; PAGES as usize] }
    }

    fn map(&mut self, page: u64, target: Option<u64>) {
        self.now[page as usize] = target;
        self.since[page as usize].insert(target);
    }

    fn forget(&mut self, from: u64, to: u64) {
        for page in from as usize..to.min(PAGES) as usize {
            self.since[page] = BTreeSet::from([self.now[page]]);
        }
    }

    fn check(&self, page: u64, target: Option<u64>) {
        let (now, since) = (self.now[page as usize], &self.since[page as usize]);
        assert!(since.contains(&target), "page {page}: {target:?} of {since:?}");
        assert!(target.is_some() || now.is_none(), "nothing not present is cached");
    }
}

/// Steps of a guest and its functions: pages are mapped, asked for, and invalidated in every way, always waiting.
pub(super) fn steps(u: &mut Unstructured<'_>) -> Result<()> {
    let mut bench = Bench::new();
    bench.enable_queue();
    bench.map(0, 0);
    bench.enable_translation();
    let mut model = Model::new();
    for _ in 0..200 {
        if u.is_empty() {
            break;
        }
        let page = u.int_in_range(0..=PAGES - 1)?;
        match u.int_in_range(0..=12)? {
            0..=2 => {
                let target = u.arbitrary::<Option<u8>>()?.map(|target| u64::from(target % 63 + 1));
                bench.store(0x3000 + 8 * page, entry(target));
                model.map(page, target);
            }
            3..=8 => {
                let found = bench.translate(iova(page), Access::Write).ok();
                model.check(page, found.map(|address| (address - 0x20_0000) >> 12));
            }
            9 | 10 => {
                let mask = u.int_in_range(0..=4)?;
                let first = page >> mask << mask;
                model.forget(first, first + (1 << mask));
                bench.submit(&[[0x2 | 3 << 4 | 5 << 16, iova(page) | mask], WAIT]);
            }
            11 => {
                let is_other = u64::from(u.arbitrary::<bool>()?);
                model.forget(0, if is_other == 0 { PAGES } else { 0 });
                bench.submit(&[[0x2 | 2 << 4 | (5 + is_other) << 16, 0], WAIT]);
            }
            _ => {
                model.forget(0, PAGES);
                bench.submit(&[[0x2 | 1 << 4, 0], WAIT]);
            }
        }
    }
    Ok(())
}

/// Random entries in every table: the answer is a fault or lies within the host's width, and is no interrupt address.
pub(super) fn tables(u: &mut Unstructured<'_>) -> Result<()> {
    let bench = Bench::new();
    bench.map(0x7000, 0x20_0000 | 3);
    bench.enable_translation();
    for _ in 0..u.int_in_range(0..=60)? {
        let table = u.int_in_range(0..=7)?;
        let index = u.int_in_range(0..=511)?;
        // mostly pointers that lead on, sometimes anything
        let value: u64 = u.arbitrary()?;
        let value =
            if value & 7 == 0 { value } else { u.int_in_range(0..=7)? << 12 | value & 0x83 };
        bench.store(table << 12 | index << 3, value);
    }
    for _ in 0..=u.int_in_range(0..=20)? {
        let address: u64 = u.arbitrary()?;
        for address in [address, address >> 17, address & 0x7fff] {
            lies_in_reach(&bench, VF, address);
        }
    }
    Ok(())
}

/// A translation, if there is one, is of this address, within the host's width, and no interrupt address.
pub(super) fn lies_in_reach(bench: &Bench, source: RequesterId, address: u64) {
    if let Ok(found) = bench.unit.translate(source, Iova(address), Access::Write) {
        assert!(found.start.0 <= address && address - found.start.0 < found.len);
        let result = found.target.0 + (address - found.start.0);
        assert!(result >> 46 == 0 && !MSI_RANGE.contains(&result), "{address:#x}: {result:#x}");
    }
}
