//! The unit against a simple model: a translation is one that its table entry has had since it was last invalidated.

use std::collections::BTreeSet;

use super::*;

const PAGES: u64 = 16;

/// One step of a guest and its functions.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// Page `page` leads to this number, or nowhere.
    Map(u64, Option<u64>),
    /// A function asks for a page.
    Ask(u64),
    /// Invalidates 2^`mask` pages around a page, and waits.
    Pages(u64, u64),
    /// Invalidates a domain, and waits; only the even ones are ours.
    Domain(u64),
    /// Invalidates everything, and waits.
    Global,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0..PAGES, prop::option::of(1u64..64)).prop_map(|(page, to)| Step::Map(page, to)),
        6 => (0..PAGES).prop_map(Step::Ask),
        2 => (0..PAGES, 0u64..5).prop_map(|(page, mask)| Step::Pages(page, mask)),
        1 => (0u64..2).prop_map(Step::Domain),
        1 => Just(Step::Global),
    ]
}

fn iova(page: u64) -> u64 {
    page << 12
}

fn entry(target: Option<u64>) -> u64 {
    target.map_or(0, |target| ((target << 12) + 0x20_0000) | 3)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn a_translation_is_never_older_than_its_invalidation(steps in prop::collection::vec(step(), 1..200)) {
        let mut bench = Bench::new();
        bench.enable_queue();
        bench.map(0, 0);
        bench.enable_translation();
        // What each page has led to since its last invalidation; the newest comes last.
        let mut now = [None; PAGES as usize];
        let mut since: Vec<BTreeSet<Option<u64>>> = vec![BTreeSet::from([None]); PAGES as usize];
        for step in steps {
            let mut forget = |from: u64, to: u64| (from..to.min(PAGES)).for_each(|page| {
                since[page as usize] = BTreeSet::from([now[page as usize]]);
            });
            match step {
                Step::Map(page, target) => {
                    bench.store(0x3000 + 8 * page, entry(target));
                    now[page as usize] = target;
                    since[page as usize].insert(target);
                }
                Step::Ask(page) => {
                    let found = bench.translate(iova(page), Access::Write).ok();
                    let target = found.map(|address| (address - 0x20_0000) >> 12);
                    prop_assert!(since[page as usize].contains(&target), "page {page}: {target:?} of {:?}", since[page as usize]);
                    prop_assert!(target.is_some() || now[page as usize].is_none(), "nothing not present is cached");
                }
                Step::Pages(page, mask) => {
                    let first = page >> mask << mask;
                    forget(first, first + (1 << mask));
                    bench.submit(&[[0x2 | 3 << 4 | 5 << 16, iova(page) | mask], WAIT]);
                }
                Step::Domain(other) => {
                    if other == 0 { forget(0, PAGES) }
                    bench.submit(&[[0x2 | 2 << 4 | (5 + other) << 16, 0], WAIT]);
                }
                Step::Global => {
                    forget(0, PAGES);
                    bench.submit(&[[0x2 | 1 << 4, 0], WAIT]);
                }
            }
        }
    }

    /// Random entries in every table: the answer is a fault or lies within the host's width, and is no interrupt address.
    #[test]
    fn any_tables_are_survived(
        entries in prop::collection::vec((0u64..0x8, 0u64..512, any::<u64>(), 0u64..8), 1..60),
        addresses in prop::collection::vec(any::<u64>(), 1..20),
    ) {
        let bench = Bench::new();
        bench.map(0x7000, 0x20_0000 | 3);
        bench.enable_translation();
        for (table, index, value, near) in entries {
            // mostly pointers that lead on, sometimes anything
            let value = if value & 7 == 0 { value } else { near << 12 | value & 0x83 };
            bench.store(table << 12 | index << 3, value);
        }
        for address in addresses {
            for address in [address, address >> 17, address & 0x7fff] {
                if let Ok(found) = bench.unit.translate(VF, Iova(address), Access::Write) {
                    let result = found.target.0 + (address - found.start.0);
                    prop_assert!(address - found.start.0 < found.len);
                    prop_assert!(result >> 46 == 0 && !MSI_RANGE.contains(&result));
                }
            }
        }
    }
}
