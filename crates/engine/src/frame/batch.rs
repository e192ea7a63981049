//! The frames of one pass and their segments, where they are made from the pieces of a sender's buffers.

use arrayvec::ArrayVec;
use pando_tlp::read_array;
use vm_memory::VolatileSlice;

use super::{FRAMES, Frame, FrameRef, HEAD, Tagging, VLAN_TYPE};
use crate::Offload;

/// Segments in a batch at most, over all frames.
const SEGMENTS: usize = 1024;

/// Bytes of an IEEE 802.1Q tag.
const TAG: usize = 4;

/// Bytes of both addresses: a tag follows them.
const ADDRESSES: usize = 12;

/// The frames of one pass. Lives on the stack; its segments are valid while the pass's guard is held.
#[derive(Default)]
pub struct Batch<'g> {
    frames: ArrayVec<Frame, FRAMES>,
    segments: ArrayVec<VolatileSlice<'g>, SEGMENTS>,
    tagging: Tagging,
    group: u32,
    /// Something is still to be done to one of them.
    unfinished: bool,
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

    /// As [`push`](Self::push) for a frame in one piece.
    #[inline(always)] // an offload that was just put together is slow to copy
    pub fn push_piece(&mut self, piece: VolatileSlice<'g>, offload: Offload) -> bool {
        if piece.len() < HEAD || matches!(self.tagging, Tagging::Always(_)) {
            return self.push(&[piece], offload);
        }
        let len = piece.len();
        let Ok(rest) = piece.offset(HEAD) else { return false };
        if len > u32::MAX as usize || !self.has_room(1) {
            return false;
        }
        let first = self.segments.len();
        if !rest.is_empty() {
            self.segments.push(rest);
        }
        self.add(len, offload, [0; HEAD], HEAD, first);
        self.frames.last_mut().is_some_and(|frame| read_array(&piece, 0, &mut frame.head).is_some())
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
        self.unfinished |= offload != Offload::default() && !offload.needs().is_empty();
        self.frames.push(Frame {
            len: len as u32,
            offload,
            head,
            head_len: filled as u8,
            first_segment: first as u16,
            segments,
        });
    }

    /// Whether something is still to be done to one of the frames.
    #[inline]
    pub(crate) fn is_unfinished(&self) -> bool {
        self.unfinished
    }

    /// Bytes of frame number `index`; panics past the end.
    #[inline]
    pub fn len_of(&self, index: usize) -> u32 {
        self.frames[index].len
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
        self.unfinished = false;
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
    if let Ok(whole) = <&mut [u8; HEAD]>::try_from(&mut *head)
        && read_array(piece, 0, whole).is_some()
    {
        return HEAD;
    }
    piece.copy_to(head)
}
