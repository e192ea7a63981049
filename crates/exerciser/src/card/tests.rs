use std::sync::Mutex;
use std::time::{Duration, Instant};

use pando_pci::{ByteEnables, ConfigKind, Region};
use pando_tlp::{
    Dma, Epochs, Fault, Gpa, GuestRam, IntxWire, Iova, Marks, MsiMessage, Requester, RequesterId,
    Target,
};

use super::*;
use crate::checksum::Checksum;

const PF: RequesterId = RequesterId(0x0500);
const RAM: usize = 0x10_0000;

/// RAM, a place that refuses, and an interrupt controller.
struct Outside {
    epochs: Arc<Epochs>,
    ram: GuestRam,
    messages: Mutex<Vec<(RequesterId, MsiMessage)>>,
    marks: Mutex<Vec<(RequesterId, Marks)>>,
    /// Of interrupt pins: function, wire, asserted or not.
    pins: Mutex<Vec<(u8, IntxWire, bool)>>,
    /// Held by a test to keep the thread in a request.
    gate: Mutex<()>,
}

struct OutsideLink(Arc<Outside>);
struct OutsideDma(Arc<Outside>, Arc<Requester>);

impl Link for OutsideLink {
    fn dma(&self, requester: Arc<Requester>) -> Arc<dyn Dma> {
        Arc::new(OutsideDma(self.0.clone(), requester))
    }

    fn epochs(&self) -> &Arc<Epochs> {
        &self.0.epochs
    }

    fn doorbells_changed(&self) {}

    fn intx(&self, function: u8, wire: IntxWire, asserted: bool) {
        self.0.pins.lock().unwrap().push((function, wire, asserted));
    }
}

impl OutsideDma {
    fn run(&self, address: Iova, len: usize) -> Result<pando_tlp::Run, Fault> {
        let _gate = self.0.gate.lock().unwrap();
        if !self.1.is_open() {
            return Err(Fault::Gated);
        }
        match address.0 {
            0x1000_0000.. => Err(Fault::CompleterAbort),
            0x800_0000.. => Err(Fault::Translation),
            address => self.0.ram.run(Gpa(address), len as u64).ok_or(Fault::UnsupportedRequest),
        }
    }
}

impl Dma for OutsideDma {
    fn requester(&self) -> RequesterId {
        self.1.id()
    }

    fn resolve(&self, _: Iova, _: Access) -> Result<Target, Fault> {
        Ok(Target::Device)
    }

    fn read(&self, address: Iova, data: &mut [u8]) -> Result<(), Fault> {
        self.run(address, data.len())?.slice().copy_to(data);
        Ok(())
    }

    fn write(&self, address: Iova, data: &[u8]) -> Result<(), Fault> {
        if address.0 >> 20 == 0xfee {
            let data = u32::from_le_bytes(data.try_into().unwrap());
            let message = MsiMessage { address: address.0, data };
            self.0.messages.lock().unwrap().push((self.1.id(), message));
            return Ok(());
        }
        self.run(address, data.len())?.slice().copy_from(data);
        Ok(())
    }

    fn read_marked(&self, address: Iova, data: &mut [u8], marks: Marks) -> Result<(), Fault> {
        self.0.marks.lock().unwrap().push((self.1.id(), marks));
        self.read(address, data)
    }

    fn write_marked(&self, address: Iova, data: &[u8], marks: Marks) -> Result<(), Fault> {
        self.0.marks.lock().unwrap().push((self.1.id(), marks));
        if marks.poisoned { Ok(()) } else { self.write(address, data) }
    }
}

/// A card with its surroundings, bus mastering on; `VFS` VFs exist.
struct Bench {
    outside: Arc<Outside>,
    card: Exerciser,
    device: Arc<dyn Device>,
}

const VFS: u64 = 3;

impl Bench {
    fn new() -> Self {
        let ram = GuestRam::anonymous(&[(Gpa(0), RAM)]).unwrap();
        let outside = Arc::new(Outside {
            epochs: Epochs::new(),
            ram,
            messages: Mutex::default(),
            marks: Mutex::default(),
            pins: Mutex::default(),
            gate: Mutex::default(),
        });
        let config = ExerciserConfig { name: "ex0".to_owned(), vfs: 7 };
        let link = Arc::new(OutsideLink(outside.clone()));
        let card = Exerciser::new(&config, &Slot::default(), link).unwrap();
        let device = card.device();
        let bench = Self { outside, card, device };
        bench.config(PF, 0x04, 0x0006);
        let sriov = (0x100..0x1000).step_by(4).find(|at| bench.read_config(*at) as u16 == 0x10);
        let sriov = sriov.unwrap();
        bench.config(PF, sriov + 0x08, 0x10);
        bench.config(PF, sriov + 0x10, VFS as u32);
        bench.config(PF, sriov + 0x08, 0x19);
        for vf in 0..VFS {
            bench.config(RequesterId(PF.0 + 1 + vf as u16), 0x04, 0x4);
        }
        bench
    }

    fn read_config(&self, register: u16) -> u32 {
        self.device.config_read(ConfigKind::Type0, PF, register).unwrap()
    }

    fn config(&self, target: RequesterId, register: u16, value: u32) {
        let enables = ByteEnables(0b11);
        let written = self.device.config_write(ConfigKind::Type0, target, register, value, enables);
        assert!(written.is_some());
    }

    /// The function's BAR 0: 0 is the PF, n VF n - 1.
    fn place(function: u64, offset: u64) -> (Region, u64) {
        match function.checked_sub(1) {
            None => (Region::Bar(0), offset),
            Some(vf) => (Region::VfBar(0), vf * BAR0_SIZE + offset),
        }
    }

    fn get(&self, function: u64, register: u64) -> u32 {
        let (region, offset) = Self::place(function, register);
        let mut data = [0; 4];
        self.device.read(region, offset, &mut data);
        u32::from_le_bytes(data)
    }

    fn set(&self, function: u64, register: u64, value: u32) {
        let (region, offset) = Self::place(function, register);
        self.device.write(region, offset, &value.to_le_bytes());
    }

    /// The driver's order for one transfer.
    fn start(&self, function: u64, command: u32, source: u64, destination: u64, size: u32) {
        self.set(function, SOURCE, source as u32);
        self.set(function, SOURCE + 4, (source >> 32) as u32);
        self.set(function, DESTINATION, destination as u32);
        self.set(function, DESTINATION + 4, (destination >> 32) as u32);
        self.set(function, SIZE, size);
        self.set(function, FLAGS, 0);
        self.set(function, IRQ_TYPE, IRQ_MSIX);
        self.set(function, IRQ_NUMBER, 1);
        self.set(function, COMMAND, command);
    }

    fn finish(&self, function: u64) -> u32 {
        let start = Instant::now();
        while self.get(function, COMMAND) != 0 {
            assert!(start.elapsed() < Duration::from_secs(60), "it never ends");
            std::thread::yield_now();
        }
        self.get(function, STATUS)
    }

    fn ram(&self, address: u64, len: u64) -> Vec<u8> {
        let mut data = vec![0_u8; len as usize];
        self.outside.ram.run(Gpa(address), len).unwrap().slice().copy_to(&mut data[..]);
        data
    }
}

fn checksum(data: &[u8]) -> u32 {
    let mut checksum = Checksum::default();
    checksum.add(data);
    checksum.0
}

#[test]
fn the_driver_transfers_in_every_function() {
    let bench = Bench::new();
    for function in 0..=VFS {
        let base = 0x1_0000 * (function + 1);
        bench.start(function, WRITE, 0, base + 3, 10_000);
        assert_eq!(bench.finish(function), WRITE_SUCCESS | IRQ_RAISED);
        let written = bench.ram(base + 3, 10_000);
        assert_eq!(checksum(&written), bench.get(function, CHECKSUM));
        assert!(written.iter().filter(|byte| **byte == 0).count() < 200, "random");

        bench.start(function, READ, base + 3, 0, 10_000);
        assert_eq!(bench.finish(function), READ_SUCCESS | IRQ_RAISED);
        bench.set(function, CHECKSUM, 1);
        bench.start(function, READ, base + 3, 0, 10_000);
        assert_eq!(bench.finish(function), READ_SUCCESS << 1 | IRQ_RAISED);
        assert_eq!(bench.get(function, REASON), Reason::Checksum as u32);

        bench.start(function, COPY, base + 3, base + 0x8000, 10_000);
        assert_eq!(bench.finish(function), COPY_SUCCESS | IRQ_RAISED);
        assert_eq!(bench.ram(base + 0x8000, 10_000), written);
        assert_eq!(bench.get(function, CHECKSUM), checksum(&written));
    }
    let marks = bench.outside.marks.lock().unwrap();
    let senders: std::collections::BTreeSet<_> = marks.iter().map(|(id, _)| id.0).collect();
    assert_eq!(senders, (PF.0..=PF.0 + VFS as u16).collect(), "each with its own id");
    assert!(marks.iter().all(|(_, marks)| *marks == Marks::default()));
}

#[test]
fn a_failure_says_which_side_and_why() {
    let bench = Bench::new();
    let table = [
        (READ, 0x20_0000, 0, READ_SUCCESS << 1 | SOURCE_INVALID, Reason::UnsupportedRequest),
        (WRITE, 0, 0x800_0000, WRITE_SUCCESS << 1 | DESTINATION_INVALID, Reason::Blocked),
        (COPY, 0, 0x1000_0000, COPY_SUCCESS << 1 | DESTINATION_INVALID, Reason::CompleterAbort),
        (COPY, 0x1000_0000, 0, COPY_SUCCESS << 1 | SOURCE_INVALID, Reason::CompleterAbort),
        (COPY, u64::MAX, 0, COPY_SUCCESS << 1, Reason::Range),
        (WRITE, u64::MAX, 0x1000, WRITE_SUCCESS, Reason::None),
    ];
    for (command, source, destination, status, reason) in table {
        bench.start(0, command, source, destination, 16);
        assert_eq!(bench.finish(0), status | IRQ_RAISED, "{command:#x} {source:#x}");
        assert_eq!(bench.get(0, REASON), reason as u32);
    }
    bench.start(0, READ, 0, 0, 0);
    assert_eq!(bench.finish(0), READ_SUCCESS << 1 | IRQ_RAISED, "no size");
    bench.config(PF, 0x04, 2);
    bench.start(0, WRITE, 0, 0x1000, 16);
    bench.finish(0);
    assert_eq!(bench.get(0, REASON), Reason::Gated as u32);
}

#[test]
fn marks_are_bits_of_the_command() {
    let bench = Bench::new();
    bench.start(0, COPY | POISONED | TRANSLATED, 0x1000, 0x2000, 8);
    bench.finish(0);
    bench.start(0, WRITE | POISONED, 0, 0x2000, 8);
    bench.finish(0);
    let marks: Vec<_> = bench.outside.marks.lock().unwrap().iter().map(|(_, mark)| *mark).collect();
    let mark = |poisoned, translated| Marks { poisoned, translated };
    assert_eq!(marks, [mark(false, true), mark(true, true), mark(true, false)]);
    assert_eq!(bench.ram(0x2000, 8), [0; 8]);
}

#[test]
fn the_end_is_told_by_msix() {
    let bench = Bench::new();
    for function in [0, 2] {
        let entry = |at| u64::from(TABLE) + at;
        for (at, value) in [(16, 0xfee0_1000), (20, 0), (24, 0x40 + function as u32), (28, 0)] {
            bench.set(function, entry(at), value);
        }
        let id = RequesterId(PF.0 + function as u16);
        let read = |at| bench.device.config_read(ConfigKind::Type0, id, at).unwrap();
        let msix = (0x40..0x100).step_by(4).find(|at| read(*at) as u8 == 0x11).unwrap();
        let all = ByteEnables::ALL;
        bench.device.config_write(ConfigKind::Type0, id, msix, 1 << 31, all);
        bench.set(function, IRQ_TYPE, IRQ_MSIX);
        for number in [2, 9, 0] {
            bench.set(function, IRQ_NUMBER, number);
            bench.set(function, COMMAND, RAISE_MSIX);
            let raised = bench.finish(function) == IRQ_RAISED;
            assert_eq!(raised, number == 2, "vector {number}");
        }
        let message = MsiMessage { address: 0xfee0_1000, data: 0x40 + function as u32 };
        let start = Instant::now();
        while bench.outside.messages.lock().unwrap().is_empty() {
            assert!(start.elapsed() < Duration::from_secs(60));
        }
        let sent = std::mem::take(&mut *bench.outside.messages.lock().unwrap());
        assert_eq!(sent, [(id, message)]);
    }
}

/// All 32 vectors, of the PF and of a VF.
#[test]
fn the_end_is_told_by_msi() {
    let bench = Bench::new();
    for function in [0, 3] {
        let id = RequesterId(PF.0 + function as u16);
        let read = |at| bench.device.config_read(ConfigKind::Type0, id, at).unwrap();
        let msi = (0x40..0x100).step_by(4).find(|at| read(*at) as u8 == 0x05).unwrap();
        assert_eq!(read(msi) >> 17 & 0b111, 5);
        let all = ByteEnables::ALL;
        for (at, value) in [(4, 0xfee0_2000), (0xc, 0x60), (0, 5 << 20 | 1 << 16)] {
            bench.device.config_write(ConfigKind::Type0, id, msi + at, value, all);
        }
        bench.set(function, IRQ_TYPE, IRQ_MSI);
        for number in 1..=32 {
            bench.set(function, IRQ_NUMBER, number);
            bench.set(function, COMMAND, RAISE_MSI);
            assert_eq!(bench.finish(function), IRQ_RAISED);
            let start = Instant::now();
            while bench.outside.messages.lock().unwrap().is_empty() {
                assert!(start.elapsed() < Duration::from_secs(60));
            }
            let sent = std::mem::take(&mut *bench.outside.messages.lock().unwrap());
            let message = MsiMessage { address: 0xfee0_2000, data: 0x60 + number - 1 };
            assert_eq!(sent, [(id, message)]);
        }
    }
}

/// The driver's handler: it reads STATUS, or writes it without the bit, and the interrupt is taken back.
#[test]
fn the_end_is_told_by_the_pin() {
    let bench = Bench::new();
    let wire = IntxWire::new(0);
    bench.set(0, IRQ_TYPE, IRQ_INTX);
    for reads in [true, false, true] {
        bench.set(0, COMMAND, RAISE_INTX);
        let start = Instant::now();
        while bench.outside.pins.lock().unwrap().is_empty() {
            assert!(start.elapsed() < Duration::from_secs(60));
        }
        if reads {
            assert_eq!((bench.get(0, STATUS), bench.get(0, STATUS)), (IRQ_RAISED, IRQ_RAISED));
        } else {
            bench.set(0, STATUS, 0);
        }
        let pins = std::mem::take(&mut *bench.outside.pins.lock().unwrap());
        assert_eq!(pins, [(0, wire, true), (0, wire, false)]);
    }
    bench.set(1, IRQ_TYPE, IRQ_INTX);
    bench.set(1, COMMAND, RAISE_INTX);
    assert_eq!((bench.finish(1), bench.get(1, CAPABILITIES)), (0, 7), "a VF has none");
    assert!(bench.outside.pins.lock().unwrap().is_empty());
}

/// A command of 4 GiB that is being worked on: others have their turn, and FLR ends it for good.
#[test]
fn a_long_command_blocks_nobody_and_ends_with_a_reset() {
    let bench = Bench::new();
    bench.start(1, COPY, 0, 0, 0x8_0000);
    bench.start(2, READ, 0x1000, 0, u32::MAX);
    bench.start(0, WRITE, 0, 0x1000, 16);
    assert_eq!(bench.finish(0), WRITE_SUCCESS | IRQ_RAISED);
    assert_eq!(bench.finish(1), COPY_SUCCESS | IRQ_RAISED);
    bench.finish(2); // RAM ends sooner

    let gate = bench.outside.gate.lock().unwrap();
    bench.start(0, WRITE, 0, 0x1000, 0x8000);
    bench.set(0, COMMAND, READ);
    assert_eq!(bench.get(0, COMMAND), WRITE, "one at a time");
    let outside = bench.outside.clone();
    std::thread::scope(|scope| {
        let reset = scope.spawn(|| bench.device.reset());
        std::thread::sleep(Duration::from_millis(20));
        drop(gate);
        reset.join().unwrap();
    });
    bench.config(PF, 0x04, 6);
    let registers: Vec<u32> = (0..12).map(|at| bench.get(0, 4 * at)).collect();
    assert_eq!(registers, [0; 12]);
    bench.start(0, WRITE, 0, 0x9000, 16);
    assert_eq!(bench.finish(0), WRITE_SUCCESS | IRQ_RAISED, "and it works again");
    drop(outside);
}

#[test]
fn a_dropped_card_takes_its_thread_along() {
    let bench = Bench::new();
    bench.start(0, WRITE, 0, 0x1000, 16);
    bench.finish(0);
    let epochs = Arc::downgrade(&bench.outside.epochs);
    assert_eq!(bench.card.report().vfs.len(), VFS as usize);
    drop(bench);
    let start = Instant::now();
    while epochs.strong_count() > 0 {
        assert!(start.elapsed() < Duration::from_secs(60), "the thread still runs");
        std::thread::yield_now();
    }
}
