use super::*;

fn bar(index: u8, size: u64, is_64bit: bool) -> Bar {
    Bar { index, size, is_64bit, prefetchable: false }
}

#[test]
fn bars_that_cannot_be_are_refused() {
    let refused = |bars: &[Bar]| Bars::new(bars, 128).is_err();
    assert!(refused(&[bar(6, 0x1000, false)]));
    assert!(refused(&[bar(5, 0x1000, true)]));
    assert!(refused(&[bar(0, 0x1001, false)]));
    assert!(refused(&[bar(0, 0, false)]));
    assert!(refused(&[bar(0, 64, false)]));
    assert!(refused(&[bar(0, 1 << 32, false)]));
    assert!(refused(&[bar(0, 1 << 63, true)]));
    assert!(refused(&[bar(0, 0x1000, true), bar(1, 0x1000, false)]));
    assert!(!refused(&[bar(0, 0x1000, true), bar(2, 1 << 31, false), bar(4, 1 << 62, true)]));
}

#[test]
fn registers_tell_size_and_kind() {
    let wide = Bar { prefetchable: true, ..bar(2, 1 << 33, true) };
    let registers = Bars::new(&[bar(0, 0x2000, false), wide], 128).unwrap().registers();
    assert_eq!(registers[0], Register::rw(0, 0xffff_e000));
    assert_eq!(registers[1], Register::ro(0));
    assert_eq!(registers[2], Register::rw(0xc, 0));
    assert_eq!(registers[3], Register::rw(0, 0xffff_fffe));
}
