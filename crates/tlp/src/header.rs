//! The header of a memory request as it would stand on the wire (PCI Express base 6.0, 2.2.1, 2.2.5, 2.2.7.1; non-flit mode),
//! for header logs.
//!
//! Left out: TLP prefixes, attributes, traffic classes, tags: all zero, because nothing here has them.

use crate::{Access, Marks, RequesterId};

/// Max_Payload_Size of the tree in bytes: what a write puts into its first TLP.
const PAYLOAD: u64 = 128;
/// Max_Read_Request_Size in bytes: what a read asks for in its first TLP.
const READ_REQUEST: u64 = 512;
/// No request crosses such a boundary (2.2.7).
const PAGE: u64 = 4096;

const WRITE: u32 = 1 << 30;
const FOUR_DWORDS: u32 = 1 << 29;
/// Fmt with data, type 0 1010b.
const COMPLETION: u32 = 0x4a00_0000;
const POISONED: u32 = 1 << 14;
const TRANSLATED: u32 = 0b10 << 10;

/// Four dwords in the order of the wire, byte 0 in bits 31:24 of the first: the way a Header Log shows them (7.8.4.8).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct TlpHeader(pub [u32; 4]);

impl TlpHeader {
    /// The first request of an access of `len` bytes at `address`.
    pub fn memory(
        requester: RequesterId,
        access: Access,
        address: u64,
        len: u64,
        marks: Marks,
    ) -> Self {
        let most = if access == Access::Write { PAYLOAD } else { READ_REQUEST };
        let len = len.clamp(1, most - address % 4).min(PAGE - address % PAGE);
        let (first, last) = byte_enables(address, len);
        let dwords = (address % 4 + len).div_ceil(4) as u32;
        let wide = address > u64::from(u32::MAX);
        let mut start = dwords & 0x3ff;
        start |= if access == Access::Write { WRITE } else { 0 };
        start |= if wide { FOUR_DWORDS } else { 0 };
        start |= if marks.poisoned { POISONED } else { 0 };
        start |= if marks.translated { TRANSLATED } else { 0 };
        let low = address as u32 & !3;
        let ends = if wide { [(address >> 32) as u32, low] } else { [low, 0] };
        Self([start, u32::from(requester.0) << 16 | last << 4 | first, ends[0], ends[1]])
    }

    /// The completion with data of a read of `len` bytes at `address` (2.2.9): it succeeded, and all comes in one.
    pub fn completion(
        completer: RequesterId,
        requester: RequesterId,
        address: u64,
        len: u64,
    ) -> Self {
        let len = len.clamp(1, PAGE - address % 4);
        let dwords = (address % 4 + len).div_ceil(4) as u32;
        let second = u32::from(completer.0) << 16 | len as u32 & 0xfff;
        let third = u32::from(requester.0) << 16 | address as u32 & 0x7f;
        Self([COMPLETION | dwords & 0x3ff, second, third, 0])
    }

    /// Whether it is a write, for which nobody waits.
    pub fn is_posted(&self) -> bool {
        self.0[0] & WRITE != 0
    }
}

/// Byte enables of the first and of the last dword; those of the last are zero where there is only one (2.2.5).
fn byte_enables(address: u64, len: u64) -> (u32, u32) {
    let end = address % 4 + len;
    let first = 0xf << (address % 4) & 0xf;
    let last = 0xf >> ((4 - end % 4) % 4);
    if end <= 4 { (first & last, 0) } else { (first, last) }
}

#[cfg(test)]
mod tests;
