//! Puts a frame's bytes into buffers, one after the other: without its tag, with its check sequence, or as it is.

use pando_engine::FrameRef;
use pando_tlp::{Access, DmaView, Fault, Guard, Iova};
use vm_memory::VolatileSlice;

/// Where an IEEE 802.1Q tag lies.
const TAG: std::ops::Range<usize> = 12..16;

/// What is still to be written of a frame: the addresses, the rest of the head, what follows it, the check sequence.
pub(super) struct Source<'s, 'f> {
    parts: [&'s [u8]; 2],
    rest: &'s [VolatileSlice<'f>],
    trailer: &'s [u8],
    /// The part in hand, and how many bytes of it are written.
    part: usize,
    offset: usize,
}

impl<'s, 'f> Source<'s, 'f> {
    /// `frame` without its tag if `strips`, followed by `trailer`; from `copy` if it was copied.
    pub(super) fn new(
        frame: &'s FrameRef<'_, 'f>,
        copy: Option<&'s [u8]>,
        strips: bool,
        trailer: &'s [u8],
    ) -> Self {
        let (head, rest) = match copy {
            Some(copy) => (copy, &[][..]),
            None => (frame.head(), frame.rest),
        };
        let after = if strips { TAG.end } else { TAG.start };
        let parts = [&head[..TAG.start.min(head.len())], head.get(after..).unwrap_or_default()];
        Self { parts, rest, trailer, part: 0, offset: 0 }
    }

    /// Writes the next `len` bytes, or what is left, to `address`. What can't be written is lost, as a posted write is.
    pub(super) fn write(
        &mut self,
        view: &mut DmaView,
        guard: &Guard<'_>,
        address: Iova,
        len: usize,
    ) -> Result<(), Fault> {
        let (mut address, mut left) = (Some(address), len);
        while left > 0 {
            let found = address.ok_or(Fault::UnsupportedRequest);
            match found.and_then(|address| view.slice(guard, address, left, Access::Write)) {
                Ok(room) => {
                    self.fill(room);
                    left -= room.len();
                    address = address.and_then(|address| address.checked_add(room.len() as u64));
                }
                Err(Fault::Gated) => return Err(Fault::Gated),
                Err(_) => {
                    self.skip(left);
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn fill(&mut self, mut room: VolatileSlice<'_>) {
        while !room.is_empty() {
            let copied = match self.now() {
                Part::Bytes(bytes) => {
                    let count = bytes.len().min(room.len());
                    room.copy_from(&bytes[..count]);
                    count
                }
                Part::Segment(segment) => {
                    let count = segment.len().min(room.len());
                    segment.copy_to_volatile_slice(room);
                    count
                }
                Part::End => return,
            };
            self.offset += copied;
            match room.offset(copied) {
                Ok(left) => room = left,
                Err(_) => return,
            }
        }
    }

    /// Leaves out the next `bytes` bytes.
    pub(super) fn skip(&mut self, mut bytes: usize) {
        while bytes > 0 {
            let len = match self.now() {
                Part::Bytes(bytes) => bytes.len(),
                Part::Segment(segment) => segment.len(),
                Part::End => return,
            };
            let count = len.min(bytes);
            self.offset += count;
            bytes -= count;
        }
    }

    /// What is left of the part in hand, which isn't empty.
    fn now(&mut self) -> Part<'s, 'f> {
        loop {
            let (part, len) = match self.part {
                part @ 0..2 => (Part::Bytes(self.parts[part]), self.parts[part].len()),
                part if part - 2 < self.rest.len() => {
                    let segment = self.rest[part - 2];
                    (Part::Segment(segment), segment.len())
                }
                part if part - 2 == self.rest.len() => {
                    (Part::Bytes(self.trailer), self.trailer.len())
                }
                _ => return Part::End,
            };
            if self.offset < len {
                return part.from(self.offset);
            }
            (self.part, self.offset) = (self.part + 1, 0);
        }
    }
}

/// A part of a frame.
enum Part<'s, 'f> {
    Bytes(&'s [u8]),
    Segment(VolatileSlice<'f>),
    End,
}

impl<'s, 'f> Part<'s, 'f> {
    fn from(self, offset: usize) -> Self {
        match self {
            Self::Bytes(bytes) => Self::Bytes(bytes.get(offset..).unwrap_or_default()),
            Self::Segment(segment) => segment.offset(offset).map_or(Self::End, Self::Segment),
            Self::End => Self::End,
        }
    }
}
