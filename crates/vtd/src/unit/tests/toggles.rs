//! Commands under traffic: whatever is switched, a worker gets an answer that was true, and a finished wait is the end of old ones.

use std::sync::atomic::{AtomicBool, AtomicU64};
use std::thread;

use super::*;

const OLD: u64 = 0x20_0000;
const NEW: u64 = 0x30_0000;

/// Runs `worker` under guards in two threads while `act` goes on.
fn under_traffic(bench: &Bench, worker: impl Fn() + Sync, act: impl FnOnce()) {
    let done = AtomicBool::new(false);
    let participants = [bench.unit.shared.epochs.join(), bench.unit.shared.epochs.join()];
    thread::scope(|scope| {
        for mut participant in participants {
            let (done, worker) = (&done, &worker);
            scope.spawn(move || {
                while !done.load(Ordering::SeqCst) {
                    let _guard = participant.enter();
                    worker();
                }
            });
        }
        act();
        done.store(true, Ordering::SeqCst);
    });
}

#[test]
fn translation_goes_on_and_off() {
    let bench = Bench::new();
    bench.map(0x7000, OLD | 3);
    bench.enable_translation();
    let worker = || {
        let found = bench.translate(0x7000, Access::Read);
        assert!(found == Ok(OLD) || found == Ok(0x7000), "{found:?}");
    };
    under_traffic(&bench, worker, || {
        for round in 0..300 {
            bench.write32(0x18, if round % 2 == 0 { 0 } else { 1 << 31 });
            bench.write32(0x18, bench.read32(0x1c) & 1 << 31 | 1 << 30);
        }
    });
    assert_eq!(bench.read32(0x34), 0, "no fault came of it");
}

#[test]
fn interrupt_remapping_goes_on_and_off() {
    let bench = Bench::new();
    bench.store(INTERRUPTS + 16 * 3, 1 | 0x41 << 16);
    bench.write64(0xb8, INTERRUPTS | 1 << 11 | 0xf);
    bench.command(1 << 24);
    let message = MsiMessage { address: 0xfee0_0018 | 3 << 5, data: 0 };
    let worker = || {
        let found = bench.unit.remap(VF, message).unwrap();
        assert!(found == message || found.data == 0x41, "{found:?}");
    };
    under_traffic(&bench, worker, || {
        (0..300).for_each(|round| bench.write32(0x18, if round % 2 == 0 { 1 << 25 } else { 0 }));
    });
}

/// The queue is switched off and on between invalidations; each that was waited for holds.
#[test]
fn the_queue_goes_on_and_off() {
    let mut bench = Bench::new();
    bench.map(0x7000, OLD | 3);
    bench.enable_translation();
    let unit = bench.unit.clone();
    let translate = || unit.translate(VF, Iova(0x7000), Access::Read).map(|found| found.target.0);
    let gone = AtomicU64::new(0);
    let (done, mut participant) = (AtomicBool::new(false), unit.shared.epochs.join());
    thread::scope(|scope| {
        let (gone, done, translate) = (&gone, &done, &translate);
        scope.spawn(move || {
            while !done.load(Ordering::SeqCst) {
                let _guard = participant.enter();
                let before = gone.load(Ordering::SeqCst);
                let found = translate().unwrap();
                // What was given up may be given anew meanwhile, and then `gone` has changed.
                let still_gone = gone.load(Ordering::SeqCst) == before;
                assert!(found != before || !still_gone, "{found:#x} was given up before the guard");
            }
        });
        for round in 0..500 {
            bench.tail = 0;
            bench.enable_queue();
            let (old, new) = if round % 2 == 0 { (OLD, NEW) } else { (NEW, OLD) };
            gone.store(0, Ordering::SeqCst);
            bench.map(0x7000, new | 3);
            bench.submit(&[[0x2 | 3 << 4 | 5 << 16, 0x7000], WAIT]);
            gone.store(old, Ordering::SeqCst);
            assert_eq!(translate(), Ok(new));
            bench.write32(0x18, 1 << 31);
        }
        done.store(true, Ordering::SeqCst);
    });
}
