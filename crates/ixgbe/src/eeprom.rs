//! The EEPROM: an image made at power-on, read word by word (82599 datasheet, 6.1 to 6.3, 8.2.3.2.1 and 8.2.3.2.2).
//!
//! No word of those the checksum follows points anywhere, so it covers words 0 to 3eh alone. Leaves out bit access (the request for
//! it is never granted), writing, firmware and the MAC address: drivers take that from receive address 0.

use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

use crate::identity::Model;
use crate::spec::general::*;

/// Words of the image.
const WORDS: usize = 1024;
/// Size code of EEC: 64 words times 2 to the power of this.
const SIZE: u32 = 4;

/// What isn't 0, of the words that count.
const CONTENT: [(usize, u16); 6] = [
    (0x15, 0xffff), // part number: none
    (0x16, 0xffff),
    (0x2c, 0x0083), // any SFP+, no FCoE, no crosstalk fix, no wake on LAN
    (0x2d, 0x0001), // image version
    (0x2e, 0x8000),
    (0x38, 0x0000),
];

/// Pointers to sections that aren't there, and words that mean nothing.
const EMPTY: [std::ops::RangeInclusive<usize>; 6] =
    [0x03..=0x0f, 0x17..=0x17, 0x1b..=0x1b, 0x26..=0x28, 0x2b..=0x2b, 0x37..=0x37];

/// What a card with an SFP+ cage has on top: how to set up cables and modules, and the version of a firmware that drivers ask for.
const FIBER: [(usize, u16); 20] = [
    (0x0f, FIRMWARE as u16),
    (0x2b, MODULES as u16),
    // Kinds of modules, each with where its settings are: copper and optics, at port 0 and at port 1.
    (MODULES, 8),
    (MODULES + 1, 3),
    (MODULES + 2, SETTINGS as u16),
    (MODULES + 3, 4),
    (MODULES + 4, SETTINGS as u16),
    (MODULES + 5, 5),
    (MODULES + 6, SETTINGS as u16),
    (MODULES + 7, 6),
    (MODULES + 8, SETTINGS as u16),
    (MODULES + 9, 0xffff),
    // Settings: none.
    (SETTINGS, 1),
    (SETTINGS + 1, 0xffff),
    // The firmware's block: no link management; patches, whose block holds the version.
    (FIRMWARE, 5),
    (FIRMWARE + 2, 0xffff),
    (FIRMWARE + 4, PATCHES as u16),
    (FIRMWARE + 5, 0xffff),
    (PATCHES, 8),
    (PATCHES + 7, 0x0006),
];

const MODULES: usize = 0x80;
const SETTINGS: usize = 0x90;
const FIRMWARE: usize = 0xa0;
const PATCHES: usize = 0xb0;

/// Where the checksum lies.
const CHECKSUM: usize = 0x3f;
/// What the words up to it add up to.
const SUM: u16 = 0xbaba;

/// The EEPROM and its registers.
pub(crate) struct Eeprom {
    image: Box<[u16]>,
    /// EERD, as a read shows it.
    answer: AtomicU32,
    /// EEC's writable bits.
    pins: AtomicU32,
}

impl Eeprom {
    /// The image of `model`.
    pub(crate) fn new(model: Model) -> Self {
        Self { image: image(model), answer: AtomicU32::new(0), pins: AtomicU32::new(0) }
    }

    /// Reads the register at `offset`; `None` if it isn't one of these.
    pub(crate) fn read(&self, offset: u32) -> Option<u32> {
        match offset {
            EEC => {
                let constant = EEC_PRESENT | EEC_AUTO_READ | SIZE << EEC_SIZE_SHIFT;
                Some(constant | self.pins.load(SeqCst))
            }
            EERD => Some(self.answer.load(SeqCst)),
            _ => None,
        }
    }

    /// Writes the register at `offset`; `None` if it isn't one of these.
    pub(crate) fn write(&self, offset: u32, value: u32) -> Option<()> {
        match offset {
            EEC => self.pins.store(value & EEC_REQUEST, SeqCst),
            EERD if value & EERD_START != 0 => {
                let address = value & 0xfffc;
                let word = self.word((address >> EERD_ADDRESS_SHIFT) as usize);
                self.answer.store(u32::from(word) << EERD_DATA_SHIFT | address | EERD_DONE, SeqCst);
            }
            EERD => {}
            _ => return None,
        }
        Some(())
    }

    /// Power-on state of the registers.
    pub(crate) fn reset(&self) {
        self.answer.store(0, SeqCst);
        self.pins.store(0, SeqCst);
    }

    fn word(&self, address: usize) -> u16 {
        self.image.get(address).copied().unwrap_or(u16::MAX)
    }
}

fn image(model: Model) -> Box<[u16]> {
    let mut image = vec![u16::MAX; WORDS];
    image[..CHECKSUM].fill(0);
    for words in EMPTY {
        image[words].fill(u16::MAX);
    }
    let fiber = if model == Model::SfpPlus { &FIBER[..] } else { &[] };
    for (address, word) in CONTENT.iter().chain(fiber) {
        image[*address] = *word;
    }
    let sum = image[..CHECKSUM].iter().fold(0u16, |sum, word| sum.wrapping_add(*word));
    image[CHECKSUM] = SUM.wrapping_sub(sum);
    image.into()
}

#[cfg(test)]
mod tests;
