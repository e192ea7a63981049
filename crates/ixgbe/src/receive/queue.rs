//! One receive queue at work: takes frames as long as there are descriptors for all of each, and publishes them strictly in the
//! order of the ring (82599 datasheet, 7.1.4, 7.1.6, 7.1.7).

use std::sync::Arc;

use pando_engine::packet::{CRC, Packet, TAG};
use pando_engine::{Accepts, Batch, DropReason, FrameRef, QueueCounters, QueueError, Receive};
use pando_tlp::{DmaView, Guard};

use super::coalesce::Limits;
use super::place::Write;
use super::verify::Verifier;
use super::write::Source;
use super::write_back::{Buffers, Checks, Form, Report};
use crate::chip::{Assignment, Chip};
use crate::identity::Model;
use crate::interrupt::Direction;
use crate::layout::Pool;
use crate::policy::Globals;
use crate::queue::{QueueIndex, RxRegisters};
use crate::ring::Ring;
use crate::select::Selection;
use crate::statistics::Tally;
use crate::transmit::{Crc, number};
use crate::work::Start;

/// One receive queue at work.
pub(super) struct ReceiveQueue {
    chip: Arc<Chip>,
    queue: QueueIndex,
    assignment: Assignment,
    counters: Arc<QueueCounters>,
    /// Frames that the engine has dropped here, as far as they are counted.
    dropped: u64,
    pub(super) ring: Ring,
    /// The next descriptor to be filled.
    pub(super) next: u16,
    /// The tail that the last delivery saw.
    seen: u16,
    verifier: Verifier,
}

/// What holds for one delivery.
pub(super) struct Pass<'p> {
    pub(super) globals: Globals,
    selection: &'p Selection,
    pool: Option<Pool>,
    pub(super) buffers: Buffers,
    pub(super) strips: bool,
    /// Bytes of a frame at most, without its check sequence, wherever it comes from.
    pub(super) longest: usize,
    /// How segments from the wire are joined.
    pub(super) joins: Option<Limits>,
    /// The frames come from this card.
    pub(super) local: bool,
    pub(super) tail: u16,
    tally: Tally,
    oversize: u64,
    from_wire: Tally,
}

impl Pass<'_> {
    /// What is said of a frame that is `packet` and begins with `head`, but for its header.
    #[inline]
    pub(super) fn report(&self, packet: Packet, head: &[u8], checks: Checks) -> Report {
        let reports_hash = self.globals.reports_hash;
        Report {
            packet,
            checks,
            hash: if reports_hash { self.selection.rss.hash(&packet, head) } else { None },
            filter: self.selection.ether_types.number(&packet, self.pool),
            stripped: packet.tag.filter(|_| self.strips),
            local: self.local,
            ..Report::default()
        }
    }

    /// Counts a frame that was written.
    #[inline]
    pub(super) fn add(&mut self, len: usize, head: &[u8]) {
        self.tally.add(len, head);
        if !self.local {
            self.from_wire.add(len, head);
        }
    }
}

/// What became of one frame.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Written,
    Dropped,
    NoBuffers,
}

impl ReceiveQueue {
    pub(super) fn new(start: &Start<'_>) -> Result<Self, QueueError> {
        let registers = start.chip.receive(start.queue);
        let ring = Ring::new(registers.ring(), DmaView::new(start.wiring.dma.clone()))?;
        let next = ring.within(registers.head())?;
        let number = number(start.queue, &start.assignment);
        let counters = start.wiring.port.receive_counters(number);
        let dropped = lost(&counters);
        Ok(Self {
            chip: start.chip.clone(),
            queue: start.queue,
            assignment: start.assignment,
            counters,
            dropped,
            ring,
            next,
            seen: next,
            verifier: Verifier::new(),
        })
    }

    fn registers(&self) -> &RxRegisters {
        self.chip.receive(self.queue)
    }

    fn receive(
        &mut self,
        guard: &Guard<'_>,
        frame: FrameRef<'_, '_>,
        pass: &mut Pass<'_>,
    ) -> Result<Outcome, QueueError> {
        let head = frame.head();
        let packet = Packet::of(head);
        let len = frame.len as usize;
        if len > pass.longest || !pass.local && !pass.globals.admit(len, &packet) {
            pass.oversize += 1;
            return Ok(Outcome::Dropped);
        }
        let stripped = packet.tag.filter(|_| pass.strips);
        let kept = if pass.globals.strips_crc { 0 } else { CRC };
        let whole = len + kept - if stripped.is_some() { TAG } else { 0 };
        let (header, overflow) = pass.buffers.split(&packet, head, len);
        let header = header.saturating_sub(if stripped.is_some() { TAG } else { 0 }).min(whole);
        let descriptors = (whole - header).div_ceil(pass.buffers.packet).max(1);
        if descriptors >= usize::from(self.ring.count()) {
            return Ok(Outcome::Dropped);
        }
        if descriptors > usize::from(self.ring.distance(self.next, pass.tail)) {
            return Ok(Outcome::NoBuffers);
        }
        let crc = if kept > 0 { check_sequence(&frame) } else { [0; CRC] };
        let (checks, copy) = self.verifier.check(&frame, &packet);
        let report = Report { header, overflow, ..pass.report(packet, head, checks) };
        let source = Source::new(&frame, copy, stripped.is_some(), &crc[..kept]);
        let mut write = Write { guard, ring: &mut self.ring, form: pass.buffers.form, report };
        self.next = write.frame(self.next, source, whole, header, pass.buffers.packet)?;
        pass.add(len, head);
        Ok(Outcome::Written)
    }

    /// Takes the first of `frames`, which are some, in the quickest way there is; how many.
    fn some(
        &mut self,
        guard: &Guard<'_>,
        batch: &Batch<'_>,
        frames: &[u16],
        pass: &mut Pass<'_>,
    ) -> Result<usize, QueueError> {
        if let Some(joined) = self.join(guard, batch, frames, pass)? {
            return Ok(joined);
        }
        match self.receive_plain(guard, batch, frames, pass)? {
            0 => {
                let outcome = self.receive(guard, batch.frame(usize::from(frames[0])), pass)?;
                Ok(usize::from(outcome != Outcome::NoBuffers))
            }
            plain => Ok(plain),
        }
    }

    /// Joins as many of `frames` as can be, from the first one; how many, or `None` if it is not to be joined.
    fn join(
        &mut self,
        guard: &Guard<'_>,
        batch: &Batch<'_>,
        frames: &[u16],
        pass: &mut Pass<'_>,
    ) -> Result<Option<usize>, QueueError> {
        let Some(limits) = pass.joins else { return Ok(None) };
        let room = usize::from(self.ring.distance(self.next, pass.tail));
        let Some(run) = limits.within(room).run(batch, frames) else { return Ok(None) };
        let first = batch.frame(usize::from(frames[0]));
        let packet = Packet::of(first.head());
        let checks = Checks { ip: Some(true), l4: Some(true) };
        let report = pass.report(packet, first.head(), checks);
        let form = pass.buffers.form;
        let mut write = Write { guard, ring: &mut self.ring, form, report };
        let frames = &frames[..run.segments];
        self.next = write.run(self.next, &run, batch, frames, pass.buffers.packet)?;
        for frame in frames.iter().map(|index| batch.frame(usize::from(*index))) {
            pass.add(frame.len as usize, frame.head());
        }
        Ok(Some(run.segments))
    }

    /// Counts a delivery, and what the engine has dropped since the last.
    fn count(&mut self, pass: &Pass<'_>) {
        let (statistics, mapping) = (&self.chip.statistics, self.chip.mapping());
        if pass.tally.frames() > 0 {
            statistics.received(self.queue, self.assignment.pool, &mapping, &pass.tally);
            pass.selection.received(pass.tally.frames());
        }
        if pass.from_wire.frames() > 0 {
            statistics.received_from_wire(&mapping, &pass.from_wire);
        }
        if pass.oversize > 0 {
            statistics.wrong_length(pass.oversize, 0);
        }
        let lost = lost(&self.counters);
        let new = lost - std::mem::replace(&mut self.dropped, lost);
        if new > 0 && (pass.buffers.drops || self.chip.policies.drops(self.queue)) {
            statistics.dropped(self.queue, &mapping, new);
        } else if new > 0 {
            statistics.missed(new);
        }
    }
}

/// Frames that the engine has dropped for want of descriptors.
fn lost(counters: &QueueCounters) -> u64 {
    counters.drops(DropReason::NoBuffer) + counters.drops(DropReason::Stalled)
}

impl Receive for ReceiveQueue {
    fn accepts(&self) -> Accepts {
        Accepts::empty()
    }

    fn deliver(
        &mut self,
        guard: &Guard<'_>,
        batch: &Batch<'_>,
        frames: &[u16],
    ) -> Result<usize, QueueError> {
        let tail = self.ring.within(self.registers().tail())?;
        self.seen = tail;
        let chip = self.chip.clone();
        let selection = chip.policies.selection();
        let globals = Globals::read(&chip.storage);
        let buffers = Buffers::of(self.registers().split());
        let strips = self.registers().strips_vlan();
        let longest = self.registers().longest().filter(|_| chip.storage.model() == Model::BaseT);
        let local = batch.group() == chip.policies.group();
        let may_join =
            !local && globals.coalesces && globals.strips_crc && buffers.form == Form::OneBuffer;
        let may_join = may_join && longest.is_none();
        let control = self.registers().coalescing().filter(|_| may_join);
        let mut pass = Pass {
            globals,
            selection: &selection,
            pool: self.assignment.pool,
            buffers,
            strips,
            longest: longest.map_or(usize::MAX, |longest| longest.saturating_sub(CRC)),
            joins: control.map(|control| Limits::new(control, buffers.packet, strips, globals)),
            local,
            tail,
            tally: Tally::default(),
            oversize: 0,
            from_wire: Tally::default(),
        };
        let before = self.next;
        let near = frames.len().min(usize::from(self.ring.distance(before, tail)));
        self.ring.bring_near(guard, before, near);
        let (mut taken, mut result) = (0, Ok(()));
        while taken < frames.len() {
            match self.some(guard, batch, &frames[taken..], &mut pass) {
                Ok(0) => break,
                Ok(count) => taken += count,
                Err(error) => {
                    result = Err(error);
                    break;
                }
            }
        }
        let result = self.ring.write_back(guard).and(result);
        self.count(&pass);
        if self.next != before {
            self.registers().set_head(self.next);
            chip.raise_queue(self.queue, &self.assignment, Direction::Receive, guard);
        }
        result.map(|()| taken)
    }

    fn arm(&mut self, _: &Guard<'_>) -> Result<bool, QueueError> {
        Ok(self.registers().tail() != self.seen)
    }
}

/// The check sequence that the frame had on the wire.
fn check_sequence(frame: &FrameRef<'_, '_>) -> [u8; CRC] {
    let mut crc = Crc::ethernet();
    crc.add(frame.head());
    let mut bytes = [0; 512];
    for segment in frame.rest {
        let mut at = 0;
        while let Ok(left) = segment.offset(at)
            && !left.is_empty()
        {
            let copied = left.copy_to(&mut bytes);
            crc.add(&bytes[..copied]);
            at += copied;
        }
    }
    crc.finish()
}
