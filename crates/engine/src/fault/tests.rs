use std::time::Instant;

use super::*;
use crate::uplink::testing::{Hand, PATIENCE, only, plain, wait};
use crate::uplink::{SocketConfig, Uplink, UplinkConfig};
use crate::{Checksum, Offload};

/// A faulty cable with a sound one at its other end: the two ends, and what the faults did.
struct Cable {
    faulty: Uplink,
    sound: Uplink,
    counters: Arc<FaultCounters>,
    hand: Hand,
    _directory: tempfile::TempDir,
}

fn cable(faults: Faults) -> Cable {
    let directory = tempfile::TempDir::new().unwrap();
    let path = directory.path().join("cable");
    let open = |config| UplinkConfig::Socket(config).open(1).unwrap();
    let mut sound = open(SocketConfig::Listen(path.clone()));
    let (faulty, counters) = inject(open(SocketConfig::Connect(path)), faults).unwrap();
    let mut hand = Hand::new();
    hand.fetch(&mut *only(&mut sound).transmit).unwrap();
    assert!(sound.carrier.is_up() && faulty.carrier.is_up());
    Cable { faulty, sound, counters, hand, _directory: directory }
}

impl Cable {
    /// Sends frames outwards and inwards, a batch at a time; returns what arrives, by the byte that says which one it was.
    fn pass(&mut self, count: usize, outwards: bool) -> Vec<u8> {
        let frames: Vec<_> = (0..count).map(|tag| plain(tag as u8, 60)).collect();
        let (from, to) = if outwards {
            (&mut self.faulty, &mut self.sound)
        } else {
            (&mut self.sound, &mut self.faulty)
        };
        let mut arrived = Vec::new();
        for group in frames.chunks(32) {
            self.hand.send(&mut *only(from).receive, group);
            for _ in 0..3 {
                arrived.extend(self.hand.fetch(&mut *only(to).transmit).unwrap());
            }
        }
        arrived.iter().map(|(bytes, _)| bytes[59]).collect()
    }
}

#[test]
fn no_faults_change_nothing() {
    let mut cable = cable(Faults::default());
    let all: Vec<u8> = (0..200).collect();
    assert_eq!(cable.pass(200, true), all);
    assert_eq!(cable.pass(200, false), all);
}

#[test]
fn the_same_seed_gives_the_same_faults() {
    let faults = Faults { drop: 0.2, duplicate: 0.1, seed: 42, ..Faults::default() };
    let run = |seed| {
        let mut cable = cable(Faults { seed, ..faults });
        let arrived = (cable.pass(200, true), cable.pass(200, false));
        let lost = 400 - cable.counters.dropped.get() + cable.counters.duplicated.get();
        assert_eq!(lost, (arrived.0.len() + arrived.1.len()) as u64);
        arrived
    };
    let first = run(42);
    assert_eq!(first, run(42));
    assert_ne!(first, run(43));
    assert_ne!(first.0, first.1);
}

#[test]
fn all_frames_may_vanish_or_come_twice() {
    let mut none = cable(Faults { drop: 1.0, ..Faults::default() });
    assert_eq!(none.pass(50, true), []);
    let mut twice = cable(Faults { duplicate: 1.0, ..Faults::default() });
    let all: Vec<u8> = (0..100).flat_map(|tag| [tag, tag]).collect();
    assert_eq!(twice.pass(100, true), all);
    let mut inwards = twice.pass(100, false);
    inwards.dedup();
    assert_eq!(inwards, (0..100).collect::<Vec<u8>>());
}

#[test]
fn corruption_is_one_bit_and_no_checksum_covers_it_up() {
    let mut cable = cable(Faults { corrupt: 1.0, seed: 1, ..Faults::default() });
    // An unfinished frame is finished first: its checksum is over what was sent, not over what arrives.
    let (bytes, _) = plain(0, 200);
    let checksum = Checksum::Partial { start: 34, offset: 6 };
    let unfinished = Offload { checksum, segmentation: None };
    let sound = {
        let mut bytes = bytes.clone();
        let sum = crate::finish::Sum::default().add(&bytes[34..]).checksum();
        bytes[40..42].copy_from_slice(if sum == [0, 0] { &[0xff, 0xff] } else { &sum });
        bytes
    };
    let receive = &mut *cable.faulty.queues[0].receive;
    let mut sent = bytes;
    cable.hand.deliver(&mut Finisher::new(), receive, &mut sent, unfinished);
    let arrived = cable.hand.fetch_some(only(&mut cable.sound), 1);
    let flipped: u32 = arrived[0].iter().zip(&sound).map(|(a, b)| (a ^ b).count_ones()).sum();
    assert_eq!(flipped, 1);
}

#[test]
fn late_frames_come_later_without_other_traffic() {
    let late = Faults { delay: 1.0, delay_by: Duration::from_millis(30), ..Faults::default() };
    let mut cable = cable(late);
    assert_eq!(cable.pass(100, true), []);
    assert_eq!(cable.counters.delayed.get(), 100);
    // The fetching half is woken and lets them go.
    assert!(wait(&only(&mut cable.faulty).readable, PATIENCE));
    let mut arrived = Vec::new();
    let end = Instant::now() + PATIENCE;
    while arrived.len() < 100 && Instant::now() < end {
        wait(&only(&mut cable.faulty).readable, Duration::from_millis(5));
        cable.hand.fetch(&mut *only(&mut cable.faulty).transmit).unwrap();
        arrived.extend(cable.hand.fetch(&mut *only(&mut cable.sound).transmit).unwrap());
    }
    let tags: Vec<u8> = arrived.iter().map(|(bytes, _)| bytes[59]).collect();
    assert_eq!(tags, (0..100).collect::<Vec<u8>>());
    // And inwards.
    cable.hand.send(&mut *only(&mut cable.sound).receive, &[plain(9, 60)]);
    assert_eq!(cable.hand.fetch_some(only(&mut cable.faulty), 1), [plain(9, 60).0]);
    assert_eq!(cable.counters.delayed.get(), 101);
}

#[test]
fn what_is_held_back_has_a_bound() {
    let late = Faults { delay: 1.0, delay_by: Duration::from_secs(3600), ..Faults::default() };
    let mut cable = cable(late);
    let frames = vec![plain(1, 60_000); 60];
    for _ in 0..4 {
        cable.hand.send(&mut *only(&mut cable.faulty).receive, &frames);
        while !cable.hand.fetch(&mut *only(&mut cable.sound).transmit).unwrap().is_empty() {}
    }
    assert_eq!(cable.counters.delayed.get(), (4 << 20) / 60_000);
}
