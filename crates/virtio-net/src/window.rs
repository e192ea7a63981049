//! The window in configuration space onto a function's structures (virtio 1.3, 4.1.4.9): for drivers that can't reach its BARs.

use crate::layout::{REGISTERS, window as at};

/// What the window shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Window {
    bar: u8,
    offset: u32,
    length: u32,
}

impl Window {
    /// As the capability's bytes say now.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let dword = |at: usize| {
            let bytes = bytes.get(at..).and_then(|bytes| bytes.first_chunk::<4>());
            bytes.map_or(0, |bytes| u32::from_le_bytes(*bytes))
        };
        Self {
            bar: bytes.get(at::BAR).copied().unwrap_or(0),
            offset: dword(at::OFFSET),
            length: dword(at::LENGTH),
        }
    }

    /// Offset and length of the access, if it is one: 1, 2 or 4 bytes, aligned, in the BAR of the structures.
    pub(crate) fn access(self) -> Option<(u64, usize)> {
        let valid = self.bar == REGISTERS
            && matches!(self.length, 1 | 2 | 4)
            && self.offset.is_multiple_of(self.length);
        valid.then_some((self.offset.into(), self.length as usize))
    }
}
