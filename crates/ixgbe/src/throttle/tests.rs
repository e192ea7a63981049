//! Alarms.

use std::sync::mpsc;
use std::time::Duration;

use super::*;

#[test]
fn alarms_come_in_order_and_once() {
    let alarms = Alarms::new(3);
    let (sender, receiver) = mpsc::channel();
    let _timer = Timer::start(alarms.clone(), move |function| {
        let _ = sender.send((function, Instant::now()));
    })
    .unwrap();
    let now = Instant::now();
    let after = |millis| now + Duration::from_millis(millis);
    alarms.alarm(2).at(after(60));
    alarms.alarm(0).at(after(20));
    alarms.alarm(1).at(after(40));
    // Later than asked for before: the first stays.
    alarms.alarm(0).at(after(50));
    // Sooner: that counts.
    alarms.alarm(2).at(after(10));
    let wait = Duration::from_secs(20);
    let heard: Vec<_> = (0..3).map(|_| receiver.recv_timeout(wait).unwrap()).collect();
    assert_eq!(heard.iter().map(|(function, _)| *function).collect::<Vec<_>>(), [2, 0, 1]);
    assert!(heard.iter().zip([10, 20, 40]).all(|((_, at), millis)| *at >= after(millis)));
    assert!(receiver.recv_timeout(Duration::from_millis(50)).is_err());
}

/// A function that isn't there has no alarm.
#[test]
fn nobody() {
    let alarms = Alarms::new(1);
    alarms.alarm(7).at(Instant::now());
    assert!(alarms.lock().at.iter().all(Option::is_none));
}
