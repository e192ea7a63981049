use std::sync::Arc;

use pando_tlp::Participant;
use proptest::prelude::*;

use super::*;
use crate::ring::tests::{Lengths, lengths};
use crate::testing::{Driver, INDIRECT, NEXT, Tree, WRITE, epochs};

const BUFFER: u64 = 0x10_0000;
const TABLE: u64 = 0x8_0000;
const DRIVER_EVENT: u64 = 0x9_0000;
const DEVICE_EVENT: u64 = 0x9_1000;

/// The driver's side of a packed ring at address 0.
struct Packed {
    memory: Driver,
    size: u16,
    free: Place,
    seen: Place,
    event_index: bool,
}

/// What a test needs: the driver, the ring, a guard's maker.
fn machine(size: u16, event_index: bool) -> (Packed, PackedRing, Participant) {
    let memory = Driver::new(&Tree::new(4 << 20), 0, 8, event_index);
    let (free, seen) = (Place::FIRST, Place::FIRST);
    let driver = Packed { memory, size, free, seen, event_index };
    let ring = driver.ring();
    (driver, ring, epochs().join())
}

impl Packed {
    fn config(&self) -> PackedConfig {
        PackedConfig {
            size: self.size,
            descriptors: Iova(0),
            driver_event: Iova(DRIVER_EVENT),
            device_event: Iova(DEVICE_EVENT),
            event_index: self.event_index,
            indirect: true,
            in_order: false,
        }
    }

    fn ring(&self) -> PackedRing {
        PackedRing::new(self.config(), Arc::clone(&self.memory.tree).view()).unwrap()
    }

    /// Makes a chain of (address, length, flags) available, with this number.
    fn add(&mut self, id: u16, chain: &[(u64, u32, u16)]) {
        let head = self.free;
        let places: Vec<_> = (0..chain.len() as u16).map(|at| head.after(at, self.size)).collect();
        let last = chain.len() - 1;
        for (at, (address, len, flags)) in chain.iter().enumerate().rev() {
            let place = places[at];
            let next = if at < last { NEXT } else { 0 };
            let shown = if place.wrap { AVAILABLE } else { USED };
            let at = place.offset() as u64;
            self.memory.descriptor(at, *address, *len, id, flags | next | shown);
        }
        self.free = head.after(chain.len() as u16, self.size);
    }

    /// Used chains (number, bytes), each of which had as many descriptors as `lengths` says.
    fn used(&mut self, mut lengths: impl FnMut(u16) -> u16) -> Vec<(u16, u32)> {
        let mut all = Vec::new();
        loop {
            let at = self.seen.offset() as u64;
            let flags = self.memory.get(at + FLAGS as u64);
            let wrap = self.seen.wrap;
            if (flags & AVAILABLE != 0, flags & USED != 0) != (wrap, wrap) {
                return all;
            }
            let bytes = self.memory.read(at + 8, 6);
            let written = u32::from_le_bytes(bytes[..4].try_into().unwrap());
            let id = u16::from_le_bytes([bytes[4], bytes[5]]);
            assert_eq!(flags & WRITTEN != 0, written > 0);
            all.push((id, written));
            self.seen = self.seen.after(lengths(id), self.size);
        }
    }

    fn device_event(&self) -> (u16, u16) {
        (self.memory.get(DEVICE_EVENT), self.memory.get(DEVICE_EVENT + 2))
    }

    fn wants(&self, place: u16, flags: u16) {
        self.memory.set(DRIVER_EVENT, place);
        self.memory.set(DRIVER_EVENT + 2, flags);
    }
}

/// Takes one chain in a pass of its own and tells its pieces' lengths.
fn take(ring: &mut PackedRing, participant: &mut Participant) -> Result<Lengths, QueueError> {
    let guard = participant.enter();
    ring.begin(&guard)?;
    let mut chain = Chain::new();
    if !ring.next(&guard, &mut chain)? {
        return Ok(None);
    }
    Ok(Some(lengths(&chain)))
}

#[test]
fn chains_come_in_order_and_are_seen_used_all_at_once() {
    let (mut driver, mut ring, mut participant) = machine(8, true);
    driver.add(0xffff, &[(BUFFER, 100, 0), (BUFFER + 4096, 50, WRITE)]);
    driver.add(7, &[(BUFFER, 10, 0)]);
    let length = |id| if id == 7 { 1 } else { 2 };
    let guard = participant.enter();
    ring.begin(&guard).unwrap();
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
    assert!(driver.used(length).is_empty(), "not before it is published");
    ring.publish(&guard).unwrap();
    assert_eq!(driver.used(length), [(0xffff, 7), (7, 0)]);
    assert_eq!(ring.publish(&guard), Ok(false), "nothing is new");
}

#[test]
fn chains_not_put_are_taken_again() {
    let (mut driver, mut ring, mut participant) = machine(8, true);
    (1..=3).for_each(|len| driver.add(len as u16, &[(BUFFER, len, 0)]));
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
    ring.begin(&guard).unwrap();
    ring.next(&guard, &mut chain).unwrap();
    assert_eq!(chain.readable_len(), 2);
    ring.put(&guard, 0).unwrap();
    ring.publish(&guard).unwrap();
    assert_eq!(driver.used(|_| 1), [(1, 0), (2, 0)]);
}

#[test]
fn both_wrap_counters_wrap_in_rings_of_any_size() {
    for size in [1, 2, 3, 7, 8] {
        let (mut driver, mut ring, mut participant) = machine(size, true);
        let length = |id: u16| id % size.min(3) + 1;
        for round in 0..100 {
            let pieces = vec![(BUFFER, 10 + u32::from(round), 0); length(round).into()];
            driver.add(round, &pieces);
            let readable = take(&mut ring, &mut participant).unwrap().unwrap().0;
            assert_eq!(readable, vec![10 + usize::from(round); pieces.len()]);
            let guard = participant.enter();
            ring.put(&guard, u32::from(round) % 2).unwrap();
            ring.publish(&guard).unwrap();
            assert_eq!(driver.used(length), [(round, u32::from(round) % 2)]);
            drop(guard);
            assert_eq!(take(&mut ring, &mut participant), Ok(None));
        }
    }
}

#[test]
fn many_are_taken_and_put_at_once() {
    let (mut driver, mut ring, mut participant) = machine(100, true);
    for round in 0..20 {
        for index in 0..70 {
            driver.add(index, &[(BUFFER, 64 + u32::from(index), WRITE)]);
        }
        driver.add(70, &[(BUFFER, 1, 0)]);
        let guard = participant.enter();
        let mut buffers = Buffers::new();
        ring.begin(&guard).unwrap();
        // Memory isn't known before somebody has asked for it.
        let mut chain = Chain::new();
        assert_eq!(ring.next(&guard, &mut chain), Ok(true));
        ring.rewind();
        ring.next_plain(&guard, Access::Write, 5, &mut buffers).unwrap();
        assert_eq!(buffers.len(), 5);
        ring.next_plain(&guard, Access::Write, 100, &mut buffers).unwrap();
        assert_eq!(buffers.len(), BULK);
        ring.next_plain(&guard, Access::Write, 100, &mut buffers).unwrap();
        assert_eq!(buffers.iter().map(|buffer| buffer.len()).collect::<Vec<_>>(), [133]);
        ring.next_plain(&guard, Access::Write, 100, &mut buffers).unwrap();
        assert!(buffers.is_empty(), "the last is to be read");
        ring.next_plain(&guard, Access::Read, 100, &mut buffers).unwrap();
        assert_eq!(buffers.len(), 1);
        ring.put_many(&guard, &[3; 60]).unwrap();
        ring.put_unwritten(&guard, 100).unwrap();
        assert!(driver.used(|_| 1).is_empty());
        ring.show(&guard).unwrap();
        let expected: Vec<_> = (0..71).map(|id| (id, if id < 60 { 3 } else { 0 })).collect();
        assert_eq!(driver.used(|_| 1), expected, "round {round}");
        assert_eq!(ring.publish(&guard), Ok(true), "shown, but nobody was asked");
    }
}

#[test]
fn where_order_is_promised_one_used_descriptor_tells_of_a_batch() {
    let (mut driver, _, mut participant) = machine(7, true);
    let config = PackedConfig { in_order: true, ..driver.config() };
    let mut ring = PackedRing::new(config, driver.memory.tree.view()).unwrap();
    let guard = participant.enter();
    for round in 0..20 {
        // Three chains, six descriptors: the batches begin everywhere, and wrap.
        driver.add(10, &[(BUFFER, 1, 0), (BUFFER, 1, 0)]);
        driver.add(11, &[(BUFFER, 1, 0)]);
        driver.add(12, &[(BUFFER, 1, 0), (BUFFER, 1, 0), (BUFFER, 1, 0)]);
        ring.begin(&guard).unwrap();
        let mut chain = Chain::new();
        while ring.next(&guard, &mut chain).unwrap() {}
        let skipped = driver.seen.after(2, 7).offset() as u64;
        let before = driver.memory.read(skipped, 16);
        ring.put_unwritten(&guard, 0).unwrap();
        if round % 2 == 0 {
            ring.put_unwritten(&guard, 2).unwrap();
            ring.put_unwritten(&guard, 9).unwrap();
        } else {
            ring.put_unwritten(&guard, 3).unwrap();
        }
        ring.put_unwritten(&guard, 1).unwrap(); // none left: nothing happens
        assert!(driver.used(|_| 1).is_empty(), "not before it is published");
        driver.wants(driver.seen.after(5, 7).number(), event::DESCRIPTOR);
        assert_eq!(ring.publish(&guard), Ok(true), "all six have passed");
        let batches = driver.used(|id| match (round % 2, id) {
            (0, 11) | (0, 12) => 3,
            _ => 6,
        });
        assert_eq!(batches, if round % 2 == 0 { vec![(11, 0), (12, 0)] } else { vec![(12, 0)] });
        assert_eq!(driver.memory.read(skipped, 16), before, "its own descriptor is left alone");
        assert_eq!(driver.seen, driver.free);
    }
}

#[test]
fn what_is_written_into_is_told_chain_by_chain() {
    let (mut driver, _, mut participant) = machine(4, true);
    let config = PackedConfig { in_order: true, ..driver.config() };
    let mut ring = PackedRing::new(config, driver.memory.tree.view()).unwrap();
    (0..4).for_each(|id| driver.add(id, &[(BUFFER, 9, WRITE)]));
    let guard = participant.enter();
    ring.begin(&guard).unwrap();
    let mut chain = Chain::new();
    while ring.next(&guard, &mut chain).unwrap() {}
    ring.put_many(&guard, &[7, 8]).unwrap();
    ring.put(&guard, 9).unwrap();
    ring.put(&guard, 6).unwrap();
    ring.publish(&guard).unwrap();
    assert_eq!(driver.used(|_| 1), [(0, 7), (1, 8), (2, 9), (3, 6)]);
}

#[test]
fn all_entries_of_an_indirect_table_count_in_their_order() {
    let (mut driver, mut ring, mut participant) = machine(4, true);
    driver.memory.descriptor(TABLE, BUFFER, 20, 99, 0);
    driver.memory.descriptor(TABLE + 16, BUFFER, 30, 99, NEXT);
    driver.memory.descriptor(TABLE + 32, BUFFER, 40, 99, WRITE | AVAILABLE | USED);
    driver.add(5, &[(TABLE, 48, INDIRECT)]);
    assert_eq!(take(&mut ring, &mut participant), Ok(Some((vec![20, 30], vec![40]))));
    let guard = participant.enter();
    ring.put(&guard, 40).unwrap();
    ring.publish(&guard).unwrap();
    assert_eq!(driver.used(|_| 1), [(5, 40)]);
}

#[test]
fn every_mistake_of_the_driver_is_an_error() {
    type Mistake = fn(&mut Packed);
    let mistakes: &[(&str, Mistake)] = &[
        ("descriptor chain longer than the ring", |driver| {
            driver.add(0, &[(BUFFER, 1, NEXT); 8]);
        }),
        ("descriptor chain longer than the ring", |driver| {
            driver.add(0, &[(BUFFER, 0, NEXT); 8]);
        }),
        ("readable descriptor after a writable one", |driver| {
            driver.add(0, &[(BUFFER, 1, WRITE), (BUFFER, 1, 0)]);
        }),
        ("descriptor chain without a byte", |driver| driver.add(0, &[(BUFFER, 0, 0)])),
        ("descriptor chain of more than 4 GiB", |driver| {
            driver.add(0, &[(BUFFER, 2, 0), (0, u32::MAX, 0)]);
        }),
        ("buffer outside memory", |driver| driver.add(0, &[(BUFFER, u32::MAX, 0)])),
        ("buffer outside memory", |driver| driver.add(0, &[((4 << 20) - 1, 2, WRITE)])),
        ("buffer outside memory", |driver| driver.add(0, &[(u64::MAX, 2, 0)])),
        ("indirect descriptor with a next one", |driver| {
            driver.add(0, &[(TABLE, 16, INDIRECT), (BUFFER, 1, 0)]);
        }),
        ("indirect table of a wrong length", |driver| driver.add(0, &[(TABLE, 17, INDIRECT)])),
        ("indirect table of a wrong length", |driver| driver.add(0, &[(TABLE, 0, INDIRECT)])),
        ("indirect table of a wrong length", |driver| {
            driver.add(0, &[(TABLE, 32_769 * 16, INDIRECT)]);
        }),
        ("indirect descriptor in an indirect table", |driver| {
            driver.memory.descriptor(TABLE, TABLE, 16, 0, INDIRECT);
            driver.add(0, &[(TABLE, 16, INDIRECT)]);
        }),
        ("readable descriptor after a writable one", |driver| {
            driver.memory.descriptor(TABLE, BUFFER, 1, 0, WRITE);
            driver.memory.descriptor(TABLE + 16, BUFFER, 1, 0, 0);
            driver.add(0, &[(TABLE, 32, INDIRECT)]);
        }),
        ("buffer outside memory", |driver| driver.add(0, &[(u64::MAX - 15, 64, INDIRECT)])),
        ("buffer outside memory", |driver| driver.add(0, &[((4 << 20) - 8, 16, INDIRECT)])),
    ];
    for (error, mistake) in mistakes {
        let (mut driver, mut ring, mut participant) = machine(8, true);
        mistake(&mut driver);
        let taken = take(&mut ring, &mut participant);
        assert_eq!(taken, Err(QueueError::Driver(error)));
        assert!(driver.used(|_| 1).is_empty(), "{error}: nothing is used");
    }
}

#[test]
fn what_is_made_available_twice_is_an_error() {
    let (mut driver, mut ring, mut participant) = machine(4, true);
    for lap in 0..2 {
        (0..4).for_each(|id| driver.add(id, &[(BUFFER, 1, 0)]));
        let guard = participant.enter();
        if lap == 0 {
            ring.begin(&guard).unwrap();
        }
        let mut chain = Chain::new();
        let taken = (0..4).try_for_each(|_| ring.next(&guard, &mut chain).map(drop));
        let error = QueueError::Driver("more descriptors available than there are");
        assert_eq!(taken, if lap == 0 { Ok(()) } else { Err(error) });
    }
}

#[test]
fn indirect_descriptors_must_be_negotiated() {
    let (mut driver, _, mut participant) = machine(8, true);
    let config = PackedConfig { indirect: false, ..driver.config() };
    let mut ring = PackedRing::new(config, driver.memory.tree.view()).unwrap();
    driver.memory.descriptor(TABLE, BUFFER, 1, 0, 0);
    driver.add(0, &[(TABLE, 16, INDIRECT)]);
    let error = QueueError::Driver("indirect descriptor, not negotiated");
    assert_eq!(take(&mut ring, &mut participant), Err(error));
}

#[test]
fn sizes_and_alignments_are_checked() {
    let (driver, ..) = machine(8, true);
    let good = driver.config();
    let refused = |config| PackedRing::new(config, driver.memory.tree.view()).is_err();
    assert!(!refused(good) && !refused(PackedConfig { size: 7, ..good }));
    for size in [0, 32_769, 65_535] {
        assert!(refused(PackedConfig { size, ..good }), "{size}");
    }
    assert!(refused(PackedConfig { descriptors: Iova(8), ..good }));
    assert!(refused(PackedConfig { driver_event: Iova(2), ..good }));
    assert!(refused(PackedConfig { device_event: Iova(1), ..good }));
    assert!(refused(PackedConfig { descriptors: Iova(u64::MAX - 15), ..good }));
}

#[test]
fn interrupts_are_sent_as_the_driver_wants_them() {
    for event_index in [false, true] {
        let (mut driver, mut ring, mut participant) = machine(4, event_index);
        let at = |place: Place| place.number();
        let mut use_one = |driver: &mut Packed| {
            driver.add(1, &[(BUFFER, 1, 0)]);
            take(&mut ring, &mut participant).unwrap().unwrap();
            let guard = participant.enter();
            ring.put(&guard, 0).unwrap();
            let wanted = ring.publish(&guard).unwrap();
            driver.used(|_| 1);
            wanted
        };
        for _ in 0..10 {
            let here = driver.seen;
            driver.wants(at(here), event::DISABLE);
            assert!(!use_one(&mut driver));
            driver.wants(at(here), event::ENABLE);
            assert!(use_one(&mut driver));
            let here = driver.seen;
            driver.wants(at(here), event::DESCRIPTOR);
            assert!(use_one(&mut driver));
            driver.wants(at(here), event::DESCRIPTOR);
            assert_eq!(use_one(&mut driver), !event_index, "passed before");
            driver.wants(at(driver.seen.after(1, 4)), event::DESCRIPTOR);
            assert_eq!(use_one(&mut driver), !event_index, "not yet");
            assert!(use_one(&mut driver));
        }
    }
}

#[test]
fn the_driver_is_asked_to_notify_where_the_pass_ended() {
    for (event_index, flags) in [(true, event::DESCRIPTOR), (false, event::ENABLE)] {
        let (mut driver, mut ring, mut participant) = machine(3, event_index);
        (0..2).for_each(|id| driver.add(id, &[(BUFFER, 1, 0)]));
        let guard = participant.enter();
        ring.begin(&guard).unwrap();
        assert_eq!(driver.device_event().1, event::DISABLE, "it is polled");
        assert_eq!(ring.arm_for_more(&guard), Ok(true), "nobody has looked");
        let mut chain = Chain::new();
        while ring.next(&guard, &mut chain).unwrap() {}
        assert_eq!(ring.arm(&guard), Ok(true));
        assert_eq!(driver.device_event(), (Place::FIRST.number(), flags));
        ring.rewind();
        assert_eq!(ring.arm_for_more(&guard), Ok(false));
        assert_eq!(driver.device_event(), (Place { slot: 2, wrap: true }.number(), flags));
        driver.add(2, &[(BUFFER, 1, 0)]);
        assert_eq!(ring.arm_for_more(&guard), Ok(true));
        ring.disarm(&guard).unwrap();
        assert_eq!(driver.device_event().1, event::DISABLE);
        while ring.next(&guard, &mut chain).unwrap() {}
        ring.put_unwritten(&guard, 3).unwrap();
        ring.publish(&guard).unwrap();
        assert_eq!(ring.arm(&guard), Ok(false));
        assert_eq!(driver.device_event(), (Place { slot: 0, wrap: false }.number(), flags));
    }
}

proptest! {
    /// Against positions that are just counted up.
    #[test]
    fn an_event_is_passed_if_it_lies_between(
        size in 1u16..=300, now in 300u32..2000, moved in 1u32..300, ahead in -300i32..300,
    ) {
        let moved = moved.min(size.into());
        let ahead = ahead.clamp(-i32::from(size), i32::from(size) - 1);
        let place = |position: u32| Place {
            slot: (position % u32::from(size)) as u16,
            wrap: (position / u32::from(size)).is_multiple_of(2),
        };
        let event = now.checked_add_signed(ahead).unwrap();
        let expected = event < now && event >= now - moved;
        prop_assert_eq!(passed(place(event).number(), place(now), size, moved), expected);
    }

    /// Whatever lies there: no panic, and never more than the ring can hold.
    #[test]
    fn no_bytes_do_harm(
        bytes in proptest::collection::vec(any::<u8>(), 8 * 16),
        flags in proptest::collection::vec(0u16..8, 8),
        event: u32,
        in_order: bool,
    ) {
        let (driver, _, mut participant) = machine(8, true);
        let config = PackedConfig { in_order, ..driver.config() };
        let mut ring = PackedRing::new(config, driver.memory.tree.view()).unwrap();
        driver.memory.write(0, &bytes);
        for (slot, flags) in (0..).zip(flags) {
            let shown = if slot < 6 { AVAILABLE } else { 0 };
            driver.memory.set(16 * slot + 14, flags | shown);
            driver.memory.write(16 * slot + 4, &[0; 4]);
        }
        driver.wants(event as u16, (event >> 16) as u16);
        for _ in 0..4 {
            let guard = participant.enter();
            if ring.begin(&guard).is_err() {
                break;
            }
            let mut chain = Chain::new();
            let mut taken = 0;
            while let Ok(true) = ring.next(&guard, &mut chain) {
                taken += 1;
                prop_assert!(taken <= 8);
            }
            ring.put_unwritten(&guard, taken).unwrap();
            let _ = ring.publish(&guard);
            let _ = (ring.arm(&guard), ring.arm_for_more(&guard));
        }
    }
}
