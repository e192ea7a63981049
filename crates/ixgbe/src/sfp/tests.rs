//! The cage, by its register, as a driver moves the bits.

use super::*;

/// Writes the register after changing `bits`; its new value.
fn set(cage: &Cage, bits: u32, on: bool) -> u32 {
    let old = cage.read(I2CCTL).unwrap();
    cage.write(I2CCTL, if on { old | bits } else { old & !bits }).unwrap();
    cage.read(I2CCTL).unwrap()
}

fn clock_bit(cage: &Cage, data: bool) -> bool {
    set(cage, DATA_OUT, data);
    assert_ne!(set(cage, CLOCK_OUT, true) & CLOCK_IN, 0);
    let seen = cage.read(I2CCTL).unwrap() & DATA_IN != 0;
    set(cage, CLOCK_OUT, false);
    seen
}

fn start(cage: &Cage) {
    set(cage, DATA_OUT, true);
    set(cage, CLOCK_OUT, true);
    set(cage, DATA_OUT, false);
    set(cage, CLOCK_OUT, false);
}

fn put(cage: &Cage, byte: u8) {
    (0..8).rev().for_each(|bit| _ = clock_bit(cage, byte >> bit & 1 != 0));
    assert!(!clock_bit(cage, true), "acknowledged");
}

fn byte(cage: &Cage, address: u8) -> u8 {
    start(cage);
    put(cage, 0xa0);
    put(cage, address);
    start(cage);
    put(cage, 0xa1);
    let value = (0..8).fold(0, |value, _| value << 1 | u8::from(clock_bit(cage, true)));
    clock_bit(cage, true);
    set(cage, DATA_OUT, false);
    set(cage, CLOCK_OUT, true);
    set(cage, DATA_OUT, true);
    value
}

/// What drivers decide by.
#[test]
fn identification() {
    let cage = Cage::new();
    let expected = [(0, 0x03), (3, 0), (6, 0), (8, 0x04), (0x5c, 0), (0x5e, 0)];
    for (address, value) in expected {
        assert_eq!(byte(&cage, address), value, "{address:#x}");
    }
    let all: Vec<u8> = (0..96).map(|address| byte(&cage, address)).collect();
    let sum = |range: std::ops::Range<usize>| {
        all[range].iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte))
    };
    assert_eq!((sum(0..63), sum(64..95)), (all[63], all[95]));
    assert_eq!(&all[20..25], b"Pando");
}
