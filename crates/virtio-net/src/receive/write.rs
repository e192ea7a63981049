//! How a frame is written into receive buffers: header, head, the rest (virtio 1.3, 5.1.6.4).

use std::sync::Arc;

use arrayvec::ArrayVec;
use pando_engine::ring::Writer;
use pando_engine::vnet::VnetHeader;
use pando_engine::{Accepts, Checksum, FrameRef, HEAD, Offload, Rss};
use pando_tlp::write_array;
use vm_memory::VolatileSlice;
use zerocopy::IntoBytes;

use crate::hashing::report;
use crate::shared::Shared;
use crate::spec::{Features, HASH_HEADER};

/// A frame's header.
pub(super) type Header = ArrayVec<u8, HASH_HEADER>;

/// What headers say, and how long they are.
pub(super) struct Headers {
    len: usize,
    accepts: Accepts,
    rss: Option<Arc<Rss>>,
}

impl Headers {
    pub(super) fn new(features: Features) -> Self {
        Self { len: features.header_len(), accepts: Accepts::empty(), rss: None }
    }

    /// The length of each in bytes.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// What the driver has set, for the frames of one pass.
    #[inline]
    pub(super) fn follow(&mut self, shared: &Shared) {
        self.accepts = shared.accepts();
        if self.has_report() {
            shared.follow_rss(&mut self.rss);
        }
    }

    /// The header of a frame in `buffers` buffers.
    pub(super) fn of(&self, frame: &FrameRef<'_, '_>, buffers: u16) -> Header {
        let mut header = self.short(frame);
        header.num_buffers.set(buffers);
        let mut bytes = Header::new();
        bytes.extend(header.as_bytes().iter().copied());
        if self.has_report() {
            bytes.extend(report(self.rss.as_deref(), frame));
        }
        bytes
    }

    fn has_report(&self) -> bool {
        self.len == HASH_HEADER
    }

    /// The part that every driver gets; one without GUEST_CSUM sees no flags (5.1.6.4.1).
    fn short(&self, frame: &FrameRef<'_, '_>) -> VnetHeader {
        let mut offload = frame.offload;
        if offload.checksum == Checksum::Valid && !self.accepts.contains(Accepts::CHECKSUM) {
            offload = Offload::default();
        }
        VnetHeader::new(offload, frame.head())
    }
}

/// The header of a frame to which nothing is to be done, in one buffer.
const PLAIN: [u8; VnetHeader::LEN] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0];

/// Writes a frame that fits into `piece`, its buffer's first, header and all; `None`, and nothing that counts, if it
/// doesn't. Returns the bytes written.
#[inline]
pub(super) fn write_whole(
    piece: &VolatileSlice<'_>,
    headers: &Headers,
    frame: &FrameRef<'_, '_>,
) -> Option<u32> {
    if piece.len() < frame.len as usize + headers.len {
        return None;
    }
    if frame.offload == Offload::default() {
        // Most headers; from a constant, since a header that was just put together is slow to copy.
        write_array(piece, 0, &PLAIN)?;
    } else {
        let header: [u8; VnetHeader::LEN] = zerocopy::transmute!(headers.short(frame));
        write_array(piece, 0, &header)?;
    }
    if headers.has_report() {
        write_array(piece, VnetHeader::LEN, &report(headers.rss.as_deref(), frame))?;
    }
    let mut at = headers.len;
    match frame.head().first_chunk::<HEAD>() {
        Some(head) => write_array(piece, at, head)?,
        None => {
            piece.offset(at).ok()?.copy_from(frame.head());
        }
    }
    at += frame.head().len();
    for segment in frame.rest {
        segment.copy_to_volatile_slice(piece.offset(at).ok()?);
        at += segment.len();
    }
    Some(at as u32)
}

/// What is still to be written of a frame: header, head, the rest.
pub(super) struct Source<'b, 'f> {
    header: Header,
    frame: FrameRef<'b, 'f>,
    /// Piece in hand: 0 the header, 1 the head, then the segments.
    piece: usize,
    /// Bytes of it that are written.
    offset: usize,
}

impl<'b, 'f> Source<'b, 'f> {
    pub(super) fn new(header: Header, frame: FrameRef<'b, 'f>) -> Self {
        Self { header, frame, piece: 0, offset: 0 }
    }

    /// Writes until `writer` is full; `true` at the end of the frame.
    pub(super) fn write(&mut self, writer: &mut Writer<'_, '_>) -> bool {
        loop {
            let (len, written) = match self.piece {
                0 => write_bytes(writer, &self.header, self.offset),
                1 => write_bytes(writer, self.frame.head(), self.offset),
                segment => match self.frame.rest.get(segment - 2) {
                    Some(segment) => write_segment(writer, segment, self.offset),
                    None => return true,
                },
            };
            self.offset += written;
            if self.offset < len {
                return false;
            }
            (self.piece, self.offset) = (self.piece + 1, 0);
        }
    }
}

fn write_bytes(writer: &mut Writer<'_, '_>, bytes: &[u8], offset: usize) -> (usize, usize) {
    (bytes.len(), writer.write(&bytes[offset..]))
}

fn write_segment(
    writer: &mut Writer<'_, '_>,
    segment: &VolatileSlice<'_>,
    offset: usize,
) -> (usize, usize) {
    (segment.len(), segment.offset(offset).map_or(0, |rest| writer.copy(rest)))
}

/// Where a frame's `num_buffers` lies in its first buffer: known last, written last.
pub(super) struct Count<'g> {
    low: VolatileSlice<'g>,
    high: VolatileSlice<'g>,
}

impl<'g> Count<'g> {
    /// `None` if the buffer has no room for a header.
    pub(super) fn of(pieces: &[VolatileSlice<'g>]) -> Option<Self> {
        let (low, high) = (byte_at(pieces, 10)?, byte_at(pieces, 11)?);
        Some(Self { low, high })
    }

    pub(super) fn set(&self, count: u16) {
        let [low, high] = count.to_le_bytes();
        self.low.copy_from(&[low]);
        self.high.copy_from(&[high]);
    }
}

/// The byte `offset` bytes into `pieces`.
fn byte_at<'g>(pieces: &[VolatileSlice<'g>], mut offset: usize) -> Option<VolatileSlice<'g>> {
    for piece in pieces {
        if offset < piece.len() {
            return piece.subslice(offset, 1).ok();
        }
        offset -= piece.len();
    }
    None
}
