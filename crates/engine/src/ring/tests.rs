use std::sync::atomic::Ordering::SeqCst;

use pando_tlp::{Fault, Participant};
use proptest::prelude::*;

use super::*;
use crate::testing::{Driver, INDIRECT, NEXT, Tree, WRITE, epochs};

const BUFFER: u64 = 0x10_0000;

fn machine(size: u16, event_index: bool) -> (Driver, SplitRing, Participant) {
    let tree = Tree::new(4 << 20);
    let driver = Driver::new(&tree, 0, size, event_index);
    let ring = driver.ring();
    (driver, ring, epochs().join())
}

/// Takes one chain and tells its pieces' lengths.
fn take(ring: &mut SplitRing, participant: &mut Participant) -> Result<Lengths, QueueError> {
    let guard = participant.enter();
    ring.begin(&guard)?;
    let mut chain = Chain::new();
    if !ring.next(&guard, &mut chain)? {
        return Ok(None);
    }
    Ok(Some(lengths(&chain)))
}

/// Of a chain's pieces, those to read and those to write; `None`: there was no chain.
pub(super) type Lengths = Option<(Vec<usize>, Vec<usize>)>;

/// The lengths of a chain's pieces.
pub(super) fn lengths(chain: &Chain<'_>) -> (Vec<usize>, Vec<usize>) {
    let lengths = |pieces: &[vm_memory::VolatileSlice<'_>]| {
        pieces.iter().map(vm_memory::VolatileSlice::len).collect()
    };
    (lengths(chain.readable()), lengths(chain.writable()))
}

#[test]
fn chains_come_in_order_and_go_back_with_lengths() {
    let (mut driver, mut ring, mut participant) = machine(8, true);
    let first = driver.add(&[(BUFFER, 100, 0), (BUFFER + 4096, 50, WRITE)]);
    let second = driver.add(&[(BUFFER, 10, 0)]);
    driver.publish();
    let guard = participant.enter();
    assert_eq!(ring.begin(&guard), Ok(2));
    let mut chain = Chain::new();
    assert_eq!(ring.next(&guard, &mut chain), Ok(true));
    assert_eq!((chain.readable_len(), chain.writable_len()), (100, 50));
    assert_eq!(ring.next(&guard, &mut chain), Ok(true));
    assert_eq!((chain.readable_len(), chain.writable_len()), (10, 0));
    assert_eq!(ring.next(&guard, &mut chain), Ok(false));
    assert!(chain.readable().is_empty() && chain.writable().is_empty());
    ring.put(&guard, 7).unwrap();
    ring.put(&guard, 0).unwrap();
    ring.put(&guard, 9).unwrap(); // none left: nothing happens
    assert!(driver.take_used().is_empty(), "not before it is published");
    ring.publish(&guard).unwrap();
    assert_eq!(driver.take_used(), [(u32::from(first), 7), (u32::from(second), 0)]);
}

#[test]
fn chains_not_put_are_taken_again() {
    let (mut driver, mut ring, mut participant) = machine(8, true);
    for len in 1..=3 {
        driver.add(&[(BUFFER, len, 0)]);
    }
    driver.publish();
    let guard = participant.enter();
    let mut chain = Chain::new();
    ring.begin(&guard).unwrap();
    for _ in 0..3 {
        ring.next(&guard, &mut chain).unwrap();
    }
    ring.put(&guard, 0).unwrap();
    ring.rewind();
    ring.next(&guard, &mut chain).unwrap();
    assert_eq!(chain.readable_len(), 2);
    assert_eq!(ring.begin(&guard), Ok(2));
    ring.next(&guard, &mut chain).unwrap();
    assert_eq!(chain.readable_len(), 2);
    assert_eq!(ring.position(), 1);
}

#[test]
fn the_front_of_a_chain_can_be_taken_across_pieces() {
    let (mut driver, mut ring, mut participant) = machine(8, true);
    driver.write(BUFFER, b"0123456789");
    driver.add(&[(BUFFER, 3, 0), (BUFFER + 3, 4, 0), (BUFFER + 7, 3, 0)]);
    driver.publish();
    let guard = participant.enter();
    let mut chain = Chain::new();
    ring.begin(&guard).unwrap();
    ring.next(&guard, &mut chain).unwrap();
    let mut bytes = [0; 5];
    assert_eq!(chain.take(&mut bytes), 5);
    assert_eq!(&bytes, b"01234");
    assert_eq!(chain.readable_len(), 5);
    let mut bytes = [0; 8];
    assert_eq!(chain.take(&mut bytes), 5);
    assert_eq!(&bytes[..5], b"56789");
}

#[test]
fn a_writer_fills_piece_after_piece() {
    let (mut driver, mut ring, mut participant) = machine(8, true);
    driver.write(BUFFER + 4096, b"wxyz");
    driver.add(&[(BUFFER + 4096, 4, 0), (BUFFER, 3, WRITE), (BUFFER + 8, 6, WRITE)]);
    driver.publish();
    let guard = participant.enter();
    let mut chain = Chain::new();
    ring.begin(&guard).unwrap();
    ring.next(&guard, &mut chain).unwrap();
    let mut writer = Writer::new(chain.writable());
    assert_eq!(writer.write(b"ab"), 2);
    assert_eq!(writer.copy(chain.readable()[0]), 4);
    assert_eq!(writer.skip(1), 1);
    assert_eq!(writer.write(b"0123"), 2, "no more room");
    assert_eq!(writer.written(), 9);
    assert_eq!(driver.read(BUFFER, 3), b"abw");
    assert_eq!(driver.read(BUFFER + 8, 6), b"xyz\x0001");
}

#[test]
fn indices_wrap() {
    for event_index in [false, true] {
        let tree = Tree::new(4 << 20);
        let mut driver = Driver::new(&tree, 0, 4, event_index).at(65_534);
        let mut ring = driver.ring();
        let mut participant = epochs().join();
        for round in 0..6 {
            let head = driver.add(&[(BUFFER, 10 + round, 0)]);
            driver.publish();
            let readable = take(&mut ring, &mut participant).unwrap().unwrap().0;
            assert_eq!(readable, [10 + round as usize]);
            let guard = participant.enter();
            ring.put(&guard, round).unwrap();
            ring.publish(&guard).unwrap();
            assert_eq!(driver.take_used(), [(u32::from(head), round)]);
        }
    }
}

#[test]
fn indirect_tables_are_walked_wherever_they_lie() {
    let (mut driver, mut ring, mut participant) = machine(8, true);
    // Unaligned, so that an entry crosses a page.
    let table = 0x8_0ff8;
    driver.descriptor(table, BUFFER, 20, NEXT, 2);
    driver.descriptor(table + 32, BUFFER, 30, NEXT | WRITE, 1);
    driver.descriptor(table + 16, BUFFER, 40, WRITE, 0);
    driver.add(&[(BUFFER, 10, 0), (table, 48, INDIRECT | WRITE)]);
    driver.publish();
    driver.tree.remap(0x81, 0x91);
    let moved = driver.read(0x8_1000, 64);
    driver.write(0x9_1000, &moved);
    assert_eq!(take(&mut ring, &mut participant), Ok(Some((vec![10, 20], vec![30, 40]))));
}

#[test]
fn scattered_rings_and_buffers_are_followed_page_by_page() {
    let tree = Tree::new(4 << 20);
    // 1024 entries: 16 KiB of descriptors, and used elements that lie across pages.
    let mut driver = Driver::new(&tree, 0x10_0000, 1024, true);
    // The device's page n is the driver's page 0x100 + 7n (mod 0x80).
    let shuffle = |page: u64| 0x100 + page * 7 % 0x80;
    for page in 0..0x80 {
        tree.remap(0x200 + page, shuffle(page));
    }
    let config = SplitConfig {
        descriptors: Iova(0x20_0000),
        available: Iova(driver.available_ring() + 0x10_0000),
        used: Iova(driver.used_ring() + 0x10_0000),
        ..driver.config()
    };
    let mut ring = SplitRing::new(config, tree.view()).unwrap();
    let mut participant = epochs().join();
    let used = driver.used_ring();
    for head in 0..1024 {
        driver.add(&[(0x20_0000 + 0x7_0000 + 0xff0, 32 + head, 0)]);
    }
    driver.publish();
    // Move what the driver wrote to where the device looks for it.
    let pages: Vec<_> = (0..0x80).map(|page| driver.read((0x100 + page) << 12, 4096)).collect();
    for (page, bytes) in (0..).zip(&pages) {
        driver.write(shuffle(page) << 12, bytes);
    }
    let guard = participant.enter();
    let mut chain = Chain::new();
    assert_eq!(ring.begin(&guard), Ok(1024));
    let mut seen = 0;
    while ring.next(&guard, &mut chain).unwrap() {
        assert_eq!(chain.readable().len(), 2, "cut at the page");
        assert_eq!(chain.readable_len(), 32 + seen);
        ring.put(&guard, seen as u32).unwrap();
        seen += 1;
    }
    ring.publish(&guard).unwrap();
    let resolved = tree.resolved.load(SeqCst);
    ring.begin(&guard).unwrap();
    assert_eq!(tree.resolved.load(SeqCst), resolved, "once per epoch");
    for page in 0..0x80 {
        let bytes = driver.read(shuffle(page) << 12, 4096);
        driver.write((0x300 + page) << 12, &bytes);
    }
    for element in 0..1024u64 {
        let bytes = driver.read(used + 4 + element * 8 + 0x20_0000, 8);
        assert_eq!(bytes[4..], (element as u32).to_le_bytes(), "element {element}");
    }
}

#[test]
fn every_mistake_of_the_driver_is_an_error() {
    type Mistake = fn(&mut Driver);
    let table = 0x8_0000;
    let _ = table;
    let mistakes: &[(&str, Mistake)] = &[
        ("available index jumps by more than the ring size", |driver| driver.available = 9),
        ("available index jumps by more than the ring size", |driver| driver.available = 65_535),
        ("descriptor index outside the table", |driver| driver.offer(8)),
        ("descriptor index outside the table", |driver| driver.offer(65_535)),
        ("descriptor index outside the table", |driver| {
            driver.descriptor(driver.table_entry(0), BUFFER, 1, NEXT, 8);
            driver.offer(0);
        }),
        ("descriptor chain loops", |driver| {
            driver.descriptor(driver.table_entry(0), BUFFER, 1, NEXT, 1);
            driver.descriptor(driver.table_entry(1), BUFFER, 1, NEXT, 0);
            driver.offer(0);
        }),
        ("descriptor chain loops", |driver| {
            driver.descriptor(driver.table_entry(3), BUFFER, 0, NEXT, 3);
            driver.offer(3);
        }),
        ("readable descriptor after a writable one", |driver| {
            driver.add(&[(BUFFER, 1, WRITE), (BUFFER, 1, 0)]);
        }),
        ("readable descriptor after a writable one", |driver| {
            driver.add(&[(BUFFER, 0, WRITE), (BUFFER, 1, 0)]);
        }),
        ("descriptor chain without a byte", |driver| {
            driver.add(&[(BUFFER, 0, 0)]);
        }),
        ("descriptor chain without a byte", |driver| {
            driver.add(&[(u64::MAX, 0, 0), (BUFFER, 0, WRITE)]);
        }),
        ("descriptor chain of more than 4 GiB", |driver| {
            driver.add(&[(BUFFER, 2, 0), (0, u32::MAX, 0)]);
        }),
        ("buffer outside memory", |driver| {
            driver.add(&[(BUFFER, u32::MAX, 0)]);
        }),
        ("buffer outside memory", |driver| {
            driver.add(&[(4 << 20, 1, 0)]);
        }),
        ("buffer outside memory", |driver| {
            driver.add(&[((4 << 20) - 1, 2, WRITE)]);
        }),
        ("buffer outside memory", |driver| {
            driver.add(&[(u64::MAX, 2, 0)]);
        }),
        ("indirect descriptor with a next one", |driver| {
            driver.add(&[(0x8_0000, 16, INDIRECT), (BUFFER, 1, 0)]);
        }),
        ("indirect table of a wrong length", |driver| {
            driver.add(&[(0x8_0000, 17, INDIRECT)]);
        }),
        ("indirect table of a wrong length", |driver| {
            driver.add(&[(0x8_0000, 0, INDIRECT)]);
        }),
        ("indirect table of a wrong length", |driver| {
            driver.add(&[(0x8_0000, 32_769 * 16, INDIRECT)]);
        }),
        ("indirect descriptor in an indirect table", |driver| {
            driver.descriptor(0x8_0000, 0x8_0000, 16, INDIRECT, 0);
            driver.add(&[(0x8_0000, 16, INDIRECT)]);
        }),
        ("descriptor index outside the indirect table", |driver| {
            driver.descriptor(0x8_0000, BUFFER, 1, NEXT, 2);
            driver.add(&[(0x8_0000, 32, INDIRECT)]);
        }),
        ("indirect table loops", |driver| {
            driver.descriptor(0x8_0000, BUFFER, 1, NEXT, 0);
            driver.add(&[(0x8_0000, 32, INDIRECT)]);
        }),
        ("readable descriptor after a writable one", |driver| {
            driver.descriptor(0x8_0000, BUFFER, 1, NEXT | WRITE, 1);
            driver.descriptor(0x8_0010, BUFFER, 1, 0, 0);
            driver.add(&[(0x8_0000, 32, INDIRECT)]);
        }),
        ("buffer outside memory", |driver| {
            driver.add(&[(u64::MAX - 15, 64, INDIRECT)]);
        }),
        ("buffer outside memory", |driver| {
            driver.add(&[((4 << 20) - 8, 16, INDIRECT)]);
        }),
    ];
    for (error, mistake) in mistakes {
        let (mut driver, mut ring, mut participant) = machine(8, true);
        mistake(&mut driver);
        driver.publish();
        let taken = take(&mut ring, &mut participant);
        assert_eq!(taken, Err(QueueError::Driver(error)));
        assert_eq!(driver.get(driver.used_ring() + 2), 0, "{error}: nothing is used");
    }
}

#[test]
fn indirect_descriptors_must_be_negotiated() {
    let (mut driver, _, mut participant) = machine(8, true);
    let config = SplitConfig { indirect: false, ..driver.config() };
    let mut ring = SplitRing::new(config, driver.tree.view()).unwrap();
    driver.descriptor(0x8_0000, BUFFER, 1, 0, 0);
    driver.add(&[(0x8_0000, 16, INDIRECT)]);
    driver.publish();
    let error = QueueError::Driver("indirect descriptor, not negotiated");
    assert_eq!(take(&mut ring, &mut participant), Err(error));
}

#[test]
fn sizes_and_alignments_are_checked() {
    let tree = Tree::new(4 << 20);
    let good = Driver::new(&tree, 0, 8, true).config();
    let refused =
        |config| matches!(SplitRing::new(config, tree.view()), Err(QueueError::Driver(_)));
    assert!(!refused(good));
    for size in [0, 3, 24, 65_535] {
        assert!(refused(SplitConfig { size, ..good }), "{size}");
    }
    assert!(refused(SplitConfig { descriptors: Iova(8), ..good }));
    assert!(refused(SplitConfig { available: Iova(1), ..good }));
    assert!(refused(SplitConfig { used: Iova(2), ..good }));
    assert!(refused(SplitConfig { descriptors: Iova(u64::MAX - 15), ..good }));
    assert!(refused(SplitConfig { available: Iova(0xffff_ffff_ffff_fffc), ..good }));
}

#[test]
fn rings_outside_memory_are_an_error_and_a_closed_gate_is_none() {
    let tree = Tree::new(4 << 20);
    let driver = Driver::new(&tree, 0, 8, true);
    let mut participant = epochs().join();
    for config in [
        SplitConfig { descriptors: Iova(4 << 20), ..driver.config() },
        SplitConfig { available: Iova((4 << 20) - 2), ..driver.config() },
        SplitConfig { used: Iova(1 << 40), ..driver.config() },
    ] {
        let mut ring = SplitRing::new(config, tree.view()).unwrap();
        let error = QueueError::Ring(Fault::UnsupportedRequest);
        assert_eq!(ring.begin(&participant.enter()), Err(error));
    }
    let mut ring = driver.ring();
    tree.open.store(false, SeqCst);
    assert_eq!(ring.begin(&participant.enter()), Err(QueueError::Ring(Fault::Gated)));
    tree.open.store(true, SeqCst);
    assert_eq!(ring.begin(&participant.enter()), Ok(0));
}

#[test]
fn a_gate_closed_between_ring_and_buffer_loses_nothing() {
    let (mut driver, mut ring, mut participant) = machine(8, true);
    driver.add(&[(BUFFER, 64, 0)]);
    driver.publish();
    let guard = participant.enter();
    ring.begin(&guard).unwrap();
    driver.tree.open.store(false, SeqCst);
    let mut chain = Chain::new();
    assert_eq!(ring.next(&guard, &mut chain), Err(QueueError::Ring(Fault::Gated)));
    driver.tree.open.store(true, SeqCst);
    assert_eq!(ring.next(&guard, &mut chain), Ok(true));
    assert_eq!(chain.readable_len(), 64);
}

#[test]
fn a_chain_in_too_many_pieces_is_cut() {
    let tree = Tree::new(16 << 20);
    tree.remap(0, 0); // page by page
    let mut driver = Driver::new(&tree, 0, 8, true);
    driver.add(&[(BUFFER, 8 << 20, 0), (BUFFER, 10, WRITE)]);
    driver.add(&[(BUFFER, 10, 0)]);
    driver.publish();
    let mut ring = driver.ring();
    let mut participant = epochs().join();
    let guard = participant.enter();
    let mut chain = Chain::new();
    ring.begin(&guard).unwrap();
    assert_eq!(ring.next(&guard, &mut chain), Ok(true));
    assert!(chain.is_cut());
    assert_eq!(chain.readable().len(), CHAIN_PIECES);
    assert!(chain.writable().is_empty());
    assert_eq!(ring.next(&guard, &mut chain), Ok(true));
    assert!(!chain.is_cut());
}

mod bulk;
mod in_order;

/// The driver wants an interrupt when `event` is passed.
fn interrupts(position: u16, event: u16, puts: u16) -> bool {
    let tree = Tree::new(4 << 20);
    let mut driver = Driver::new(&tree, 0, 64, true).at(position);
    driver.set(driver.used_event(), event);
    for _ in 0..puts {
        driver.add(&[(BUFFER, 1, 0)]);
    }
    driver.publish();
    let mut ring = driver.ring();
    let mut participant = epochs().join();
    let guard = participant.enter();
    ring.begin(&guard).unwrap();
    let mut chain = Chain::new();
    while ring.next(&guard, &mut chain).unwrap() {
        ring.put(&guard, 0).unwrap();
    }
    ring.publish(&guard).unwrap()
}

proptest! {
    #[test]
    fn an_interrupt_is_wanted_exactly_when_the_event_is_passed(
        position: u16, ahead in -70i32..70, puts in 0u16..64,
    ) {
        let event = position.wrapping_add(ahead as u16);
        // Naively: one of the elements put has the event's position.
        let passed = (0..puts).any(|put| position.wrapping_add(put) == event);
        prop_assert_eq!(interrupts(position, event, puts), passed);
    }
}

#[test]
fn without_event_index_the_flag_decides() {
    for (flag, wanted) in [(0, true), (1, false)] {
        let (mut driver, mut ring, mut participant) = machine(8, false);
        driver.set(driver.available_ring(), flag);
        driver.add(&[(BUFFER, 1, 0)]);
        driver.publish();
        take(&mut ring, &mut participant).unwrap();
        let guard = participant.enter();
        ring.put(&guard, 0).unwrap();
        assert_eq!(ring.publish(&guard), Ok(wanted));
        assert_eq!(ring.publish(&guard), Ok(false), "nothing new");
    }
}

#[test]
fn the_driver_notifies_only_an_armed_ring() {
    for event_index in [false, true] {
        let (mut driver, mut ring, mut participant) = machine(8, event_index);
        take(&mut ring, &mut participant).unwrap();
        driver.add(&[(BUFFER, 1, 0)]);
        // With event index the very first chain is notified, as the ring starts out with event 0.
        assert_eq!(driver.publish(), event_index);
        assert_eq!(ring.arm(&participant.enter()), Ok(true), "there is one");
        take(&mut ring, &mut participant).unwrap();
        driver.add(&[(BUFFER, 1, 0)]);
        assert!(!driver.publish(), "polled");
        assert_eq!(ring.arm_for_more(&participant.enter()), Ok(true), "one that wasn't seen");
        take(&mut ring, &mut participant).unwrap();
        assert_eq!(ring.arm_for_more(&participant.enter()), Ok(false), "two, but both were seen");
        driver.add(&[(BUFFER, 1, 0)]);
        assert!(driver.publish());
        let guard = participant.enter();
        ring.begin(&guard).unwrap();
        let mut chain = Chain::new();
        while ring.next(&guard, &mut chain).unwrap() {
            ring.put(&guard, 0).unwrap();
        }
        ring.publish(&guard).unwrap();
        assert_eq!(ring.arm(&guard), Ok(false));
        driver.add(&[(BUFFER, 1, 0)]);
        assert!(driver.publish());
    }
}

/// virtio-queue's own driver as a second opinion: what it lays out, this ring reads.
#[test]
fn agrees_with_another_driver() {
    use virtio_queue::desc::{RawDescriptor, split::Descriptor};
    use virtio_queue::mock::MockSplitQueue;
    let tree = Tree::new(4 << 20);
    let memory = tree.ram.memory();
    let mock = MockSplitQueue::new(memory, 16);
    let descriptors: Vec<RawDescriptor> = (0..6u16)
        .map(|index| {
            let flags = if index % 3 == 2 { WRITE } else { NEXT };
            let address = BUFFER + u64::from(index) * 0x1000;
            Descriptor::new(address, 100 + u32::from(index), flags, index + 1).into()
        })
        .collect();
    mock.add_desc_chains(&descriptors, 0).unwrap();
    let config = SplitConfig {
        size: 16,
        descriptors: Iova(mock.desc_table_addr().0),
        available: Iova(mock.avail_addr().0),
        used: Iova(mock.used_addr().0),
        event_index: false,
        indirect: true,
        in_order: false,
        position: 0,
    };
    let mut ring = SplitRing::new(config, tree.view()).unwrap();
    let mut participant = epochs().join();
    let guard = participant.enter();
    assert_eq!(ring.begin(&guard), Ok(2));
    let mut chain = Chain::new();
    for first in [0, 3] {
        assert!(ring.next(&guard, &mut chain).unwrap());
        assert_eq!(chain.readable_len(), 201 + 2 * first);
        assert_eq!(chain.writable_len(), 102 + first);
        ring.put(&guard, first as u32 + 1).unwrap();
    }
    assert_eq!(ring.publish(&guard), Ok(true));
    assert_eq!(u16::from_le(mock.used().idx().load()), 2);
    assert_eq!(mock.used().ring().ref_at(1).unwrap().load().id(), 3);
    assert_eq!(mock.used().ring().ref_at(1).unwrap().load().len(), 4);
}

proptest! {
    /// Whatever lies in the rings, a pass ends with chains, an error or nothing; the memory around the used ring stays as it was.
    #[test]
    fn any_bytes_are_survived(
        bytes in proptest::collection::vec(any::<u8>(), 8 * 16 + 22),
        tables in proptest::collection::vec(any::<u8>(), 256),
        event_index: bool,
    ) {
        let tree = Tree::new(1 << 20);
        let driver = Driver::new(&tree, 0, 8, event_index);
        driver.write(0, &bytes);
        driver.write(0x1000, &tables);
        // Make many of the addresses reachable.
        for index in 0..8 {
            if bytes[index * 16 + 9] & 1 == 0 {
                driver.write(index as u64 * 16 + 2, &[0; 6]);
                driver.write(index as u64 * 16 + 10, &[0; 2]);
            }
        }
        let mut ring = driver.ring();
        let mut participant = epochs().join();
        let guard = participant.enter();
        let mut chain = Chain::new();
        for _ in 0..4 {
            let Ok(waiting) = ring.begin(&guard) else { break };
            prop_assert!(waiting <= 8);
            while let Ok(true) = ring.next(&guard, &mut chain) {
                prop_assert!(chain.readable_len() + chain.writable_len() > 0 || chain.is_cut());
                ring.put(&guard, 1).unwrap();
            }
            ring.publish(&guard).unwrap();
            ring.arm(&guard).ok();
        }
        let end = driver.used_ring() + 6 + 64;
        prop_assert_eq!(driver.read(end, 64), vec![0; 64]);
    }
}
