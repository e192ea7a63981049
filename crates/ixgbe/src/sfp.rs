//! The SFP+ cage of a fiber card, with a passive copper cable in it (82599 datasheet, 8.2.3.1.5; module memory: SFF-8472, 4 and 5).
//!
//! Such a cable says 10 Gbit/s and nothing else, so drivers never hunt for a speed. Leaves out diagnostics and an empty cage.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::i2c::Memory;
use crate::spec::general::I2CCTL;

/// I2CCTL: the clock wire as it is.
const CLOCK_IN: u32 = 1 << 0;
/// I2CCTL: the clock wire as the driver drives it.
const CLOCK_OUT: u32 = 1 << 1;
/// I2CCTL: the data wire as it is.
const DATA_IN: u32 = 1 << 2;
/// I2CCTL: the data wire as the driver drives it.
const DATA_OUT: u32 = 1 << 3;

/// The cage.
pub(crate) struct Cage(Mutex<State>);

struct State {
    memory: Memory,
    /// I2CCTL's driven wires.
    driven: u32,
}

impl Cage {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(State { memory: Memory::new(cable()), driven: 0 }))
    }

    /// Reads the register at `offset`; `None` if it isn't this one's.
    pub(crate) fn read(&self, offset: u32) -> Option<u32> {
        if offset != I2CCTL {
            return None;
        }
        let state = self.lock();
        let clock = if state.driven & CLOCK_OUT != 0 { CLOCK_IN } else { 0 };
        Some(state.driven | clock | if state.memory.data() { DATA_IN } else { 0 })
    }

    /// Writes the register at `offset`; `None` if it isn't this one's.
    pub(crate) fn write(&self, offset: u32, value: u32) -> Option<()> {
        if offset != I2CCTL {
            return None;
        }
        let mut state = self.lock();
        state.driven = value & (CLOCK_OUT | DATA_OUT);
        state.memory.drive(value & CLOCK_OUT != 0, value & DATA_OUT != 0);
        Some(())
    }

    /// Both wires low, as after power-on.
    pub(crate) fn reset(&self) {
        let mut state = self.lock();
        state.driven = 0;
        state.memory = Memory::new(cable());
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The memory of a passive cable of one metre.
fn cable() -> [u8; 256] {
    let mut bytes = [0; 256];
    let mut put = |at: usize, part: &[u8]| bytes[at..at + part.len()].copy_from_slice(part);
    put(0, &[0x03, 0x04, 0x21]); // SFP+, two-wire id, copper pigtail
    put(8, &[0x04]); // passive
    put(11, &[0x00, 103]); // encoding not said, 10.3 Gbit/s
    put(18, &[1]); // metre
    put(20, b"Pando           ");
    put(37, &[0x02, 0x00, 0x00]); // locally administered
    put(40, b"Cable           ");
    put(56, b"1   ");
    put(68, b"0000000000000001");
    put(84, b"250101  ");
    let sum = |bytes: &[u8]| bytes.iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte));
    bytes[63] = sum(&bytes[..63]);
    bytes[95] = sum(&bytes[64..95]);
    bytes
}

#[cfg(test)]
mod tests;
