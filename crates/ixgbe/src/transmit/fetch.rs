//! One pass over a transmit ring: descriptors from the head to the tail become frames of a batch (82599 datasheet, 7.2.3.2).
//!
//! What was taken is noted in entries, to be counted and written back when its frames are done. Frames of one descriptor are `simple`'s.

use pando_engine::{Batch, QueueError};
use pando_tlp::{Access, Fault, Guard, Iova};
use vm_memory::VolatileSlice;

use super::descriptor::{CONTEXTS, Context, Data, Kind, Wants};
use super::prepare::{MAX_HEADERS, PADDING, PIECES, Pieces, Prepared, Refused, prepare};
use super::simple::BULK;
use crate::ring::Ring;

/// Descriptors looked at in one pass.
pub(super) const DESCRIPTORS: usize = 1024;

/// Entries of one pass: frames, contexts, what is dropped.
pub(super) const ENTRIES: usize = 192;

/// Memory for headers that are changed: those of a batch, in most cases.
pub(super) const ROOM: usize = 16 << 10;

/// What holds for frames that name a context.
pub(super) type Contexts = [Option<Context>; CONTEXTS];

/// A frame, or whatever else descriptors hold.
#[derive(Clone, Copy)]
pub(super) struct Entry {
    pub(super) held: Held,
    /// The descriptor after it.
    pub(super) next: u16,
    /// How many of its descriptors want to be reported.
    pub(super) reports: u16,
}

#[derive(Clone, Copy)]
pub(super) enum Held {
    Frame {
        /// Bytes as the driver gave them, and padding.
        len: u32,
        destination: [u8; 6],
        /// Frames on the wire, and bytes of headers in each if there are several.
        frames: u32,
        headers: u32,
    },
    /// A context and its number, for what follows.
    Context(usize, Context),
    /// Something that isn't sent.
    Malformed,
}

/// What was fetched and isn't done, oldest first.
pub(super) struct Fetched {
    pub(super) entries: Vec<Entry>,
    /// Descriptors that want to be reported.
    pub(super) reports: Vec<u16>,
}

impl Fetched {
    pub(super) fn new() -> Self {
        Self { entries: Vec::with_capacity(ENTRIES), reports: Vec::with_capacity(DESCRIPTORS) }
    }

    pub(super) fn clear(&mut self) {
        self.entries.clear();
        self.reports.clear();
    }
}

/// One pass over the ring.
pub(super) struct Fetch<'f, 'g> {
    pub(super) guard: &'g Guard<'g>,
    pub(super) ring: &'f mut Ring,
    pub(super) fetched: &'f mut Fetched,
    pub(super) tail: u16,
    /// The next descriptor.
    pub(super) at: u16,
    pub(super) contexts: Contexts,
    pub(super) descriptors: usize,
    pub(super) room: &'g mut [u8],
    pub(super) padding: VolatileSlice<'g>,
    /// The last frame isn't whole.
    pub(super) is_cut: bool,
}

impl<'g> Fetch<'_, 'g> {
    /// Fetches what there is, or fits.
    pub(super) fn run(&mut self, batch: &mut Batch<'g>) -> Result<(), QueueError> {
        let waiting = usize::from(self.ring.distance(self.at, self.tail));
        self.ring.bring_near(self.guard, self.at, waiting.min(BULK));
        while self.may_go_on(batch) && (self.simple(batch)? || self.next(batch)?) {}
        Ok(())
    }

    fn may_go_on(&self, batch: &Batch<'g>) -> bool {
        self.at != self.tail
            && self.descriptors < DESCRIPTORS
            && self.fetched.entries.len() < ENTRIES
            && batch.has_room(PIECES)
    }

    /// Takes what the next descriptors hold; a frame is pushed. `false`, and nothing changed, if it isn't whole or doesn't fit any more.
    fn next(&mut self, batch: &mut Batch<'g>) -> Result<bool, QueueError> {
        let reported = self.fetched.reports.len();
        let Some((held, next)) = self.take(batch)? else {
            self.fetched.reports.truncate(reported);
            return Ok(false);
        };
        if let Held::Context(number, context) = held {
            self.contexts[number] = Some(context);
        }
        self.at = next;
        let reports = (self.fetched.reports.len() - reported) as u16;
        self.fetched.entries.push(Entry { held, next, reports });
        Ok(true)
    }

    /// What the next descriptors hold, and the one after them.
    fn take(&mut self, batch: &mut Batch<'g>) -> Result<Option<(Held, u16)>, QueueError> {
        let first = match Kind::of(self.ring.read(self.guard, self.at)?) {
            Kind::Unknown => return Err(QueueError::Driver("a descriptor of an unknown type")),
            Kind::Context(number, context) => {
                self.descriptors += 1;
                return Ok(Some((Held::Context(number, context), self.ring.next(self.at))));
            }
            Kind::Data(first) => first,
        };
        let mut pieces = Pieces::new();
        let Some((next, whole)) = self.gather(first, &mut pieces)? else {
            self.is_cut = true;
            return Ok(None);
        };
        let held = match whole {
            true => self.push(first.wants, &mut pieces, batch),
            false => Some(Held::Malformed),
        };
        Ok(held.map(|held| (held, next)))
    }

    /// Collects the buffers of the frame that begins with `first`: where it ends, and whether all of it can be read; `None` if its
    /// end isn't there yet.
    fn gather(
        &mut self,
        first: Data,
        pieces: &mut Pieces<'g>,
    ) -> Result<Option<(u16, bool)>, QueueError> {
        let (mut data, mut at, mut whole) = (first, self.at, true);
        loop {
            self.descriptors += 1;
            if data.reports {
                self.fetched.reports.push(at);
            }
            whole = whole && self.add(&data, pieces)?;
            at = self.ring.next(at);
            if data.end {
                return Ok(Some((at, whole)));
            }
            if at == self.tail {
                return Ok(None);
            }
            data = match Kind::of(self.ring.read(self.guard, at)?) {
                Kind::Data(data) => data,
                _ => return Err(QueueError::Driver("a context inside a frame")),
            };
        }
    }

    /// Adds a buffer; `false` if it can't be read, or the frame has too many pieces.
    fn add(&mut self, data: &Data, pieces: &mut Pieces<'g>) -> Result<bool, QueueError> {
        let (mut address, mut left) = (Iova(data.address), data.len);
        while left > 0 {
            let slice = match self.ring.view.slice(self.guard, address, left, Access::Read) {
                Ok(slice) => slice,
                Err(Fault::Gated) => return Err(Fault::Gated.into()),
                Err(_) => return Ok(false),
            };
            left -= slice.len();
            let next = address.checked_add(slice.len() as u64);
            match next {
                Some(next) if pieces.len() < PIECES => address = next,
                _ => return Ok(false),
            }
            pieces.push(slice);
        }
        Ok(true)
    }

    /// Pushes a frame; `None` if it doesn't fit any more.
    fn push(
        &mut self,
        wants: Wants,
        pieces: &mut Pieces<'g>,
        batch: &mut Batch<'g>,
    ) -> Option<Held> {
        let prepared = match prepare(wants, &self.contexts, pieces, &mut self.room) {
            Ok(prepared) => prepared,
            Err(Refused::Malformed) => return Some(Held::Malformed),
            Err(Refused::NoRoom) => return None,
        };
        let len: usize = pieces.iter().map(VolatileSlice::len).sum();
        if let Ok(padding) = self.padding.subslice(0, PADDING.saturating_sub(len))
            && !padding.is_empty()
        {
            pieces.push(padding);
        }
        let Prepared { offload, tag, frames, headers } = prepared;
        let pushed = match tag {
            Some(tag) => batch.push_tagged(pieces, offload, tag),
            None => batch.push(pieces, offload),
        };
        let destination = pushed.then(|| batch.frame(batch.len() - 1).destination().0)?;
        let (len, headers) = (len.max(PADDING) as u32, headers as u32); // at most a long frame's
        Some(Held::Frame { len, destination, frames: frames as u32, headers })
    }
}

// The first frame of a pass always finds room for its headers.
const _: () = assert!(MAX_HEADERS <= ROOM);
