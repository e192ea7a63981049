//! Clear on read, halves, slots, pools.

use super::*;
use crate::identity::Model;
use crate::spec::general::{HLREG0, HLREG0_RESET};
use crate::spec::statistics::*;
use crate::storage::Storage;

const BROADCAST: [u8; 6] = [0xff; 6];
const MULTICAST: [u8; 6] = [1, 0, 0x5e, 0, 0, 1];
const UNICAST: [u8; 6] = [2, 0, 0, 0, 0, 1];

fn queue(index: u32) -> QueueIndex {
    QueueIndex::new(index).unwrap()
}

fn tally(frames: &[(usize, [u8; 6])]) -> Tally {
    let mut tally = Tally::default();
    frames.iter().for_each(|(len, destination)| tally.add(*len, destination));
    tally
}

#[test]
fn reads_clear() {
    let (statistics, storage) = (Statistics::default(), Storage::new(Model::default()));
    let mapping = Mapping::new(&storage);
    let frames = tally(&[(60, UNICAST), (61, BROADCAST), (1514, MULTICAST), (1514, UNICAST)]);
    statistics.received_from_wire(&mapping, &frames);
    statistics.sent_to_wire(&frames);
    let expected = [
        (GPRC, 4),
        (BPRC, 1),
        (MPRC, 1),
        (TPR, 4),
        (PRC64, 1),
        (PRC64 + 4, 1),
        (PRC64 + 8, 0),
        (PRC64 + 20, 2),
        (GPTC, 4),
        (TPT, 4),
        (MPTC, 1),
        (BPTC, 1),
        (PTC64, 1),
        (PTC64 + 20, 2),
        (GORC, 60 + 61 + 2 * 1514),
        (GORC + 4, 0),
        (GOTC, 60 + 61 + 2 * 1514 + 16),
        (GOTC + 4, 0),
        (TOR, 60 + 61 + 2 * 1514 + 16),
        (TOR + 4, 0),
    ];
    for (offset, value) in expected {
        assert_eq!(statistics.read(offset), Some(value), "{offset:#x}");
        assert_eq!(statistics.read(offset), Some(0), "{offset:#x} again");
    }
}

/// The check sequence counts where it is kept.
#[test]
fn octets_with_check_sequence() {
    let (statistics, storage) = (Statistics::default(), Storage::new(Model::default()));
    storage.write(HLREG0, HLREG0_RESET & !2);
    let mapping = Mapping::new(&storage);
    let frames = tally(&[(100, UNICAST), (100, UNICAST)]);
    statistics.received_from_wire(&mapping, &frames);
    statistics.received(queue(0), Some(Pool(0)), &mapping, &frames);
    assert_eq!(statistics.read(GORC), Some(208));
    assert_eq!(statistics.read(TOR), Some(208));
    assert_eq!(statistics.read(QPRC + 4), Some(208));
    assert_eq!(statistics.read(PVFGORC_LOW), Some(208));
}

/// Low, then high, with frames in between: none is lost, none is counted twice.
#[test]
fn halves() {
    let octets = Octets::default();
    octets.add((5 << 32) + 7);
    assert_eq!(octets.take_low(), 7);
    octets.add((1 << 32) + 1);
    assert_eq!(octets.take_high(), 5);
    assert_eq!((octets.take_low(), octets.take_high()), (1, 1));
    octets.add(3 << 32);
    assert_eq!(octets.take_high(), 3, "high alone");
    assert_eq!((octets.take_low(), octets.take_high()), (0, 0));
}

#[test]
fn long_counts_stop_at_their_end() {
    let count = Count::default();
    count.add(u64::from(u32::MAX) + 5);
    assert_eq!(count.take(), u32::MAX);
    assert_eq!(count.take(), 0);
}

/// Every queue counts in the slot its byte says; after reset that is slot 0.
#[test]
fn slots() {
    let (statistics, storage) = (Statistics::default(), Storage::new(Model::default()));
    let mapping = Mapping::new(&storage);
    let frames = tally(&[(60, UNICAST)]);
    for index in [0, 77, 127] {
        statistics.received(queue(index), None, &mapping, &frames);
        statistics.transmitted(queue(index), None, &mapping, &frames);
        statistics.dropped(queue(index), &mapping, 2);
    }
    assert_eq!(statistics.read(QPRC), Some(3));
    assert_eq!(statistics.read(QPRC + 4), Some(180));
    assert_eq!(statistics.read(QPRDC), Some(6));
    assert_eq!(statistics.read(QPTC), Some(3));
    assert_eq!(statistics.read(QBTC), Some(192));
    assert_eq!(statistics.read(TXDGPC), Some(3));
    storage.write(RQSMR + 76, 0x0000_0f00);
    storage.write(TQSM + 76, 0x0000_0700);
    statistics.received(queue(77), None, &mapping, &frames);
    statistics.transmitted(queue(77), None, &mapping, &frames);
    assert_eq!(statistics.read(QPRC + 15 * 0x40), Some(1));
    assert_eq!(statistics.read(QPRC + 15 * 0x40 + 8), Some(0));
    assert_eq!(statistics.read(QPTC + 7 * 0x40), Some(1));
    assert_eq!(statistics.read(QBTC + 7 * 8), Some(64));
    assert_eq!(statistics.read(QBTC + 7 * 8 + 4), Some(0));
}

/// A pool's counters stay, and wrap at 32 and 36 bits; PF and VF see the same.
#[test]
fn pools() {
    let (statistics, storage) = (Statistics::default(), Storage::new(Model::default()));
    let mapping = Mapping::new(&storage);
    let mut frames = Tally::default();
    frames.add_equal(1 << 31, 1500, &MULTICAST);
    for _ in 0..2 {
        statistics.received(queue(10), Some(Pool(5)), &mapping, &frames);
        statistics.transmitted(queue(10), Some(Pool(5)), &mapping, &frames);
    }
    let pool = |counter| statistics.read_pool(Pool(5), counter);
    assert_eq!(pool(VfCounter::Received), 0, "2^32 frames");
    assert_eq!(pool(VfCounter::Multicasts), 0);
    assert_eq!(pool(VfCounter::Transmitted), 0);
    let octets = 1500u64 << 32;
    assert_eq!(pool(VfCounter::ReceivedOctetsHigh), (octets >> 32) as u32 & 0xf);
    assert_eq!(pool(VfCounter::TransmittedOctetsHigh), 1504 & 0xf);
    statistics.received(queue(10), Some(Pool(5)), &mapping, &tally(&[(60, UNICAST)]));
    for _ in 0..2 {
        assert_eq!(statistics.read(PVFGPRC + 5 * 0x40), Some(1), "not cleared");
        assert_eq!(statistics.read(PVFGORC_LOW + 5 * 0x40), Some(60));
        assert_eq!(statistics.read(PVFGORC_HIGH + 5 * 0x40), Some(1500 & 0xf));
    }
    assert_eq!(statistics.read(PVFMPRC + 5 * 0x40), Some(0));
    assert_eq!(statistics.read(PVFGPTC + 5 * 4), Some(0));
    assert_eq!(statistics.read(PVFGOTC + 5 * 8 + 4), Some(1504 & 0xf));
    statistics.clear();
    assert_eq!(pool(VfCounter::Received), 1, "a reset of the PF leaves them");
}

#[test]
fn the_rest() {
    let statistics = Statistics::default();
    statistics.missed(3);
    statistics.wrong_length(4, 5);
    statistics.spoofed(6);
    let values = [MPC, ROC, RUC, SSVPC].map(|offset| statistics.read(offset));
    assert_eq!(values, [Some(3), Some(4), Some(5), Some(6)]);
    statistics.spoofed(6);
    statistics.clear();
    assert_eq!(statistics.read(SSVPC), Some(0));
}

/// Whatever lies between the counters reads 0, and none of it is storage.
#[test]
fn what_is_claimed() {
    let statistics = Statistics::default();
    for offset in (0..0x2_0000).step_by(4) {
        if let Some(value) = statistics.read(offset) {
            assert_eq!(value, 0, "{offset:#x}");
            assert!(statistics.claims(offset), "{offset:#x}");
        } else {
            assert!(!statistics.claims(offset), "{offset:#x}");
        }
    }
}

#[test]
fn length_classes() {
    let lens = [60, 61, 123, 124, 251, 252, 507, 508, 1019, 1020, 1514, 9000];
    let classes = lens.map(|len| class(len + CRC));
    assert_eq!(classes, [0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 5]);
}
