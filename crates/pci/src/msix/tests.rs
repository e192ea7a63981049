use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use std::sync::{Barrier, Mutex};

use pando_tlp::{Access, Fault, Iova, Link, MsiMessage, RequesterId, Target};
use proptest::prelude::*;

use super::*;
use crate::testing::{Wire, WireLink};

struct Rig {
    wire: Arc<Wire>,
    requester: Arc<Requester>,
    msix: Msix,
}

fn rig(vectors: u16) -> Rig {
    let wire = Wire::new();
    let requester = Arc::new(Requester::default());
    requester.set_id(RequesterId(0x0508));
    requester.set_open(true);
    let dma = WireLink(wire.clone()).dma(requester.clone());
    Rig { wire, requester: requester.clone(), msix: Msix::new(dma, requester, vectors) }
}

impl Rig {
    fn write(&self, offset: u64, value: u32) {
        self.msix.table_write(offset, &value.to_le_bytes());
    }

    fn read(&self, offset: u64) -> u32 {
        let mut data = [0; 4];
        self.msix.table_read(offset, &mut data);
        u32::from_le_bytes(data)
    }

    fn pending(&self) -> u64 {
        let mut data = [0; 8];
        self.msix.pba_read(0, &mut data);
        u64::from_le_bytes(data)
    }

    fn program(&self, vector: u64, data: u32) {
        self.write(vector * 16, 0xfee0_0000);
        self.write(vector * 16 + 4, 0);
        self.write(vector * 16 + 8, data);
        self.write(vector * 16 + 12, 0);
    }

    fn data(&self) -> Vec<u32> {
        self.wire.take().into_iter().map(|(_, message)| message.data).collect()
    }
}

#[test]
fn the_table_takes_every_size() {
    let rig = rig(3);
    assert_eq!([rig.read(0), rig.read(12), rig.read(28)], [0, 1, 1]);
    rig.msix.table_write(16, &0x0000_0001_fee0_1003_u64.to_le_bytes());
    rig.msix.table_write(24, &0xffff_fffe_1234_5678_u64.to_le_bytes());
    assert_eq!(
        [rig.read(16), rig.read(20), rig.read(24), rig.read(28)],
        [0xfee0_1000, 1, 0x1234_5678, 0]
    );
    rig.msix.table_write(25, &[0xaa]);
    rig.msix.table_write(26, &[0xbb, 0xcc]);
    assert_eq!(rig.read(24), 0xccbb_aa78);
    let mut data = [0; 8];
    rig.msix.table_read(24, &mut data);
    assert_eq!(u64::from_le_bytes(data), 0xccbb_aa78);
    rig.msix.table_write(0x10_0000, &[0; 8]);
    rig.msix.table_read(0x10_0000, &mut data);
    rig.msix.table_read(u64::MAX - 8, &mut data);
    assert_eq!(data, [0; 8]);
}

#[test]
fn a_message_needs_enable_gate_and_no_mask() {
    let rig = rig(2);
    rig.program(1, 0x41);
    rig.msix.signal(1);
    assert_eq!((rig.data(), rig.pending()), (vec![], 0), "disabled: lost");
    rig.msix.control(true, true);
    rig.msix.signal(1);
    assert_eq!((rig.data(), rig.pending()), (vec![], 2), "function mask: pending");
    rig.msix.control(true, false);
    assert_eq!((rig.data(), rig.pending()), (vec![0x41], 0), "unmasked: sent once");
    rig.write(28, 1);
    rig.msix.signal(1);
    rig.msix.signal(1);
    assert_eq!((rig.data(), rig.pending()), (vec![], 2), "own mask: pending");
    rig.write(24, 0x42);
    rig.write(28, 0);
    assert_eq!((rig.data(), rig.pending()), (vec![0x42], 0), "the new message, once");
    rig.requester.set_open(false);
    rig.msix.signal(1);
    assert!(rig.data().is_empty());
    rig.requester.set_open(true);
    rig.msix.inner().deliver_all();
    rig.msix.signal(0xffff);
    rig.msix.signal(1);
    let message = MsiMessage { address: 0xfee0_0000, data: 0x42 };
    assert_eq!(rig.wire.take(), [(RequesterId(0x0508), message); 2]);
}

#[test]
fn the_pending_bits_of_2048_vectors() {
    let rig = rig(2048);
    rig.msix.control(true, false);
    rig.msix.signal(2047);
    let mut data = [0; 8];
    rig.msix.pba_read(31 * 8, &mut data);
    assert_eq!(u64::from_le_bytes(data), 1 << 63);
    let mut byte = [0];
    rig.msix.pba_read(255, &mut byte);
    assert_eq!(byte, [0x80]);
    rig.msix.inner().reset(true);
    rig.msix.pba_read(31 * 8, &mut data);
    assert_eq!(data, [0; 8]);
}

/// What the guest and the device do to two vectors.
#[derive(Clone, Debug)]
enum Step {
    Signal(u16),
    Mask(u16, bool),
    Message(u16, u32),
    Control(bool, bool),
    Gate(bool),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..3u16).prop_map(Step::Signal),
        3 => (0..2u16, any::<bool>()).prop_map(|(vector, mask)| Step::Mask(vector, mask)),
        2 => (0..2u16, any::<u32>()).prop_map(|(vector, data)| Step::Message(vector, data)),
        1 => (prop::bool::weighted(0.8), any::<bool>()).prop_map(|(on, mask)| Step::Control(on, mask)),
        1 => any::<bool>().prop_map(Step::Gate),
    ]
}

/// The specification's own words as a program.
#[derive(Default)]
struct Expected {
    enabled: bool,
    function_mask: bool,
    closed: bool,
    unmasked: [bool; 2],
    data: [u32; 2],
    pending: [bool; 2],
    sent: Vec<u32>,
}

impl Expected {
    fn step(&mut self, step: &Step) {
        match *step {
            Step::Signal(vector @ 0..2) if self.enabled => self.pending[usize::from(vector)] = true,
            Step::Signal(_) => {}
            Step::Mask(vector, mask) => self.unmasked[usize::from(vector)] = !mask,
            Step::Message(vector, data) => self.data[usize::from(vector)] = data,
            Step::Control(on, mask) => (self.enabled, self.function_mask) = (on, mask),
            Step::Gate(open) => self.closed = !open,
        }
        if !self.enabled || self.function_mask || self.closed {
            return;
        }
        for vector in 0..2 {
            if self.unmasked[vector] && std::mem::take(&mut self.pending[vector]) {
                self.sent.push(self.data[vector]);
            }
        }
    }
}

proptest! {
    #[test]
    fn nothing_is_lost_or_sent_twice(steps in prop::collection::vec(step(), 1..60)) {
        let rig = rig(2);
        let mut expected = Expected::default();
        for step in &steps {
            expected.step(step);
            match *step {
                Step::Signal(vector) => rig.msix.signal(vector),
                Step::Mask(vector, mask) => rig.write(u64::from(vector) * 16 + 12, u32::from(mask)),
                Step::Message(vector, data) => rig.write(u64::from(vector) * 16 + 8, data),
                Step::Control(on, mask) => rig.msix.control(on, mask),
                Step::Gate(open) => {
                    rig.requester.set_open(open);
                    if open { rig.msix.inner().deliver_all() } else { rig.msix.inner().quiesce() }
                }
            }
            prop_assert_eq!(&rig.data(), &std::mem::take(&mut expected.sent));
            let pending = [rig.pending() & 1 != 0, rig.pending() & 2 != 0];
            prop_assert_eq!(pending, expected.pending);
        }
    }
}

/// A handle whose messages take their time, and that notes whether one arrived while it was forbidden.
struct SlowDma {
    forbidden: AtomicBool,
    violations: AtomicU32,
    sent: AtomicU32,
    target: Mutex<Option<Arc<Msix>>>,
}

impl SlowDma {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            forbidden: AtomicBool::new(false),
            violations: AtomicU32::new(0),
            sent: AtomicU32::new(0),
            target: Mutex::new(None),
        })
    }
}

impl Dma for SlowDma {
    fn requester(&self) -> RequesterId {
        RequesterId(0)
    }

    fn resolve(&self, _: Iova, _: Access) -> Result<Target, Fault> {
        Err(Fault::UnsupportedRequest)
    }

    fn read(&self, _: Iova, _: &mut [u8]) -> Result<(), Fault> {
        Err(Fault::UnsupportedRequest)
    }

    fn write(&self, _: Iova, data: &[u8]) -> Result<(), Fault> {
        std::thread::yield_now();
        let target = self.target.lock().unwrap().clone();
        if let Some(target) = target {
            target.table_write(12, &[1, 0, 0, 0]);
            target.table_write(8, data);
        }
        self.violations.fetch_add(u32::from(self.forbidden.load(SeqCst)), SeqCst);
        self.sent.fetch_add(1, SeqCst);
        Ok(())
    }
}

fn open() -> Arc<Requester> {
    let requester = Arc::new(Requester::default());
    requester.set_open(true);
    requester
}

#[test]
fn after_a_mask_no_older_message_arrives() {
    let dma = SlowDma::new();
    let msix = Msix::new(dma.clone(), open(), 1);
    msix.control(true, false);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(SeqCst) {
                msix.signal(0);
                std::thread::yield_now();
            }
        });
        while dma.sent.load(SeqCst) < 300 {
            dma.forbidden.store(false, SeqCst);
            msix.table_write(12, &[0, 0, 0, 0]);
            msix.table_write(12, &[1, 0, 0, 0]);
            dma.forbidden.store(true, SeqCst);
            std::thread::yield_now();
        }
        done.store(true, SeqCst);
    });
    assert_eq!(dma.violations.load(SeqCst), 0);
}

/// Two tables whose messages write each other, from two threads: nobody waits for ever.
#[test]
fn messages_into_msix_tables_end() {
    let (left_dma, right_dma) = (SlowDma::new(), SlowDma::new());
    let left = Arc::new(Msix::new(left_dma.clone(), open(), 1));
    let right = Arc::new(Msix::new(right_dma.clone(), open(), 1));
    *left_dma.target.lock().unwrap() = Some(right.clone());
    *right_dma.target.lock().unwrap() = Some(left.clone());
    let barrier = Barrier::new(2);
    std::thread::scope(|scope| {
        for msix in [&left, &right] {
            let barrier = &barrier;
            scope.spawn(move || {
                barrier.wait();
                for _ in 0..2_000 {
                    msix.control(true, false);
                    msix.table_write(12, &[0, 0, 0, 0]);
                    msix.signal(0);
                    msix.control(false, false);
                }
            });
        }
    });
    *left_dma.target.lock().unwrap() = None;
    *right_dma.target.lock().unwrap() = None;
}
