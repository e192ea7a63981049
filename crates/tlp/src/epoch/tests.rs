use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::thread;

use crate::Epochs;

#[test]
fn nobody_inside_is_reached_at_once() {
    let epochs = Epochs::new();
    let mut participant = epochs.join();
    let before = participant.enter().epoch();
    epochs.synchronize();
    assert_eq!(participant.enter().epoch(), before + 1);
}

#[test]
fn a_guard_from_before_holds_the_epoch_back() {
    let epochs = Epochs::new();
    let mut old = epochs.join();
    let mut new = epochs.join();
    let guard = old.enter();
    let epoch = epochs.advance();
    assert!(!epochs.has_reached(epoch));
    let _later = new.enter();
    assert!(!epochs.has_reached(epoch));
    drop(guard);
    assert!(epochs.has_reached(epoch), "a guard of the new epoch does not hold it back");
}

#[test]
fn a_participant_that_left_holds_nothing_back() {
    let epochs = Epochs::new();
    let mut participant = epochs.join();
    std::mem::forget(participant.enter());
    drop(participant);
    epochs.synchronize();
}

/// A resource that is poisoned only after `synchronize`: no guard holder may ever see the poison under a value it had read.
#[test]
fn what_was_read_under_a_guard_stays_valid_until_it_ends() {
    const POISON: u64 = 1 << 63;
    let epochs = Epochs::new();
    let current = AtomicU64::new(0);
    let slots: Vec<AtomicU64> = (0..64).map(|_| AtomicU64::new(0)).collect();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..2 {
            let mut participant = epochs.join();
            let (current, slots, done) = (&current, &slots, &done);
            scope.spawn(move || {
                while !done.load(SeqCst) {
                    let _guard = participant.enter();
                    let index = current.load(SeqCst) as usize;
                    for _ in 0..16 {
                        assert_eq!(slots[index].load(SeqCst) & POISON, 0);
                    }
                }
            });
        }
        for round in 0..2000 {
            let next = (round + 1) % slots.len();
            slots[next].store(0, SeqCst);
            let old = current.swap(next as u64, SeqCst);
            epochs.synchronize();
            slots[old as usize].store(POISON, SeqCst);
        }
        done.store(true, SeqCst);
    });
}
