//! The image, as drivers check and read it.

use super::*;

fn word(eeprom: &Eeprom, address: u32) -> u16 {
    eeprom.write(EERD, address << EERD_ADDRESS_SHIFT | EERD_START).unwrap();
    let answer = eeprom.read(EERD).unwrap();
    assert_eq!(answer & (EERD_DONE | EERD_START), EERD_DONE);
    (answer >> EERD_DATA_SHIFT) as u16
}

#[test]
fn words() {
    let eeprom = Eeprom::new(Model::default());
    let sum = (0..=0x3f).fold(0u16, |sum, address| sum.wrapping_add(word(&eeprom, address)));
    assert_eq!(sum, 0xbaba);
    let empty = (3..=0xf).chain([0x17, 0x1b, 0x26, 0x27, 0x28, 0x2b, 0x37]);
    empty.for_each(|address| assert_eq!(word(&eeprom, address), 0xffff, "{address:#x}"));
    assert_eq!(word(&eeprom, 0x2c), 0x0083);
    assert_eq!((word(&eeprom, 0x3ff), word(&eeprom, 0x3fff)), (0xffff, 0xffff));
    let size = eeprom.read(EEC).unwrap() >> EEC_SIZE_SHIFT & 0xf;
    assert_eq!(1 << (size + 6), WORDS);
}

/// What drivers look for on a card with an SFP+ cage.
#[test]
fn words_of_a_fiber_card() {
    let eeprom = Eeprom::new(Model::SfpPlus);
    let sum = (0..=0x3f).fold(0u16, |sum, address| sum.wrapping_add(word(&eeprom, address)));
    assert_eq!(sum, 0xbaba);
    let firmware = u32::from(word(&eeprom, 0x0f));
    assert_eq!(word(&eeprom, firmware + 2), 0xffff, "no link management");
    let patches = u32::from(word(&eeprom, firmware + 4));
    assert!(word(&eeprom, patches + 7) > 5, "the version");
    let mut entry = u32::from(word(&eeprom, 0x2b)) + 1;
    let mut kinds = Vec::new();
    while word(&eeprom, entry) != 0xffff {
        kinds.push(word(&eeprom, entry));
        let settings = u32::from(word(&eeprom, entry + 1));
        assert_eq!(word(&eeprom, settings + 1), 0xffff, "no setting");
        entry += 2;
    }
    assert_eq!(kinds, [3, 4, 5, 6]);
}

/// Who asks for the pins never gets them, and reading needs a start.
#[test]
fn registers() {
    let eeprom = Eeprom::new(Model::default());
    eeprom.write(EEC, u32::MAX).unwrap();
    let control = eeprom.read(EEC).unwrap();
    assert_eq!(control & (EEC_REQUEST | 1 << 7), EEC_REQUEST, "no grant");
    eeprom.write(EERD, 0x2c << EERD_ADDRESS_SHIFT).unwrap();
    assert_eq!(eeprom.read(EERD), Some(0));
    assert_eq!(eeprom.read(0), None);
}
