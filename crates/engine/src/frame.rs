//! Frames of one pass over a queue: the first bytes as a stable copy, the rest where the sender has it.
//!
//! The sender can change its buffers at any time. What the switch decides by (addresses, tags) is therefore copied first, and
//! that copy is what the receiver gets; only what nobody decides by is copied straight from buffer to buffer.

mod batch;

use std::fmt;

use vm_memory::VolatileSlice;

pub use batch::Batch;

use crate::Offload;

/// Bytes of a frame that are copied out first. A frame this long or shorter has no segments.
pub const HEAD: usize = 64;

/// Frames in a batch at most.
pub(crate) const FRAMES: usize = 64;

/// The type in front of a tag.
const VLAN_TYPE: [u8; 2] = [0x81, 0x00];

/// An Ethernet address.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct MacAddress(pub [u8; 6]);

impl MacAddress {
    /// ff:ff:ff:ff:ff:ff.
    pub const BROADCAST: Self = Self([0xff; 6]);

    /// Whether it names a group (broadcast too).
    pub fn is_multicast(self) -> bool {
        self.0[0] & 1 != 0
    }
}

impl fmt::Display for MacAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl fmt::Debug for MacAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A VLAN id, 0 to 4095.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Vlan(pub u16);

/// What becomes of the tags that a batch's sender asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tagging {
    /// They are inserted.
    #[default]
    AsSent,
    /// Every frame gets this tag control information instead, in front of tags it has already.
    Always(u16),
    /// None is inserted.
    Never,
}

/// One frame of a batch, without its segments.
#[derive(Clone, Copy, Debug)]
pub struct Frame {
    /// Bytes from the destination address to the end of the payload.
    pub len: u32,
    /// What is still to be done to it.
    pub offload: Offload,
    head: [u8; HEAD],
    head_len: u8,
    first_segment: u16,
    segments: u16,
}

/// What the switch decides by: equal for two frames of one sender, it decides the same for both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Flow {
    /// The addresses and the type behind them, which may be a tag's.
    start: [u64; 2],
    /// With a tag: the type behind it.
    inner: u16,
}

/// A frame with its segments.
#[derive(Clone, Copy, Debug)]
pub struct FrameRef<'b, 'g> {
    frame: &'b Frame,
    /// What follows the head, in order; together as long as the rest of the frame.
    pub rest: &'b [VolatileSlice<'g>],
}

impl Frame {
    /// The first `min(len, HEAD)` bytes; a few less where a tag was taken out.
    #[inline]
    pub fn head(&self) -> &[u8] {
        &self.head[..usize::from(self.head_len).min(HEAD)]
    }

    /// The destination address.
    #[inline]
    pub fn destination(&self) -> MacAddress {
        MacAddress([
            self.head[0],
            self.head[1],
            self.head[2],
            self.head[3],
            self.head[4],
            self.head[5],
        ])
    }

    /// The source address.
    #[inline]
    pub fn source(&self) -> MacAddress {
        MacAddress([
            self.head[6],
            self.head[7],
            self.head[8],
            self.head[9],
            self.head[10],
            self.head[11],
        ])
    }

    /// The type of what follows the addresses and, if there is one, an IEEE 802.1Q tag.
    #[inline]
    pub fn ether_type(&self) -> u16 {
        let at = if self.head[12..14] == VLAN_TYPE { 16 } else { 12 };
        u16::from_be_bytes([self.head[at], self.head[at + 1]])
    }

    /// Both addresses, the tag and the type.
    #[inline]
    pub(crate) fn flow(&self) -> Flow {
        let ([first, second, third, ..], _) = self.head.as_chunks::<8>() else {
            return Flow { start: [0; 2], inner: 0 }; // a head is longer
        };
        let second = u64::from_le_bytes(*second);
        let tagged = (second >> 32) as u16 == u16::from_le_bytes(VLAN_TYPE);
        let (second, inner) = match tagged {
            false => (second & (u64::MAX >> 16), 0),
            true => (second, u16::from_le_bytes([third[0], third[1]])),
        };
        Flow { start: [u64::from_le_bytes(*first), second], inner }
    }

    /// The VLAN id of a frame with an IEEE 802.1Q tag; a priority tag (id 0) is no VLAN.
    #[inline]
    pub fn vlan(&self) -> Option<Vlan> {
        let id = u16::from_be_bytes([self.head[14], self.head[15]]) & 0xfff;
        (self.head[12..14] == [0x81, 0x00] && id != 0).then_some(Vlan(id))
    }
}

impl<'b> std::ops::Deref for FrameRef<'b, '_> {
    type Target = Frame;

    fn deref(&self) -> &Frame {
        self.frame
    }
}
