//! Where order is promised, one used element tells of a whole batch of chains that nothing could be written into (2.7.9).

use super::*;

/// A ring whose used elements are all `UNTOUCHED`, in order or not; positions begin shortly before they wrap.
fn machine(in_order: bool) -> (Driver, SplitRing, Participant) {
    let mut driver = Driver::new(&Tree::new(4 << 20), 0, 8, true).at(65_533);
    driver.in_order = in_order;
    driver.write(driver.used_ring() + 4, &[0xaa; 8 * 8]);
    let ring = driver.ring();
    (driver, ring, epochs().join())
}

const UNTOUCHED: (u32, u32) = (0xaaaa_aaaa, 0xaaaa_aaaa);

/// The used elements from the first position on.
fn elements(driver: &Driver) -> [(u32, u32); 8] {
    std::array::from_fn(|at| {
        let slot = (65_533 + at as u64) % 8;
        let bytes = driver.read(driver.used_ring() + 4 + 8 * slot, 8);
        let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
        (word(0), word(4))
    })
}

fn take_all(ring: &mut SplitRing, guard: &Guard<'_>) {
    ring.begin(guard).unwrap();
    let mut chain = Chain::new();
    while ring.next(guard, &mut chain).unwrap() {}
}

#[test]
fn the_element_of_a_batch_lies_where_its_first_would_and_names_its_last() {
    for in_order in [false, true] {
        let (mut driver, mut ring, mut participant) = machine(in_order);
        let heads: Vec<u32> =
            (0..5).map(|len| driver.add(&[(BUFFER, 1 + len, 0)]).into()).collect();
        driver.add(&[(BUFFER, 1, WRITE)]);
        driver.publish();
        let guard = participant.enter();
        take_all(&mut ring, &guard);
        ring.put_unwritten(&guard, 0).unwrap();
        ring.put_unwritten(&guard, 3).unwrap();
        ring.put_unwritten(&guard, 1).unwrap();
        ring.rewind();
        ring.put_unwritten(&guard, 9).unwrap();
        assert_eq!(ring.position(), 65_533_u16.wrapping_add(4), "none was taken since");
        assert!(driver.take_used().is_empty(), "not before it is published");
        assert_eq!(ring.publish(&guard), Ok(true), "the first is what the driver waits for");
        let [a, b, c, d] = [0, 1, 2, 3].map(|at| (heads[at], 0));
        let written = if in_order { [c, UNTOUCHED, UNTOUCHED, d] } else { [a, b, c, d] };
        assert_eq!(elements(&driver)[..4], written);
        assert_eq!(elements(&driver)[4..], [UNTOUCHED; 4]);
        assert_eq!(driver.get(driver.used_ring() + 2), 1, "as many as there are chains");
        assert_eq!(driver.take_used(), [a, b, c, d]);
    }
}

#[test]
fn what_is_written_into_is_told_chain_by_chain() {
    let (mut driver, mut ring, mut participant) = machine(true);
    let heads: Vec<u32> = (0..5).map(|_| driver.add(&[(BUFFER, 9, WRITE)]).into()).collect();
    driver.publish();
    let guard = participant.enter();
    take_all(&mut ring, &guard);
    ring.put_many(&guard, &[7, 9, 8]).unwrap();
    ring.put(&guard, 6).unwrap();
    ring.put(&guard, 5).unwrap();
    ring.publish(&guard).unwrap();
    let expected: Vec<_> = heads.into_iter().zip([7, 9, 8, 6, 5]).collect();
    assert_eq!(elements(&driver)[..5], expected);
    assert_eq!(driver.take_used(), expected);
}

proptest! {
    /// However chains are cut into batches, and batches into what is shown at once, all come back, oldest first.
    #[test]
    fn every_chain_comes_back_in_its_order(
        steps in proptest::collection::vec((1usize..4, 1usize..4, 0usize..5, any::<bool>()), 1..60),
    ) {
        let (mut driver, mut ring, mut participant) = machine(true);
        let (mut added, mut back) = (Vec::new(), Vec::new());
        for (count, pieces, batch, show) in steps {
            for _ in 0..count {
                if driver.room() >= pieces {
                    added.push((u32::from(driver.add(&vec![(BUFFER, 1, 0); pieces])), 0));
                }
            }
            driver.publish();
            let guard = participant.enter();
            take_all(&mut ring, &guard);
            ring.put_unwritten(&guard, batch).unwrap();
            if show {
                ring.publish(&guard).unwrap();
                back.extend(driver.take_used());
            }
        }
        let guard = participant.enter();
        take_all(&mut ring, &guard);
        ring.put_unwritten(&guard, usize::MAX).unwrap();
        ring.publish(&guard).unwrap();
        back.extend(driver.take_used());
        prop_assert_eq!(back, added);
    }
}
