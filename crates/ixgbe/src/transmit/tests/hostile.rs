//! Rings and descriptors that no driver writes.

use pando_engine::DropReason;
use proptest::prelude::*;

use super::*;

/// Sends what `fill` puts into the ring, then a good frame behind it, and expects that one alone.
fn is_dropped(fill: impl Fn(&mut TransmitRing<'_>)) {
    with_ring(Accepts::empty(), |machine, ring, wire| {
        fill(ring);
        let last = ring.frame(&frame(64), 0, 0, 1);
        ring.ring();
        ring.wait(last);
        assert_eq!(wire.expect(1)[0].0, frame(64));
        let port = machine.switch.find("nic0").unwrap();
        assert!(port.transmit_counters(0).drops(DropReason::Malformed) > 0);
    });
}

#[test]
fn frames_too_short_and_too_long() {
    for len in [0, 1, 13, 16_385, 20_000] {
        is_dropped(|ring| {
            ring.frame(&frame(len)[..len], 0, 0, if len > 14 { 2 } else { 1 });
        });
    }
}

#[test]
fn segmentation_without_sense() {
    let long = frame(4000);
    let tcp = 1 << TUCMD_L4T_SHIFT | TUCMD_IPV4;
    // Nothing says how.
    is_dropped(|ring| _ = ring.frame(&long, TX_TSE, 0, 2));
    let cases: [([u32; 3], u32, u32); 8] = [
        ([14, 20, 20], 0, tcp),
        ([14, 20, 0], 1400, tcp),
        ([127, 511, 255], 1400, tcp),
        ([0, 0, 20], 1400, tcp),
        ([14, 0, 20], 1400, tcp),
        ([14, 20, 20], 1, tcp),
        ([14, 20, 20], 1400, 2 << TUCMD_L4T_SHIFT),
        ([14, 20, 20], 1400, 3 << TUCMD_L4T_SHIFT),
    ];
    for (lens, mss, command) in cases {
        let port_drops = |ring: &mut TransmitRing<'_>| {
            ring.context(lens, mss, 0, command);
            ring.frame(&long, TX_TSE, TX_TXSM, 2);
        };
        with_ring(Accepts::empty(), |_, ring, wire| {
            port_drops(ring);
            let last = ring.frame(&frame(64), 0, 0, 1);
            ring.ring();
            ring.wait(last);
            assert_eq!(wire.expect(1)[0].0, frame(64), "{lens:?} {mss}");
        });
    }
    // The header is longer than the packet.
    is_dropped(|ring| {
        ring.context([14, 20, 20], 1400, 0, tcp);
        ring.frame(&frame(54), TX_TSE, TX_TXSM, 1);
    });
}

#[test]
fn checksums_outside_the_frame() {
    is_dropped(|ring| {
        ring.context([14, 60, 0], 0, 0, 1 << TUCMD_L4T_SHIFT);
        ring.frame(&frame(70), 0, TX_TXSM, 1);
    });
    is_dropped(|ring| {
        ring.context([100, 20, 0], 0, 0, TUCMD_IPV4);
        ring.frame(&frame(70), 0, TX_IXSM, 1);
    });
    is_dropped(|ring| {
        let address = ring.buffer(&frame(64)) as u32;
        ring.descriptor([address, 0, TX_EOP | TX_LEGACY_IC | 10 << 16 | 64, 40 << 8]);
    });
}

#[test]
fn buffers_that_are_nowhere() {
    is_dropped(|ring| {
        let kind = TX_DEXT | TX_TYPE_DATA << TX_TYPE_SHIFT | TX_EOP | TX_RS;
        ring.descriptor([0, 0x7fff_ffff, kind | 100, 0]);
        ring.descriptor([u32::MAX, u32::MAX, kind | 100, 0]);
    });
}

#[test]
fn a_frame_in_too_many_pieces() {
    is_dropped(|ring| {
        for _ in 0..50 {
            ring.frame(&frame(14)[..1], 0, 0, 1);
        }
    });
}

#[test]
fn a_frame_without_an_end_waits_and_costs_nothing() {
    with_ring(Accepts::empty(), |machine, ring, wire| {
        let address = ring.buffer(&frame(100)) as u32;
        let kind = TX_DEXT | TX_TYPE_DATA << TX_TYPE_SHIFT;
        ring.descriptor([address, 0, kind | 50, 0]);
        ring.ring();
        let wakeups =
            || -> u64 { machine.engine.report().workers.iter().map(|worker| worker.wakeups).sum() };
        std::thread::sleep(std::time::Duration::from_millis(20));
        let before = wakeups();
        std::thread::sleep(std::time::Duration::from_millis(50));
        assert!(wakeups() - before < 20, "asleep");
        assert!(wire.take().is_empty());
        let last = ring.descriptor([address + 50, 0, kind | TX_EOP | TX_RS | 50, 0]);
        ring.ring();
        ring.wait(last);
        assert_eq!(wire.expect(1)[0].0, frame(100));
    });
}

#[test]
fn rings_that_are_none_stop_their_queue_and_nothing_else() {
    let machine = Machine::enabled();
    let wire = Wire::new(&machine, Accepts::empty());
    PfDriver::probe(&machine).open(0);
    let registers = machine.pf();
    let mut good = TransmitRing::new(registers, TRANSMIT + STRIDE, 2);
    let bad = |setup: &dyn Fn(&TransmitRing<'_>)| {
        let mut ring = TransmitRing::new(registers, TRANSMIT, 1);
        ring.write(CONTROL, 0);
        setup(&ring);
        ring.write(CONTROL, ENABLE);
        ring.frame(&frame(64), 0, 0, 1);
        ring.ring();
        std::thread::sleep(std::time::Duration::from_millis(2));
        assert!(wire.take().is_empty());
        ring.write(CONTROL, 0);
    };
    bad(&|ring| ring.write(BASE_HIGH, 0xffff_ffff)); // outside of memory
    bad(&|ring| {
        ring.write(BASE_LOW, u32::MAX);
        ring.write(BASE_HIGH, u32::MAX); // past the end of the address space
    });
    bad(&|ring| ring.write(LENGTH, 0)); // no memory
    bad(&|ring| ring.write(HEAD, 64)); // beyond the end
    {
        let mut ring = TransmitRing::new(registers, TRANSMIT, 1);
        ring.frame(&frame(64), 0, 0, 1);
        ring.write(TAIL, 64);
        ring.write(TAIL, 0xffff);
        std::thread::sleep(std::time::Duration::from_millis(2));
        // The queue is stopped until it is enabled anew.
        ring.write(CONTROL, 0);
        ring.write(HEAD, 0);
        ring.write(TAIL, 0);
        ring.write(CONTROL, ENABLE);
        ring.ring();
        ring.wait(0);
        wire.expect(1);
    }
    good.send(&frame(64));
    wire.expect(1);
}

#[test]
fn an_unknown_descriptor_or_a_context_in_a_frame_stops_the_queue() {
    let kind = TX_DEXT | TX_TYPE_DATA << TX_TYPE_SHIFT;
    for descriptors in [
        vec![TX_DEXT | 5 << TX_TYPE_SHIFT | TX_RS],
        vec![kind | 20, TX_DEXT | TX_TYPE_CONTEXT << TX_TYPE_SHIFT, kind | TX_EOP | 20],
    ] {
        with_ring(Accepts::empty(), |_, ring, wire| {
            for command in &descriptors {
                ring.descriptor([0x2000, 0, *command, 0]);
            }
            ring.frame(&frame(64), 0, 0, 1);
            ring.ring();
            std::thread::sleep(std::time::Duration::from_millis(3));
            assert!(wire.take().is_empty());
            assert_eq!(ring.read(HEAD), 0);
        });
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn random_descriptors_harm_nobody(
        programs in proptest::collection::vec(
            proptest::collection::vec((any::<[u32; 4]>(), 0u8..8), 1..40), 1..6),
        tails in proptest::collection::vec(any::<u32>(), 1..6),
    ) {
        let machine = Machine::enabled();
        let wire = Wire::new(&machine, Accepts::empty());
        PfDriver::probe(&machine).open(0);
        let mut good = TransmitRing::new(machine.pf(), TRANSMIT + STRIDE, 2);
        for (program, tail) in programs.iter().zip(tails.iter().cycle()) {
            let mut ring = TransmitRing::new(machine.pf(), TRANSMIT, 1);
            for (dwords, kind) in program {
                let [a, b, c, d] = *dwords;
                let data = TX_DEXT | TX_TYPE_DATA << TX_TYPE_SHIFT;
                ring.descriptor(match kind {
                    0 => [a, b, c, d],
                    1 => [a % 0xff_0000, 0, TX_DEXT | TX_TYPE_CONTEXT << TX_TYPE_SHIFT | c & 0x1c00, d],
                    2 => [a % 0xff_0000, 0, c & !TX_DEXT | TX_EOP, d],
                    _ => [a % 0xff_0000, 0, data | c & (0xf000_3fff | TX_EOP), d],
                });
            }
            ring.ring();
            ring.write(TAIL, tail % 80);
            std::thread::sleep(std::time::Duration::from_millis(1));
            ring.write(CONTROL, 0);
        }
        wire.take();
        good.send(&frame(64));
        let arrived = |wire: &Wire| wire.take().iter().any(|(bytes, _)| *bytes == frame(64));
        eventually("the other queue's frame", || arrived(&wire));
    }
}
