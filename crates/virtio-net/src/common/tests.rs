use proptest::prelude::*;

use super::*;

const OFFERED: Features = Features::VERSION_1.union(Features::MAC).union(Features::MQ);
const VECTORS: u16 = 6;

fn common() -> Common {
    Common::new(OFFERED, VECTORS, 5, 256)
}

/// A function whose features were accepted.
fn negotiated() -> Common {
    let mut common = common();
    write(&mut common, reg::DRIVER_FEATURE_SELECT, 4, 1);
    write(&mut common, reg::DRIVER_FEATURE, 4, 1);
    write(&mut common, reg::DEVICE_STATUS, 1, 0xb);
    assert_eq!(read(&common, reg::DEVICE_STATUS, 1), 0xb);
    common
}

fn read(common: &Common, offset: usize, width: usize) -> u64 {
    let mut data = [0; 8];
    common.read(offset, &mut data[..width], Live::default());
    u64::from_le_bytes(data)
}

fn write(common: &mut Common, offset: usize, width: usize, value: u64) -> Vec<Effect> {
    common.write(offset, &value.to_le_bytes()[..width])
}

/// Field, width, reset value, bits that keep what is written after FEATURES_OK.
const CONFORMANCE: [(usize, usize, u64, u64); 20] = [
    (reg::DEVICE_FEATURE_SELECT, 4, 0, 0xffff_ffff),
    (reg::DEVICE_FEATURE, 4, 0x40_0020, 0),
    (reg::DRIVER_FEATURE_SELECT, 4, 0, 0xffff_ffff),
    (reg::DRIVER_FEATURE, 4, 0, 0),
    (reg::CONFIG_MSIX_VECTOR, 2, 0xffff, 0x5),
    (reg::NUM_QUEUES, 2, 5, 0),
    (reg::DEVICE_STATUS, 1, 0, 0),
    (reg::CONFIG_GENERATION, 1, 0, 0),
    (reg::QUEUE_SELECT, 2, 0, 0x3),
    (reg::QUEUE_SIZE, 2, 256, 0xffff),
    (reg::QUEUE_MSIX_VECTOR, 2, 0xffff, 0x5),
    (reg::QUEUE_ENABLE, 2, 0, 1),
    (reg::QUEUE_NOTIFY_OFF, 2, 0, 0),
    (reg::QUEUE_DESC, 8, 0, u64::MAX),
    (reg::QUEUE_DRIVER, 8, 0, u64::MAX),
    (reg::QUEUE_DEVICE, 8, 0, u64::MAX),
    (56, 2, 0, 0),
    (reg::QUEUE_RESET, 2, 0, 0),
    (60, 2, 0, 0),
    (62, 2, 0, 0),
];

#[test]
fn fields_follow_each_other_without_a_gap() {
    let end = CONFORMANCE.iter().zip(FIELDS).fold(0, |at, (row, field)| {
        assert_eq!((row.0, row.1), field);
        assert_eq!(field.0, at);
        at + field.1
    });
    assert_eq!(end, reg::LENGTH);
}

#[test]
fn registers_reset_and_keep_as_the_table_says_at_every_width() {
    for (field, len, reset, _) in CONFORMANCE {
        for width in [1, 2, 4, 8] {
            for offset in field..field + len {
                let shown = read(&common(), offset, width);
                let bytes = (len - (offset - field)).min(width);
                let mask = if bytes == 8 { u64::MAX } else { (1 << (8 * bytes)) - 1 };
                assert_eq!(
                    shown & mask,
                    reset >> (8 * (offset - field)) & mask,
                    "{offset} {width}"
                );
            }
        }
    }
    for (field, len, _, kept) in CONFORMANCE.into_iter().filter(|row| row.3 != 0) {
        // Half a vector is an impossible one, and reads back so.
        let whole = field == reg::CONFIG_MSIX_VECTOR || field == reg::QUEUE_MSIX_VECTOR;
        let least = if whole { len } else { 1 };
        for width in [1, 2, 4, 8].into_iter().filter(|width| (least..=len).contains(width)) {
            let mut common = negotiated();
            write(&mut common, reg::QUEUE_ENABLE, 2, 0);
            for at in (0..len).step_by(width) {
                write(&mut common, field + at, width, kept >> (8 * at));
            }
            assert_eq!(read(&common, field, len), kept, "field {field} by {width}");
        }
    }
    for (field, len, ..) in CONFORMANCE.into_iter().filter(|row| row.3 == 0) {
        if field == reg::DEVICE_STATUS || field == reg::QUEUE_RESET {
            continue;
        }
        let mut common = negotiated();
        let before = read(&common, field, len);
        assert_eq!(write(&mut common, field, len, !before), []);
        assert_eq!(read(&common, field, len), before, "field {field} is read-only");
    }
}

#[test]
fn feature_words_beyond_the_second_read_zero() {
    let mut common = common();
    for (select, word) in [(0, OFFERED.bits() & 0xffff_ffff), (1, 1), (2, 0), (u32::MAX, 0)] {
        write(&mut common, reg::DEVICE_FEATURE_SELECT, 4, select.into());
        assert_eq!(read(&common, reg::DEVICE_FEATURE, 4), word);
    }
}

#[test]
fn only_impossible_features_are_refused() {
    let (version, mac) = (Features::VERSION_1.bits(), Features::MAC.bits());
    for (features, third_word, accepted) in [
        (version, 0, true),
        (version | mac, 0, true),
        (mac, 0, false),
        (version | 1, 0, false),
        (version, 1, false),
    ] {
        let mut common = common();
        for (select, word) in [(0, features), (1, features >> 32), (2, third_word), (3, 0)] {
            write(&mut common, reg::DRIVER_FEATURE_SELECT, 4, select);
            write(&mut common, reg::DRIVER_FEATURE, 4, word & 0xffff_ffff);
        }
        write(&mut common, reg::DEVICE_STATUS, 1, 0xb);
        assert_eq!(read(&common, reg::DEVICE_STATUS, 1), if accepted { 0xb } else { 3 });
        assert_eq!(write(&mut common, reg::DEVICE_STATUS, 1, 7).is_empty(), !accepted);
    }
}

#[test]
fn features_may_be_rewritten_until_they_are_accepted() {
    let mut common = common();
    write(&mut common, reg::DRIVER_FEATURE, 4, 0xffff_ffff);
    write(&mut common, reg::DRIVER_FEATURE, 4, 0x20);
    write(&mut common, reg::DRIVER_FEATURE_SELECT, 4, 1);
    write(&mut common, reg::DRIVER_FEATURE, 4, 1);
    assert_eq!(common.features(), Features::empty());
    write(&mut common, reg::DEVICE_STATUS, 1, 0xb);
    assert_eq!(common.features(), Features::MAC | Features::VERSION_1);
    write(&mut common, reg::DRIVER_FEATURE, 4, 0);
    assert_eq!(common.features(), Features::MAC | Features::VERSION_1);
}

#[test]
fn impossible_vectors_read_back_as_none() {
    let mut common = negotiated();
    for (vector, shown) in [(5, 5), (6, 0xffff), (0xfffe, 0xffff), (0, 0), (0xffff, 0xffff)] {
        let effects = write(&mut common, reg::QUEUE_MSIX_VECTOR, 2, vector);
        assert_eq!(effects, [Effect::QueueVector(0, shown)]);
        assert_eq!(read(&common, reg::QUEUE_MSIX_VECTOR, 2), u64::from(shown));
        assert_eq!(
            write(&mut common, reg::CONFIG_MSIX_VECTOR, 2, vector),
            [Effect::ConfigVector(shown)]
        );
        assert_eq!(read(&common, reg::CONFIG_MSIX_VECTOR, 2), u64::from(shown));
    }
}

#[test]
fn a_queue_that_is_not_there_reads_as_unavailable_and_takes_nothing() {
    let mut common = negotiated();
    write(&mut common, reg::QUEUE_SELECT, 2, 5);
    for (field, len) in FIELDS.into_iter().filter(|field| field.0 >= reg::QUEUE_SIZE) {
        assert_eq!(write(&mut common, field, len, 1), []);
        let expected = if field == reg::QUEUE_MSIX_VECTOR { 0xffff } else { 0 };
        assert_eq!(read(&common, field, len), expected);
    }
}

#[test]
fn an_enabled_queue_keeps_its_addresses_and_zero_resets_it() {
    let mut common = common();
    assert_eq!(write(&mut common, reg::QUEUE_ENABLE, 2, 1), []);
    assert_eq!(read(&common, reg::QUEUE_ENABLE, 2), 0, "not before FEATURES_OK");
    let mut common = negotiated();
    write(&mut common, reg::QUEUE_DESC, 4, 0x1000);
    write(&mut common, reg::QUEUE_DESC + 4, 4, 1);
    assert_eq!(write(&mut common, reg::QUEUE_ENABLE, 2, 1), []);
    write(&mut common, reg::QUEUE_DESC, 8, 0);
    write(&mut common, reg::QUEUE_SIZE, 2, 0);
    assert_eq!(read(&common, reg::QUEUE_DESC, 8), 0x1_0000_1000);
    assert_eq!(read(&common, reg::QUEUE_SIZE, 2), 256);
    assert_eq!(write(&mut common, reg::QUEUE_ENABLE, 2, 0), [Effect::ResetQueue(0)]);
    common.queue_was_reset(0);
    assert_eq!(*common.queue(0).unwrap(), QueueRegisters::new(256));
}

#[test]
fn status_only_grows_until_zero_resets() {
    let mut common = negotiated();
    write(&mut common, reg::DEVICE_STATUS, 1, 1);
    assert_eq!(read(&common, reg::DEVICE_STATUS, 1), 0xb);
    write(&mut common, reg::DEVICE_STATUS, 1, 0x40);
    assert_eq!(read(&common, reg::DEVICE_STATUS, 1), 0xb, "NEEDS_RESET is the device's");
    assert_eq!(write(&mut common, reg::DEVICE_STATUS, 1, 0xf), [Effect::Start]);
    assert_eq!(write(&mut common, reg::DEVICE_STATUS, 1, 0xf), []);
    let mut data = [0];
    common.read(reg::DEVICE_STATUS, &mut data, Live { needs_reset: true, generation: 0 });
    assert_eq!(data, [0x4f]);
    assert_eq!(write(&mut common, reg::DEVICE_STATUS, 1, 0), [Effect::Reset]);
    common.reset();
    for (field, len, reset, _) in CONFORMANCE {
        assert_eq!(read(&common, field, len), reset);
    }
}

proptest! {
    #[test]
    fn any_access_is_taken_and_vectors_stay_possible(
        accesses in prop::collection::vec((any::<bool>(), 0..80_usize, 0..4_u32, any::<u64>()), 0..200),
    ) {
        let mut common = common();
        for (is_write, offset, width, value) in accesses {
            let width = 1 << width;
            if is_write {
                for effect in write(&mut common, offset, width, value) {
                    match effect {
                        Effect::Reset => common.reset(),
                        Effect::ResetQueue(queue) => common.queue_was_reset(queue),
                        Effect::ConfigVector(vector) | Effect::QueueVector(_, vector) => {
                            prop_assert!(vector < VECTORS || vector == NO_VECTOR);
                        }
                        Effect::Start | Effect::StartQueue(_) => prop_assert!(common.is_live()),
                    }
                }
            } else {
                read(&common, offset, width);
            }
        }
    }
}
