mod hostile;

use etherparse::PacketBuilder;
use pando_engine::{Accepts, Checksum, Offload, Segmentation, SegmentationKind};
use pando_pci::FunctionId;

use crate::identity::Model;
use crate::settings::NicConfig;
use crate::spec::descriptor::*;
use crate::spec::filter::*;
use crate::spec::general::*;
use crate::spec::queue::*;
use crate::spec::statistics::ROC;
use crate::testing::{Machine, PfDriver, ReceiveRing, TransmitRing, Wire, eventually};

const ONE_BUFFER: u32 = 1 << SRRCTL_TYPE_SHIFT | SRRCTL_DROP;
const KIB: u32 = 2;

/// The PF without VFs, promiscuous, with a receive ring as wanted, and a wire.
fn with_ring(srrctl: u32, control: u32, test: impl FnOnce(&Machine, &mut ReceiveRing<'_>, &Wire)) {
    let machine = Machine::enabled();
    let wire = Wire::new(&machine, Accepts::empty());
    PfDriver::probe(&machine).open(0);
    let registers = machine.pf();
    registers.modify(FCTRL, 0, FCTRL_UPE | FCTRL_MPE);
    registers.write(0x0_5000, 1 << 13);
    let mut ring = ReceiveRing::new(registers, RECEIVE_LOW, 1, 32, srrctl, control);
    test(&machine, &mut ring, &wire);
}

fn frame(len: usize) -> Vec<u8> {
    let mut frame = vec![2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 1, 0x88, 0xb5];
    frame.extend((14..len).map(|byte| (byte / 3) as u8));
    frame
}

/// A frame of TCP or UDP with right checksums.
fn packet(tcp: bool, payload: usize) -> Vec<u8> {
    let ip = PacketBuilder::ethernet2([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 9]).ipv4(
        [66, 9, 149, 187],
        [161, 142, 100, 80],
        64,
    );
    let (mut bytes, payload) = (Vec::new(), vec![0x5a; payload]);
    match tcp {
        true => ip.tcp(2794, 1766, 1, 1).write(&mut bytes, &payload),
        false => ip.udp(2794, 1766).write(&mut bytes, &payload),
    }
    .unwrap();
    bytes
}

#[test]
fn one_buffer_in_order_with_interrupts() {
    with_ring(ONE_BUFFER | KIB, 0, |machine, ring, wire| {
        machine.messages();
        for len in [60, 64, 65, 1000, 1514] {
            wire.send(&frame(len), Offload::default());
        }
        for len in [60, 64, 65, 1000, 1514] {
            let received = ring.next();
            assert_eq!(received.bytes, frame(len));
            let [info, hash, status, length] = received.descriptor;
            assert_eq!((info, hash, length), (0, 0, len as u32));
            assert_eq!(status, status::DD | status::EOP);
        }
        eventually("the head", || ring.registers.read(RECEIVE_LOW + HEAD) == 5);
        eventually("an interrupt", || machine.messages().contains(&0));
    });
}

#[test]
fn packet_type_hash_and_checksums() {
    with_ring(ONE_BUFFER | KIB, 0, |machine, ring, wire| {
        let key: [u8; 40] = std::array::from_fn(|byte| byte as u8 + 1);
        for (index, bytes) in (0..).zip(key.chunks(4)) {
            let dword = u32::from_le_bytes(bytes.try_into().unwrap());
            machine.pf().write(RSSRK + 4 * index, dword);
        }
        machine.pf().write(MRQC, 1 | 0xf3 << 16);
        let valid = Offload { checksum: Checksum::Valid, segmentation: None };
        for (tcp, kind, rss) in
            [(true, packet_type::TCP, rss_type::TCP4), (false, packet_type::UDP, rss_type::UDP4)]
        {
            let udp = if tcp { 0 } else { status::UDPCS };
            let good = status::DD | status::EOP | status::IPCS | status::L4CS | udp;
            for offload in [Offload::default(), valid] {
                wire.send(&packet(tcp, 100), offload);
                let received = ring.next();
                assert_eq!(received.bytes, packet(tcp, 100));
                assert_eq!(received.descriptor[0], packet_type::IPV4 | kind | rss);
                assert_ne!(received.descriptor[1], 0);
                assert_eq!(received.descriptor[2], good);
            }
            let mut wrong = packet(tcp, 100);
            wrong[60] ^= 1;
            wire.send(&wrong, Offload::default());
            assert_eq!(ring.next().descriptor[2], good | status::TCPE);
            let mut wrong = packet(tcp, 100);
            wrong[22] ^= 1;
            wire.send(&wrong, Offload::default());
            assert_eq!(ring.next().descriptor[2], good | status::IPE);
        }
        let mut none = packet(false, 100);
        none[40..42].fill(0);
        wire.send(&none, Offload::default());
        let status = ring.next().descriptor[2];
        assert_eq!(status, status::DD | status::EOP | status::IPCS, "UDP without a checksum");
    });
}

#[test]
fn unfinished_frames_arrive_finished() {
    with_ring(ONE_BUFFER | KIB, 0, |_, ring, wire| {
        let mut bytes = packet(true, 100);
        let pseudo = pando_engine::packet::sum(&bytes[26..34]) as u64 + 6 + 120;
        bytes[50..52].copy_from_slice(&pando_engine::packet::fold(pseudo).to_be_bytes());
        let checksum = Checksum::Partial { start: 34, offset: 16 };
        wire.send(&bytes, Offload { checksum, segmentation: None });
        let received = ring.next();
        assert_eq!(received.bytes, packet(true, 100));
        assert_ne!(received.descriptor[2] & status::L4CS, 0);
    });
}

/// What a driver with LRO does with it: `ixgbe_is_non_eop`, `ixgbe_set_rsc_gso_size`.
#[test]
fn segments_are_joined_where_wanted() {
    let mut long = packet(true, 10_000);
    long[47] |= 0x10;
    let kind = SegmentationKind::Tcp4;
    let segmentation = Some(Segmentation { kind, size: 1448, ecn: false });
    let offload = Offload { checksum: Checksum::Partial { start: 34, offset: 16 }, segmentation };
    let send = |control: u32, filter: u32, test: &dyn Fn(&mut ReceiveRing<'_>)| {
        with_ring(ONE_BUFFER | KIB, 0, |machine, ring, wire| {
            machine.pf().write(RECEIVE_LOW + RSCCTL, control);
            machine.pf().write(RFCTL, filter);
            wire.send(&long, offload);
            test(ring);
        });
    };
    send(RSCCTL_ENABLE | 3 << 2, 0, &|ring| {
        let (mut bytes, mut begun) = (Vec::new(), 0);
        for number in 0..5 {
            let received = ring.next();
            let [info, _, status, _] = received.descriptor;
            begun += (info >> RX_RSC_SHIFT & 0xf) - 1;
            match number {
                4 => assert_eq!(
                    status & 0xff,
                    status::DD | status::EOP | status::IPCS | status::L4CS
                ),
                _ => assert_eq!(status, status::DD | (number + 1) << RX_NEXT_SHIFT),
            }
            bytes.extend(received.bytes);
        }
        assert_eq!(begun, 7);
        bytes[50..52].copy_from_slice(&long[50..52]);
        assert_eq!(bytes, long);
    });
    for (control, filter) in [(0, 0), (RSCCTL_ENABLE, 0), (RSCCTL_ENABLE | 3 << 2, RFCTL_RSC_OFF)] {
        send(control, filter, &|ring| {
            for len in [1502, 1502, 1502, 1502, 1502, 1502, 54 + 10_000 - 6 * 1448] {
                let received = ring.next();
                assert_eq!(
                    (received.bytes.len(), received.descriptor[0] >> RX_RSC_SHIFT & 0xf),
                    (len, 0)
                );
            }
        });
    }
}

/// Frames of one delivery and more, with and without a tag that is stripped, summed in their head, on their way and in a copy.
#[test]
fn many_frames_are_reported_as_one_is() {
    let tagged = |mut packet: Vec<u8>| {
        packet.splice(12..12, [0x81, 0, 0, 9]);
        packet
    };
    let v6 = |payload: usize| {
        let builder = PacketBuilder::ethernet2([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 9]);
        let mut bytes = Vec::new();
        builder.ipv6([1; 16], [2; 16], 9).udp(1, 2).write(&mut bytes, &vec![7; payload]).unwrap();
        bytes
    };
    let lens = [10, 11, 25, 26, 700, 1399];
    let mut packets: Vec<_> = lens.iter().flat_map(|len| [packet(true, *len), v6(*len)]).collect();
    let with_tags: Vec<_> = packets.iter().cloned().map(tagged).collect();
    packets.extend(with_tags);
    with_ring(ONE_BUFFER | KIB, STRIP_VLAN, |_, ring, wire| {
        for wrong in [false, true] {
            for bytes in &packets {
                let mut bytes = bytes.clone();
                let last = bytes.len() - 1;
                bytes[last] ^= u8::from(wrong);
                bytes.extend([0xff; 3]); // padding isn't summed
                wire.send(&bytes, Offload::default());
            }
            for bytes in &packets {
                let received = ring.next();
                let is_tagged = bytes[12..14] == [0x81, 0];
                let mut expected = bytes.clone();
                let last = expected.len() - 1;
                expected[last] ^= u8::from(wrong);
                expected.extend([0xff; 3]);
                if is_tagged {
                    expected.drain(12..16);
                }
                let [_, _, status, length] = received.descriptor;
                assert_eq!(received.bytes, expected);
                assert_eq!(length >> 16, if is_tagged { 9 } else { 0 });
                assert_eq!(status & status::VP != 0, is_tagged);
                assert_eq!(status & (status::L4CS | status::DD | status::EOP), 0x23);
                assert_eq!(status & status::TCPE != 0, wrong, "{bytes:x?}");
            }
            ring.refill(if wrong { 56 } else { 32 }, 24);
        }
    });
}

#[test]
fn tags_are_stripped_where_wanted() {
    let mut tagged = frame(200);
    tagged.splice(12..12, [0x81, 0, 0xa0, 7]);
    with_ring(ONE_BUFFER | KIB, STRIP_VLAN, |_, ring, wire| {
        wire.send(&tagged, Offload::default());
        let received = ring.next();
        assert_eq!(received.bytes, frame(200));
        assert_eq!(received.descriptor[3], 0xa007 << 16 | 200);
        assert_ne!(received.descriptor[2] & status::VP, 0);
        wire.send(&frame(200), Offload::default());
        assert_eq!(ring.next().descriptor[2] & status::VP, 0);
    });
    with_ring(ONE_BUFFER | KIB, 0, |_, ring, wire| {
        wire.send(&tagged, Offload::default());
        let received = ring.next();
        assert_eq!((received.bytes, received.descriptor[3]), (tagged, 204));
        assert_eq!(received.descriptor[2] & status::VP, 0);
    });
}

#[test]
fn long_frames_over_several_buffers() {
    with_ring(ONE_BUFFER | 1, 0, |machine, ring, wire| {
        machine.pf().write(MAXFRS, 9018 << 16);
        machine.pf().modify(HLREG0, 0, 1 << 2);
        for len in [1024, 1025, 2048, 9000] {
            wire.send(&frame(len), Offload::default());
            let mut got = Vec::new();
            for buffer in 0..len.div_ceil(1024) {
                let received = ring.next();
                let last = buffer + 1 == len.div_ceil(1024);
                assert_eq!(received.descriptor[2] & status::EOP != 0, last);
                got.extend(received.bytes);
            }
            assert_eq!(got, frame(len));
        }
    });
}

#[test]
fn frames_that_are_too_long_are_counted_and_dropped() {
    with_ring(ONE_BUFFER | KIB, 0, |machine, ring, wire| {
        wire.send(&frame(1515), Offload::default());
        wire.send(&frame(60), Offload::default());
        assert_eq!(ring.next().bytes, frame(60));
        eventually("the counter", || machine.pf().read(0x40ac) == 1);
    });
}

#[test]
fn the_header_is_split_off() {
    let header = 4 << SRRCTL_HEADER_SHIFT;
    with_ring(2 << SRRCTL_TYPE_SHIFT | header | KIB, 0, |machine, ring, wire| {
        wire.send(&packet(true, 100), Offload::default());
        let received = ring.next();
        assert_eq!(received.bytes, packet(true, 100)[54..]);
        assert_eq!(machine.memory(ring.header(0), 54), packet(true, 100)[..54]);
        let info = received.descriptor[0];
        assert_eq!((info >> 31, info >> RX_HEADER_SHIFT & 0x3ff), (1, 54));
        wire.send(&frame(100), Offload::default());
        let received = ring.next();
        assert_eq!((received.bytes, received.descriptor[0] >> 31), (frame(100), 0), "no header");
    });
    with_ring(5 << SRRCTL_TYPE_SHIFT | 1 << SRRCTL_HEADER_SHIFT | KIB, 0, |machine, ring, wire| {
        wire.send(&frame(100), Offload::default());
        assert_eq!(ring.next().bytes, frame(100)[64..]);
        assert_eq!(machine.memory(ring.header(0), 64), frame(100)[..64]);
    });
}

#[test]
fn legacy_descriptors_as_ipxe_uses_them() {
    with_ring(SRRCTL_RESET, STRIP_VLAN, |_, ring, wire| {
        wire.send(&frame(100), Offload::default());
        let received = ring.next_legacy();
        assert_eq!(received.bytes, frame(100));
        assert_eq!(received.descriptor[2..], [100, legacy::DD | legacy::EOP]);
        wire.send(&packet(false, 10), Offload::default());
        let expected = legacy::DD | legacy::EOP | legacy::IPCS | legacy::L4CS;
        assert_eq!(ring.next_legacy().descriptor[3], expected);
    });
}

#[test]
fn the_check_sequence_stays_where_it_is_not_stripped() {
    with_ring(ONE_BUFFER | KIB, 0, |machine, ring, wire| {
        machine.pf().modify(HLREG0, HLREG0_RX_CRC_STRIP, 0);
        wire.send(&frame(100), Offload::default());
        let received = ring.next();
        assert_eq!(received.bytes.len(), 104);
        let mut crc = crate::transmit::Crc::ethernet();
        crc.add(&frame(100));
        assert_eq!(received.bytes[100..], crc.finish());
    });
}

#[test]
fn loopback_as_the_self_test_does_it() {
    let machine = Machine::enabled();
    let wire = Wire::new(&machine, Accepts::empty());
    PfDriver::probe(&machine).open(0);
    let registers = machine.pf();
    registers.write(MRQC, 0);
    registers.modify(HLREG0, 0, HLREG0_LOOPBACK);
    registers.modify(FCTRL, 0, FCTRL_BAM | FCTRL_MPE | 2);
    let mut transmit = TransmitRing::new(registers, TRANSMIT, 1);
    let mut receive = ReceiveRing::new(registers, RECEIVE_LOW, 2, 63, ONE_BUFFER | KIB, 0);
    let mut frame = vec![0xff; 1024];
    frame[6..12].copy_from_slice(&[2, 0, 0, 0, 0, 1]);
    for round in 0..18 {
        let mut last = 0;
        for number in 0..32 {
            frame[100] = number;
            last = transmit.frame(&frame, 0, 0, 1);
        }
        transmit.ring();
        transmit.wait(last);
        for number in 0..32 {
            let received = receive.next();
            frame[100] = number;
            assert_eq!(received.bytes, frame, "round {round}");
        }
        receive.refill(63 + 32 * round, 32);
    }
    assert!(wire.take().is_empty());
}

#[test]
fn without_buffers_frames_wait_a_while_and_are_then_dropped_and_counted() {
    for (drop, counter) in [(SRRCTL_DROP, 0x1430), (0, 0x3fa0)] {
        let srrctl = 1 << SRRCTL_TYPE_SHIFT | KIB | drop;
        with_ring(srrctl, 0, |machine, ring, wire| {
            for _ in 0..200 {
                wire.send(&frame(60), Offload::default());
            }
            (0..32).for_each(|_| assert_eq!(ring.next().bytes.len(), 60));
            let port = machine.switch.find("nic0").unwrap();
            let dropped = || -> u64 { port.receive_counters(0).report().drops.values().sum() };
            eventually("drops", || dropped() == 168);
            ring.refill(32, 31);
            wire.send(&frame(61), Offload::default());
            assert_eq!(ring.next().bytes.len(), 61);
            eventually("the counter", || machine.pf().read(counter) == 168);
        });
    }
}

#[test]
fn queues_of_an_x540_have_a_longest_frame_of_their_own() {
    for (model, longest) in [(Model::CombinedBackplane, 1514), (Model::BaseT, 1000)] {
        let machine = Machine::new(&NicConfig { model, ..NicConfig::default() });
        machine.enable(FunctionId::Pf);
        let (wire, registers) = (Wire::new(&machine, Accepts::empty()), machine.pf());
        registers.modify(FCTRL, 0, FCTRL_UPE);
        registers.write(RXCTRL, RXCTRL_ENABLE);
        let control = LONGEST_ENABLE | 1004;
        let mut ring = ReceiveRing::new(registers, RECEIVE_LOW, 1, 32, ONE_BUFFER | KIB, control);
        let lens = [60, 1000, 1001, 64, 1514, 100];
        lens.iter().for_each(|len| wire.send(&frame(*len), Offload::default()));
        for len in lens.into_iter().filter(|len| *len <= longest) {
            assert_eq!(ring.next().bytes, frame(len), "{model:?}");
        }
        let refused = lens.iter().filter(|len| **len > longest).count() as u32;
        eventually("refused frames are counted", || registers.read(ROC) == refused || refused == 0);
    }
}
