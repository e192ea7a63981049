//! One receive queue at work: takes frames as long as there are descriptors for all of each, and publishes them strictly in the
//! order of the ring (82599 datasheet, 7.1.4, 7.1.6, 7.1.7).

use std::sync::Arc;

use pando_engine::{Accepts, Batch, DropReason, FrameRef, QueueCounters, QueueError, Receive};
use pando_tlp::{DmaView, Guard, Iova};

use super::verify::Verifier;
use super::write::Source;
use super::write_back::{Buffers, Form, Report};
use crate::chip::{Assignment, Chip};
use crate::interrupt::Direction;
use crate::packet::Packet;
use crate::policy::Globals;
use crate::queue::{QueueIndex, RxRegisters};
use crate::ring::Ring;
use crate::select::Selection;
use crate::statistics::Tally;
use crate::transmit::{Crc, number};
use crate::work::Start;

/// Bytes of the check sequence.
const CRC: usize = 4;

/// Bytes of a tag.
const TAG: usize = 4;

/// One receive queue at work.
pub(super) struct ReceiveQueue {
    chip: Arc<Chip>,
    queue: QueueIndex,
    assignment: Assignment,
    counters: Arc<QueueCounters>,
    /// Frames that the engine has dropped here, as far as they are counted.
    dropped: u64,
    ring: Ring,
    /// The next descriptor to be filled.
    next: u16,
    /// The tail that the last delivery saw.
    seen: u16,
    verifier: Verifier,
}

/// What holds for one delivery.
struct Pass<'p> {
    globals: Globals,
    selection: &'p Selection,
    buffers: Buffers,
    strips: bool,
    /// The frames come from this card.
    local: bool,
    tail: u16,
    tally: Tally,
    oversize: u64,
    from_wire: Tally,
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
        let most = pass.globals.longest + if packet.tag.is_some() { TAG } else { 0 };
        if !pass.local && len + CRC > most {
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
        let report = Report {
            packet,
            checks,
            hash: pass.selection.rss.hash(&packet, head).filter(|_| pass.globals.reports_hash),
            filter: pass.selection.ether_types.number(&packet, self.assignment.pool),
            stripped,
            local: pass.local,
            header,
            overflow,
        };
        let source = Source::new(&frame, copy, stripped.is_some(), &crc[..kept]);
        let mut write = Write { guard, ring: &mut self.ring, form: pass.buffers.form, report };
        self.next = write.frame(self.next, source, whole, header, pass.buffers.packet)?;
        pass.tally.add(len, head);
        if !pass.local {
            pass.from_wire.add(len, head);
        }
        Ok(Outcome::Written)
    }

    /// Counts a delivery, and what the engine has dropped since the last.
    fn count(&mut self, pass: &Pass<'_>) {
        let (statistics, mapping) = (&self.chip.statistics, self.chip.mapping());
        if pass.tally.frames() > 0 {
            statistics.received(self.queue, self.assignment.pool, &mapping, &pass.tally);
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
        let mut pass = Pass {
            globals: Globals::read(&chip.storage),
            selection: &selection,
            buffers: Buffers::of(self.registers().split()),
            strips: self.registers().strips_vlan(),
            local: batch.group() == chip.policies.group(),
            tail,
            tally: Tally::default(),
            oversize: 0,
            from_wire: Tally::default(),
        };
        let before = self.next;
        let (mut taken, mut result) = (0, Ok(()));
        for index in frames {
            match self.receive(guard, batch.frame(usize::from(*index)), &mut pass) {
                Ok(Outcome::NoBuffers) => break,
                Ok(_) => taken += 1,
                Err(error) => {
                    result = Err(error);
                    break;
                }
            }
        }
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

/// A frame on its way into the ring.
struct Write<'w, 'g> {
    guard: &'w Guard<'g>,
    ring: &'w mut Ring,
    form: Form,
    report: Report,
}

impl Write<'_, '_> {
    /// Writes a frame of `whole` bytes, the first `header` of which go to a header buffer; returns the descriptor after it. Each
    /// descriptor is written back after all that lies before it in the ring.
    fn frame(
        &mut self,
        first: u16,
        mut source: Source<'_, '_>,
        whole: usize,
        header: usize,
        buffer: usize,
    ) -> Result<u16, QueueError> {
        let (mut at, mut left) = (first, whole - header);
        loop {
            let descriptor = self.ring.read(self.guard, at)?;
            let view = &mut self.ring.view;
            if at == first && header > 0 {
                source.write(view, self.guard, address(descriptor[2], descriptor[3]), header)?;
            }
            let len = left.min(buffer);
            source.write(view, self.guard, address(descriptor[0], descriptor[1]), len)?;
            left -= len;
            let mut back = self.report.write_back(self.form, len, at == first, left == 0);
            if self.form == Form::Legacy {
                back[..2].copy_from_slice(&descriptor[..2]); // only the second half is written back
            }
            self.ring.write(self.guard, at, back)?;
            at = self.ring.next(at);
            if left == 0 {
                return Ok(at);
            }
        }
    }
}

fn address(low: u32, high: u32) -> Iova {
    Iova(u64::from(high) << 32 | u64::from(low))
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
