//! Frames of one pass over a queue: the first bytes as a stable copy, the rest where the sender has it.
//!
//! The sender can change its buffers at any time. What the switch decides by (addresses, tags) is therefore copied first, and
//! that copy is what the receiver gets; only what nobody decides by is copied straight from buffer to buffer.

use std::fmt;

use arrayvec::ArrayVec;
use vm_memory::{VolatileMemory, VolatileSlice};

use crate::Offload;

/// Bytes of a frame that are copied out first. A frame this long or shorter has no segments.
pub const HEAD: usize = 64;

/// Frames in a batch at most.
pub(crate) const FRAMES: usize = 64;

/// Segments in a batch at most, over all frames.
const SEGMENTS: usize = 1024;

/// Bytes of an IEEE 802.1Q tag.
const TAG: usize = 4;

/// Bytes of both addresses: a tag follows them.
const ADDRESSES: usize = 12;

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

/// A frame with its segments.
#[derive(Clone, Copy, Debug)]
pub struct FrameRef<'b, 'g> {
    frame: &'b Frame,
    /// What follows the head, in order; together as long as the rest of the frame.
    pub rest: &'b [VolatileSlice<'g>],
}

/// The frames of one pass. Lives on the stack; its segments are valid while the pass's guard is held.
#[derive(Default)]
pub struct Batch<'g> {
    frames: ArrayVec<Frame, FRAMES>,
    segments: ArrayVec<VolatileSlice<'g>, SEGMENTS>,
    tagging: Tagging,
    group: u32,
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

impl<'g> Batch<'g> {
    /// An empty batch.
    pub fn new() -> Self {
        Self::default()
    }

    /// Frames in it.
    #[inline]
    pub fn len(&self) -> usize {
        self.frames.len()
    }

    /// Whether there is none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// Whether another frame of `segments` segments fits.
    #[inline]
    pub fn has_room(&self, segments: usize) -> bool {
        self.frames.len() < FRAMES && self.segments.len() + segments <= SEGMENTS
    }

    /// An empty batch of frames that come from `group` (a card's number, see [`Policy`](crate::Policy)) and whose tags are
    /// treated so.
    pub(crate) fn of(group: u32, tagging: Tagging) -> Self {
        Self { group, tagging, ..Self::default() }
    }

    /// The group that its sender is in: frames of another group have come over the wire, as the receiver sees it.
    #[inline]
    pub fn group(&self) -> u32 {
        self.group
    }

    /// Adds a frame whose bytes are `pieces` in order. `false`, and nothing added, if it has fewer than 14 bytes or doesn't fit.
    #[inline]
    pub fn push(&mut self, pieces: &[VolatileSlice<'g>], offload: Offload) -> bool {
        match self.tagging {
            Tagging::Always(tag) => self.push_with_tag(pieces, offload, tag),
            _ => self.push_as_is(pieces, offload),
        }
    }

    /// As [`push`](Self::push), for a frame that is to get a tag with this control information in front of its type. Offsets in
    /// `offload` are those of the untagged frame.
    pub fn push_tagged(
        &mut self,
        pieces: &[VolatileSlice<'g>],
        offload: Offload,
        tag: u16,
    ) -> bool {
        match self.tagging {
            Tagging::AsSent => self.push_with_tag(pieces, offload, tag),
            Tagging::Always(tag) => self.push_with_tag(pieces, offload, tag),
            Tagging::Never => self.push_as_is(pieces, offload),
        }
    }

    #[inline]
    fn push_as_is(&mut self, pieces: &[VolatileSlice<'g>], offload: Offload) -> bool {
        let len: usize = pieces.iter().map(VolatileSlice::len).sum();
        if len < 14 || len > u32::MAX as usize || !self.has_room(pieces.len()) {
            return false;
        }
        let first = self.segments.len();
        self.add(len, offload, [0; HEAD], 0, first);
        // Filled where it lies: a head that was just written is slow to copy.
        let (frames, segments) = (&mut self.frames, &mut self.segments);
        if let Some(frame) = frames.last_mut() {
            frame.head_len = split(pieces, &mut frame.head, segments) as u8;
            frame.segments = (segments.len() - first) as u16;
        }
        true
    }

    fn push_with_tag(&mut self, pieces: &[VolatileSlice<'g>], offload: Offload, tag: u16) -> bool {
        let len: usize = pieces.iter().map(VolatileSlice::len).sum();
        if len < 14 || len > u32::MAX as usize - TAG || !self.has_room(pieces.len()) {
            return false;
        }
        let first_segment = self.segments.len();
        let mut untagged = [0; HEAD - TAG];
        let filled = split(pieces, &mut untagged, &mut self.segments);
        let mut head = [0; HEAD];
        let (addresses, rest) = untagged.split_at(ADDRESSES);
        head[..ADDRESSES].copy_from_slice(addresses);
        head[ADDRESSES..ADDRESSES + 2].copy_from_slice(&VLAN_TYPE);
        head[ADDRESSES + 2..ADDRESSES + TAG].copy_from_slice(&tag.to_be_bytes());
        head[ADDRESSES + TAG..].copy_from_slice(rest);
        self.add(len + TAG, offload.moved(TAG as i16), head, filled + TAG, first_segment);
        true
    }

    /// Adds `frame`, of any batch, without its tag. `false`, and nothing added, if it doesn't fit.
    pub(crate) fn push_stripped(&mut self, frame: FrameRef<'_, 'g>) -> bool {
        if !self.has_room(frame.rest.len()) {
            return false;
        }
        let first_segment = self.segments.len();
        self.segments.extend(frame.rest.iter().copied());
        let (mut head, len, filled) = (frame.head, frame.len as usize, frame.head().len());
        if head[ADDRESSES..ADDRESSES + 2] != VLAN_TYPE || filled < ADDRESSES + TAG + 2 {
            self.add(len, frame.offload, head, filled, first_segment);
            return true;
        }
        head.copy_within(ADDRESSES + TAG.., ADDRESSES);
        let offload = frame.offload.moved(-(TAG as i16));
        self.add(len - TAG, offload, head, filled - TAG, first_segment);
        true
    }

    #[inline]
    fn add(&mut self, len: usize, offload: Offload, head: [u8; HEAD], filled: usize, first: usize) {
        let segments = (self.segments.len() - first) as u16;
        self.frames.push(Frame {
            len: len as u32,
            offload,
            head,
            head_len: filled as u8,
            first_segment: first as u16,
            segments,
        });
    }

    /// Frame number `index`; panics past the end, as a slice does.
    #[inline]
    pub fn frame(&self, index: usize) -> FrameRef<'_, 'g> {
        let frame = &self.frames[index];
        let first = usize::from(frame.first_segment);
        FrameRef { frame, rest: &self.segments[first..first + usize::from(frame.segments)] }
    }

    /// All frames, in order.
    pub fn iter(&self) -> impl Iterator<Item = FrameRef<'_, 'g>> {
        (0..self.len()).map(|index| self.frame(index))
    }

    /// Empties it.
    pub fn clear(&mut self) {
        self.frames.clear();
        self.segments.clear();
    }
}

/// Copies the first bytes of `pieces` into `head` and makes segments of the others; returns how many bytes that were.
#[inline]
fn split<'g>(
    pieces: &[VolatileSlice<'g>],
    head: &mut [u8],
    segments: &mut ArrayVec<VolatileSlice<'g>, SEGMENTS>,
) -> usize {
    let mut filled = 0;
    for piece in pieces {
        let copied = copy_head(piece, &mut head[filled..]);
        filled += copied;
        if copied < piece.len()
            && let Ok(rest) = piece.offset(copied)
        {
            segments.push(rest);
        }
    }
    filled
}

/// Copies the first bytes of `piece` into `head`; returns how many that were. A whole head out of one piece takes no call.
#[inline]
fn copy_head(piece: &VolatileSlice<'_>, head: &mut [u8]) -> usize {
    let len = head.len();
    let (words, rest) = head.as_chunks_mut::<8>();
    if !rest.is_empty() || piece.len() < len {
        return piece.copy_to(head);
    }
    let mut copied = 0;
    for word in words {
        let Ok(source) = piece.get_ref::<u64>(copied) else { break };
        *word = source.load().to_ne_bytes();
        copied += size_of::<u64>();
    }
    copied
}
