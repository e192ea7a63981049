use std::sync::Mutex as StdMutex;
use std::sync::atomic::Ordering;

use vm_memory::Bytes;

use super::*;

mod bad_input;
mod fuzz;
mod model;
mod toggles;

#[derive(Default)]
struct Sent(StdMutex<Vec<MsiMessage>>);

impl MsiSink for Sent {
    fn signal(&self, message: MsiMessage) {
        self.0.lock().unwrap().push(message);
    }
}

struct Bench {
    unit: Arc<RemappingUnit>,
    ram: GuestRam,
    sent: Arc<Sent>,
    tail: u64,
}

const ROOT: u64 = 0x1000;
const CONTEXTS: u64 = 0x2000;
const TOP: u64 = 0x6000;
const QUEUE: u64 = 0x7000;
const STATUS: u64 = 0x8000;
const INTERRUPTS: u64 = 0x10_0000;
const VF: RequesterId = RequesterId(0x0311);

impl Bench {
    fn new() -> Self {
        let ram = GuestRam::anonymous(&[(Gpa(0), 0x40_0000)]).unwrap();
        let sent = Arc::new(Sent::default());
        let unit = RemappingUnit::new(Config::default(), ram, Epochs::new(), sent.clone()).unwrap();
        Self { unit, ram, sent, tail: 0 }
    }

    fn store(&self, address: u64, value: u64) {
        self.ram.run(Gpa(address), 8).unwrap().slice().store(value, 0, Ordering::SeqCst).unwrap();
    }

    fn load(&self, address: u64) -> u64 {
        self.ram.run(Gpa(address), 8).unwrap().slice().load(0, Ordering::SeqCst).unwrap()
    }

    fn write32(&self, at: u64, value: u32) {
        self.unit.write(at, &value.to_le_bytes());
    }

    fn write64(&self, at: u64, value: u64) {
        self.unit.write(at, &value.to_le_bytes());
    }

    fn read32(&self, at: u64) -> u32 {
        let mut data = [0; 4];
        self.unit.read(at, &mut data);
        u32::from_le_bytes(data)
    }

    fn read64(&self, at: u64) -> u64 {
        let mut data = [0; 8];
        self.unit.read(at, &mut data);
        u64::from_le_bytes(data)
    }

    /// A global command as Linux gives it: the stateful bits shown by status, and one change.
    fn command(&self, bit: u32) {
        self.write32(0x18, self.read32(0x1c) & 0x96ff_ffff | bit);
        assert_eq!(self.read32(0x1c) & bit, bit);
    }

    fn submit(&mut self, descriptors: &[[u64; 2]]) {
        for descriptor in descriptors {
            self.store(QUEUE + self.tail, descriptor[0]);
            self.store(QUEUE + self.tail + 8, descriptor[1]);
            self.tail = (self.tail + 16) % 4096;
        }
        self.write32(0x88, self.tail as u32);
    }

    fn enable_queue(&self) {
        self.write32(0x88, 0);
        self.write64(0x90, QUEUE);
        self.command(1 << 26);
    }

    /// Maps the page at `iova` to `target` for the VF, by tables of four levels below TOP.
    fn map(&self, iova: u64, entry: u64) {
        for (table, shift, next) in
            [(TOP, 39, 0x5000u64), (0x5000, 30, 0x4000), (0x4000, 21, 0x3000)]
        {
            self.store(table + 8 * (iova >> shift & 0x1ff), next | 3);
        }
        self.store(0x3000 + 8 * (iova >> 12 & 0x1ff), entry);
    }

    fn enable_translation(&self) {
        self.store(ROOT + 16 * u64::from(VF.bus()), CONTEXTS | 1);
        self.store(CONTEXTS + 16 * u64::from(VF.function()), TOP | 1);
        self.store(CONTEXTS + 16 * u64::from(VF.function()) + 8, 5 << 8 | 2);
        self.write64(0x20, ROOT);
        self.command(1 << 30);
        self.command(1 << 31);
    }

    fn translate(&self, iova: u64, access: Access) -> Result<u64, Fault> {
        self.unit
            .translate(VF, Iova(iova), access)
            .map(|found| found.target.0 + (iova - found.start.0))
    }
}

const WAIT: [u64; 2] = [0x5 | 1 << 5 | 2 << 32, STATUS];

#[test]
fn capabilities_say_what_is_there() {
    let bench = Bench::new();
    assert_eq!(bench.read32(0), 0x10);
    let capability = bench.read64(0x08);
    assert_eq!(capability & 7, 6, "64K domains");
    assert_eq!(capability >> 8 & 0x1f, 0b110, "39 and 48 bits");
    assert_eq!(capability >> 16 & 0x3f, 47);
    assert_eq!(capability >> 24 & 0x3ff, 0x22);
    assert_eq!(capability >> 34 & 0xf, 3);
    assert_eq!(capability >> 40 & 0xff, 7);
    assert_eq!(capability >> 48 & 0x3f, 18);
    assert_eq!(capability & (1 << 39 | 1 << 54 | 1 << 55), 1 << 39 | 1 << 54 | 1 << 55);
    assert_eq!(capability & (1 << 3 | 1 << 4 | 1 << 5 | 1 << 6 | 1 << 7 | 1 << 59), 0);
    let extended = bench.read64(0x10);
    assert_eq!(extended & 0xff, 0b1101_1011, "C QI IR EIM PT SC, no DT");
    assert_eq!(extended >> 8 & 0x3ff, 0x0f);
    assert_eq!(extended >> 43 & 1, 0, "no scalable mode");
    assert_eq!(bench.read32(0x0c), (capability >> 32) as u32, "halves are readable");
}

#[test]
fn off_means_identity() {
    let bench = Bench::new();
    assert_eq!(bench.translate(0x1234_5678, Access::Write), Ok(0x1234_5678));
    let message = MsiMessage { address: 0xfee0_1000, data: 0x41 };
    assert_eq!(bench.unit.remap(VF, message), Ok(message));
}

#[test]
fn linux_boot_order() {
    let mut bench = Bench::new();
    bench.enable_queue();
    bench.write64(0xb8, INTERRUPTS | 1 << 11 | 0xf);
    bench.command(1 << 24);
    bench.submit(&[[0x4, 0], WAIT]);
    assert_eq!(bench.load(STATUS) as u32, 2);
    bench.command(1 << 25);
    bench.map(0x7000, 0x20_0000 | 3);
    bench.enable_translation();
    bench.store(STATUS, 0);
    bench.submit(&[[0x1 | 1 << 4, 0], [0x2 | 1 << 4, 0], WAIT]);
    assert_eq!(bench.load(STATUS) as u32, 2);
    assert_eq!(bench.read64(0x80), bench.tail, "the head has caught up");
    assert_eq!(bench.read32(0x1c), 0xc700_0000);
    assert_eq!(bench.translate(0x7abc, Access::Write), Ok(0x20_0abc));
    assert_eq!(bench.translate(0x8000, Access::Read), Err(Fault::Translation));
    assert_eq!(bench.read64(0x228), 1 << 63 | 1 << 62 | 6 << 32 | u64::from(VF.0));
    assert_eq!(bench.read64(0x220), 0x8000);
}

#[test]
fn nothing_not_present_is_cached() {
    let bench = Bench::new();
    bench.enable_translation();
    assert!(bench.translate(0x7000, Access::Read).is_err());
    bench.map(0x7000, 0x20_0000 | 1);
    assert_eq!(bench.translate(0x7000, Access::Read), Ok(0x20_0000));
    assert!(bench.translate(0x7000, Access::Write).is_err());
    bench.map(0x7000, 0x20_0000 | 3);
    assert_eq!(
        bench.translate(0x7000, Access::Write),
        Ok(0x20_0000),
        "a cached denial is no fault"
    );
}

#[test]
fn a_translation_lives_until_it_is_invalidated() {
    for (number, command) in [
        [0x2 | 1 << 4, 0],
        [0x2 | 2 << 4 | 5 << 16, 0],
        [0x2 | 3 << 4 | 5 << 16, 0x7000],
        [0x2 | 3 << 4 | 5 << 16, 3],
    ]
    .into_iter()
    .enumerate()
    {
        let mut bench = Bench::new();
        bench.enable_queue();
        bench.map(0x7000, 0x20_0000 | 3);
        bench.enable_translation();
        assert_eq!(bench.translate(0x7000, Access::Read), Ok(0x20_0000));
        bench.map(0x7000, 0);
        assert!(bench.translate(0x7000, Access::Read).is_ok(), "cached, as on hardware");
        bench.submit(&[[0x2 | 2 << 4 | 6 << 16, 0], WAIT]);
        assert!(bench.translate(0x7000, Access::Read).is_ok(), "another domain's invalidation");
        bench.submit(&[command, WAIT]);
        assert!(bench.translate(0x7000, Access::Read).is_err(), "command {number}");
    }
}

#[test]
fn register_based_invalidation() {
    let bench = Bench::new();
    bench.map(0x7000, 0x20_0000 | 3);
    bench.enable_translation();
    assert!(bench.translate(0x7000, Access::Read).is_ok());
    bench.map(0x7000, 0);
    bench.write64(0xf0, 0x7000);
    bench.write64(0xf8, 1 << 63 | 3 << 60 | 5 << 32);
    assert_eq!(bench.read64(0xf8) >> 57, 0b001_1011, "IVT 0, IIRG and IAIG both page");
    assert!(bench.translate(0x7000, Access::Read).is_err());
    bench.write64(0x28, 1 << 63 | 1 << 61);
    assert_eq!(bench.read64(0x28) >> 59, 0b00101, "ICC 0, CAIG as CIRG");
}

#[test]
fn a_bad_descriptor_stops_the_queue_until_it_is_replaced() {
    let mut bench = Bench::new();
    bench.enable_queue();
    bench.submit(&[WAIT, [0xf, 0], WAIT]);
    assert_eq!(bench.read32(0x34) & 0x10, 0x10);
    assert_eq!(bench.read64(0x80), 16, "the head stays on it");
    bench.store(STATUS, 0);
    bench.store(QUEUE + 16, WAIT[0]);
    bench.store(QUEUE + 24, WAIT[1]);
    bench.write32(0x34, 0x10);
    assert_eq!(bench.load(STATUS) as u32, 2);
    assert_eq!((bench.read32(0x34), bench.read64(0x80)), (0, 48));
}

#[test]
fn queue_registers_out_of_range() {
    for (address, tail) in [(QUEUE, 4096), (QUEUE | 1 << 11, 16), (0xf000_0000, 16), (!0xfff, 16)] {
        let bench = Bench::new();
        bench.enable_queue();
        bench.write64(0x90, address);
        bench.write32(0x88, tail);
        assert_eq!(bench.read32(0x34) & 0x10, 0x10, "{address:#x} {tail:#x}");
        assert_eq!(bench.read64(0x80), 0);
    }
}

#[test]
fn a_status_outside_ram_goes_nowhere() {
    let mut bench = Bench::new();
    bench.enable_queue();
    bench.submit(&[[WAIT[0], 0xffff_ffff_ffff_fffc], WAIT]);
    assert_eq!(bench.load(STATUS) as u32, 2);
    assert_eq!(bench.read32(0x34), 0);
}

#[test]
fn the_completion_event_is_sent_once_per_service() {
    let mut bench = Bench::new();
    bench.enable_queue();
    bench.write32(0xa4, 0x51);
    bench.write32(0xa8, 0xfee0_2000);
    bench.write32(0xa0, 0);
    bench.submit(&[[0x5 | 1 << 4, 0], [0x5 | 1 << 4, 0]]);
    assert_eq!(*bench.sent.0.lock().unwrap(), [MsiMessage { address: 0xfee0_2000, data: 0x51 }]);
    assert_eq!(bench.read32(0x9c), 1);
    bench.write32(0x9c, 1);
    bench.submit(&[[0x5 | 1 << 4, 0]]);
    assert_eq!(bench.sent.0.lock().unwrap().len(), 2);
}

#[test]
fn forged_interrupts_are_recorded_with_their_source() {
    let bench = Bench::new();
    bench.write64(0xb8, INTERRUPTS | 1 << 11 | 0xf);
    bench.command(1 << 24);
    bench.command(1 << 25);
    let compatibility = MsiMessage { address: 0xfee0_1000, data: 0x41 };
    assert_eq!(bench.unit.remap(VF, compatibility), Err(Fault::Translation));
    assert_eq!(bench.read64(0x228), 1 << 63 | 0x25 << 32 | u64::from(VF.0));
    bench.store(INTERRUPTS + 16 * 3, 1 | 0x41 << 16);
    bench.store(INTERRUPTS + 16 * 3 + 8, 0x0312 | 1 << 18);
    let other = MsiMessage { address: 0xfee0_0018 | 3 << 5, data: 0 };
    assert_eq!(bench.unit.remap(VF, other), Err(Fault::Translation));
    assert_eq!(bench.read64(0x238), 1 << 63 | 0x26 << 32 | u64::from(VF.0));
    assert_eq!(bench.read64(0x230), 3 << 48);
}

#[test]
fn a_domain_that_records_nothing_still_blocks() {
    let bench = Bench::new();
    bench.enable_translation();
    bench.store(CONTEXTS + 16 * u64::from(VF.function()), TOP | 3);
    assert!(bench.translate(0x7000, Access::Read).is_err());
    assert_eq!(bench.read32(0x34), 0);
}

#[test]
fn reset_is_power_on() {
    let bench = Bench::new();
    bench.enable_queue();
    bench.enable_translation();
    assert!(bench.translate(0x7000, Access::Read).is_err());
    bench.unit.reset();
    assert_eq!(bench.translate(0x7000, Access::Read), Ok(0x7000));
    assert_eq!((bench.read32(0x1c), bench.read32(0x34), bench.read64(0x228) >> 63), (0, 0, 0));
    assert_eq!(bench.read32(0x38), 1 << 31, "the fault event is masked");
}

#[test]
fn odd_accesses_change_nothing() {
    let bench = Bench::new();
    bench.unit.write(0x20, &[0xff]);
    bench.unit.write(0x22, &[0xff; 4]);
    bench.unit.write(0x24, &[0xff; 8]);
    assert_eq!(bench.read64(0x20), 0);
    let mut data = [0; 8];
    bench.unit.read(0x0c, &mut data);
    assert_eq!(data[4..], [0xff; 4], "past the quadword");
}
