//! Alarms.

use std::sync::mpsc;
use std::time::Duration;

use super::*;

/// The sooner of two wishes counts, and each alarm is taken once.
#[test]
fn alarms_are_due_in_order_and_once() {
    let alarms = Alarms::new(3);
    let now = Instant::now();
    let after = |millis| now + Duration::from_millis(millis);
    for (function, millis) in [(2, 60), (0, 20), (1, 40), (0, 50), (2, 10)] {
        alarms.alarm(function).at(after(millis));
    }
    let due = |millis| alarms.lock().take(after(millis));
    let cases: [(u64, &[usize]); 6] =
        [(9, &[]), (10, &[2]), (19, &[]), (39, &[0]), (70, &[1]), (1000, &[])];
    for (millis, functions) in cases {
        assert_eq!(due(millis), functions, "after {millis} ms");
    }
}

/// The thread calls for each alarm, never too soon, those set while it sleeps and those long overdue.
#[test]
fn the_thread_calls_once_for_each_alarm() {
    let alarms = Alarms::new(3);
    let (sender, receiver) = mpsc::channel();
    let mut timer = Some(Timer::start(alarms.clone(), move |function| {
        let _ = sender.send((function, Instant::now()));
    }))
    .transpose()
    .unwrap();
    let now = Instant::now();
    let at = [0, 30, 5].map(|millis| now + Duration::from_millis(millis));
    for (function, at) in at.into_iter().enumerate() {
        alarms.alarm(function).at(at);
    }
    let wait = Duration::from_secs(60);
    let mut heard: Vec<_> = (0..3).map(|_| receiver.recv_timeout(wait).unwrap()).collect();
    heard.sort_unstable();
    assert!(heard.iter().zip([0, 1, 2]).all(|((function, _), wanted)| *function == wanted));
    assert!(heard.iter().zip(at).all(|((_, called), at)| *called >= at));
    assert!(alarms.lock().at.iter().all(Option::is_none));
    // It ends when it is dropped, and with it the sender: there was no further call.
    timer.take();
    assert!(receiver.recv_timeout(wait).is_err());
}

/// A function that isn't there has no alarm.
#[test]
fn nobody() {
    let alarms = Alarms::new(1);
    alarms.alarm(7).at(Instant::now());
    assert!(alarms.lock().at.iter().all(Option::is_none));
}
