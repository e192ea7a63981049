use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::thread;

use proptest::prelude::*;

use pando_tlp::{Epochs, Gpa, Iova, Translation};

use crate::iotlb::*;
use crate::slot::Slot;

fn page(start: u64, len: u64, target: u64) -> Translation {
    Translation { start: Iova(start), target: Gpa(target), len, read: true, write: false }
}

#[test]
fn what_is_inserted_is_found_in_its_domain_only() {
    let tlb = Iotlb::new();
    let translation = page(0x20_0000, 1 << 21, 0x4000_0000);
    tlb.insert(7, &translation);
    assert_eq!(tlb.lookup(7, Iova(0x3f_ffff)), Some(translation));
    assert_eq!(tlb.lookup(8, Iova(0x3f_ffff)), None);
    assert_eq!(tlb.lookup(7, Iova(0x40_0000)), None);
    tlb.insert(7, &page(0, 1 << 48, 0));
    assert_eq!(tlb.len(), 1, "only real page sizes are kept");
}

/// Two words of two writers are never mixed, whatever keys and targets they choose.
#[test]
fn a_slot_tells_both_words_or_none() {
    let slot = Slot::new();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        for writer in 1..=2u64 {
            let (slot, done) = (&slot, &done);
            scope.spawn(move || {
                let mut number = writer;
                while !done.load(SeqCst) {
                    slot.set(number, !number);
                    number += 2;
                }
            });
        }
        for _ in 0..200_000 {
            if let Some((key, value)) = slot.get() {
                assert!(key == !value || (key, value) == (0, 0), "{key:#x} {value:#x}");
            }
        }
        done.store(true, SeqCst);
    });
}

proptest! {
    /// A page is forgotten exactly if the scope overlaps it: never kept wrongly, and neighbours stay.
    #[test]
    fn invalidation_forgets_what_overlaps(
        pages in prop::collection::vec((0u16..3, 0u64..64, 0usize..2), 1..20),
        domain in 0u16..3, start in 0u64..0x8000, mask in 0u32..=12, kind in 0..3,
    ) {
        let tlb = Iotlb::new();
        let epochs = Epochs::new();
        let inserted: Vec<_> = pages.iter().map(|&(domain, number, size)| {
            let len = 1u64 << SHIFTS[size];
            let translation = page(number * len, len, number * len);
            tlb.insert(domain, &translation);
            (domain, translation)
        }).collect();
        let held: Vec<_> = inserted.iter().filter(|(d, t)| tlb.lookup(*d, t.start) == Some(*t)).collect();
        let scope = match kind {
            0 => Scope::Global,
            1 => Scope::Domain(domain),
            _ => Scope::Pages { domain, address: Iova(start << 12), mask },
        };
        tlb.invalidate(&[scope], &epochs);
        let first = (start << 12) >> (12 + mask) << (12 + mask);
        let last = first + (1 << (12 + mask)) - 1;
        for (d, t) in held {
            let overlaps = t.start.0 <= last && t.start.0 + t.len > first;
            let gone = match kind { 0 => true, 1 => *d == domain, _ => *d == domain && overlaps };
            let size = SHIFTS.iter().position(|s| t.len == 1 << s).unwrap();
            let found = tlb.probe(*d, t.start, size);
            prop_assert_eq!(found.is_none(), gone);
        }
    }
}

/// The table changes, the cache is invalidated, and only then the old target is poisoned: a worker under a guard, by whatever
/// mix of lookups, walks and inserts, must never arrive at a poisoned target.
#[test]
fn a_wait_status_is_written_only_when_no_worker_uses_an_old_translation() {
    const PAGES: u64 = 64;
    let (tlb, epochs) = (Iotlb::new(), Epochs::new());
    let table = AtomicU64::new(0);
    let poisoned: Vec<AtomicBool> = (0..PAGES).map(|_| AtomicBool::new(false)).collect();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..2 {
            let mut participant = epochs.join();
            let (tlb, table, poisoned, done) = (&tlb, &table, &poisoned, &done);
            scope.spawn(move || {
                while !done.load(SeqCst) {
                    let _guard = participant.enter();
                    let found = tlb.lookup(1, Iova(0)).unwrap_or_else(|| {
                        let walked = page(0, 4096, table.load(SeqCst) << 12);
                        tlb.insert(1, &walked);
                        walked
                    });
                    for _ in 0..8 {
                        assert!(!poisoned[(found.target.0 >> 12) as usize].load(SeqCst));
                    }
                }
            });
        }
        for round in 1..3000 {
            poisoned[(round % PAGES) as usize].store(false, SeqCst);
            let old = table.swap(round % PAGES, SeqCst);
            let scope = if round % 2 == 0 {
                Scope::Domain(1)
            } else {
                Scope::Pages { domain: 1, address: Iova(0), mask: 0 }
            };
            tlb.invalidate(&[scope], &epochs);
            poisoned[old as usize].store(true, SeqCst);
        }
        done.store(true, SeqCst);
    });
}
