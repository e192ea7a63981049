use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::time::{Duration, Instant};

use pando_tlp::{Fault, Guard, Iova};
use vm_memory::VolatileSlice;

use super::task::Pass;
use super::*;
use crate::pcap::Direction;
use crate::ring::{SplitConfig, SplitRing};
use crate::testing::{Driver, RawReceive, RawTransmit, Tree, WRITE, allocations};
use crate::{
    Batch, Capture, Checksum, DropReason, Filter, Frame, FrameRef, MacAddress, Offload, PortKind,
    Segmentation, SegmentationKind, Steer, Switch,
};

mod moving;
mod world;

use self::world::{BUFFER, Function, RING, World, mac, number, wait};

#[test]
fn frames_arrive_whole_and_in_order() {
    let world = World::new(1);
    let (mut a, mut b) = (world.running(0), world.running(1));
    let mut expected = 0;
    for sent in 0..500u32 {
        wait(|| a.send(mac(1), sent, 60 + sent as usize % 1400));
        for frame in b.received() {
            assert_eq!(number(&frame), expected);
            assert_eq!(frame.len(), 60 + expected as usize % 1400);
            assert_eq!(frame[..12], [mac(1).0, mac(0).0].concat());
            assert!(frame[18..].iter().all(|byte| *byte == expected as u8));
            expected += 1;
        }
        b.refill();
    }
    wait(|| {
        expected += b.numbers().len() as u32;
        expected == 500
    });
    let (sent, got) = (a.port.report(), b.port.report());
    assert_eq!((sent.transmit[&0].packets, got.receive[&0].packets), (500, 500));
    assert_eq!(sent.transmit[&0].bytes, got.receive[&0].bytes);
    assert!(sent.transmit[&0].drops.is_empty() && got.receive[&0].drops.is_empty());
    assert!(a.received().is_empty());
}

/// Has one queue for everything.
struct Only(u16);

impl Steer for Only {
    fn queue(&self, _: &Frame) -> Option<u16> {
        None
    }

    fn only(&self) -> Option<u16> {
        Some(self.0)
    }
}

#[test]
fn a_port_with_one_queue_for_everything_asks_for_no_frame() {
    let world = World::new(1);
    let (mut a, mut b) = (world.running(0), world.function(1));
    let queue = Box::new(RawReceive::new(&b.receive));
    b.receiving = Some(world.engine.receive(&b.port, 3, queue, b.on_error()));
    b.refill();
    b.port.set_receive_queues(1, Some(Arc::new(Only(3))));
    a.send_all(mac(1), 0..10, 64);
    let mut numbers = Vec::new();
    wait(|| {
        numbers.extend(b.numbers());
        numbers.len() == 10
    });
    b.port.set_receive_queues(1, Some(Arc::new(Only(2))));
    a.send_all(mac(1), 10..20, 64);
    wait(|| a.transmit_drops(DropReason::NoQueue) == 10);
}

#[test]
fn nothing_is_lost_between_two_workers_and_a_slow_receiver_slows_its_senders() {
    const FRAMES: u64 = 20_000;
    let world = World::new(2);
    let functions: Vec<_> = (0..3).map(|number| world.running(number)).collect();
    // Number 0 sends to 1, the others send to 0.
    std::thread::scope(|scope| {
        for mut function in functions {
            scope.spawn(move || {
                let expected = [2 * FRAMES, FRAMES, 0][function.number as usize];
                let to = mac(u64::from(function.number == 0));
                let (mut sent, mut got) = (0, 0);
                let mut last = [0; 3];
                wait(|| {
                    while sent < FRAMES && function.send(to, sent as u32 + 1, 64) {
                        sent += 1;
                    }
                    for frame in function.received() {
                        let from = usize::from(frame[11]);
                        assert!(number(&frame) > last[from], "out of order");
                        last[from] = number(&frame);
                        got += 1;
                    }
                    function.refill();
                    // On a busy machine this thread may be away for longer than anybody waits.
                    let stalled = function.receive_drops(DropReason::Stalled);
                    function.transmit.take_used();
                    let all_sent = function.transmit.room() == usize::from(RING);
                    sent == FRAMES && all_sent && got + stalled == expected
                });
                assert!(function.errors.lock().unwrap().is_empty());
            });
        }
    });
}

#[test]
fn a_broadcast_reaches_everyone_but_its_sender() {
    let world = World::new(2);
    let mut functions: Vec<_> = (0..4).map(|number| world.running(number)).collect();
    functions[2].send_all(MacAddress::BROADCAST, 0..10, 100);
    for receiver in [0, 1, 3] {
        let mut numbers = Vec::new();
        wait(|| {
            numbers.extend(functions[receiver].numbers());
            numbers.len() == 10
        });
        assert_eq!(numbers, (0..10).collect::<Vec<_>>());
    }
    assert!(functions[2].numbers().is_empty());
}

#[test]
fn a_receiver_that_hangs_blocks_nobody_for_long() {
    let world = World::new(1);
    let (mut sender, mut good) = (world.running(0), world.running(1));
    let mut hung = world.function(2);
    hung.start_receiving(&world.engine);
    let mut good_numbers = Vec::new();
    for number in 0..1000 {
        wait(|| {
            good_numbers.extend(good.numbers());
            sender.send(mac(1 + u64::from(number) % 2), number, 100)
        });
    }
    wait(|| {
        good_numbers.extend(good.numbers());
        good_numbers.len() == 500
    });
    assert!(good_numbers.is_sorted());
    wait(|| hung.receive_drops(DropReason::Stalled) == 500);
    // It takes frames again: nothing is dropped any more.
    hung.refill();
    sender.send_all(mac(2), 0..5, 100);
    let mut numbers = Vec::new();
    wait(|| {
        numbers.extend(hung.numbers());
        numbers.len() == 5
    });
    assert_eq!(hung.receive_drops(DropReason::Stalled), 500);
}

#[test]
fn frames_for_others_pass_those_that_wait() {
    let world = World::new(1);
    let (mut sender, mut other) = (world.running(0), world.running(1));
    let mut empty = world.function(2);
    empty.start_receiving(&world.engine);
    sender.send(mac(2), 0, 100);
    sender.send_all(mac(1), 1..30, 100);
    let mut numbers = Vec::new();
    wait(|| {
        numbers.extend(other.numbers());
        numbers.len() == 29
    });
    empty.refill();
    // Either it was in time, or the frame was dropped; never twice, never both.
    wait(|| sender.transmit.get(sender.transmit.used_ring() + 2) == 30);
    let got = empty.numbers().len() as u64;
    assert_eq!(got + empty.receive_drops(DropReason::Stalled), 1);
    assert_eq!(numbers, (1..30).collect::<Vec<_>>());
}

#[test]
fn new_buffers_wake_a_paused_sender() {
    let world = World::new(1);
    let mut sender = world.running(0);
    let mut receiver = world.function(1);
    receiver.start_receiving(&world.engine);
    let mut came = 0;
    for number in 0..200 {
        wait(|| sender.send(mac(1), number, 100));
        std::thread::sleep(Duration::from_micros(300));
        receiver.give_buffer();
        wait(|| {
            came += receiver.received().len() as u64;
            came + receiver.receive_drops(DropReason::Stalled) > u64::from(number)
        });
    }
    // A busy machine may make some wait too long.
    assert!(came > 20, "{came} came");
}

#[test]
fn stopped_means_no_access_any_more() {
    let world = World::new(2);
    let (mut a, mut b) = (world.running(0), world.running(1));
    for _ in 0..50 {
        while a.send(mac(1), 1, 64) {}
        b.numbers();
        a.sending.take().unwrap().stop();
        let used = a.transmit.get(a.transmit.used_ring() + 2);
        let got = b.receive.get(b.receive.used_ring() + 2);
        while a.send(mac(1), 1, 64) {}
        std::thread::yield_now();
        assert_eq!(a.transmit.get(a.transmit.used_ring() + 2), used);
        assert_eq!(b.receive.get(b.receive.used_ring() + 2), got);
        a.start_sending(&world.engine);
        // Now the receiver goes, under fire.
        b.receiving.take().unwrap().stop();
        let got = b.receive.get(b.receive.used_ring() + 2);
        wait(|| a.send(mac(1), 1, 64));
        assert_eq!(b.receive.get(b.receive.used_ring() + 2), got);
        b.start_receiving(&world.engine);
    }
    assert!(a.errors.lock().unwrap().is_empty() && b.errors.lock().unwrap().is_empty());
}

#[test]
fn a_closed_gate_idles_and_an_open_one_resumes() {
    let world = World::new(1);
    let (mut a, mut b) = (world.running(0), world.running(1));
    a.send_all(mac(1), 0..10, 64);
    wait(|| b.numbers().len() == 10 || b.receive.used == 10);
    world.tree.open.store(false, SeqCst);
    world.epochs.synchronize();
    a.send(mac(1), 10, 64);
    std::thread::sleep(Duration::from_millis(5));
    assert!(b.received().is_empty());
    let wakeups = world.engine.report().workers[0].wakeups;
    std::thread::sleep(Duration::from_millis(20));
    assert!(world.engine.report().workers[0].wakeups <= wakeups + 1, "it idles");
    world.tree.open.store(true, SeqCst);
    a.sending.as_ref().unwrap().doorbell().ring();
    let mut numbers = Vec::new();
    wait(|| {
        numbers.extend(b.numbers());
        !numbers.is_empty()
    });
    assert_eq!(numbers, [10]);
    assert!(a.errors.lock().unwrap().is_empty() && b.errors.lock().unwrap().is_empty());
}

#[test]
fn a_drivers_mistake_stops_that_queue_once_and_nothing_else() {
    let world = World::new(1);
    let (mut bad, mut a, mut b) = (world.running(0), world.running(1), world.running(2));
    bad.transmit.offer(RING + 1);
    bad.transmit.publish();
    bad.sending.as_ref().unwrap().doorbell().ring();
    wait(|| !bad.errors.lock().unwrap().is_empty());
    bad.sending.as_ref().unwrap().doorbell().ring();
    a.send_all(mac(2), 0..10, 64);
    wait(|| b.numbers().len() == 10 || b.receive.used == 10);
    let errors = bad.errors.lock().unwrap();
    assert_eq!(*errors, [QueueError::Driver("descriptor index outside the table")]);
}

#[test]
fn a_broken_receive_queue_stops_alone() {
    let world = World::new(1);
    let (mut a, mut b) = (world.running(0), world.running(1));
    let mut bad = world.function(2);
    bad.receive.offer(RING + 1);
    bad.receive.publish();
    bad.start_receiving(&world.engine);
    a.send_all(mac(2), 0..10, 64);
    a.send_all(mac(1), 0..10, 64);
    wait(|| b.numbers().len() == 10 || b.receive.used == 10);
    wait(|| bad.receive_drops(DropReason::NoQueue) == 10);
    let errors = bad.errors.lock().unwrap();
    assert_eq!(*errors, [QueueError::Driver("descriptor index outside the table")]);
    assert!(a.errors.lock().unwrap().is_empty());
}

/// A queue whose code is broken.
struct Panics;

impl Service for Panics {
    fn serve(&mut self, _: &Guard<'_>) -> Result<bool, QueueError> {
        panic!("as the test wants")
    }

    fn arm(&mut self, _: &Guard<'_>) -> Result<bool, QueueError> {
        Ok(false)
    }
}

#[test]
fn a_panic_is_an_error_of_its_queue() {
    let world = World::new(1);
    let (mut a, mut b) = (world.running(0), world.running(1));
    let errors = Arc::new(Mutex::new(Vec::new()));
    let seen = errors.clone();
    let on_error: OnError = Box::new(move |error| seen.lock().unwrap().push(error));
    let _task = world.engine.serve(Box::new(Panics), on_error);
    wait(|| *errors.lock().unwrap() == [QueueError::Defect]);
    a.send_all(mac(1), 0..10, 64);
    wait(|| b.numbers().len() == 10 || b.receive.used == 10);
}

/// Counts commands on a ring.
struct Commands(SplitRing, Arc<AtomicU32>);

impl Service for Commands {
    fn serve(&mut self, guard: &Guard<'_>) -> Result<bool, QueueError> {
        self.0.begin(guard)?;
        let mut chain = crate::ring::Chain::new();
        if !self.0.next(guard, &mut chain)? {
            return Ok(false);
        }
        self.0.put(guard, 0)?;
        self.0.publish(guard)?;
        self.1.fetch_add(1, SeqCst);
        Ok(true)
    }

    fn arm(&mut self, guard: &Guard<'_>) -> Result<bool, QueueError> {
        self.0.arm(guard)
    }
}

#[test]
fn an_idle_engine_makes_no_wakeups_and_an_event_rings_as_a_call_does() {
    let world = World::new(2);
    let mut driver = Driver::new(&world.tree, 0, 8, true);
    let served = Arc::new(AtomicU32::new(0));
    let service = Commands(driver.ring(), served.clone());
    let task = world.engine.serve(Box::new(service), Box::new(|_| {}));
    let functions: Vec<_> = (1..5).map(|number| world.running(number)).collect();
    let event = task.doorbell().event().unwrap();
    let wakeups =
        || -> u64 { world.engine.report().workers.iter().map(|worker| worker.wakeups).sum() };
    std::thread::sleep(Duration::from_millis(50));
    let before = wakeups();
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(wakeups(), before);
    for round in 1..=20 {
        driver.add(&[(0x1000, 1, 0)]);
        if driver.publish() {
            rustix::io::write(&*event, &1u64.to_ne_bytes()).unwrap();
        }
        wait(|| served.load(SeqCst) == round);
        driver.take_used();
        std::thread::sleep(Duration::from_micros(200 * u64::from(round % 3)));
    }
    drop(functions);
}

#[test]
fn a_flow_stays_on_one_of_several_receive_queues() {
    let world = World::new(1);
    let mut sender = world.running(0);
    let mut receiver = world.function(1);
    receiver.start_receiving(&world.engine);
    receiver.refill();
    let mut second = world.function(2);
    second.number = 2;
    let queue = Box::new(RawReceive::new(&second.receive));
    second.receiving = Some(world.engine.receive(&receiver.port, 1, queue, Box::new(|_| {})));
    second.refill();
    // Only the first until told otherwise.
    sender.send_all(mac(1), 0..10, 64);
    wait(|| receiver.numbers().len() == 10 || receiver.receive.used == 10);
    receiver.port.set_receive_queues(2, None);
    let mut flows = [[0; 2]; 16];
    for round in 0..4u32 {
        for flow in 0..16u8 {
            let slot = u64::from(sender.transmit.available % RING);
            let address = 0x1_0000 + slot * BUFFER;
            let mut bytes = [mac(1).0, mac(0).0].concat();
            bytes
                .extend([8, 0, 0x45, 0, 0, 40, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
            bytes.extend([0x80, flow, 0, 53]);
            bytes.resize(64, 0);
            wait(|| {
                sender.transmit.take_used();
                sender.transmit.room() > 0
            });
            sender.transmit.write(address, &bytes);
            sender.transmit.add(&[(address, 64, 0)]);
            sender.transmit.publish();
            sender.sending.as_ref().unwrap().doorbell().ring();
        }
        wait(|| {
            for (queue, function) in [&mut receiver, &mut second].into_iter().enumerate() {
                for frame in function.received() {
                    flows[usize::from(frame[35])][queue] += 1;
                }
                function.refill();
            }
            flows.iter().flatten().sum::<u32>() == 16 * (round + 1)
        });
    }
    assert!(flows.iter().all(|queues| queues.contains(&4) && queues.contains(&0)), "{flows:?}");
    assert!((1..16).contains(&flows.iter().filter(|queues| queues[1] == 4).count()));
}

/// Counts what it is shown.
#[derive(Default)]
struct Watch([AtomicU32; 2]);

impl Capture for Watch {
    fn frame(&self, direction: Direction, _: FrameRef<'_, '_>) {
        self.0[usize::from(direction == Direction::Inbound)].fetch_add(1, SeqCst);
    }
}

#[test]
fn a_capture_sees_both_ways_and_a_link_that_is_down_passes_nothing() {
    let world = World::new(1);
    let (mut a, mut b) = (world.running(0), world.running(1));
    let watch = Arc::new(Watch::default());
    b.port.set_capture(Some(watch.clone()));
    a.send_all(mac(1), 0..10, 64);
    wait(|| b.numbers().len() == 10 || b.receive.used == 10);
    b.send_all(mac(0), 0..5, 64);
    wait(|| a.numbers().len() == 5 || a.receive.used == 5);
    assert_eq!([0, 1].map(|way: usize| watch.0[way].load(SeqCst)), [5, 10]);
    b.port.set_capture(None);
    b.port.set_filter(Filter { unicast: vec![mac(1)], ..Filter::default() });
    a.send_all(mac(1), 0..3, 64);
    b.send_all(mac(0), 0..2, 64);
    a.send_all(mac(0), 0..1, 64);
    a.send_all(mac(7), 0..4, 64);
    wait(|| b.transmit_drops(DropReason::LinkDown) == 2);
    wait(|| a.transmit_drops(DropReason::LinkDown) == 3);
    wait(|| a.transmit_drops(DropReason::OwnAddress) == 1);
    wait(|| a.transmit_drops(DropReason::NoDestination) == 4);
    assert!(!b.port.report().link_up);
}

/// A source of one long frame, from its own memory.
struct Long(Option<Vec<u8>>);

impl Transmit for Long {
    fn fetch<'g>(&'g mut self, _: &'g Guard<'_>, batch: &mut Batch<'g>) -> Result<(), QueueError> {
        let offload = Offload {
            checksum: Checksum::Partial { start: 34, offset: 16 },
            segmentation: Some(Segmentation {
                kind: SegmentationKind::Tcp4,
                size: 1000,
                ecn: false,
            }),
        };
        if let Some(bytes) = &mut self.0 {
            batch.push(&[VolatileSlice::from(&mut bytes[..])], offload);
        }
        Ok(())
    }

    fn complete(&mut self, _: &Guard<'_>, frames: usize) -> Result<(), QueueError> {
        if frames > 0 {
            self.0 = None;
        }
        Ok(())
    }

    fn arm(&mut self, _: &Guard<'_>) -> Result<bool, QueueError> {
        Ok(false)
    }

    fn disarm(&mut self, _: &Guard<'_>) -> Result<(), QueueError> {
        Ok(())
    }
}

#[test]
fn a_long_frame_is_cut_for_who_needs_it_and_goes_on_where_buffers_ran_out() {
    let world = World::new(1);
    let sender = world.function(0);
    let mut receiver = world.function(1);
    receiver.start_receiving(&world.engine);
    let mut bytes = [mac(1).0, mac(0).0].concat();
    bytes.extend([8, 0, 0x45, 0, 0, 0, 0, 0, 0, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
    bytes.extend([0, 1, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0x50, 0x10, 0, 0, 0, 0, 0, 0]);
    bytes.extend((0..30_000u32).map(|at| (at / 1000) as u8));
    let (mut participant, mut pieces) = (world.epochs.join(), Vec::new());
    let mut scratch = Scratch::new(Finisher::new());
    let mut transmitter = Transmitter::new(Box::new(Long(Some(bytes))), &sender.port, 0);
    for _ in 0..3 {
        // The test sets the pace, so nobody waits for longer than it takes to add buffers.
        let pass = transmitter.pass(&participant.enter(), &mut scratch).unwrap();
        assert!(matches!(pass, Pass::Paused(_)));
        (0..10).for_each(|_| receiver.give_buffer());
        transmitter.pass(&participant.enter(), &mut scratch).unwrap();
        pieces.extend(receiver.received());
    }
    assert_eq!(pieces.len(), 30);
    for (at, piece) in pieces.iter().enumerate() {
        assert_eq!(piece.len(), 1054);
        assert!(piece[54..].iter().all(|byte| usize::from(*byte) == at), "piece {at}");
    }
    assert_eq!(receiver.receive_drops(DropReason::Stalled), 0);
}

#[test]
fn the_packet_path_allocates_nothing() {
    let world = World::new(1);
    let (mut a, mut b) = (world.function(0), world.running(1));
    let mut participant = world.epochs.join();
    let mut scratch = Scratch::new(Finisher::new());
    let queue = Box::new(RawTransmit::new(&a.transmit));
    let mut transmitter = Transmitter::new(queue, &a.port, 0);
    let mut pass = |a: &mut Function, number| {
        for frame in 0..16 {
            let to = if frame % 4 == 0 { MacAddress::BROADCAST } else { mac(1) };
            assert!(a.send(to, number, 64 + frame * 80));
        }
        let before = allocations();
        transmitter.pass(&participant.enter(), &mut scratch).unwrap();
        allocations() - before
    };
    pass(&mut a, 0); // the first one makes room for the ports
    for round in 1..20 {
        assert_eq!(b.numbers().len(), 16);
        assert_eq!(pass(&mut a, round), 0);
    }
}

#[test]
fn an_engine_can_be_dropped_before_its_tasks() {
    let world = World::new(2);
    let (a, b) = (world.running(0), world.running(1));
    drop(world.engine);
    a.sending.as_ref().unwrap().doorbell().ring();
    drop((a, b));
}

#[test]
fn faults_of_ring_memory_are_reported_as_such() {
    let world = World::new(1);
    let function = world.function(0);
    let config = SplitConfig { descriptors: Iova(1 << 40), ..function.transmit.config() };
    let ring = SplitRing::new(config, world.tree.view()).unwrap();
    let queue = Box::new(RawTransmit::on(ring));
    let _task = world.engine.transmit(&function.port, 0, queue, function.on_error());
    wait(|| !function.errors.lock().unwrap().is_empty());
    let errors = function.errors.lock().unwrap();
    assert_eq!(*errors, [QueueError::Ring(Fault::UnsupportedRequest)]);
}
