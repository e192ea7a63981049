//! What the registers of a configuration space are: reset values and access rules, and the two capability lists that link
//! them (PCI Express base 6.0, 7.4, 7.5.1.1.11, 7.6.3). It holds no values: all VFs of a card share one layout.

use std::ops::Range;
use std::sync::Arc;

use crate::spec::header::{CAPABILITIES_POINTER, END, FIRST_CAPABILITY, FIRST_EXTENDED};

/// One dword of configuration space. A bit in none of the masks is read-only or reserved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Register {
    /// The value after power-on.
    pub(crate) reset: u32,
    /// Bits that take the value written (RW, 7.4).
    pub(crate) rw: u32,
    /// Bits that a written one clears (RW1C, 7.4).
    pub(crate) rw1c: u32,
    /// Bits that only a cold reset touches (RWS, RW1CS, ROS, 7.4).
    pub(crate) sticky: u32,
    /// Bits that belong to the link: a function level reset leaves them alone (6.6.2).
    pub(crate) link: u32,
}

impl Register {
    /// Read-only.
    pub(crate) const fn ro(value: u32) -> Self {
        Self { reset: value, rw: 0, rw1c: 0, sticky: 0, link: 0 }
    }

    /// Bits of `mask` are RW, the rest is read-only.
    pub(crate) const fn rw(reset: u32, mask: u32) -> Self {
        Self { rw: mask, ..Self::ro(reset) }
    }

    /// Adds RW1C bits.
    pub(crate) const fn with_rw1c(self, mask: u32) -> Self {
        Self { rw1c: mask, ..self }
    }

    /// Makes bits sticky.
    pub(crate) const fn with_sticky(self, mask: u32) -> Self {
        Self { sticky: mask, ..self }
    }

    /// Makes bits survive a function level reset.
    pub(crate) const fn with_link(self, mask: u32) -> Self {
        Self { link: mask, ..self }
    }
}

/// A capability of the list below 0x100. The low 16 bits of its first register (id, next) are the list's.
#[derive(Clone, Debug)]
pub(crate) struct Capability {
    pub(crate) id: u8,
    pub(crate) registers: Vec<Register>,
}

/// A capability of the list from 0x100. Its first register (header) is the list's.
#[derive(Clone, Debug)]
pub(crate) struct ExtendedCapability {
    pub(crate) id: u16,
    pub(crate) version: u8,
    pub(crate) registers: Vec<Register>,
}

/// Why capabilities can't be laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LayoutError {
    /// No room is left, or the wanted offset isn't in the range of its list or not a multiple of 4.
    #[error("capability {id:#x} doesn't fit at {offset:#x}")]
    NoRoom {
        /// Capability id.
        id: u16,
        /// Where it was to lie.
        offset: u16,
    },
    /// Two capabilities want the same bytes.
    #[error("capability {id:#x} at {offset:#x} overlaps another")]
    Overlap {
        /// Capability id.
        id: u16,
        /// Where it was to lie.
        offset: u16,
    },
    /// The extended list exists but doesn't begin at 0x100.
    #[error("the first extended capability must lie at 0x100")]
    NoFirstExtended,
}

/// The registers of one kind of function.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    registers: Vec<Register>,
}

impl Layout {
    /// The register at byte offset `register`; what no capability claims reads zero.
    pub(crate) fn register(&self, register: u16) -> Register {
        self.registers.get(usize::from(register / 4)).copied().unwrap_or_default()
    }

    /// Number of dwords up to the last one in use.
    pub(crate) fn dwords(&self) -> usize {
        self.registers.len()
    }
}

/// Links capabilities, in the order they are added, into a [`Layout`].
#[derive(Debug)]
pub(crate) struct LayoutBuilder {
    layout: Layout,
    used: Vec<Range<u16>>,
    last: Option<u16>,
    last_extended: Option<u16>,
}

impl LayoutBuilder {
    /// Begins with a header.
    pub(crate) fn new(header: [Register; 16]) -> Self {
        let header_range = 0..FIRST_CAPABILITY;
        let used = vec![header_range];
        Self {
            layout: Layout { registers: header.to_vec() },
            used,
            last: None,
            last_extended: None,
        }
    }

    /// Appends to the list below 0x100, at `fixed` or where it fits first; returns its offset.
    pub(crate) fn capability(
        &mut self,
        fixed: Option<u16>,
        capability: Capability,
    ) -> Result<u16, LayoutError> {
        let id = u16::from(capability.id);
        let list = FIRST_CAPABILITY..FIRST_EXTENDED;
        let offset = self.claim(id, fixed, list, capability.registers.len())?;
        self.place(offset, &capability.registers);
        self.register_mut(offset).reset |= u32::from(id);
        match self.last.replace(offset) {
            Some(previous) => self.register_mut(previous).reset |= u32::from(offset) << 8,
            None => self.register_mut(CAPABILITIES_POINTER).reset = u32::from(offset),
        }
        Ok(offset)
    }

    /// Appends to the list from 0x100, at `fixed` or where it fits first; returns its offset.
    pub(crate) fn extended(
        &mut self,
        fixed: Option<u16>,
        capability: ExtendedCapability,
    ) -> Result<u16, LayoutError> {
        let id = capability.id;
        let offset = self.claim(id, fixed, FIRST_EXTENDED..END, capability.registers.len())?;
        self.place(offset, &capability.registers);
        self.register_mut(offset).reset = u32::from(id) | u32::from(capability.version) << 16;
        match self.last_extended.replace(offset) {
            Some(previous) => self.register_mut(previous).reset |= u32::from(offset) << 20,
            None if offset == FIRST_EXTENDED => {}
            None => return Err(LayoutError::NoFirstExtended),
        }
        Ok(offset)
    }

    /// The finished layout.
    pub(crate) fn build(self) -> Arc<Layout> {
        Arc::new(self.layout)
    }

    fn claim(
        &mut self,
        id: u16,
        fixed: Option<u16>,
        list: Range<u16>,
        dwords: usize,
    ) -> Result<u16, LayoutError> {
        let len = u16::try_from(dwords * 4).unwrap_or(END);
        let free = |offset: u16| {
            let range = offset..offset.saturating_add(len);
            range.end <= list.end && !self.used.iter().any(|used| overlap(used, &range))
        };
        let offset = match fixed {
            Some(offset) if !list.contains(&offset) || offset % 4 != 0 => {
                return Err(LayoutError::NoRoom { id, offset });
            }
            Some(offset) if !free(offset) => return Err(LayoutError::Overlap { id, offset }),
            Some(offset) => offset,
            None => (list.start..list.end)
                .step_by(4)
                .find(|offset| free(*offset))
                .ok_or(LayoutError::NoRoom { id, offset: list.end })?,
        };
        self.used.push(offset..offset.saturating_add(len));
        Ok(offset)
    }

    fn place(&mut self, offset: u16, registers: &[Register]) {
        for (at, register) in (offset..).step_by(4).zip(registers) {
            *self.register_mut(at) = *register;
        }
    }

    fn register_mut(&mut self, register: u16) -> &mut Register {
        let registers = &mut self.layout.registers;
        let index = usize::from(register / 4);
        if registers.len() <= index {
            registers.resize(index + 1, Register::default());
        }
        &mut registers[index]
    }
}

fn overlap(a: &Range<u16>, b: &Range<u16>) -> bool {
    a.start < b.end && b.start < a.end
}

#[cfg(test)]
mod tests;
