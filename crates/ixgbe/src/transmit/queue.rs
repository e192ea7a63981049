//! One transmit queue at work: fetches descriptors up to the tail, hands whole frames on, writes back what is done (82599 datasheet,
//! 7.2.3.3 to 7.2.3.5).
//!
//! Contexts count from where they lie in the ring: what isn't completed is fetched again with the contexts that held before it.

use std::sync::Arc;

use pando_engine::{Batch, DropReason, QueueCounters, QueueError, Transmit};
use pando_tlp::{Access, DmaView, Fault, Guard, Iova};
use vm_memory::VolatileSlice;

use super::descriptor::{CONTEXTS, Context, Data, Kind, Wants};
use super::number;
use super::prepare::{MAX_HEADERS, PADDING, PIECES, Pieces, Prepared, Refused, prepare};
use crate::chip::{Assignment, Chip};
use crate::interrupt::Direction;
use crate::queue::{QueueIndex, TxRegisters};
use crate::ring::Ring;
use crate::spec::descriptor::TX_DD;
use crate::statistics::Tally;
use crate::work::Start;

/// Descriptors looked at in one pass.
const DESCRIPTORS: usize = 1024;

/// Entries of one pass: frames, contexts, what is dropped.
const ENTRIES: usize = 192;

/// Memory for headers that are changed: those of a batch, in most cases.
const ROOM: usize = 16 << 10;

/// One transmit queue at work.
pub(super) struct TransmitQueue {
    chip: Arc<Chip>,
    queue: QueueIndex,
    assignment: Assignment,
    counters: Arc<QueueCounters>,
    ring: Ring,
    state: State,
    room: Box<[u8]>,
    zeros: Box<[u8]>,
}

/// How far it has got.
struct State {
    /// The next descriptor that isn't done.
    head: u16,
    contexts: Contexts,
    /// What was fetched since then, oldest first.
    entries: Vec<Entry>,
    /// Descriptors fetched that want to be reported.
    reports: Vec<u16>,
    /// The tail up to which nothing more can be fetched: the last frame isn't whole.
    stuck: Option<u16>,
}

type Contexts = [Option<Context>; CONTEXTS];

/// A frame, or whatever else descriptors hold, and what holds after it.
#[derive(Clone, Copy)]
struct Entry {
    held: Held,
    /// The descriptor after it.
    next: u16,
    /// How many descriptors up to here want to be reported.
    reports: usize,
    contexts: Contexts,
}

#[derive(Clone, Copy)]
enum Held {
    Frame {
        len: usize,
        destination: [u8; 6],
        frames: u64,
        headers: usize,
    },
    /// A context.
    Nothing,
    /// Something that isn't sent.
    Malformed,
}

impl TransmitQueue {
    pub(super) fn new(start: &Start<'_>) -> Result<Self, QueueError> {
        let registers = start.chip.transmit(start.queue);
        let ring = Ring::new(registers.ring(), DmaView::new(start.wiring.dma.clone()))?;
        let head = ring.within(registers.head())?;
        let number = number(start.queue, &start.assignment);
        Ok(Self {
            chip: start.chip.clone(),
            queue: start.queue,
            assignment: start.assignment,
            counters: start.wiring.port.transmit_counters(number),
            ring,
            state: State {
                head,
                contexts: [None; CONTEXTS],
                entries: Vec::with_capacity(ENTRIES),
                reports: Vec::with_capacity(DESCRIPTORS),
                stuck: None,
            },
            room: vec![0; ROOM].into(),
            zeros: vec![0; PADDING].into(),
        })
    }

    fn registers(&self) -> &TxRegisters {
        self.chip.transmit(self.queue)
    }

    /// Gives the oldest `entries` of those fetched back.
    fn retire(&mut self, guard: &Guard<'_>, entries: usize) -> Result<(), QueueError> {
        let Some(last) = entries.checked_sub(1).and_then(|last| self.state.entries.get(last))
        else {
            return Ok(());
        };
        let (head, reports) = (last.next, last.reports);
        (self.state.head, self.state.contexts) = (head, last.contexts);
        self.count(entries);
        self.state.entries.drain(..entries);
        let write_back = self.registers().write_back();
        for index in self.state.reports.drain(..reports) {
            if write_back.is_none() {
                self.ring.write_status(guard, index, TX_DD)?;
            }
        }
        for entry in &mut self.state.entries {
            entry.reports -= reports;
        }
        self.registers().set_head(head);
        if let Some(place) = write_back {
            // Where the driver wants the head is its affair; a write that goes nowhere is lost.
            let _ = self.ring.view.dma().write(place, &u32::from(head).to_le_bytes());
        }
        if reports > 0 {
            self.chip.raise_queue(self.queue, &self.assignment, Direction::Transmit, guard);
        }
        Ok(())
    }

    fn count(&self, entries: usize) {
        let (mut tally, mut malformed) = (Tally::default(), 0);
        for entry in &self.state.entries[..entries] {
            match entry.held {
                Held::Nothing => {}
                Held::Malformed => malformed += 1,
                Held::Frame { len, destination, frames, headers } => {
                    let each = (len - headers).div_ceil(frames as usize);
                    let last = len - headers - each * (frames as usize - 1);
                    tally.add_equal(frames - 1, headers + each, &destination);
                    tally.add(headers + last, &destination);
                }
            }
        }
        self.counters.dropped(DropReason::Malformed, malformed);
        if tally.frames() > 0 {
            let (statistics, mapping) = (&self.chip.statistics, self.chip.mapping());
            statistics.transmitted(self.queue, self.assignment.pool, &mapping, &tally);
        }
    }
}

impl Transmit for TransmitQueue {
    fn fetch<'g>(
        &'g mut self,
        guard: &'g Guard<'_>,
        batch: &mut Batch<'g>,
    ) -> Result<(), QueueError> {
        let tail = self.ring.within(self.registers().tail())?;
        let Self { ring, state, room, zeros, .. } = self;
        let mut fetch = Fetch {
            guard,
            ring,
            tail,
            at: state.head,
            contexts: state.contexts,
            descriptors: 0,
            room: &mut room[..],
            padding: VolatileSlice::from(&mut zeros[..]),
            is_cut: false,
        };
        state.entries.clear();
        state.reports.clear();
        state.stuck = None;
        while state.entries.len() < ENTRIES && batch.has_room(PIECES) && fetch.may_go_on() {
            let reported = state.reports.len();
            match fetch.next(&mut state.reports, batch)? {
                Some(held) => state.entries.push(Entry {
                    held,
                    next: fetch.at,
                    reports: state.reports.len(),
                    contexts: fetch.contexts,
                }),
                None => {
                    state.reports.truncate(reported);
                    state.stuck = fetch.is_cut.then_some(tail);
                    break;
                }
            }
        }
        Ok(())
    }

    fn complete(&mut self, guard: &Guard<'_>, frames: usize) -> Result<(), QueueError> {
        let mut left = frames;
        let entries = self.state.entries.iter().take_while(|entry| {
            let is_frame = matches!(entry.held, Held::Frame { .. });
            let done = !is_frame || left > 0;
            left -= usize::from(is_frame && done);
            done
        });
        let entries = entries.count();
        self.retire(guard, entries)
    }

    fn arm(&mut self, _: &Guard<'_>) -> Result<bool, QueueError> {
        let tail = self.ring.within(self.registers().tail())?;
        Ok(tail != self.state.head && self.state.stuck != Some(tail))
    }

    fn disarm(&mut self, _: &Guard<'_>) -> Result<(), QueueError> {
        Ok(())
    }
}

/// One pass over the ring.
struct Fetch<'f, 'g> {
    guard: &'g Guard<'g>,
    ring: &'f mut Ring,
    tail: u16,
    /// The next descriptor.
    at: u16,
    contexts: Contexts,
    descriptors: usize,
    room: &'g mut [u8],
    padding: VolatileSlice<'g>,
    /// The last frame isn't whole.
    is_cut: bool,
}

impl<'g> Fetch<'_, 'g> {
    fn may_go_on(&self) -> bool {
        self.at != self.tail && self.descriptors < DESCRIPTORS
    }

    /// What the next descriptors hold; a frame is pushed. `None`, and nothing changed, if it isn't whole or doesn't fit any more.
    fn next(
        &mut self,
        reports: &mut Vec<u16>,
        batch: &mut Batch<'g>,
    ) -> Result<Option<Held>, QueueError> {
        let first = match Kind::of(self.ring.read(self.guard, self.at)?) {
            Kind::Unknown => return Err(QueueError::Driver("a descriptor of an unknown type")),
            Kind::Context(number, context) => {
                self.contexts[number] = Some(context);
                self.at = self.ring.next(self.at);
                self.descriptors += 1;
                return Ok(Some(Held::Nothing));
            }
            Kind::Data(first) => first,
        };
        let mut pieces = Pieces::new();
        let Some((next, whole)) = self.gather(first, &mut pieces, reports)? else {
            self.is_cut = true;
            return Ok(None);
        };
        let held =
            if whole { self.push(first.wants, pieces, batch) } else { Some(Held::Malformed) };
        if held.is_some() {
            self.at = next;
        }
        Ok(held)
    }

    /// Collects the buffers of the frame that begins with `first`: where it ends, and whether all of it can be read; `None` if its
    /// end isn't there yet.
    fn gather(
        &mut self,
        first: Data,
        pieces: &mut Pieces<'g>,
        reports: &mut Vec<u16>,
    ) -> Result<Option<(u16, bool)>, QueueError> {
        let (mut data, mut at, mut whole) = (first, self.at, true);
        loop {
            self.descriptors += 1;
            if data.reports {
                reports.push(at);
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
        mut pieces: Pieces<'g>,
        batch: &mut Batch<'g>,
    ) -> Option<Held> {
        let prepared = match prepare(wants, &self.contexts, &mut pieces, &mut self.room) {
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
            Some(tag) => batch.push_tagged(&pieces, offload, tag),
            None => batch.push(&pieces, offload),
        };
        let destination = pushed.then(|| batch.frame(batch.len() - 1).destination().0)?;
        Some(Held::Frame { len: len.max(PADDING), destination, frames, headers })
    }
}

// The first frame of a pass always finds room for its headers.
const _: () = assert!(MAX_HEADERS <= ROOM);
