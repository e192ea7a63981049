//! Epochs under a model checker: every order in which two threads can meet, and every value that the memory model allows.
//!
//! The code under test is the library's own, with the checker's primitives below it. No test harness: the library's unit
//! tests, which are no models, stay out of it.

#[expect(dead_code, unreachable_pub, reason = "the library's own file, of which this uses a part")]
#[path = "../src/epoch.rs"]
mod epoch;

/// The checker's in place of the library's.
mod sync {
    pub(crate) use loom::sync::RwLock;
    pub(crate) use loom::sync::atomic::{AtomicU64, fence};

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
use loom::sync::atomic::{AtomicBool, AtomicUsize};

use self::epoch::Epochs;

type Model = (&'static str, fn());

const MODELS: &[Model] = &[
    ("what_was_read_under_a_guard_stays_valid_until_it_ends", valid_until_it_ends),
    ("no_worker_is_overlooked", two_workers),
];

/// A value is replaced, and what it stood for is destroyed after the wait: no guard sees that. The accesses themselves are
/// relaxed, so that only the epochs order them.
fn valid_until_it_ends() {
    let epochs = Epochs::new();
    let current = Arc::new(AtomicUsize::new(0));
    let destroyed = Arc::new([AtomicBool::new(false), AtomicBool::new(false)]);
    let mut participant = epochs.join();
    let worker = {
        let (current, destroyed) = (current.clone(), destroyed.clone());
        loom::thread::spawn(move || {
            for _ in 0..2 {
                let guard = participant.enter();
                let index = current.load(Relaxed);
                assert!(!destroyed[index].load(Relaxed));
                drop(guard);
            }
        })
    };
    current.store(1, Relaxed);
    epochs.synchronize();
    destroyed[0].store(true, Relaxed);
    assert!(worker.join().is_ok());
}

/// The same with two workers, who may be in epochs of their own.
fn two_workers() {
    let epochs = Epochs::new();
    let current = Arc::new(AtomicUsize::new(0));
    let destroyed = Arc::new([AtomicBool::new(false), AtomicBool::new(false)]);
    let workers = [epochs.join(), epochs.join()].map(|mut participant| {
        let (current, destroyed) = (current.clone(), destroyed.clone());
        loom::thread::spawn(move || {
            let guard = participant.enter();
            let index = current.load(Relaxed);
            assert!(!destroyed[index].load(Relaxed));
            drop(guard);
        })
    });
    current.store(1, Relaxed);
    epochs.synchronize();
    destroyed[0].store(true, Relaxed);
    assert!(workers.into_iter().all(|worker| worker.join().is_ok()));
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
