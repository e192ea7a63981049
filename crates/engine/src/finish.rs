//! Finishes in software what a receiver doesn't take unfinished: partial checksums, long frames of TCP or of UDP datagrams (virtio 1.3, 5.1.6).
//!
//! A frame is first copied into the finisher's own memory, where its sender can't change it any more, and judged there. Leaves
//! out tunnels: no NIC of ours offers them.

mod checksum;
mod counters;
mod headers;
mod segment;

use std::sync::Arc;

use pando_tlp::Guard;
use vm_memory::VolatileSlice;

use crate::{Accepts, Batch, Checksum, FrameRef, Offload, QueueError, Receive, Segmentation};
pub use checksum::Sum;
pub use counters::{FinishCounters, Unfinishable};
pub use headers::ether_type;
pub(crate) use headers::network;
use headers::{HEADERS, Headers};
use segment::Template;

/// The longest frame the engine copies: an IP packet of 65535 bytes in an Ethernet frame with two tags.
pub const MAX_FRAME: usize = 65_535 + 22;

/// Frames handed on at once.
const GROUP: usize = 64;

/// The least payload per frame that long frames are cut into: what a stock Linux lets a connection go down to (its smallest
/// segment is 88 bytes with up to 40 of options). It bounds the work one long frame can make.
const MIN_SEGMENT: u16 = 48;

/// Datagrams shorter than that which one long frame is cut into at most: what a stock Linux allows.
const MAX_DATAGRAMS: usize = 128 + 64;

/// All frames of a group, in order.
const ALL: [u16; GROUP] = {
    let mut all = [0; GROUP];
    let mut index = 0;
    while index < GROUP {
        all[index] = index as u16;
        index += 1;
    }
    all
};

/// What became of the frames given to [`Finisher::deliver`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delivered {
    /// Of the frames given, in order, how many are dealt with: delivered whole, or dropped as unfinishable. Fewer than given only for
    /// want of buffers.
    pub taken: usize,
    /// Of the first frame not taken, if it is a long one: how many of the frames it was cut into were delivered nevertheless. Whoever
    /// offers that frame again says so, or its receiver gets them twice.
    pub part: usize,
    /// Those of them that were dropped as unfinishable.
    pub dropped: usize,
}

/// Who takes finished frames, in batches of at most 64: returns how many; fewer than given means "no more".
pub type Taker<'t> = dyn FnMut(&Batch<'_>) -> Result<usize, QueueError> + 't;

/// One worker's memory and code for finishing frames. It is allocated once; nothing is allocated per frame.
#[derive(Debug)]
pub struct Finisher {
    frames: Box<[u8]>,
    headers: Box<[u8]>,
    counters: Arc<FinishCounters>,
}

impl Default for Finisher {
    fn default() -> Self {
        Self::new()
    }
}

impl Finisher {
    /// A finisher with its own memory: room for one frame of the greatest length, and the headers of a group.
    pub fn new() -> Self {
        Self {
            frames: vec![0; MAX_FRAME].into_boxed_slice(),
            headers: vec![0; GROUP * HEADERS].into_boxed_slice(),
            counters: Arc::default(),
        }
    }

    /// Its counters.
    pub fn counters(&self) -> &Arc<FinishCounters> {
        &self.counters
    }

    /// [`Receive::deliver`] for frames of which some may be more unfinished than `receive` accepts. The order is kept.
    /// `part` is zero, or what the last call said about the frame that is now the first.
    pub fn deliver(
        &mut self,
        guard: &Guard<'_>,
        receive: &mut dyn Receive,
        batch: &Batch<'_>,
        frames: &[u16],
        part: usize,
    ) -> Result<Delivered, QueueError> {
        let accepts = receive.accepts();
        let mut done = Delivered::default();
        while let [first, ..] = frames[done.taken..] {
            let left = &frames[done.taken..];
            let as_is = match batch.is_unfinished() {
                false => left.len(),
                true => left.iter().take_while(|index| fits(batch, **index, accepts)).count(),
            };
            let given = if as_is > 0 {
                done.taken += receive.deliver(guard, batch, &left[..as_is])?;
                as_is
            } else if batch.frame(usize::from(first)).offload.segmentation.is_some() {
                let frame = batch.frame(usize::from(first));
                let part = if done.taken == 0 { part } else { 0 };
                let mut out = |out: &Batch<'_>| receive.deliver(guard, out, &ALL[..out.len()]);
                match self.finish(frame, part, &mut out)? {
                    Finish::Whole => done.taken += 1,
                    Finish::Stopped(part) => done.part = part,
                    Finish::Unfinishable(_) => {
                        done.taken += 1;
                        done.dropped += 1;
                    }
                }
                1
            } else {
                let group = left.iter().take_while(|index| {
                    let offload = batch.frame(usize::from(**index)).offload;
                    offload.segmentation.is_none() && !accepts.contains(offload.needs())
                });
                let group = &left[..group.count().min(GROUP)];
                self.deliver_checksums(guard, receive, batch, group, &mut done)?
            };
            let expected = frames.len() - left.len() + given;
            if done.taken < expected {
                break;
            }
        }
        Ok(done)
    }

    /// Finishes one frame wholly and hands it, or the frames it is cut into from number `part` on, to `out`.
    pub fn finish(
        &mut self,
        frame: FrameRef<'_, '_>,
        part: usize,
        out: &mut Taker<'_>,
    ) -> Result<Finish, QueueError> {
        let offload = frame.offload;
        let Some(bytes) = copy_out(frame, &mut self.frames) else {
            return Ok(self.refuse(Unfinishable::TooLong));
        };
        let Some(segmentation) = offload.segmentation else {
            return match complete(bytes, offload.checksum) {
                Err(why) => Ok(self.refuse(why)),
                Ok(offload) => {
                    self.counters.checksums.add(1);
                    let mut batch = Batch::new();
                    batch.push(&[VolatileSlice::from(bytes)], offload);
                    Ok(if out(&batch)? == 1 { Finish::Whole } else { Finish::Stopped(0) })
                }
            };
        };
        match judge(bytes, offload.checksum, segmentation) {
            Err(why) => Ok(self.refuse(why)),
            Ok(headers) => {
                let size = usize::from(segmentation.size);
                let done = cut(bytes, headers, size, part, &mut self.headers, out)?;
                let handed_on = match done {
                    Finish::Stopped(pieces) => pieces,
                    _ => (frame.len as usize - headers.payload).div_ceil(size),
                };
                self.counters.segments.add(handed_on.saturating_sub(part) as u64);
                self.counters.long_frames.add(u64::from(done == Finish::Whole));
                Ok(done)
            }
        }
    }

    /// Delivers frames of which only the checksum is missing. Returns how many of them it had room for.
    fn deliver_checksums(
        &mut self,
        guard: &Guard<'_>,
        receive: &mut dyn Receive,
        batch: &Batch<'_>,
        group: &[u16],
        done: &mut Delivered,
    ) -> Result<usize, QueueError> {
        let mut room = &mut self.frames[..];
        let mut out = Batch::new();
        // For each frame in `out`, how many of the group were taken when it is the first that isn't.
        let mut before = [0u16; GROUP];
        let (mut given, mut dropped) = (0, 0);
        for index in group {
            let frame = batch.frame(usize::from(*index));
            let len = frame.len as usize;
            let finished = if len > MAX_FRAME {
                Err(Unfinishable::TooLong)
            } else if len > room.len() {
                break;
            } else {
                let (bytes, rest) = std::mem::take(&mut room).split_at_mut(len);
                room = rest;
                copy_out(frame, bytes).map_or(Err(Unfinishable::TooLong), |bytes| {
                    complete(bytes, frame.offload.checksum).map(|offload| (bytes, offload))
                })
            };
            match finished {
                Ok((bytes, offload)) => {
                    before[out.len()] = given as u16;
                    out.push(&[VolatileSlice::from(bytes)], offload);
                }
                Err(why) => {
                    self.counters.refused(why);
                    dropped += 1;
                }
            }
            given += 1;
        }
        let delivered =
            if out.is_empty() { 0 } else { receive.deliver(guard, &out, &ALL[..out.len()])? };
        self.counters.checksums.add(delivered as u64);
        done.taken += if delivered < out.len() { usize::from(before[delivered]) } else { given };
        done.dropped += dropped;
        Ok(given)
    }

    fn refuse(&self, why: Unfinishable) -> Finish {
        self.counters.refused(why);
        Finish::Unfinishable(why)
    }
}

/// What became of one frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    /// All of it was handed on.
    Whole,
    /// The taker wanted no more before the end; of a long frame it has now had this many of those it is cut into.
    Stopped(usize),
    /// None of it was handed on.
    Unfinishable(Unfinishable),
}

/// Copies all of a frame into `to` and returns that part of it; `None` if it is longer.
pub(crate) fn copy_out<'t>(frame: FrameRef<'_, '_>, to: &'t mut [u8]) -> Option<&'t mut [u8]> {
    let to = to.get_mut(..frame.len as usize)?;
    copy_prefix(frame, to);
    Some(to)
}

/// Fills `to` with the frame's first bytes; it is at least that long.
pub(crate) fn copy_prefix(frame: FrameRef<'_, '_>, to: &mut [u8]) {
    let head = frame.head();
    let (first, mut rest) = to.split_at_mut(head.len().min(to.len()));
    first.copy_from_slice(&head[..first.len()]);
    for segment in frame.rest {
        let copied = segment.copy_to(rest);
        rest = &mut std::mem::take(&mut rest)[copied..];
    }
}

fn fits(batch: &Batch<'_>, index: u16, accepts: Accepts) -> bool {
    accepts.contains(batch.frame(usize::from(index)).offload.needs())
}

/// Fills in a partial checksum; returns what is still to be done, which is nothing.
fn complete(frame: &mut [u8], checksum: Checksum) -> Result<Offload, Unfinishable> {
    let Checksum::Partial { start, offset } = checksum else {
        return Ok(Offload { checksum, segmentation: None });
    };
    let start = usize::from(start);
    let at = start + usize::from(offset);
    let (network, _) = headers::network(frame).map_err(|_| Unfinishable::Checksum)?;
    if start < network || at + 2 > frame.len() {
        return Err(Unfinishable::Checksum);
    }
    let mut result = Sum::default().add(&frame[start..]).checksum();
    if offset == UDP_CHECKSUM && result == [0, 0] {
        result = [0xff, 0xff]; // zero would say "none" (RFC 768)
    }
    frame[at..at + 2].copy_from_slice(&result);
    Ok(Offload { checksum: Checksum::Valid, segmentation: None })
}

/// Where UDP has its checksum; no other protocol has one there.
const UDP_CHECKSUM: u16 = 6;

/// Where TCP has its checksum.
const TCP_CHECKSUM: u16 = 16;

/// Finds the headers of a long frame and compares them with what is said about it.
fn judge(
    frame: &[u8],
    checksum: Checksum,
    segmentation: Segmentation,
) -> Result<Headers, Unfinishable> {
    let pieces = frame.len() / usize::from(segmentation.size.max(1));
    // Datagrams may be short, if they are few.
    let few = !segmentation.kind.is_tcp() && pieces <= MAX_DATAGRAMS;
    if segmentation.size == 0 || segmentation.size < MIN_SEGMENT && !few {
        return Err(Unfinishable::SegmentSize);
    }
    let headers = headers::transport(frame, segmentation.kind)?;
    let place = if segmentation.kind.is_tcp() { TCP_CHECKSUM } else { UDP_CHECKSUM };
    let Checksum::Partial { start, offset } = checksum else {
        return Err(Unfinishable::Headers);
    };
    if usize::from(start) != headers.transport || offset != place {
        return Err(Unfinishable::Headers);
    }
    let longest = headers.payload - headers.network + usize::from(segmentation.size);
    if longest.min(frame.len() - headers.network) > usize::from(u16::MAX) {
        return Err(Unfinishable::TooLong);
    }
    Ok(headers)
}

/// Cuts a long frame and hands the pieces on from number `part`, a group at a time.
fn cut(
    frame: &mut [u8],
    at: Headers,
    size: usize,
    part: usize,
    room: &mut [u8],
    out: &mut Taker<'_>,
) -> Result<Finish, QueueError> {
    let (headers, payload) = frame.split_at_mut(at.payload);
    let template = Template::new(headers, at, payload.len(), size);
    let mut pieces = payload.chunks_mut(size).enumerate().skip(part).peekable();
    let mut handed_on = part;
    while pieces.peek().is_some() {
        let mut batch = Batch::new();
        for (room, (index, payload)) in room.chunks_exact_mut(HEADERS).zip(&mut pieces) {
            let headers = &mut room[..template.len()];
            template.write(index, payload, headers);
            let offload = Offload { checksum: Checksum::Valid, segmentation: None };
            batch.push(&[VolatileSlice::from(headers), VolatileSlice::from(payload)], offload);
        }
        let taken = out(&batch)?;
        handed_on += taken;
        if taken < batch.len() {
            return Ok(Finish::Stopped(handed_on));
        }
    }
    Ok(Finish::Whole)
}

#[cfg(test)]
mod tests;
