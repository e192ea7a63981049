use super::*;
use pando_tlp::{Access, Fault, Iova, RequesterId, Target};

#[derive(Default)]
struct Sent(Mutex<Vec<MsiMessage>>);

impl Dma for Sent {
    fn requester(&self) -> RequesterId {
        RequesterId::new(0xf0, 0xf8)
    }
    fn resolve(&self, _: Iova, _: Access) -> Result<Target, Fault> {
        Err(Fault::UnsupportedRequest)
    }
    fn read(&self, _: Iova, _: &mut [u8]) -> Result<(), Fault> {
        Err(Fault::UnsupportedRequest)
    }
    fn write(&self, address: Iova, data: &[u8]) -> Result<(), Fault> {
        let data = u32::from_le_bytes(data.try_into().unwrap());
        self.0.lock().unwrap().push(MsiMessage { address: address.0, data });
        Ok(())
    }
}

#[derive(Default)]
struct Routed(Mutex<[Option<MsiMessage>; PINS]>);

impl PinRoutes for Routed {
    fn route(&self, pin: usize, message: Option<MsiMessage>) {
        self.0.lock().unwrap()[pin] = message;
    }
}

struct Bench {
    ioapic: IoApic,
    sent: Arc<Sent>,
    routed: Arc<Routed>,
}

impl Bench {
    fn new() -> Self {
        let (sent, routed) = (Arc::new(Sent::default()), Arc::new(Routed::default()));
        let ioapic = IoApic::new(0xf0, sent.clone(), routed.clone(), &Epochs::new());
        Self { ioapic, sent, routed }
    }

    fn read(&self, register: u8) -> u32 {
        self.ioapic.write(spec::SELECT, &[register, 0, 0, 0]);
        let mut data = [0; 4];
        self.ioapic.read(spec::WINDOW, &mut data);
        u32::from_le_bytes(data)
    }

    fn write(&self, register: u8, value: u32) {
        self.ioapic.write(spec::SELECT, &[register, 0, 0, 0]);
        self.ioapic.write(spec::WINDOW, &value.to_le_bytes());
    }

    fn sent(&self) -> Vec<MsiMessage> {
        std::mem::take(&mut *self.sent.0.lock().unwrap())
    }

    fn count(&self) -> usize {
        self.sent().len()
    }
}

const PIN4_LOW: u8 = 0x18;
const PIN4_HIGH: u8 = 0x19;
const LEVEL_VECTOR_31: u32 = 0x8031;

#[test]
fn identification_registers() {
    let bench = Bench::new();
    assert_eq!(bench.read(0), 0xf000_0000);
    assert_eq!(bench.read(1), 0x0017_0020);
    bench.write(1, 0);
    assert_eq!(bench.read(1), 0x0017_0020, "read-only");
    assert_eq!(bench.read(3), u32::MAX);
    assert_eq!(bench.read(0x40), u32::MAX, "behind the last pin");
    assert_eq!((0x10..0x40).map(|register| bench.read(register)).max(), Some(0x1_0000));
}

#[test]
fn an_edge_sends_one_message_in_compatibility_format() {
    let bench = Bench::new();
    bench.write(PIN4_HIGH, 0x0300_0000);
    bench.write(PIN4_LOW, 0x0000_0831);
    bench.ioapic.set_line(4, true);
    bench.ioapic.set_line(4, true);
    assert_eq!(bench.sent(), [MsiMessage { address: 0xfee0_3004, data: 0x31 }]);
    bench.ioapic.set_line(4, false);
    assert_eq!(bench.count(), 0);
}

#[test]
fn remappable_format_puts_the_index_where_vt_d_reads_it() {
    let bench = Bench::new();
    // Index 0x8005: bits 14:0 in 63:49, bit 15 in bit 11; format bit 48.
    bench.write(PIN4_HIGH, 5 << 17 | 1 << 16);
    bench.write(PIN4_LOW, 1 << 11 | 4);
    bench.ioapic.pulse(4);
    let address = 0xfee0_0000 | 5 << 5 | 1 << 4 | 1 << 2;
    assert_eq!(bench.sent(), [MsiMessage { address, data: 4 }]);
}

#[test]
fn an_edge_while_masked_is_lost() {
    let bench = Bench::new();
    bench.ioapic.pulse(4);
    bench.write(PIN4_LOW, 0x31);
    assert_eq!(bench.count(), 0);
    bench.ioapic.pulse(4);
    assert_eq!(bench.count(), 1);
}

#[test]
fn a_level_sends_again_after_each_end_of_interrupt_while_high() {
    let bench = Bench::new();
    bench.write(PIN4_LOW, LEVEL_VECTOR_31);
    bench.ioapic.set_line(4, true);
    assert_eq!(bench.sent(), [MsiMessage { address: 0xfee0_0000, data: 0xc031 }]);
    assert_eq!(bench.read(PIN4_LOW), LEVEL_VECTOR_31 | 1 << 14, "remote IRR");
    bench.ioapic.end_of_interrupt(0x30);
    assert_eq!(bench.count(), 0, "another vector");
    bench.ioapic.end_of_interrupt(0x31);
    assert_eq!(bench.count(), 1);
    bench.ioapic.write(spec::EOI, &[0x31, 0, 0, 0]);
    assert_eq!(bench.count(), 1);
    bench.ioapic.set_line(4, false);
    bench.ioapic.end_of_interrupt(0x31);
    assert_eq!((bench.count(), bench.read(PIN4_LOW)), (0, LEVEL_VECTOR_31));
}

#[test]
fn a_level_raised_while_masked_is_sent_on_unmask() {
    let bench = Bench::new();
    bench.write(PIN4_LOW, LEVEL_VECTOR_31 | 1 << 16);
    bench.ioapic.set_line(4, true);
    assert_eq!(bench.count(), 0);
    bench.write(PIN4_LOW, LEVEL_VECTOR_31);
    assert_eq!(bench.count(), 1);
    bench.write(PIN4_LOW, LEVEL_VECTOR_31);
    assert_eq!(bench.count(), 0, "remote IRR stands");
}

/// Masked between its message and its end, as Linux does to a line that it has disabled: the end is still seen.
#[test]
fn a_level_that_was_sent_ends_although_masked() {
    let bench = Bench::new();
    bench.write(PIN4_LOW, LEVEL_VECTOR_31);
    bench.ioapic.set_line(4, true);
    assert_eq!(bench.count(), 1);
    bench.write(PIN4_LOW, LEVEL_VECTOR_31 | 1 << 16);
    assert!(bench.routed.0.lock().unwrap()[4].is_some());
    bench.ioapic.end_of_interrupt(0x31);
    assert_eq!(bench.count(), 0);
    bench.write(PIN4_LOW, LEVEL_VECTOR_31);
    assert_eq!(bench.count(), 1);
}

/// The firmware's `_PRT` says where the wires end.
#[test]
fn wires_of_interrupt_pins_have_the_last_four_inputs() {
    let bench = Bench::new();
    for wire in 0..4 {
        let low = 0x10 + 2 * (20 + wire);
        bench.write(low, LEVEL_VECTOR_31 | 1 << 13);
        bench.ioapic.set(IntxWire::new(wire), true);
        assert_eq!(bench.read(low), LEVEL_VECTOR_31 | 1 << 13 | 1 << 14, "active low as it is");
        bench.ioapic.set(IntxWire::new(wire), false);
    }
    assert_eq!(bench.count(), 4);
}

#[test]
fn a_remapped_level_ends_only_at_the_eoi_register() {
    let bench = Bench::new();
    bench.write(PIN4_HIGH, 1 << 16);
    bench.write(PIN4_LOW, LEVEL_VECTOR_31);
    bench.ioapic.set_line(4, true);
    assert_eq!(bench.count(), 1);
    bench.ioapic.end_of_interrupt(0x31);
    assert_eq!(bench.count(), 0);
    bench.ioapic.write(spec::EOI, &[0x31, 0, 0, 0]);
    assert_eq!(bench.count(), 1);
}

#[test]
fn only_unremapped_level_pins_ask_for_eoi_exits() {
    let bench = Bench::new();
    let routed = |bench: &Bench| bench.routed.0.lock().unwrap()[4].is_some();
    for (high, low, expected) in [
        (0, LEVEL_VECTOR_31, true),
        (0, LEVEL_VECTOR_31 | 1 << 16, false),
        (0, 0x31, false),
        (1 << 16, LEVEL_VECTOR_31, false),
    ] {
        bench.write(PIN4_HIGH, high);
        bench.write(PIN4_LOW, low);
        assert_eq!(routed(&bench), expected, "{high:#x} {low:#x}");
    }
    bench.write(PIN4_HIGH, 0);
    bench.write(PIN4_LOW, LEVEL_VECTOR_31);
    bench.ioapic.reset();
    assert!(!routed(&bench));
    assert_eq!(bench.read(PIN4_LOW), 0x1_0000);
}

#[test]
fn pins_that_are_not_there_do_nothing() {
    let bench = Bench::new();
    bench.ioapic.pulse(24);
    bench.ioapic.pulse(1000);
    assert_eq!(bench.count(), 0);
}
