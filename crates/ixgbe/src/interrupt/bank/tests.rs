//! The bank against a slow model of itself, in any order of events.

use proptest::prelude::*;

use super::*;

#[derive(Clone, Copy, Debug)]
enum Step {
    Raise(u64),
    Enable(u64),
    Disable(u64),
    Acknowledge(u64),
    Throttle(usize, u32),
    /// Microseconds pass.
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let bits = || (0u32..4).prop_map(|bit| 1u64 << (bit * 21));
    prop_oneof![
        4 => bits().prop_map(Step::Raise),
        3 => bits().prop_map(Step::Enable),
        1 => bits().prop_map(Step::Disable),
        1 => bits().prop_map(Step::Acknowledge),
        1 => (0usize..4, 0u32..0x1000).prop_map(|(v, value)| Step::Throttle(21 * v, value)),
        3 => (0u64..1500).prop_map(Step::Wait),
    ]
}

proptest! {
    /// An event is never lost while its vector's mask lets it out, two messages are never closer than the throttle says, and
    /// something is left for the timer exactly while a throttle holds something back.
    #[test]
    fn no_event_is_lost(steps in proptest::collection::vec(step(), 1..200), auto in any::<[bool; 2]>()) {
        let mut bank = Bank { auto_clear: if auto[0] { !0 } else { 0 }, ..Bank::default() };
        bank.auto_mask = if auto[1] { !0 } else { 0 };
        let start = Instant::now();
        let mut now = start;
        let mut timer: Option<Instant> = None;
        let mut last: [Option<Instant>; VECTORS] = [None; VECTORS];
        for step in steps {
            match step {
                Step::Raise(bits) => bank.raise(bits),
                Step::Enable(bits) => bank.enable(bits),
                Step::Disable(bits) => bank.disable(bits),
                Step::Acknowledge(bits) => bank.acknowledge(bits),
                Step::Throttle(vector, value) => bank.set_throttle(vector, value),
                Step::Wait(micros) => now += Duration::from_micros(micros),
            }
            if timer.take_if(|at| *at <= now).is_some() {
                bank.expired();
            }
            let fire = bank.fire(now);
            timer = fire.timer.map_or(timer, |at| Some(timer.map_or(at, |old| old.min(at))));
            for vector in 0..VECTORS {
                if fire.vectors >> vector & 1 != 0 {
                    let since = last[vector].map(|last| now - last);
                    let interval = bank.throttles[vector].interval;
                    prop_assert!(since.is_none_or(|since| since >= interval));
                    last[vector] = Some(now);
                }
            }
            let held = bank.due & bank.enabled;
            prop_assert!(held == 0 || timer.is_some(), "held back, and nobody will come");
            prop_assert_eq!(bank.due & !bank.pending, 0);
        }
    }
}
