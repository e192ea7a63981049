//! Chains taken in bulk are those that `next` would have taken, and nothing else changes hands.

use vm_memory::VolatileSlice;

use super::*;

/// Takes in bulk; the lengths.
fn take_plain(
    ring: &mut SplitRing,
    guard: &pando_tlp::Guard<'_>,
    access: Access,
    most: usize,
) -> Vec<usize> {
    let mut buffers = Buffers::new();
    ring.next_plain(guard, access, most, &mut buffers).unwrap();
    buffers.iter().map(VolatileSlice::len).collect()
}

/// Makes the ring's view know the memory.
fn know(driver: &mut Driver, ring: &mut SplitRing, guard: &pando_tlp::Guard<'_>) {
    driver.add(&[(BUFFER, 1, 0)]);
    driver.publish();
    ring.begin(guard).unwrap();
    assert!(take_plain(ring, guard, Access::Read, 9).is_empty(), "nothing is known yet");
    assert_eq!(ring.next(guard, &mut Chain::new()), Ok(true));
    ring.put(guard, 0).unwrap();
    ring.publish(guard).unwrap();
    driver.take_used();
}

#[test]
fn plain_chains_are_taken_up_to_the_first_other_one() {
    let (mut driver, mut ring, mut participant) = machine(16, true);
    let guard = participant.enter();
    know(&mut driver, &mut ring, &guard);
    let table = BUFFER + 0x8000;
    driver.descriptor(table, BUFFER, 7, 0, 0);
    for (other, access) in [
        (vec![(BUFFER, 5, 0), (BUFFER, 6, 0)], Access::Read),
        (vec![(BUFFER, 5, WRITE)], Access::Read),
        (vec![(BUFFER, 5, 0)], Access::Write),
        (vec![(table, 16, INDIRECT)], Access::Read),
        (vec![(BUFFER, 0, 0), (BUFFER, 1, 0)], Access::Read),
    ] {
        let flags = if access == Access::Write { WRITE } else { 0 };
        driver.add(&[(BUFFER, 1, flags)]);
        driver.add(&[(BUFFER + 64, 2, flags)]);
        driver.add(&other);
        driver.add(&[(BUFFER, 4, flags)]);
        driver.publish();
        assert_eq!(ring.begin(&guard), Ok(4));
        assert_eq!(take_plain(&mut ring, &guard, access, 1), [1]);
        assert_eq!(take_plain(&mut ring, &guard, access, 9), [2], "{other:?}");
        assert!(take_plain(&mut ring, &guard, access, 9).is_empty());
        let mut chain = Chain::new();
        assert_eq!(ring.next(&guard, &mut chain), Ok(true));
        assert_eq!(take_plain(&mut ring, &guard, access, 9), [4]);
        ring.put_many(&guard, &[10, 11, 12, 13, 14]).unwrap();
        ring.publish(&guard).unwrap();
        let written: Vec<_> = driver.take_used().iter().map(|used| used.1).collect();
        assert_eq!(written, [10, 11, 12, 13], "one for each taken, none more");
    }
}

#[test]
fn used_elements_go_round_the_end_of_the_ring() {
    for scattered in [false, true] {
        let tree = Tree::new(4 << 20);
        if scattered {
            tree.remap(0, 0);
        }
        let mut driver = Driver::new(&tree, 0, 8, true).at(65533);
        let mut ring = driver.ring();
        let mut participant = epochs().join();
        let guard = participant.enter();
        know(&mut driver, &mut ring, &guard);
        let heads: Vec<_> = (1..=8).map(|len| driver.add(&[(BUFFER, len, 0)])).collect();
        driver.publish();
        ring.begin(&guard).unwrap();
        assert_eq!(take_plain(&mut ring, &guard, Access::Read, 64), [1, 2, 3, 4, 5, 6, 7, 8]);
        ring.put_unwritten(&guard, 3).unwrap();
        ring.rewind();
        assert_eq!(take_plain(&mut ring, &guard, Access::Read, 2), [4, 5]);
        ring.put_many(&guard, &[4, 5]).unwrap();
        assert_eq!(take_plain(&mut ring, &guard, Access::Read, 64), [6, 7, 8]);
        ring.put_unwritten(&guard, 64).unwrap();
        ring.publish(&guard).unwrap();
        let used = driver.take_used();
        assert_eq!(used.iter().map(|used| used.0 as u16).collect::<Vec<_>>(), heads);
        let written: Vec<_> = used.iter().map(|used| used.1).collect();
        assert_eq!(written, [0, 0, 0, 4, 5, 0, 0, 0]);
    }
}

#[test]
fn buffers_across_pages_that_are_neighbours_are_one_piece() {
    let tree = Tree::new(4 << 20);
    // Pages 0x100 to 0x102 lie in a row elsewhere, 0x103 doesn't follow.
    for (from, to) in [(0x100, 0x200), (0x101, 0x201), (0x102, 0x202), (0x103, 0x104)] {
        tree.remap(from, to);
    }
    let mut driver = Driver::new(&tree, 0, 16, true);
    let mut ring = driver.ring();
    let mut participant = epochs().join();
    let guard = participant.enter();
    for page in 0..4 {
        driver.add(&[(BUFFER + (page << 12), 1, 0)]);
    }
    driver.publish();
    ring.begin(&guard).unwrap();
    while ring.next(&guard, &mut Chain::new()).unwrap() {}
    ring.put_unwritten(&guard, 4).unwrap();
    driver.write(0x200_ffe, b"abcd");
    let asked = tree.resolved.load(SeqCst);
    driver.add(&[(BUFFER + 0xffe, 4, 0)]);
    driver.add(&[(BUFFER + 0x800, 0x2800, 0)]);
    driver.add(&[(BUFFER + 0x800, 0x2801, 0)]);
    driver.publish();
    ring.begin(&guard).unwrap();
    let mut buffers = Buffers::new();
    ring.next_plain(&guard, Access::Read, 64, &mut buffers).unwrap();
    assert_eq!(buffers.iter().map(VolatileSlice::len).collect::<Vec<_>>(), [4, 0x2800]);
    let mut bytes = [0; 4];
    buffers[0].copy_to(&mut bytes);
    assert_eq!(&bytes, b"abcd");
    let mut chain = Chain::new();
    assert_eq!(ring.next(&guard, &mut chain), Ok(true), "the third goes on elsewhere");
    assert_eq!((chain.readable().len(), chain.readable_len()), (4, 0x2801));
    assert_eq!(tree.resolved.load(SeqCst), asked, "all of it was known");
}

#[test]
fn an_unreachable_buffer_is_asked_for_once() {
    for bulk in [false, true] {
        let (mut driver, mut ring, mut participant) = machine(8, true);
        driver.tree.remap(0, 0);
        let guard = participant.enter();
        driver.add(&[(8 << 20, 64, 0)]);
        driver.publish();
        ring.begin(&guard).unwrap();
        let asked = driver.tree.resolved.load(SeqCst);
        if bulk {
            assert!(take_plain(&mut ring, &guard, Access::Read, 9).is_empty());
        }
        let mistake = ring.next(&guard, &mut Chain::new());
        assert_eq!(mistake, Err(QueueError::Driver("buffer outside memory")));
        assert_eq!(driver.tree.resolved.load(SeqCst), asked + 1);
    }
}

#[test]
fn what_was_known_in_another_epoch_is_not_used() {
    let (mut driver, mut ring, _) = machine(8, true);
    let epochs = epochs();
    let mut participant = epochs.join();
    know(&mut driver, &mut ring, &participant.enter());
    driver.add(&[(BUFFER, 3, 0)]);
    driver.publish();
    epochs.advance();
    let guard = participant.enter();
    ring.begin(&guard).unwrap();
    assert!(take_plain(&mut ring, &guard, Access::Read, 9).is_empty());
    driver.tree.open.store(false, SeqCst);
    assert_eq!(ring.next(&guard, &mut Chain::new()), Err(QueueError::Ring(Fault::Gated)));
}

proptest! {
    /// Whatever lies in the rings, a pass in bulk gives the same chains as one without, and stops at the same place.
    #[test]
    fn bulk_and_single_agree(
        bytes in proptest::collection::vec(any::<u8>(), 8 * 16 + 22),
        plain in any::<u8>(),
        most in 1usize..9,
    ) {
        let tree = Tree::new(1 << 20);
        let driver = Driver::new(&tree, 0, 8, true);
        driver.write(0, &bytes);
        for index in 0..8u16 {
            // Make many of them plain and reachable, and heads legal.
            if plain >> index & 1 == 1 {
                let flags = u16::from(bytes[usize::from(index)]) & WRITE;
                driver.descriptor(u64::from(index) * 16, u64::from(bytes[3]) << 4, 64, flags, 0);
                driver.set(driver.available_ring() + 4 + 2 * u64::from(index), index);
            }
        }
        driver.set(driver.available_ring() + 2, u16::from(bytes[9] % 10));
        let mut participant = epochs().join();
        let guard = participant.enter();
        let mut bulk = driver.ring();
        let mut single = driver.ring();
        let (mut chain, mut buffers) = (Chain::new(), Buffers::new());
        prop_assert_eq!(bulk.begin(&guard), single.begin(&guard));
        let mut going = true;
        while going {
            for access in [Access::Read, Access::Write] {
                bulk.next_plain(&guard, access, most, &mut buffers).unwrap();
                for buffer in &buffers {
                    prop_assert_eq!(single.next(&guard, &mut chain), Ok(true));
                    let (one, none) = match access {
                        Access::Read => (chain.readable(), chain.writable()),
                        Access::Write => (chain.writable(), chain.readable()),
                    };
                    prop_assert!(none.is_empty() && one.len() == 1);
                    prop_assert_eq!(one[0].ptr_guard().as_ptr(), buffer.ptr_guard().as_ptr());
                    prop_assert_eq!(one[0].len(), buffer.len());
                }
            }
            let mut other = Chain::new();
            let (a, b) = (bulk.next(&guard, &mut other), single.next(&guard, &mut chain));
            prop_assert_eq!(a, b);
            prop_assert_eq!(other.readable_len(), chain.readable_len());
            going = a == Ok(true);
        }
    }
}

/// Descriptors, and the lengths of the readable and the writable pieces they become.
type Case = (&'static [(u64, u32, u16)], &'static [usize], &'static [usize]);

#[test]
fn descriptors_that_follow_each_other_are_one_piece_of_their_chain() {
    let tree = Tree::new(4 << 20);
    let mut driver = Driver::new(&tree, 0, 16, true);
    let mut ring = driver.ring();
    let mut participant = epochs().join();
    let guard = participant.enter();
    driver.write(BUFFER, b"0123456789");
    driver.add(&[(BUFFER, 1, 0), (BUFFER + 0x1000, 1, WRITE)]); // whatever is known afterwards
    let chains: [Case; 5] = [
        (&[(BUFFER, 3, 0), (BUFFER + 3, 4, 0), (BUFFER + 7, 3, 0)], &[10], &[]),
        (&[(BUFFER, 3, 0), (BUFFER + 4, 4, 0), (BUFFER + 8, 2, 0)], &[3, 6], &[]),
        (&[(BUFFER + 3, 3, 0), (BUFFER, 3, 0)], &[3, 3], &[]),
        (&[(BUFFER, 3, 0), (BUFFER + 3, 3, WRITE), (BUFFER + 6, 3, WRITE)], &[3], &[6]),
        (&[(BUFFER, 0x1_0000, 0), (BUFFER + 0x1_0000, 0x1_0001, 0)], &[0x1_0000, 0x1_0001], &[]),
    ];
    for (descriptors, ..) in chains {
        driver.add(descriptors);
    }
    driver.publish();
    ring.begin(&guard).unwrap();
    let mut chain = Chain::new();
    assert_eq!(ring.next(&guard, &mut chain), Ok(true));
    for (descriptors, readable, writable) in chains {
        assert_eq!(ring.next(&guard, &mut chain), Ok(true));
        let lens = |pieces: &[VolatileSlice<'_>]| pieces.iter().map(VolatileSlice::len).collect();
        let found: [Vec<_>; 2] = [lens(chain.readable()), lens(chain.writable())];
        assert_eq!(found, [readable, writable], "{descriptors:x?}");
    }
}
