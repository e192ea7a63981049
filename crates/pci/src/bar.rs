//! Base Address Registers: what they look like, and the range they decode (PCI Express base 6.0, 7.5.1.2.1; VF BARs: 9.3.3.14).
//!
//! Not implemented: I/O BARs, resizable BARs.

use pando_tlp::Gpa;

use crate::config_space::ConfigSpace;
use crate::error::ConfigError;
use crate::layout::Register;
use crate::spec::header::{BAR_64BIT, BAR_PREFETCHABLE};

/// A memory BAR.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bar {
    /// Its number, 0 to 5; a 64-bit BAR takes the next one too.
    pub index: u8,
    /// Size in bytes, a power of two. Of a VF BAR: the size of one VF.
    pub size: u64,
    /// Whether it takes 64-bit addresses.
    pub is_64bit: bool,
    /// Whether reads have no side effects and writes may be merged.
    pub prefetchable: bool,
}

/// The six BAR registers of a function, or the six VF BARs.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Bars([Option<Bar>; 6]);

impl Bars {
    /// Checks that the BARs can be, each at least `smallest` bytes.
    pub(crate) fn new(bars: &[Bar], smallest: u64) -> Result<Self, ConfigError> {
        let mut taken = [false; 6];
        let mut all = [None; 6];
        for bar in bars {
            let wrong = |reason| ConfigError::Bar { index: bar.index, reason };
            let index = usize::from(bar.index);
            let last = index + usize::from(bar.is_64bit);
            if last >= all.len() {
                return Err(wrong("there are six BAR registers, and a 64-bit BAR takes two"));
            }
            if !bar.size.is_power_of_two() || bar.size < smallest {
                return Err(wrong("the size must be a power of two and not too small"));
            }
            if bar.size > 1 << if bar.is_64bit { 62 } else { 31 } {
                return Err(wrong("the size is too large for its width"));
            }
            if taken[index..=last].contains(&true) {
                return Err(wrong("two BARs take the same register"));
            }
            taken[index..=last].fill(true);
            all[index] = Some(*bar);
        }
        Ok(Self(all))
    }

    /// The BAR of this number.
    pub(crate) fn get(&self, index: u8) -> Option<Bar> {
        self.0.get(usize::from(index)).copied().flatten()
    }

    /// All BARs.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Bar> {
        self.0.iter().flatten().copied()
    }

    /// The registers.
    pub(crate) fn registers(&self) -> [Register; 6] {
        let mut registers = [Register::default(); 6];
        for bar in self.iter() {
            let index = usize::from(bar.index);
            let kind = if bar.is_64bit { BAR_64BIT } else { 0 }
                | if bar.prefetchable { BAR_PREFETCHABLE } else { 0 };
            let mask = (bar.size - 1) ^ u64::MAX;
            registers[index] = Register::rw(kind, mask as u32);
            if bar.is_64bit {
                registers[index + 1] = Register::rw(0, (mask >> 32) as u32);
            }
        }
        registers
    }
}

impl Bar {
    /// The address in its register, `first` being the offset of BAR 0's.
    pub(crate) fn address(&self, space: &ConfigSpace, first: u16) -> u64 {
        let register = first + 4 * u16::from(self.index);
        let low = u64::from(space.read(register) & !0xf);
        let high = if self.is_64bit { u64::from(space.read(register + 4)) } else { 0 };
        high << 32 | low
    }

    /// The range of `len` bytes from its address; `None` if it would reach the end of the space.
    pub(crate) fn range(&self, space: &ConfigSpace, first: u16, len: u64) -> Option<(Gpa, u64)> {
        let base = self.address(space, first);
        base.checked_add(len)?;
        (len != 0).then_some((Gpa(base), len))
    }
}

#[cfg(test)]
mod tests;
