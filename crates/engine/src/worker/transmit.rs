//! One pass over a transmit queue: fetch a batch, judge and look up each frame, deliver once per destination, complete.
//!
//! A frame waits for nobody but its owner, and only while the owner has patience; frames for others go on meanwhile. Copies, of
//! groups and for promiscuous ports, wait for nobody.

use std::sync::Arc;
use std::time::Instant;

use arrayvec::ArrayVec;
use pando_tlp::Guard;

use super::allowance::Allowance;
use super::held::Holder;
use super::progress::Progress;
use super::scratch::Scratch;
use super::task::Pass;
use crate::frame::{FRAMES, Flow};
use crate::pcap::Direction;
use crate::switch::{
    Cell, Cells, Core, Rest, Share, Tables, Verdict, flow_hash, judge, queue, remind_again,
};
use crate::{
    Batch, DropReason, Frame, Port, PortKind, QueueCounters, QueueError, Tagging, Transmit,
};

/// Receivers that a paused queue asks to wake it; for more it just tries again in time.
const RECEIVERS: usize = 8;

/// All frames of a batch, in order.
const ALL: [u16; FRAMES] = {
    let mut all = [0; FRAMES];
    let mut index = 0;
    while index < FRAMES {
        all[index] = index as u16;
        index += 1;
    }
    all
};

/// Frames of a batch that is small.
const FEW: usize = 2;

/// No port has this number.
const NOBODY: u16 = u16::MAX;

/// A transmit queue of a port.
pub(super) struct Transmitter {
    queue: Box<dyn Transmit>,
    from: u16,
    switch: Arc<Core>,
    counters: Arc<QueueCounters>,
    progress: Progress,
    allowance: Allowance,
    /// The driver was asked to notify.
    armed: bool,
    /// The worker will remind it of the interrupt that it holds back.
    held: bool,
    /// Receivers that had no buffers in the last pass.
    wanted: ArrayVec<Arc<Cell>, RECEIVERS>,
    /// The port that got the last frames.
    last: u16,
}

impl Transmitter {
    pub(super) fn new(queue: Box<dyn Transmit>, port: &Port, index: u16) -> Self {
        Self {
            queue,
            from: port.number(),
            switch: port.switch().clone(),
            counters: port.transmit_counters(index),
            progress: Progress::new(),
            allowance: Allowance::new(port, index),
            armed: false,
            held: false,
            wanted: ArrayVec::new(),
            last: NOBODY,
        }
    }

    /// What it has in common with the port's other queues.
    pub(super) fn share(&self) -> &Arc<Share> {
        self.allowance.share()
    }

    pub(super) fn pass(
        &mut self,
        guard: &Guard<'_>,
        scratch: &mut Scratch,
    ) -> Result<Pass, QueueError> {
        if self.armed {
            self.queue.disarm(guard)?;
            self.armed = false;
        }
        self.wanted.clear();
        if let Err(until) = self.allowance.begin(scratch.now, self.progress.has_offered()) {
            self.allowance.settle(false);
            return Ok(Pass::Paused(until));
        }
        let (fetched, waiting) = self.forward(guard, scratch)?;
        let progressed = self.progress.settle(fetched, waiting.frames);
        let complete = self.progress.complete();
        self.queue.complete(guard, complete)?;
        self.progress.advance(complete);
        if !self.held {
            scratch.holds_until = self.queue.due();
            self.held = scratch.holds_until.is_some();
        }
        self.allowance.settle(progressed);
        Ok(match waiting.until {
            _ if progressed => Pass::Worked,
            Some(until) => Pass::Paused(until),
            None => Pass::Idle,
        })
    }

    fn forward(
        &mut self,
        guard: &Guard<'_>,
        scratch: &mut Scratch,
    ) -> Result<(usize, Waiting), QueueError> {
        let mut batch = self.batch();
        self.queue.fetch(guard, &mut batch)?;
        if batch.is_empty() {
            return Ok((0, Waiting::default()));
        }
        // No older than the frames: what was configured before one was sent holds for it.
        let tables = self.switch.tables();
        if batch.len() <= FEW {
            bring_near(&tables, self.last);
        }
        let frames = self.allowance.cut(&batch, &self.progress, scratch);
        scratch.reset(tables.len());
        let mut forward = Forward {
            guard,
            batch: &batch,
            frames,
            tables: &tables,
            from: self.from,
            progress: &mut self.progress,
            wanted: &mut self.wanted,
            last: &mut self.last,
            scratch,
            owners: [NOBODY; FRAMES],
            dropped: [0; DropReason::ALL.len()],
            waiting: Waiting::default(),
        };
        forward.route(&self.counters);
        forward.deliver();
        forward.count_drops(&self.counters);
        forward.witness();
        let waiting = forward.waiting;
        Ok((frames, waiting))
    }

    /// An empty batch of this sender's.
    fn batch<'g>(&self) -> Batch<'g> {
        let tables = self.switch.tables();
        let sender = tables.port(self.from);
        let tagging = sender.policy.as_ref().map_or(Tagging::AsSent, |policy| policy.tagging);
        Batch::of(sender.group(), tagging)
    }

    pub(super) fn arm(&mut self, guard: &Guard<'_>) -> Result<bool, QueueError> {
        self.armed = true;
        self.queue.arm(guard)
    }

    /// Lets the queue send the interrupt that it holds back. Returns when to call again, if it is to be.
    pub(super) fn remind(&mut self, guard: &Guard<'_>) -> Result<Option<Instant>, QueueError> {
        let again = remind_again(self.queue.remind(guard), self.queue.due())?;
        self.held = again.is_some();
        Ok(again)
    }

    /// Asks the receivers it waits for to wake `worker`; `true` if one has buffers already.
    pub(super) fn arm_receivers(&mut self, guard: &Guard<'_>, worker: usize) -> bool {
        self.wanted.iter().any(|cell| cell.arm(guard, worker))
    }
}

/// Frames that stay in the queue for now.
#[derive(Clone, Copy, Default)]
struct Waiting {
    frames: u64,
    until: Option<Instant>,
}

/// The frames of a small batch are few because each is waited for: what the last one's receiver has to look at is asked for while it is
/// still being found out who gets this one.
fn bring_near(tables: &Tables, port: u16) {
    if port != NOBODY
        && let Cells::Spread(cells) = &tables.port(port).cells
        && let [cell] = &cells[..]
    {
        cell.bring_near();
    }
}

/// A batch on its way.
struct Forward<'p, 'g> {
    guard: &'p Guard<'p>,
    batch: &'p Batch<'g>,
    /// How many of its frames may go now.
    frames: usize,
    tables: &'p Tables,
    from: u16,
    progress: &'p mut Progress,
    wanted: &'p mut ArrayVec<Arc<Cell>, RECEIVERS>,
    last: &'p mut u16,
    scratch: &'p mut Scratch,
    /// For each frame, the port that it may wait for.
    owners: [u16; FRAMES],
    dropped: [u64; DropReason::ALL.len()],
    waiting: Waiting,
}

impl Forward<'_, '_> {
    /// Notes for each port which frames go there.
    fn route(&mut self, counters: &QueueCounters) {
        let sender = self.tables.port(self.from);
        let (mut packets, mut bytes) = (0, 0);
        // The last answer that was one owner and nobody else: it holds for every frame of the batch that asks the same.
        let mut answered: Option<(Flow, u16)> = None;
        for (index, frame) in self.batch.iter().enumerate().take(self.frames) {
            if self.progress.is_done(index) {
                continue;
            }
            let again = self.progress.is_offered(index);
            if let (Some(capture), false) = (&sender.capture, again) {
                capture.frame(Direction::Outbound, frame);
            }
            let asked = frame.flow();
            let sent = match answered {
                Some((answered, owner)) if answered == asked => {
                    self.owners[index] = owner;
                    self.scratch.note(owner, index);
                    Ok(())
                }
                _ => match judge(&sender.filter, sender.policy.as_deref(), &frame) {
                    Verdict::Drop(why) => Err(why),
                    Verdict::Pass => {
                        let (sent, only) = self.look_up(index, &frame, again);
                        answered = only.map(|owner| (asked, owner));
                        sent
                    }
                },
            };
            match sent {
                Err(why) => self.dropped[why as usize] += 1,
                Ok(()) if again => {}
                Ok(()) => (packets, bytes) = (packets + 1, bytes + u64::from(frame.len)),
            }
        }
        counters.passed(packets, bytes);
    }

    /// Notes where frame number `index` goes; and its owner, if it goes to nobody else.
    fn look_up(
        &mut self,
        index: usize,
        frame: &Frame,
        again: bool,
    ) -> (Result<(), DropReason>, Option<u16>) {
        let (mut owned, mut others) = (None, false);
        let sent = self.tables.route(self.from, frame, |port, owner| {
            if owner {
                self.owners[index] = port;
                owned = Some(port);
            }
            others |= !owner;
            if owner || !again {
                self.scratch.note(port, index);
            }
        });
        (sent, owned.filter(|_| !others))
    }

    fn deliver(&mut self) {
        for next in 0..self.scratch.ports.len() {
            let port = self.scratch.ports[next];
            let frames = self.scratch.frames[usize::from(port)];
            *self.last = port;
            let tables = self.tables;
            match &tables.port(port).cells {
                Cells::Spread(cells) => self.spread(port, cells, frames),
                Cells::Steered(steering, cells) => {
                    let by_number =
                        |number| cells.get(usize::from(number)).and_then(Option::as_ref);
                    self.distribute(port, frames, |frame| {
                        steering.queue(frame).and_then(by_number)
                    });
                }
            }
        }
    }

    fn spread(&mut self, port: u16, cells: &[Arc<Cell>], frames: u64) {
        match cells {
            [] => self.dropped[DropReason::NoQueue as usize] += u64::from(frames.count_ones()),
            [cell] => self.offer(port, cell, frames),
            _ => {
                let choose = |frame: &Frame| cells.get(queue(flow_hash(frame), cells.len()));
                self.distribute(port, frames, choose);
            }
        }
    }

    /// Offers `frames` to the receive queues of `port` that `choose` gives for each.
    fn distribute<'c>(
        &mut self,
        port: u16,
        mut left: u64,
        choose: impl Fn(&Frame) -> Option<&'c Arc<Cell>>,
    ) {
        let mut chosen: [Option<&Arc<Cell>>; FRAMES] = [None; FRAMES];
        for index in bits(left) {
            chosen[index] = choose(&self.batch.frame(index));
        }
        while left != 0 {
            let cell = chosen[left.trailing_zeros() as usize];
            let pointer = |cell: Option<&Arc<Cell>>| cell.map(Arc::as_ptr);
            let same = bits(left).filter(|index| pointer(chosen[*index]) == pointer(cell));
            let same = same.fold(0, |same, index| same | 1 << index);
            match cell {
                Some(cell) => self.offer(port, cell, same),
                None => {
                    self.dropped[DropReason::NoQueue as usize] += u64::from(same.count_ones());
                }
            }
            left &= !same;
        }
    }

    /// Offers `frames` to one receive queue of `port`.
    fn offer(&mut self, port: u16, cell: &Arc<Cell>, frames: u64) {
        let list: ArrayVec<u16, FRAMES> = bits(frames).map(|index| index as u16).collect();
        let Some(first) = list.first().map(|index| usize::from(*index)) else { return };
        let part = if self.owners[first] == port { self.progress.part(first) } else { 0 };
        let finisher = &mut self.scratch.finisher;
        let strips = self.tables.port(port).policy.as_ref().is_some_and(|policy| policy.strip);
        let offered = if strips {
            let stripped = strip(self.batch, &list);
            cell.offer(self.guard, finisher, &stripped, &ALL[..stripped.len()], part)
        } else {
            cell.offer(self.guard, finisher, self.batch, &list, part)
        };
        let (taken, rest) = list.split_at(offered.taken.min(list.len()));
        if let Some(capture) = &self.tables.port(port).capture {
            for index in taken {
                capture.frame(Direction::Inbound, self.batch.frame(usize::from(*index)));
            }
        }
        if let Some(at) = offered.held {
            self.scratch.held.add(Holder::Receive(cell.clone()), at, self.scratch.now);
        }
        let Some(next) = rest.first().map(|index| usize::from(*index)) else { return };
        let (why, until) = match offered.rest {
            Rest::None => return,
            Rest::Wait(until) => (DropReason::NoBuffer, Some(until)),
            Rest::Drop(why) => (why, None),
            Rest::Failed(error) => {
                self.scratch.failed.push((cell.clone(), error));
                (DropReason::NoQueue, None)
            }
        };
        if self.owners[next] == port {
            self.progress.set_part(next, offered.part);
        }
        let mut dropped = 0;
        for index in rest.iter().map(|index| usize::from(*index)) {
            match until {
                Some(_) if self.owners[index] == port => self.waiting.frames |= 1 << index,
                _ => dropped += 1,
            }
        }
        cell.counters().dropped(why, dropped);
        if dropped < rest.len() as u64 {
            self.waiting.until = match (self.waiting.until, until) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            };
            // One that finds no room is asked again in time.
            let _ = self.wanted.try_push(cell.clone());
        }
    }

    fn count_drops(&self, counters: &QueueCounters) {
        for why in DropReason::ALL {
            counters.dropped(why, self.dropped[why as usize]);
        }
    }

    /// Tells the sender's witness, if it has one.
    fn witness(&self) {
        let sender = self.tables.port(self.from);
        let Some(witness) = sender.policy.as_ref().and_then(|policy| policy.witness.as_ref())
        else {
            return;
        };
        match self.dropped[DropReason::Spoofed as usize] {
            0 => {}
            spoofed => witness.spoofed(spoofed),
        }
        let uplink = |port: &&u16| self.tables.port(**port).kind == PortKind::Uplink;
        if let Some(uplink) = self.scratch.ports.iter().find(uplink) {
            witness.left(self.batch, self.scratch.frames[usize::from(*uplink)]);
        }
    }
}

/// The frames `list` of `batch`, without their tags; each fits, as it did before.
fn strip<'g>(batch: &Batch<'g>, list: &[u16]) -> Batch<'g> {
    let mut stripped = Batch::of(batch.group(), Tagging::AsSent);
    for index in list {
        stripped.push_stripped(batch.frame(usize::from(*index)));
    }
    stripped
}

/// The positions of the ones in `bits`, lowest first.
#[inline]
fn bits(mut bits: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let lowest = (bits != 0).then(|| bits.trailing_zeros() as usize)?;
        bits &= bits - 1;
        Some(lowest)
    })
}

#[cfg(test)]
mod tests;
