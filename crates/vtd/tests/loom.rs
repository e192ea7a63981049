//! The invalidation protocol under a model checker: epochs and shared cache together, in every order in which an
//! invalidation and a worker can meet.
//!
//! The code under test is the libraries' own, with the checker's primitives below it. No test harness: the library's unit
//! tests, which are no models, stay out of it.

#[expect(dead_code, reason = "reports are not modelled")]
#[path = "../src/iotlb.rs"]
mod iotlb;

#[path = "../src/slot.rs"]
mod slot;

#[expect(dead_code, unreachable_pub, reason = "another library's file, of which this uses a part")]
#[path = "../../tlp/src/epoch.rs"]
mod epoch;

/// The checker's in place of the libraries'.
mod sync {
    pub(crate) use loom::sync::RwLock;
    pub(crate) use loom::sync::atomic::{AtomicBool, AtomicU64, fence};

    pub(crate) use crate::epoch::Epochs;

    #[derive(Debug, Default)]
    pub(crate) struct Patience(());

    impl Patience {
        pub(crate) fn wait(&self) {
            loom::thread::yield_now();
        }
    }
}

use std::sync::atomic::Ordering::Relaxed;

use loom::sync::Arc;
use loom::sync::atomic::{AtomicBool, AtomicU64};
use pando_tlp::{Gpa, Iova, Translation};

use self::epoch::Epochs;
use self::iotlb::{Iotlb, Scope};
use self::slot::Slot;

type Model = (&'static str, fn());

const MODELS: &[Model] = &[
    ("no_worker_uses_an_old_translation_after_the_wait", after_the_wait),
    ("a_slot_never_mixes_two_translations", no_mixture),
];

fn page(target: u64) -> Translation {
    Translation { start: Iova(0), target: Gpa(target << 12), len: 4096, read: true, write: true }
}

/// A worker's whole way: the cache, or the table and then the cache.
fn translate(cache: &Iotlb, table: &AtomicU64) -> u64 {
    let found = cache.lookup(1, Iova(0)).unwrap_or_else(|| {
        let walked = page(table.load(Relaxed));
        cache.insert(1, &walked);
        walked
    });
    found.target.0 >> 12
}

/// The table changes, the domain is invalidated, the wait ends, the old page is given away: no worker touches it after that.
fn after_the_wait() {
    let epochs = Epochs::new();
    let cache = Arc::new(Iotlb::with_slots(1));
    let table = Arc::new(AtomicU64::new(0));
    let given_away = Arc::new([AtomicBool::new(false), AtomicBool::new(false)]);
    let mut participant = epochs.join();
    let worker = {
        let (cache, table, given_away) = (cache.clone(), table.clone(), given_away.clone());
        loom::thread::spawn(move || {
            for _ in 0..2 {
                let guard = participant.enter();
                let target = translate(&cache, &table);
                assert!(!given_away[target as usize].load(Relaxed));
                drop(guard);
            }
        })
    };
    table.store(1, Relaxed);
    cache.invalidate(&[Scope::Domain(1)], &epochs);
    given_away[0].store(true, Relaxed);
    assert!(worker.join().is_ok());
}

/// Two writers meet at a slot: whoever reads it finds the words of one of them, or nothing.
fn no_mixture() {
    let slot = Arc::new(Slot::new());
    let writer = {
        let slot = slot.clone();
        loom::thread::spawn(move || slot.set(1, !1))
    };
    let other = {
        let slot = slot.clone();
        loom::thread::spawn(move || slot.set(2, !2))
    };
    if let Some((key, value)) = slot.get() {
        assert!(key == !value || (key, value) == (0, 0));
    }
    assert!(writer.join().is_ok() && other.join().is_ok());
}

/// Runs the models named on the command line, or all, and answers the listing that test runners ask for.
fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let has = |word: &str| arguments.iter().any(|argument| argument == word);
    let filters: Vec<_> = arguments.iter().filter(|argument| !argument.starts_with('-')).collect();
    let wanted =
        |name: &str| filters.is_empty() || filters.iter().any(|f| name.contains(f.as_str()));
    let models: Vec<_> = MODELS.iter().filter(|(name, _)| wanted(name)).collect();
    if has("--list") {
        let listed = if has("--ignored") { &[] } else { &models[..] };
        listed.iter().for_each(|(name, _)| println!("{name}: test"));
        return;
    }
    let count = models.len();
    println!("\nrunning {count} models");
    for (name, model) in models {
        let mut checker = loom::model::Builder::new();
        checker.preemption_bound = Some(3);
        checker.check(model);
        println!("test {name} ... ok");
    }
    println!("\ntest result: ok. {count} passed; 0 failed; 0 ignored; 0 measured; 0 filtered out");
}
