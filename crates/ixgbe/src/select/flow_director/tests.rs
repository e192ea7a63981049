use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use super::signatures::Writer;
use super::table::Added;
use super::*;
use crate::layout::Layout;
use crate::select::Selection;
use crate::select::tests::{L4, storage, v4, v6};
use crate::spec::interrupt::{CAUSE_FLOW_DIRECTOR, EICR};
use crate::testing::Machine;

/// Linux's keys.
const BUCKET_KEY: u32 = 0x3dad_14e2;
const SIGNATURE_KEY: u32 = 0x174d_3614;
/// Linux's FDIRCTRL for signature filters: 64 KiB, ethertype as flexible bytes, an interrupt at the last 64.
const SIGNATURES: u32 = 4 << 28 | 0xa << 24 | 6 << FLEX_SHIFT | 1;
const ADD_OR_REPLACE: u32 = ADD | UPDATE | 1 << 11 | QUEUE_ENABLE;
const QUERY: u32 = 3;

struct Bench {
    storage: Storage,
    table: Table,
    counts: Arc<DirectorCounts>,
}

impl Bench {
    fn new(control: u32) -> Self {
        let mut bench =
            Self { storage: storage(0), table: Table::default(), counts: Arc::default() };
        bench.storage.set(FDIRHKEY, BUCKET_KEY);
        bench.storage.set(FDIRSKEY, SIGNATURE_KEY);
        bench.storage.set(FDIRCTRL, control);
        bench.table.start(control, &bench.counts);
        bench
    }

    fn command(&mut self, hash: u32, command: u32) -> Answer {
        self.table.command(&self.storage, hash, command, &self.counts)
    }

    fn found(&mut self, hash: u32) -> bool {
        self.command(hash, QUERY).found
    }

    fn director(&self) -> Director {
        Director::new(&self.table, &self.storage, self.counts.clone())
    }

    fn action(&self, frame: &[u8]) -> Option<Action> {
        self.director().action(&Packet::of(frame), frame, None)
    }

    /// Linux's order: inputs, then FDIRHASH, then the command.
    fn add_perfect(&mut self, id: u32, ports: (u16, u16), queue: u32, flags: u32) {
        self.storage.set(FDIRIPSA, u32::from_be_bytes([10, 0, 0, 1]));
        self.storage.set(FDIRIPDA, u32::from_be_bytes([10, 0, 0, 2]));
        self.storage.set(FDIRPORT, u32::from(ports.1) << 16 | u32::from(ports.0));
        let command = ADD_OR_REPLACE | 2 << 5 | queue << QUEUE_SHIFT | flags;
        assert!(self.command(1 << 15 | 0x234 | id << 16, command).changed);
    }

    fn read(&self, register: u32) -> u32 {
        self.counts.read(register).unwrap()
    }
}

fn to(queue: u32) -> Option<Action> {
    Some(Action::Queue(QueueIndex::new(queue).unwrap()))
}

#[test]
fn perfect_filters_are_added_matched_and_removed() {
    let mut bench = Bench::new(PERFECT | 1);
    bench.storage.set(FDIRM, 0b11_0111); // protocol counts
    bench.add_perfect(1, (1000, 2000), 6, 0);
    bench.add_perfect(2, (1000, 2001), 127, DROP);
    let frame = |to| v4([10, 0, 0, 1], [10, 0, 0, 2], (1000, to), L4::Tcp);
    assert_eq!(bench.action(&frame(2000)), to(6));
    assert_eq!(bench.action(&frame(2001)), Some(Action::Drop));
    assert_eq!(bench.action(&frame(2002)), None);
    let udp = v4([10, 0, 0, 1], [10, 0, 0, 2], (1000, 2000), L4::Udp);
    assert_eq!(bench.action(&udp), None);
    assert_eq!((bench.read(FDIRMATCH), bench.read(FDIRMISS)), (2, 2));
    let selection = Selection::read(&bench.storage, Layout::Whole, bench.director());
    assert_eq!(selection.queue(None, &frame(2000)).map(QueueIndex::get), Some(6));
    assert_eq!(selection.queue(None, &frame(2001)), None);
    assert_eq!(selection.queue(None, &frame(2002)).map(QueueIndex::get), Some(0));
    // The destination port is ignored; mask bits are in the opposite order.
    bench.storage.set(FDIRTCPM, u32::from(0xffffu16) << 16);
    bench.command(2 << 16 | 0x234, REMOVE);
    assert_eq!(bench.action(&frame(3000)), to(6));
    bench.storage.set(FDIRTCPM, u32::from((!0xff00u16).reverse_bits()) << 16);
    assert_eq!(bench.action(&frame(2000 & 0xff00 | 0xff)), to(6));
    bench.storage.set(FDIRTCPM, 0);
    assert!(bench.found(1 << 16 | 0x234));
    assert!(bench.command(1 << 16 | 0x234, REMOVE).changed);
    assert!(!bench.found(1 << 16 | 0x234));
    assert_eq!(bench.action(&frame(2000)), None);
}

/// Both kinds, as much memory as there is: one filter more finds no place.
#[test]
fn tables_end_where_their_memory_does() {
    let limits = [(0, 0), (1, 8190), (2, 16382), (3, 32766)];
    let perfect =
        [(0, 0), (1, 2046), (2, 4094), (3, 8190)].map(|(memory, at)| (memory | PERFECT, at));
    for (control, limit) in limits.into_iter().chain(perfect) {
        let mut bench = Bench::new(control);
        assert_eq!(bench.read(FDIRFREE), limit, "{control:#x}");
        for index in 0..limit {
            bench.command(index & 0x7f | index >> 7 << 16, ADD);
        }
        assert_eq!(bench.read(FDIRUSTAT), limit);
        bench.command(0x7f00_0000, ADD);
        assert_eq!((bench.read(FDIRFREE), bench.read(FDIRFSTAT)), (0, 1), "{control:#x}");
        assert!(!bench.found(0x7f00_0000));
        assert_eq!(bench.command(0, CLEAR_TABLE).changed, limit > 0);
        assert_eq!(bench.read(FDIRFREE), limit);
        assert!(!bench.found(0));
    }
}

/// The datasheet's sum, bit by bit: over 42 bytes, beginning with the VLAN and ending with pool and kind, joined to a ring.
fn slow(key: u32, stream: &[u8; 42]) -> u32 {
    let stream_bit = |number: usize| stream[41 - number / 8] >> (number % 8) & 1;
    let key_bit = |number: usize| (key >> (number % 32) & 1) as u8;
    let bit = |bit: usize| {
        (1..352).fold(0, |sum, at| sum ^ key_bit(at) & stream_bit((at + bit + 336 - 16) % 336))
    };
    (0..15).fold(0, |hash, number| hash | u32::from(bit(number)) << number)
}

#[test]
fn the_hash_is_the_datasheets_sum() {
    let mut state = 1u64;
    let mut random = || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 32) as u32
    };
    for round in 0..200 {
        let keys = if round == 0 { [BUCKET_KEY, SIGNATURE_KEY] } else { [random(), random()] };
        let mut stream = [0; 42];
        stream.fill_with(|| random() as u8);
        let [vlan, kind] =
            [[stream[0], stream[1]], [stream[40], stream[41]]].map(u16::from_be_bytes);
        let rest = stream[2..38]
            .chunks_exact(4)
            .fold(0, |sum, dword| sum ^ u32::from_be_bytes(dword.try_into().unwrap()));
        let flex = u32::from(u16::from_be_bytes([stream[38], stream[39]])) << 16;
        let expected = slow(keys[0], &stream) | slow(keys[1], &stream) << 16;
        let hash =
            Hash::new(keys[0], keys[1]).of(u32::from(kind) << 16 | u32::from(vlan), rest ^ flex);
        assert_eq!(hash, expected, "{keys:x?} {stream:x?}");
    }
}

/// A frame with a tag.
fn tagged(mut frame: Vec<u8>, tag: u16) -> Vec<u8> {
    let [high, low] = tag.to_be_bytes();
    frame.splice(12..12, [0x81, 0, high, low]);
    frame
}

/// Figures that Linux's driver works out for the same flows.
#[test]
fn flows_hash_as_linux_says() {
    let bench = Bench::new(SIGNATURES);
    let one = v4([10, 0, 0, 1], [10, 0, 0, 2], (1000, 2000), L4::Tcp);
    let two = v4([66, 9, 149, 187], [161, 142, 100, 80], (2794, 1766), L4::Tcp);
    let six = v6("3ffe:2501:200:1fff::7", "3ffe:2501:200:3::1", (2794, 1766), L4::Tcp);
    let hash = Hash::read(&bench.storage);
    for (frame, expected) in [
        (&one, 0x38fe_2c19),
        (&two, 0x543b_4cf3),
        (&tagged(two.clone(), 0xa00a), 0x35df_173a),
        (&six, 0x478e_1539),
    ] {
        let packet = Packet::of(frame);
        assert_eq!(bench.director().hash(&hash, &packet, frame, None), Some(expected));
    }
}

#[test]
fn signature_filters_choose_the_queue() {
    let mut bench = Bench::new(SIGNATURES);
    let flow = v4([10, 0, 0, 1], [10, 0, 0, 2], (1000, 2000), L4::Tcp);
    let other = v4([10, 0, 0, 1], [10, 0, 0, 2], (1000, 2001), L4::Tcp);
    const KEY: u32 = 0x38fe_2c19;
    assert!(bench.director().is_empty());
    let first = bench.command(KEY, ADD_OR_REPLACE | 5 << QUEUE_SHIFT);
    assert_eq!(first, Answer { found: false, changed: true, filled: false });
    assert_eq!((bench.action(&flow), bench.action(&other)), (to(5), None));
    assert_eq!((bench.read(FDIRMATCH), bench.read(FDIRMISS)), (1, 1));
    let director = bench.director();
    let seen = |frame: &[u8]| director.action(&Packet::of(frame), frame, None);
    // From now on nobody has to be told.
    let moved = bench.command(KEY, ADD_OR_REPLACE | 9 << QUEUE_SHIFT);
    assert_eq!(moved, Answer { found: true, changed: false, filled: false });
    assert_eq!(seen(&flow), to(9));
    assert!(!bench.command(0x1234_0042, ADD_OR_REPLACE).changed);
    assert_eq!((bench.read(FDIRUSTAT), bench.read(FDIRFSTAT), bench.read(FDIRFREE)), (2, 1, 8188));
    // Without the word that it may be replaced it isn't, and is marked; with it the mark goes.
    bench.command(KEY, ADD | QUEUE_ENABLE | 1 << QUEUE_SHIFT);
    assert_eq!((seen(&flow), bench.read(FDIRFREE)), (to(9), 1 << 16 | 8188));
    bench.command(KEY, ADD_OR_REPLACE & !QUEUE_ENABLE);
    assert_eq!((seen(&flow), bench.read(FDIRFREE)), (Some(Action::Pass), 8188));
    assert!(!bench.command(KEY, REMOVE).changed, "one is left");
    assert!(!bench.command(KEY, REMOVE).found);
    assert_eq!((bench.read(FDIRUSTAT), bench.read(FDIRFSTAT)), (1 << 16, 1 << 8 | 2));
    assert_eq!(seen(&flow), None);
    assert!(bench.command(0x1234_0042, REMOVE).changed, "the last");
    assert!(bench.director().is_empty());
    bench.director().received(7);
    assert_eq!((bench.read(FDIRMATCH), bench.read(FDIRMISS)), (3, 1 + 7));
}

/// Buckets have as many bits as the memory lets them.
#[test]
fn a_bucket_in_small_memory() {
    for (memory, buckets) in [(1, 0x1fff), (2, 0x3fff), (3, 0x7fff)] {
        let mut bench = Bench::new(memory | 6 << FLEX_SHIFT);
        let two = v4([66, 9, 149, 187], [161, 142, 100, 80], (2794, 1766), L4::Tcp);
        bench.command(0x543b_4cf3 & (0xffff_0000 | buckets), ADD_OR_REPLACE | 3 << QUEUE_SHIFT);
        assert_eq!(bench.action(&two), to(3), "{memory}");
        assert_eq!(bench.found(0x543b_4cf3 ^ 0x4000), memory < 3);
    }
}

#[test]
fn masks_leave_fields_out_of_the_hash() {
    let mut bench = Bench::new(SIGNATURES);
    // VLAN, pool, flexible bytes, source ports and all but the first byte of IPv6 sources.
    bench.storage.set(FDIRM, 0b1_0111);
    bench.storage.set(FDIRTCPM, 0xffff);
    bench.storage.set(FDIRIP6M, 0xfffe);
    bench.storage.set(FDIRSIP4M, 0xff);
    let hash = |bench: &Bench, frame: &[u8]| {
        let hash = Hash::read(&bench.storage);
        bench.director().hash(&hash, &Packet::of(frame), frame, None)
    };
    let four = v4([10, 0, 0, 1], [10, 0, 0, 2], (1000, 2000), L4::Tcp);
    let same = tagged(v4([10, 0, 0, 9], [10, 0, 0, 2], (1001, 2000), L4::Tcp), 7);
    assert_eq!(hash(&bench, &four), hash(&bench, &same));
    let other = v4([10, 0, 0, 1], [10, 0, 0, 2], (1000, 2000), L4::Udp);
    assert_ne!(hash(&bench, &four), hash(&bench, &other));
    let six = v6("fd00::1", "fd00::2", (1, 2), L4::Tcp);
    assert_eq!(hash(&bench, &six), hash(&bench, &v6("fd77::99", "fd00::2", (3, 2), L4::Tcp)));
    assert_ne!(hash(&bench, &six), hash(&bench, &v6("fe00::1", "fd00::2", (1, 2), L4::Tcp)));
    assert_ne!(hash(&bench, &six), hash(&bench, &v6("fd00::1", "fd00::3", (1, 2), L4::Tcp)));
    bench.storage.set(FDIRM, 0b11_0111);
    assert_eq!(hash(&bench, &six), hash(&bench, &v6("fd00::1", "fd00::3", (1, 2), L4::Tcp)));
    let mut arp = vec![0; 60];
    arp[12..14].copy_from_slice(&[8, 6]);
    bench.command(0, ADD_OR_REPLACE);
    assert_eq!((hash(&bench, &arp), bench.action(&arp)), (None, None));
    assert_eq!(bench.read(FDIRMISS), 1);
}

#[test]
fn the_longest_bucket_is_told() {
    let mut bench = Bench::new(SIGNATURES);
    for signature in 0..70 {
        bench.command(signature << 16 | 0x155, ADD);
        if signature == 2 {
            assert_eq!(bench.read(FDIRLEN), 0x0155_0003);
        }
    }
    bench.command(7, ADD);
    assert_eq!(bench.read(FDIRLEN), 0x0155_003f, "no more bits");
    assert_eq!(bench.read(FDIRLEN), 0);
}

/// A reader sees no filter, or a right one, whatever is added and removed meanwhile.
#[test]
fn readers_never_see_a_wrong_filter() {
    let mut writer = Writer::new(4);
    let (shared, done) = (writer.shared.clone(), AtomicBool::new(false));
    let key = |number: u32| ((number % 97) << 16) + number % 7;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut number = 0u32;
            while !done.load(Relaxed) {
                number = number.wrapping_add(1);
                if let Some(action) = shared.action(key(number)) {
                    assert_eq!(Some(action), to((key(number) >> 16) % 128));
                }
            }
        });
        let rounds = if cfg!(miri) { 300 } else { 300_000 };
        for number in 0..rounds {
            let command = ADD_OR_REPLACE | ((key(number) >> 16) % 128) << QUEUE_SHIFT;
            assert!(matches!(writer.add(key(number), command), Added::New | Added::Kept));
            if number >= 10 {
                writer.remove(key(number - 10));
            }
        }
        done.store(true, Relaxed);
    });
    (0..97 * 7).for_each(|number| _ = writer.remove(key(number)));
    assert_eq!((writer.len(), writer.collisions()), (0, 0));
}

/// Linux's way through the registers: start, add by one write of a qword, an interrupt when the table is nearly full, start again.
#[test]
fn linux_fills_the_table_and_starts_again() {
    let machine = Machine::enabled();
    let pf = machine.pf();
    pf.write(FDIRHKEY, BUCKET_KEY);
    pf.write(FDIRSKEY, SIGNATURE_KEY);
    pf.write(FDIRCTRL, SIGNATURES);
    assert_eq!(pf.read(FDIRFREE), 8190);
    let add = |hash: u32| {
        let pair = u64::from(ADD_OR_REPLACE | 2 << 5) << 32 | u64::from(hash);
        pf.write_bytes(FDIRHASH, &pair.to_le_bytes());
        assert_eq!(pf.read(FDIRCMD) & 3, 0, "done");
    };
    (0..8190 - 65).for_each(|number| add(number << 16));
    assert_eq!((pf.read(FDIRFREE), pf.read(EICR) & CAUSE_FLOW_DIRECTOR), (65, 0));
    add(0x7fff_0001);
    assert_eq!(pf.read(FDIRFREE), 64);
    assert_eq!(pf.read(EICR) & CAUSE_FLOW_DIRECTOR, CAUSE_FLOW_DIRECTOR);
    pf.write(FDIRFREE, 0);
    pf.write(FDIRCMD, pf.read(FDIRCMD) | CLEAR_TABLE);
    pf.write(FDIRCMD, pf.read(FDIRCMD) & !CLEAR_TABLE);
    pf.write(FDIRHASH, 0);
    pf.write(FDIRCTRL, pf.read(FDIRCTRL) & !8);
    assert_eq!((pf.read(FDIRUSTAT), pf.read(FDIRUSTAT)), (8190 - 64, 0));
    assert_eq!(pf.read(FDIRFREE), 8190);
    add(3);
    pf.write(crate::spec::general::CTRL, crate::spec::general::CTRL_RESET);
    assert_eq!((pf.read(FDIRFREE), pf.read(FDIRUSTAT)), (0, 0));
}
