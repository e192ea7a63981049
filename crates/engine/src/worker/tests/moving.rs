//! Tasks that move from worker to worker.

use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::Accepts;

/// Frames with numbers, without end as long as it is open.
struct Numbers {
    frames: Vec<[u8; 60]>,
    next: u64,
    open: Arc<AtomicBool>,
}

impl Numbers {
    fn new(from: u64, open: &Arc<AtomicBool>) -> Self {
        let mut frame = [0; 60];
        frame[..6].copy_from_slice(&mac(SINK).0);
        frame[6..12].copy_from_slice(&mac(from).0);
        frame[12..14].copy_from_slice(&[0x88, 0xb5]);
        Self { frames: vec![frame; 64], next: 0, open: open.clone() }
    }
}

impl Transmit for Numbers {
    fn fetch<'g>(&'g mut self, _: &'g Guard<'_>, batch: &mut Batch<'g>) -> Result<(), QueueError> {
        if self.open.load(Ordering::Relaxed) {
            for (number, frame) in (self.next..).zip(&mut self.frames) {
                frame[14..22].copy_from_slice(&number.to_be_bytes());
                batch.push(&[VolatileSlice::from(&mut frame[..])], Offload::default());
            }
        }
        Ok(())
    }

    fn complete(&mut self, _: &Guard<'_>, frames: usize) -> Result<(), QueueError> {
        self.next += frames as u64;
        Ok(())
    }

    fn arm(&mut self, _: &Guard<'_>) -> Result<bool, QueueError> {
        Ok(self.open.load(Ordering::SeqCst))
    }

    fn disarm(&mut self, _: &Guard<'_>) -> Result<(), QueueError> {
        Ok(())
    }
}

/// Takes everything, and sees that each sender's frames come one after the other.
struct InOrder(Arc<[AtomicU64; 8]>);

impl Receive for InOrder {
    fn accepts(&self) -> Accepts {
        Accepts::empty()
    }

    fn deliver(
        &mut self,
        _: &Guard<'_>,
        batch: &Batch<'_>,
        frames: &[u16],
    ) -> Result<usize, QueueError> {
        for index in frames {
            let frame = batch.frame(usize::from(*index));
            let mut bytes = frame.head().to_vec();
            for segment in frame.rest {
                let start = bytes.len();
                bytes.resize(start + segment.len(), 0);
                segment.copy_to(&mut bytes[start..]);
            }
            let number = u64::from_be_bytes(bytes[14..22].try_into().unwrap());
            let before = self.0[usize::from(bytes[11])].swap(number + 1, Ordering::Relaxed);
            assert!(number == before || number == 0, "{number} after {before}");
        }
        Ok(frames.len())
    }

    fn arm(&mut self, _: &Guard<'_>) -> Result<bool, QueueError> {
        Ok(false)
    }
}

const SINK: u64 = 7;

struct Flows {
    world: World,
    got: Arc<[AtomicU64; 8]>,
    _sink: ReceiveHandle,
}

impl Flows {
    fn new() -> Self {
        let world = World::new(2);
        let sink = world.function(SINK).port;
        let got: Arc<[AtomicU64; 8]> = Arc::default();
        let queue = Box::new(InOrder(got.clone()));
        let _sink = world.engine.receive(&sink, 0, queue, Box::new(|error| panic!("{error}")));
        Self { world, got, _sink }
    }

    fn start(&self, from: u64, open: &Arc<AtomicBool>) -> TaskHandle {
        let port = self.world.function(from).port;
        let queue = Box::new(Numbers::new(from, open));
        self.world.engine.transmit(&port, 0, queue, Box::new(|error| panic!("{error}")))
    }

    fn given(&self) -> u64 {
        self.world.engine.report().workers.iter().map(|worker| worker.given).sum()
    }

    fn tasks(&self) -> Vec<usize> {
        self.world.engine.report().workers.iter().map(|worker| worker.tasks).collect()
    }

    /// It goes on.
    fn flows(&self, from: u64) {
        let before = self.got[from as usize].load(Ordering::Relaxed);
        wait(|| self.got[from as usize].load(Ordering::Relaxed) > before + 1000);
    }
}

#[test]
fn a_task_that_moves_keeps_its_order_and_its_event() {
    let flows = Flows::new();
    let (shut, open) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    // The first worker gets numbers 0 and 2.
    let [zero, one, two] =
        [(0, &open), (1, &shut), (2, &open)].map(|(from, open)| flows.start(from, open));
    assert_eq!(flows.tasks(), [2, 1]);
    let events = [&zero, &two].map(|task| task.doorbell().event().unwrap());
    open.store(true, Ordering::SeqCst);
    let ring = || {
        for event in &events {
            rustix::io::write(&**event, &1u64.to_ne_bytes()).unwrap();
        }
    };
    ring();
    wait(|| flows.given() == 1);
    assert_eq!(flows.tasks(), [1, 2]);
    for round in 0..5 {
        [0, 2].iter().for_each(|from| flows.flows(*from));
        open.store(false, Ordering::SeqCst);
        std::thread::sleep(Duration::from_millis(3 * (round % 3))); // asleep or still polled
        open.store(true, Ordering::SeqCst);
        ring();
    }
    drop(one);
    assert_eq!(flows.tasks(), [1, 1]);
    flows.flows(0);
    drop((zero, two));
    assert_eq!(flows.tasks(), [0, 0]);
}

#[test]
fn tasks_are_stopped_while_they_move() {
    let flows = Flows::new();
    let (shut, open) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(true)));
    for round in 0..10 {
        let tasks =
            [0, 1, 2, 3].map(|from| flows.start(from, if from % 2 == 0 { &open } else { &shut }));
        std::thread::sleep(Duration::from_millis(9 + round % 4)); // about when one moves
        drop(tasks);
        assert_eq!(flows.tasks(), [0, 0]);
    }
}
