//! One transmit queue at work: fetches descriptors up to the tail, hands whole frames on, writes back what is done (82599 datasheet,
//! 7.2.3.3 to 7.2.3.5).
//!
//! Contexts count from where they lie in the ring: what isn't completed is fetched again with the contexts that held before it.

use std::sync::Arc;

use pando_engine::{Batch, DropReason, QueueCounters, QueueError, Transmit};
use pando_tlp::{DmaView, Guard, Iova};
use vm_memory::VolatileSlice;

use super::descriptor::CONTEXTS;
use super::fetch::{Contexts, Fetch, Fetched, Held, ROOM};
use super::number;
use super::prepare::PADDING;
use crate::chip::{Assignment, Chip};
use crate::interrupt::Direction;
use crate::queue::{QueueIndex, TxRegisters};
use crate::ring::Ring;
use crate::spec::descriptor::TX_DD;
use crate::statistics::Tally;
use crate::work::Start;

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
    /// What holds there.
    contexts: Contexts,
    fetched: Fetched,
    /// Where the driver wants the head written, instead of a status in each descriptor.
    write_back: Option<Iova>,
    /// The tail up to which nothing more can be fetched: the last frame isn't whole.
    stuck: Option<u16>,
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
                fetched: Fetched::new(),
                write_back: None,
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
        let Some(last) = entries.checked_sub(1) else { return Ok(()) };
        let Fetched { entries: all, .. } = &self.state.fetched;
        let Some(head) = all.get(last).map(|entry| entry.next) else { return Ok(()) };
        self.state.head = head;
        let reports = self.account(entries);
        let write_back = self.state.write_back;
        if write_back.is_none() {
            let done = &self.state.fetched.reports[..reports];
            self.ring.write_statuses(guard, done, TX_DD)?;
        }
        self.state.fetched.reports.drain(..reports);
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

    /// Takes the oldest `entries` out, counts them and keeps their contexts; how many of their descriptors want to be reported.
    fn account(&mut self, entries: usize) -> usize {
        let (mut tally, mut malformed, mut reports) = (Tally::default(), 0, 0);
        for entry in self.state.fetched.entries.drain(..entries) {
            reports += usize::from(entry.reports);
            match entry.held {
                Held::Context(number, context) => self.state.contexts[number] = Some(context),
                Held::Malformed => malformed += 1,
                Held::Frame { len, destination, frames: 1, .. } => {
                    tally.add(len as usize, &destination);
                }
                Held::Frame { len, destination, frames, headers } => {
                    let each = (len - headers).div_ceil(frames);
                    let last = len - headers - each * (frames - 1);
                    tally.add_equal(u64::from(frames - 1), (headers + each) as usize, &destination);
                    tally.add((headers + last) as usize, &destination);
                }
            }
        }
        self.counters.dropped(DropReason::Malformed, malformed);
        if tally.frames() > 0 {
            let (statistics, mapping) = (&self.chip.statistics, self.chip.mapping());
            statistics.transmitted(self.queue, self.assignment.pool, &mapping, &tally);
        }
        reports
    }
}

impl Transmit for TransmitQueue {
    fn fetch<'g>(
        &'g mut self,
        guard: &'g Guard<'_>,
        batch: &mut Batch<'g>,
    ) -> Result<(), QueueError> {
        let tail = self.ring.within(self.registers().tail())?;
        self.state.write_back = self.registers().write_back();
        let Self { ring, state, room, zeros, .. } = self;
        state.fetched.clear();
        state.stuck = None;
        let mut fetch = Fetch {
            guard,
            ring,
            fetched: &mut state.fetched,
            tail,
            at: state.head,
            contexts: state.contexts,
            descriptors: 0,
            room: &mut room[..],
            padding: VolatileSlice::from(&mut zeros[..]),
            is_cut: false,
        };
        fetch.run(batch)?;
        state.stuck = fetch.is_cut.then_some(tail);
        Ok(())
    }

    fn complete(&mut self, guard: &Guard<'_>, frames: usize) -> Result<(), QueueError> {
        let mut left = frames;
        let entries = self.state.fetched.entries.iter().take_while(|entry| {
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
