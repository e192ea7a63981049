//! A worker without its thread, in virtual time: who gets how much.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use pando_tlp::{Epochs, Guard};
use vm_memory::VolatileSlice;

use super::*;
use crate::switch::Switch;
use crate::worker::task::{Body, Kind};
use crate::worker::transmit::Transmitter;
use crate::{
    Accepts, Batch, Filter, Finisher, MacAddress, Offload, Policy, Port, PortKind, QueueError,
    Rate, Receive, ReceiveHandle, Tagging, Transmit, Vlan, VlanSet, Witness,
};

/// Frames without end, or so many.
struct Flood {
    frame: Vec<u8>,
    left: u64,
    sent: Arc<AtomicU64>,
}

impl Transmit for Flood {
    fn fetch<'g>(&'g mut self, _: &'g Guard<'_>, batch: &mut Batch<'g>) -> Result<(), QueueError> {
        let frame = VolatileSlice::from(&mut self.frame[..]);
        let mut left = self.left;
        while left > 0 && batch.push(&[frame], Offload::default()) {
            left -= 1;
        }
        Ok(())
    }

    fn complete(&mut self, _: &Guard<'_>, frames: usize) -> Result<(), QueueError> {
        self.left -= frames as u64;
        self.sent.fetch_add(frames as u64 * self.frame.len() as u64, Ordering::Relaxed);
        Ok(())
    }

    fn arm(&mut self, _: &Guard<'_>) -> Result<bool, QueueError> {
        Ok(self.left > 0)
    }

    fn disarm(&mut self, _: &Guard<'_>) -> Result<(), QueueError> {
        Ok(())
    }
}

/// Takes everything, or nothing.
struct Sink {
    open: bool,
    frames: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Receive for Sink {
    fn accepts(&self) -> Accepts {
        Accepts::empty()
    }

    fn deliver(
        &mut self,
        _: &Guard<'_>,
        batch: &Batch<'_>,
        frames: &[u16],
    ) -> Result<usize, QueueError> {
        if !self.open {
            return Ok(0);
        }
        let mut kept = self.frames.lock().unwrap();
        for index in frames.iter().take(4usize.saturating_sub(kept.len())) {
            let frame = batch.frame(usize::from(*index));
            let mut bytes = frame.head().to_vec();
            for segment in frame.rest {
                let mut rest = vec![0; segment.len()];
                segment.copy_to(&mut rest[..]);
                bytes.extend(rest);
            }
            kept.push(bytes);
        }
        Ok(frames.len())
    }

    fn arm(&mut self, _: &Guard<'_>) -> Result<bool, QueueError> {
        Ok(false)
    }
}

/// One worker, a switch, a sink that everyone sends to, and a receiver that is stuck.
struct World {
    worker: Worker,
    switch: Arc<Switch>,
    now: Instant,
    frames: Arc<Mutex<Vec<Vec<u8>>>>,
    sink: Arc<Port>,
    _receivers: Vec<ReceiveHandle>,
    _engine: crate::Engine,
}

const SINK: [u8; 6] = [2, 0, 0, 0, 0, 1];
const STUCK: [u8; 6] = [2, 0, 0, 0, 0, 2];

impl World {
    fn new() -> Self {
        let epochs = Epochs::new();
        let engine = crate::Engine::new(1, epochs.clone()).unwrap();
        let switch = Switch::new("card");
        let frames = Arc::new(Mutex::default());
        let (mut receivers, mut ports) = (Vec::new(), Vec::new());
        for (address, open) in [(SINK, true), (STUCK, false)] {
            let port = switch.port("receiver", PortKind::Function);
            let unicast = vec![MacAddress(address)];
            port.set_filter(Filter { link_up: true, unicast, ..Filter::default() });
            let queue = Sink { open, frames: Arc::clone(&frames) };
            receivers.push(engine.receive(&port, 0, Box::new(queue), Box::new(|_| {})));
            ports.push(port);
        }
        let finisher = Finisher::new();
        let shared = |number| Arc::new(Shared::new(number, finisher.counters().clone()).unwrap());
        let workers = [0, 1].map(shared).into_iter().collect();
        let worker = Worker::new(
            workers,
            0,
            epochs.join(),
            Scratch::new(finisher),
            Polling::up_to(Duration::from_micros(50)),
        );
        let now = Instant::now();
        let sink = ports.swap_remove(0);
        Self { worker, switch, now, frames, sink, _receivers: receivers, _engine: engine }
    }

    fn port(&self, number: u8) -> Arc<Port> {
        let port = self.switch.port("sender", PortKind::Function);
        let unicast = vec![MacAddress([2, 0, 0, 0, 1, number])];
        port.set_filter(Filter { link_up: true, unicast, ..Filter::default() });
        port
    }

    /// Another queue of `port` that sends `frames` frames; what it has sent, in bytes.
    fn sender(
        &mut self,
        port: &Port,
        index: u16,
        to: [u8; 6],
        len: usize,
        frames: u64,
    ) -> Arc<AtomicU64> {
        let sent = Arc::new(AtomicU64::new(0));
        let mut frame = [to, [2, 0, 0, 0, 1, 1]].concat();
        frame.extend([0x88, 0xb5]);
        frame.resize(len, 7);
        let queue = Flood { frame, left: frames, sent: sent.clone() };
        let body = Body::Transmit(Box::new(Transmitter::new(Box::new(queue), port, index)));
        let task = Task::new(body, &self.worker.workers, 0, Box::new(|_| {}));
        self.worker.active.push(Active::new(task));
        sent
    }

    /// Rounds of 10 us each.
    fn run(&mut self, rounds: usize) {
        self.run_in_steps(rounds, Duration::from_micros(10));
    }

    fn run_in_steps(&mut self, rounds: usize, step: Duration) {
        for _ in 0..rounds {
            self.now += step;
            self.worker.round(self.now);
        }
    }
}

fn get(sent: &[Arc<AtomicU64>]) -> Vec<u64> {
    sent.iter().map(|sent| sent.load(Ordering::Relaxed)).collect()
}

/// Jain's index of fairness: 1 if all are equal.
fn jain(shares: &[u64]) -> f64 {
    let sum: f64 = shares.iter().map(|share| *share as f64).sum();
    let squares: f64 = shares.iter().map(|share| (*share as f64).powi(2)).sum();
    sum * sum / (shares.len() as f64 * squares)
}

const ENDLESS: u64 = u64::MAX / 2;

#[test]
fn eight_busy_functions_get_equal_shares_whatever_they_send() {
    for lens in [[64usize; 8], [1514; 8], [60, 64, 128, 256, 512, 1024, 1514, 9000]] {
        let mut world = World::new();
        let senders = lens.iter().enumerate().map(|(number, len)| {
            let port = world.port(number as u8);
            world.sender(&port, 0, SINK, *len, ENDLESS)
        });
        let senders: Vec<_> = senders.collect();
        world.run(500);
        let shares = get(&senders);
        assert!(jain(&shares) >= 0.999, "{lens:?}: {shares:?}");
    }
}

#[test]
fn a_function_with_many_queues_gets_what_one_with_one_gets() {
    let mut world = World::new();
    let (one, many) = (world.port(1), world.port(2));
    let one = world.sender(&one, 0, SINK, 1514, ENDLESS);
    let many: Vec<_> =
        (0..4).map(|index| world.sender(&many, index, SINK, 1514, ENDLESS)).collect();
    world.run(500);
    let shares = [one.load(Ordering::Relaxed), get(&many).iter().sum()];
    assert!(jain(&shares) >= 0.999, "{shares:?}");
}

#[test]
fn one_alone_gets_everything_and_limited_or_stalled_ones_take_nothing() {
    // As many full batches as there are rounds.
    let everything = 1000 * 64 * 1514;
    let mut world = World::new();
    let port = world.port(1);
    let alone = world.sender(&port, 0, SINK, 1514, ENDLESS);
    world.run(1000);
    assert!(alone.load(Ordering::Relaxed) >= everything * 98 / 100);

    let mut world = World::new();
    let (busy, limited, stalled, idle) =
        (world.port(1), world.port(2), world.port(3), world.port(4));
    limited.set_rate(Some(Rate { bits_per_second: 1_000_000 }));
    let busy = world.sender(&busy, 0, SINK, 1514, ENDLESS);
    let limited = world.sender(&limited, 0, SINK, 1514, ENDLESS);
    let stalled = world.sender(&stalled, 0, STUCK, 1514, ENDLESS);
    world.sender(&idle, 0, SINK, 1514, 0);
    world.run(1000);
    let shares = get(&[busy, limited, stalled]);
    assert!(shares[0] >= everything * 90 / 100, "{shares:?}");
    assert!(shares[1] <= 1250 + 500 + 1514, "10 ms of 1 Mbit/s and a burst: {shares:?}");
}

#[test]
fn rates_hold_over_seconds_of_virtual_time() {
    for mbit in [5u64, 50, 500] {
        let mut world = World::new();
        let (limited, other) = (world.port(1), world.port(2));
        limited.set_queue_rate(0, Some(Rate { bits_per_second: mbit * 1_000_000 }));
        let limited = world.sender(&limited, 0, SINK, 1514, ENDLESS);
        let _other = world.sender(&other, 0, SINK, 64, 1000);
        world.run_in_steps(15_000, Duration::from_micros(200));
        let expected = mbit * 1_000_000 / 8 * 3;
        let sent = limited.load(Ordering::Relaxed);
        assert!(sent.abs_diff(expected) * 100 <= expected * 2, "{mbit} Mbit/s: {sent}");
    }
}

#[test]
fn a_ports_rate_is_shared_by_its_queues() {
    let mut world = World::new();
    let port = world.port(1);
    port.set_rate(Some(Rate { bits_per_second: 100_000_000 }));
    let queues: Vec<_> =
        (0..3).map(|index| world.sender(&port, index, SINK, 1514, ENDLESS)).collect();
    world.run_in_steps(5000, Duration::from_micros(200));
    let sent: u64 = get(&queues).iter().sum();
    assert!(sent.abs_diff(12_500_000) < 12_500_000 / 50, "{sent}");
}

#[derive(Default)]
struct Counts {
    spoofed: AtomicU64,
    left: AtomicU64,
}

impl Witness for Counts {
    fn spoofed(&self, frames: u64) {
        self.spoofed.fetch_add(frames, Ordering::Relaxed);
    }

    fn left(&self, batch: &Batch<'_>, frames: u64) {
        assert!(batch.len() < 64 || frames == u64::MAX);
        self.left.fetch_add(frames.count_ones().into(), Ordering::Relaxed);
    }
}

#[test]
fn tags_are_inserted_and_stripped_and_the_witness_sees_what_happens() {
    let mut world = World::new();
    let port = world.port(1);
    let counts = Arc::new(Counts::default());
    let mut vlans = VlanSet::new();
    vlans.insert(Vlan(7));
    let policy = Policy {
        tagging: Tagging::Always(0x6007),
        source_vlans: Some(vlans),
        witness: Some(counts.clone()),
        ..Policy::default()
    };
    port.set_policy(Some(policy.clone()));
    world.sender(&port, 0, SINK, 200, 1);
    world.run(2);
    let tagged = std::mem::take(&mut *world.frames.lock().unwrap());
    assert_eq!((tagged[0].len(), &tagged[0][12..18]), (204, &[0x81, 0, 0x60, 7, 0x88, 0xb5][..]));
    world.sink.set_policy(Some(Policy { strip: true, ..Policy::default() }));
    world.sender(&port, 1, SINK, 200, 3);
    world.run(2);
    let stripped = std::mem::take(&mut *world.frames.lock().unwrap());
    assert_eq!(stripped.len(), 3);
    for frame in stripped {
        assert_eq!((frame.len(), &frame[12..14]), (200, &[0x88, 0xb5][..]));
        assert!(frame[14..].iter().all(|byte| *byte == 7));
    }
    let cable = world.switch.port("uplink", PortKind::Uplink);
    cable.set_filter(Filter { link_up: true, ..Filter::default() });
    world.sender(&port, 2, [2, 9, 9, 9, 9, 9], 100, 5);
    world.run(2);
    port.set_policy(Some(Policy { tagging: Tagging::Always(8), ..policy }));
    world.sender(&port, 3, SINK, 200, 9);
    world.run(2);
    let seen = (counts.spoofed.load(Ordering::Relaxed), counts.left.load(Ordering::Relaxed));
    assert_eq!(seen, (9, 5));
    assert!(world.frames.lock().unwrap().is_empty());
}

#[test]
fn of_two_tasks_that_compete_one_goes_to_a_worker_that_has_none() {
    let mut world = World::new();
    let ports = [1, 2, 3].map(|number| world.port(number));
    let senders = [ENDLESS, 0, ENDLESS]
        .iter()
        .zip(&ports)
        .map(|(frames, port)| world.sender(port, 0, SINK, 64, *frames));
    let senders = Vec::from_iter(senders);
    let other = world.worker.workers[1].clone();
    let mut given = Vec::new();
    for (worked, gives) in [
        (Duration::from_millis(8), 0),
        (Duration::from_millis(10), 1),
        (Duration::from_millis(10), 0),
    ] {
        world.run(1000);
        assert!(world.worker.balance.is_over(world.now, Some(worked)));
        world.worker.share_out(world.now);
        other.attention(&mut given);
        assert_eq!(given.len(), gives, "after {worked:?} of 10 ms");
        for task in given.drain(..) {
            assert_eq!(task.home().number, 1);
            assert_eq!(other.tasks[Kind::Transmit as usize].load(Ordering::Relaxed), 1);
        }
    }
    assert_eq!(world.worker.shared.given.get(), 1);
    assert_eq!(world.worker.active.len(), 1, "the idle one sleeps, a busy one stays");
    let before = get(&senders);
    world.run(10);
    let after = get(&senders);
    assert!(after[0] == before[0] && after[2] > before[2], "the first has gone");
}

#[test]
fn a_worker_without_work_polls_as_long_as_it_is_told() {
    for (longest, rounds) in [(Duration::ZERO, 1), (Duration::from_millis(1), 100)] {
        let mut world = World::new();
        world.worker.polling = Polling::up_to(longest);
        let port = world.port(1);
        world.sender(&port, 0, SINK, 64, 0);
        for polled in 0..rounds {
            assert_eq!(world.worker.active.len(), 1, "{longest:?} after {polled} rounds");
            world.run(1);
        }
        world.run(1);
        assert!(world.worker.active.is_empty(), "{longest:?}: it sleeps");
    }
    let engine = crate::Engine::polling(1, Epochs::new(), Some(Duration::from_millis(3))).unwrap();
    assert_eq!(engine.report().polling_us, 3000);
}
