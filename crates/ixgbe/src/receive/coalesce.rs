//! Receive side coalescing (82599 datasheet, 7.11): segments of one TCP stream that arrive together become one long frame over
//! several descriptors, each of which tells the next and how many segments begin in it.
//!
//! Joined are segments of one delivery whose headers differ in nothing but what has to (lengths, identification, sequence number,
//! checksums), all of one size but the last, vouched for by their sender. The first one's IP header becomes the whole's; its
//! TCP checksum stays what it was. Leaves out IPv6, IP options, header split, and waiting for segments to come.

use pando_engine::{Batch, Checksum, FrameRef, HEAD};

use crate::policy::Globals;
use pando_engine::packet::{Network, Packet, TAG, Transport, sum};

/// Bytes of headers at most: Ethernet with a tag, IPv4, TCP with options.
const HEADERS: usize = 18 + 20 + 60;

/// Segments that may begin in one descriptor: RSCCNT counts no further.
const PER_DESCRIPTOR: usize = 14;

/// Descriptors of a frame at most, by RSCCTL.MAXDESC.
pub(super) const DESCRIPTORS: usize = 16;

const ACK: u8 = 1 << 4;
const PSH: u8 = 1 << 3;

/// What bounds a joined frame.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Descriptors of a frame, at most [`DESCRIPTORS`].
    descriptors: usize,
    /// Bytes of a buffer.
    buffer: usize,
    /// Tags are taken out.
    strips: bool,
    globals: Globals,
}

/// Segments that become one frame.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    headers: [u8; HEADERS],
    /// Bytes of `headers`.
    header: usize,
    /// Bytes that each segment but the last brings.
    each: usize,
    /// Bytes that all of them bring.
    payload: usize,
    /// How many there are.
    pub(super) segments: usize,
    stripped: usize,
    buffer: usize,
}

impl Limits {
    /// What RSCCTL says, for buffers of `buffer` bytes.
    pub(super) fn new(control: u32, buffer: usize, strips: bool, globals: Globals) -> Self {
        let descriptors = [1, 4, 8, DESCRIPTORS][(control >> 2 & 3) as usize];
        Self { descriptors, buffer, strips, globals }
    }

    /// The same with no more descriptors than there are.
    pub(super) fn within(self, room: usize) -> Self {
        Self { descriptors: self.descriptors.min(room), ..self }
    }

    /// The frames of `frames`, from the first one, that become one; `None` if that is none or just one.
    pub(super) fn run(&self, batch: &Batch<'_>, frames: &[u16]) -> Option<Run> {
        let (first, others) = frames.split_first()?;
        let segment = |index: u16| {
            let frame = batch.frame(usize::from(index));
            Segment::of(frame)
                .filter(|segment| self.globals.admit(frame.len as usize, &segment.packet))
        };
        let first = segment(*first)?;
        let mut run = Run {
            headers: first.headers,
            header: first.header,
            each: first.payload,
            payload: first.payload,
            segments: 1,
            stripped: if self.strips && first.packet.tag.is_some() { TAG } else { 0 },
            buffer: self.buffer,
        };
        let mut last = first;
        for index in others {
            let Some(next) = segment(*index) else { break };
            if !last.is_followed_by(&next) || last.payload < run.each || !self.has_room(&run, &next)
            {
                break;
            }
            run.payload += next.payload;
            run.segments += 1;
            last = next;
        }
        (run.segments > 1).then(|| run.finish(&last))
    }

    fn has_room(&self, run: &Run, next: &Segment) -> bool {
        let longer =
            Run { payload: run.payload + next.payload, segments: run.segments + 1, ..*run };
        let begins_in = longer.start(run.segments) / self.buffer;
        next.payload <= run.each
            && longer.header + longer.payload <= usize::from(u16::MAX)
            && longer.descriptors() <= self.descriptors
            && longer.beginning_in(begins_in) <= PER_DESCRIPTOR
    }
}

impl Run {
    /// The headers of the whole.
    pub(super) fn headers(&self) -> &[u8] {
        &self.headers[..self.header]
    }

    /// Bytes of headers in buffers.
    pub(super) fn header_len(&self) -> usize {
        self.header - self.stripped
    }

    /// Bytes that a segment brings.
    pub(super) fn payload_of(&self, segment: usize) -> usize {
        self.each.min(self.payload - segment * self.each)
    }

    /// Bytes in buffers.
    pub(super) fn len(&self) -> usize {
        self.header_len() + self.payload
    }

    pub(super) fn descriptors(&self) -> usize {
        self.len().div_ceil(self.buffer)
    }

    /// RSCCNT of a descriptor: one more than the segments that begin there.
    pub(super) fn count(&self, descriptor: usize) -> u32 {
        1 + self.beginning_in(descriptor) as u32
    }

    /// Where a segment begins: the first one with the headers.
    fn start(&self, segment: usize) -> usize {
        if segment == 0 { 0 } else { self.header_len() + segment * self.each }
    }

    /// Segments that begin in a descriptor.
    fn beginning_in(&self, descriptor: usize) -> usize {
        self.beginning_before((descriptor + 1) * self.buffer)
            - self.beginning_before(descriptor * self.buffer)
    }

    fn beginning_before(&self, position: usize) -> usize {
        let first = usize::from(position > 0);
        let behind = position.saturating_sub(self.start(1)).div_ceil(self.each);
        first + behind.min(self.segments - 1)
    }

    /// Puts into the headers what the whole differs in from its first segment.
    fn finish(mut self, last: &Segment) -> Self {
        let (ip, tcp) = (last.packet.network_at, last.packet.transport_at);
        let len = (self.header + self.payload - ip) as u16;
        self.headers[ip + 2..ip + 4].copy_from_slice(&len.to_be_bytes());
        self.headers[ip + 10..ip + 12].fill(0);
        let checksum = !sum(&self.headers[ip..tcp]);
        self.headers[ip + 10..ip + 12].copy_from_slice(&checksum.to_be_bytes());
        self.headers[tcp + 13] |= last.flags & PSH;
        self
    }
}

/// A frame that can be joined with others.
struct Segment {
    packet: Packet,
    headers: [u8; HEADERS],
    header: usize,
    payload: usize,
    sequence: u32,
    flags: u8,
}

impl Segment {
    fn of(frame: FrameRef<'_, '_>) -> Option<Self> {
        let (head, len) = (frame.head(), frame.len as usize);
        let packet = Packet::of(head);
        let whole =
            frame.offload.segmentation.is_none() && frame.offload.checksum == Checksum::Valid;
        let tcp = packet.transport == Some(Transport::Tcp)
            && packet.network == Some(Network::V4 { options: false })
            && packet.ipv4_checksum(head) == Some(true);
        let flags = packet.tcp_flags(head)?;
        let header = packet.headers(head)?;
        let long = header >= packet.transport_at + 20 && packet.end == len && header < len;
        if !whole || !tcp || !long || flags & !PSH != ACK {
            return None;
        }
        let headers = headers(&frame, header)?;
        let sequence = headers.get(packet.transport_at + 4..)?.first_chunk::<4>()?;
        let sequence = u32::from_be_bytes(*sequence);
        Some(Self { packet, headers, header, payload: len - header, sequence, flags })
    }

    /// Whether `next` goes on where this one ends, and its headers say nothing new.
    fn is_followed_by(&self, next: &Self) -> bool {
        self.flags & PSH == 0
            && next.sequence == self.sequence.wrapping_add(self.payload as u32)
            && self.packet.network_at == next.packet.network_at
            && self.header == next.header
            && self.kept() == next.kept()
    }

    /// The headers without what differs from segment to segment.
    fn kept(&self) -> [u8; HEADERS] {
        let mut headers = self.headers;
        let (ip, tcp) = (self.packet.network_at, self.packet.transport_at);
        for range in [ip + 2..ip + 6, ip + 10..ip + 12, tcp + 4..tcp + 8, tcp + 16..tcp + 18] {
            headers[range].fill(0);
        }
        headers[tcp + 13] &= !PSH;
        headers
    }
}

/// The first `len` bytes of `frame`.
fn headers(frame: &FrameRef<'_, '_>, len: usize) -> Option<[u8; HEADERS]> {
    let mut headers = [0; HEADERS];
    let wanted = headers.get_mut(..len)?;
    let known = frame.head().len().min(HEAD).min(len);
    let (first, mut rest) = wanted.split_at_mut(known);
    first.copy_from_slice(&frame.head()[..known]);
    for segment in frame.rest {
        let copied = segment.copy_to(rest);
        rest = &mut rest[copied..];
    }
    rest.is_empty().then_some(headers)
}

#[cfg(test)]
mod tests;
