//! Rings that no driver sets up, and buffers that are nowhere.

use proptest::prelude::*;

use super::*;

#[test]
fn a_bad_ring_stops_its_queue_and_nobody_else() {
    let machine = Machine::enabled();
    let wire = Wire::new(&machine, Accepts::empty());
    PfDriver::probe(&machine).open(0);
    let registers = machine.pf();
    registers.modify(FCTRL, 0, FCTRL_UPE);
    let bad: [(u32, u32); 5] =
        [(BASE_HIGH, u32::MAX), (LENGTH, 0), (TAIL, 64), (TAIL, 0xffff), (HEAD, 64)];
    for (register, value) in bad {
        let block = RECEIVE_LOW;
        let _ring = ReceiveRing::new(registers, block, 1, 32, ONE_BUFFER | KIB, 0);
        registers.write(block + CONTROL, 0);
        registers.write(block + register, value);
        registers.write(block + CONTROL, ENABLE);
        (0..3).for_each(|_| wire.send(&frame(60), Offload::default()));
        std::thread::sleep(std::time::Duration::from_millis(2));
        registers.write(block + CONTROL, 0);
    }
    let mut ring = ReceiveRing::new(registers, RECEIVE_LOW, 1, 32, ONE_BUFFER | KIB, 0);
    wire.send(&frame(77), Offload::default());
    loop {
        // Frames from before may have waited.
        if ring.next().bytes == frame(77) {
            break;
        }
    }
}

#[test]
fn a_buffer_that_is_nowhere_loses_its_frame_only() {
    with_ring(ONE_BUFFER | KIB, 0, |machine, ring, wire| {
        let nowhere = [0, 0, 0, 0, 0xff, 0xff, 0, 0];
        machine.write(ring.base, &nowhere);
        machine.write(ring.base + 16, &[0xff; 8]);
        for len in [100, 101, 102] {
            wire.send(&frame(len), Offload::default());
        }
        assert_eq!(ring.next().descriptor[3], 100);
        assert_eq!(ring.next().descriptor[3], 101);
        assert_eq!(ring.next().bytes, frame(102));
    });
}

#[test]
fn a_frame_that_the_whole_ring_cannot_hold_is_dropped() {
    with_ring(ONE_BUFFER | 1, 0, |machine, ring, wire| {
        machine.pf().write(MAXFRS, 0xffff << 16);
        machine.pf().modify(HLREG0, 0, 1 << 2);
        wire.send(&frame(65_000), Offload::default());
        wire.send(&frame(60), Offload::default());
        assert_eq!(ring.next().bytes, frame(60));
    });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn random_rings_and_frames_harm_nobody(
        descriptors in proptest::collection::vec(any::<[u8; 16]>(), 64),
        frames in proptest::collection::vec((14usize..3000, any::<[u8; 48]>()), 1..20),
        srrctl in any::<u32>(), control in any::<u32>(), tail in 0u32..70, head in 0u32..66,
    ) {
        let machine = Machine::enabled();
        let wire = Wire::new(&machine, Accepts::empty());
        PfDriver::probe(&machine).open(0);
        let registers = machine.pf();
        registers.modify(FCTRL, 0, FCTRL_UPE | FCTRL_MPE);
        let block = RECEIVE_LOW;
        let ring = ReceiveRing::new(registers, block, 1, 32, srrctl, 0);
        registers.write(block + CONTROL, 0);
        for (index, descriptor) in (0..).zip(&descriptors) {
            machine.write(ring.base + 16 * index, descriptor);
        }
        registers.write(block + HEAD, head);
        registers.write(block + CONTROL, ENABLE | control & STRIP_VLAN);
        registers.write(block + TAIL, tail);
        for (len, bytes) in &frames {
            let mut frame = frame((*len).max(62));
            frame[12..60].copy_from_slice(bytes);
            wire.send(&frame, Offload::default());
        }
        std::thread::sleep(std::time::Duration::from_millis(1));
        registers.write(block + CONTROL, 0);
        let mut ring = ReceiveRing::new(registers, block, 1, 60, ONE_BUFFER | KIB, 0);
        wire.send(&frame(77), Offload::default());
        let mut left = 60;
        while ring.next().bytes != frame(77) {
            left -= 1;
            prop_assert!(left > 0);
        }
    }
}
