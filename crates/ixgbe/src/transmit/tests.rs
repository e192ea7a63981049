mod hostile;
mod offloads;

use pando_engine::{Accepts, Checksum, Offload};

use crate::spec::descriptor::*;
use crate::spec::general::*;
use crate::spec::queue::*;
use crate::testing::{Machine, PfDriver, TransmitRing, Wire, eventually};

/// The card's PF up without VFs, its first transmit queue running, and a wire.
fn with_ring(accepts: Accepts, test: impl FnOnce(&Machine, &mut TransmitRing<'_>, &Wire)) {
    let machine = Machine::enabled();
    let wire = Wire::new(&machine, accepts);
    let mut driver = PfDriver::probe(&machine);
    driver.open(0);
    let mut ring = TransmitRing::new(machine.pf(), TRANSMIT, 1);
    test(&machine, &mut ring, &wire);
}

fn frame(len: usize) -> Vec<u8> {
    let mut frame = vec![2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 1, 0x88, 0xb5];
    frame.extend((14..len.max(14)).map(|byte| byte as u8));
    frame
}

#[test]
fn frames_of_any_number_of_buffers_come_out_whole() {
    with_ring(Accepts::empty(), |_, ring, wire| {
        for (len, pieces) in [(60, 1), (64, 3), (1514, 1), (1514, 40), (9000, 5)] {
            let last = ring.frame(&frame(len), 0, 0, pieces);
            ring.ring();
            ring.wait(last);
            assert_eq!(wire.expect(1), [(frame(len), Offload::default())]);
        }
    });
}

/// Those that are taken many at once and those that aren't, in turn and past the ring's end.
#[test]
fn frames_of_every_kind_keep_their_order() {
    let checksum = Checksum::Partial { start: 34, offset: 16 };
    with_ring(Accepts::CHECKSUM, |_, ring, wire| {
        for round in 0..8 {
            let (mut expected, mut last) = (Vec::new(), 0);
            ring.context([14, 20, 20], 0, 0, 1 << TUCMD_L4T_SHIFT);
            for number in 0..5 {
                let mut send = |len: usize, l4: bool, pieces: usize| {
                    let mut frame = frame(len);
                    frame[14..16].copy_from_slice(&[round, number]);
                    last = ring.frame(&frame, 0, if l4 { TX_TXSM } else { 0 }, pieces);
                    let checksum = if l4 { checksum } else { Checksum::Unknown };
                    frame.resize(len.max(60), 0);
                    expected.push((frame, Offload { checksum, segmentation: None }));
                    if number == 4 {
                        ring.context([14, 20, 20], 0, 0, 1 << TUCMD_L4T_SHIFT);
                    }
                };
                send(64, false, 1);
                send(100, true, 1);
                send(100, number == 1, 3);
                send(20, false, 1);
            }
            ring.ring();
            ring.wait(last);
            assert_eq!(wire.expect(expected.len()), expected, "round {round}");
        }
    });
}

#[test]
fn short_frames_are_padded() {
    with_ring(Accepts::empty(), |_, ring, wire| {
        ring.send(&frame(17));
        let sent = wire.expect(1).remove(0).0;
        assert_eq!(sent.len(), 60);
        assert_eq!(sent[..17], frame(17));
        assert!(sent[17..].iter().all(|byte| *byte == 0));
    });
}

#[test]
fn legacy_descriptors_as_ipxe_uses_them() {
    with_ring(Accepts::empty(), |_, ring, wire| {
        let address = ring.buffer(&frame(100)) as u32;
        let command = TX_EOP | TX_RS | 1 << 25;
        let last = ring.descriptor([address, 0, command | 100, 0]);
        ring.ring();
        ring.wait(last);
        assert_eq!(wire.expect(1)[0].0, frame(100));
        let command = command | TX_VLE | TX_LEGACY_IC | 40 << 16;
        let last = ring.descriptor([address, 0, command | 100, 7 << 16 | 24 << 8]);
        ring.ring();
        ring.wait(last);
        let (sent, _) = wire.expect(1).remove(0);
        assert_eq!(sent[12..18], [0x81, 0, 0, 7, 0x88, 0xb5]);
    });
}

#[test]
fn only_descriptors_that_ask_are_written_back_and_interrupt() {
    with_ring(Accepts::empty(), |machine, ring, wire| {
        machine.messages();
        for number in 0..8 {
            let last = ring.frame(&frame(64), 0, 0, 1);
            if number % 4 != 3 {
                let silent = TX_DEXT | TX_TYPE_DATA << TX_TYPE_SHIFT | TX_EOP | 64;
                machine.write(ring.base + 16 * u64::from(last) + 8, &silent.to_le_bytes());
                machine.write(ring.base + 16 * u64::from(last) + 12, &0u32.to_le_bytes());
            }
        }
        ring.ring();
        ring.wait(7);
        assert_eq!(wire.expect(8).len(), 8);
        let done: Vec<u32> = (0..8).map(|index| ring.status(index) & 1).collect();
        assert_eq!(done, [0, 0, 0, 1, 0, 0, 0, 1]);
        eventually("an interrupt", || machine.messages().contains(&0));
    });
}

#[test]
fn the_head_is_written_where_the_driver_wants_it_instead() {
    with_ring(Accepts::empty(), |machine, ring, _| {
        ring.write(WRITE_BACK_LOW, 0x2000 | 1);
        let last = ring.frame(&frame(64), 0, 0, 1);
        ring.ring();
        eventually("the head", || machine.memory(0x2000, 4) == [1, 0, 0, 0]);
        assert_eq!(ring.status(last) & TX_DD, 0);
    });
}

#[test]
fn a_tag_from_the_context_is_inserted() {
    with_ring(Accepts::empty(), |_, ring, wire| {
        ring.context([14, 0, 0], 0, 0x6005, 0);
        let last = ring.frame(&frame(1514), TX_VLE, 0, 2);
        ring.ring();
        ring.wait(last);
        let (sent, _) = wire.expect(1).remove(0);
        assert_eq!(sent.len(), 1518);
        assert_eq!(sent[12..18], [0x81, 0, 0x60, 5, 0x88, 0xb5]);
        assert_eq!(sent[18..], frame(1514)[14..]);
    });
}

#[test]
fn contexts_stay_until_replaced_and_go_with_their_frames() {
    with_ring(Accepts::empty(), |_, ring, wire| {
        let mut last = 0;
        for tag in 1..10u32 {
            // Both contexts, and frames that use them in turn.
            ring.context([14, 0, 0], 0, tag, 0);
            let kind = TX_DEXT | TX_TYPE_CONTEXT << TX_TYPE_SHIFT;
            ring.descriptor([14 << 9 | (tag + 100) << 16, 0, kind, 1 << TX_IDX_SHIFT]);
            ring.frame(&frame(64), TX_VLE, 0, 1);
            ring.frame(&frame(64), TX_VLE, 1 << TX_IDX_SHIFT, 1);
            last = ring.frame(&frame(64), TX_VLE, 0, 1);
        }
        ring.ring();
        ring.wait(last);
        let tags = wire.expect(27).into_iter().map(|(sent, _)| u16::from(sent[15]));
        let expected = (1..10).flat_map(|tag| [tag, tag + 100, tag]);
        assert_eq!(tags.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
    });
}

#[test]
fn nothing_is_fetched_before_a_tail_was_written_nor_after_disabling() {
    let machine = Machine::enabled();
    let wire = Wire::new(&machine, Accepts::empty());
    PfDriver::probe(&machine).open(0);
    let mut ring = TransmitRing::new(machine.pf(), TRANSMIT, 1);
    ring.frame(&frame(64), 0, 0, 1);
    ring.write(CONTROL, 0);
    assert_eq!(ring.read(CONTROL) & ENABLE, 0);
    ring.ring();
    ring.write(CONTROL, ENABLE);
    ring.write(CONTROL, 0);
    std::thread::sleep(std::time::Duration::from_millis(5));
    assert!(wire.take().is_empty());
    ring.write(CONTROL, ENABLE);
    ring.ring();
    wire.expect(1);
}

#[test]
fn frames_are_counted() {
    with_ring(Accepts::empty(), |machine, ring, wire| {
        ring.send(&frame(60));
        ring.send(&frame(1514));
        wire.expect(2);
        let registers = machine.pf();
        eventually("counters", || registers.read(0x87a0) == 2 || registers.read(0x4080) == 2);
    });
}

#[test]
fn a_rate_is_what_the_factor_says() {
    let machine = Machine::enabled();
    PfDriver::probe(&machine).open(0);
    let registers = machine.pf();
    // Linux: link speed << 14 / rate, in Mbit/s.
    for rate in [10u64, 100, 1000, 9999] {
        registers.write(RTTDQSEL, 5);
        registers.write(RTTBCNRC, 1 << 31 | ((10_000 << 14) / rate) as u32);
        let queue = crate::queue::QueueIndex::new(5).unwrap();
        let limit = crate::policy::rate(machine.nic.chip(), queue).unwrap().bits_per_second;
        assert!(limit.abs_diff(rate * 1_000_000) < rate * 10_000, "{rate}: {limit}");
    }
    registers.write(RTTBCNRC, 0);
    let queue = crate::queue::QueueIndex::new(5).unwrap();
    assert_eq!(crate::policy::rate(machine.nic.chip(), queue), None);
}
