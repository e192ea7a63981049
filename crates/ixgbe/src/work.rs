//! Which queues are at work, and their stopping: a queue works while its enable bit, the direction's global enable and its pool's
//! enable are set (82599 datasheet, 4.6.7, 4.6.8, 7.10.3.9), and a transmit queue from its first tail on.
//!
//! Whoever changes one of those stores it first and then lets [`Work`] follow. The lock here is held while queues stop: no read of
//! a register takes it. How a queue works is `transmit`'s and `receive`'s business.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pando_engine::{Doorbell, Engine, OnError, Port, QueueError, ReceiveHandle, TaskHandle};
use pando_pci::FunctionId;
use pando_tlp::Dma;

use crate::chip::{Assignment, Chip};
use crate::queue::{QUEUES, QueueIndex};
use crate::{receive, transmit};

/// What a function is connected to.
pub(crate) struct Wiring {
    /// Its way to memory.
    pub(crate) dma: Arc<dyn Dma>,
    /// Its place at the switch.
    pub(crate) port: Arc<Port>,
}

/// What a queue is started with.
pub(crate) struct Start<'a> {
    pub(crate) chip: &'a Arc<Chip>,
    pub(crate) engine: &'a Engine,
    pub(crate) wiring: &'a Wiring,
    pub(crate) queue: QueueIndex,
    pub(crate) assignment: Assignment,
    /// To be handed to the engine.
    pub(crate) on_error: OnError,
}

/// The queues at work.
pub(crate) struct Work {
    engine: Arc<Engine>,
    pf: Wiring,
    vfs: Box<[Wiring]>,
    state: Mutex<State>,
    /// Doorbells of queues at work, by queue.
    transmit_bells: Box<[Mutex<Option<Doorbell>>]>,
    receive_bells: Box<[Mutex<Option<Doorbell>>]>,
}

struct State {
    transmit: Box<[Slot<TaskHandle>]>,
    receive: Box<[Slot<ReceiveHandle>]>,
}

/// One queue.
enum Slot<H> {
    Idle,
    /// At work, or given up by its worker.
    Running(Assignment, H),
    /// It could not be started; it isn't tried again before it was disabled.
    Refused(Assignment),
}

impl<H> Slot<H> {
    fn assignment(&self) -> Option<Assignment> {
        match self {
            Self::Idle => None,
            Self::Running(assignment, _) | Self::Refused(assignment) => Some(*assignment),
        }
    }

    fn is_running(&self) -> bool {
        matches!(self, Self::Running(..))
    }
}

impl Work {
    pub(crate) fn new(engine: Arc<Engine>, pf: Wiring, vfs: Vec<Wiring>) -> Self {
        let bells = || (0..QUEUES).map(|_| Mutex::default()).collect();
        let state = State {
            transmit: (0..QUEUES).map(|_| Slot::Idle).collect(),
            receive: (0..QUEUES).map(|_| Slot::Idle).collect(),
        };
        Self {
            engine,
            pf,
            vfs: vfs.into(),
            state: Mutex::new(state),
            transmit_bells: bells(),
            receive_bells: bells(),
        }
    }

    /// What `function` is connected to; `None` for a VF that the card hasn't got.
    pub(crate) fn wiring(&self, function: FunctionId) -> Option<&Wiring> {
        match function {
            FunctionId::Pf => Some(&self.pf),
            FunctionId::Vf(vf) => self.vfs.get(usize::from(vf)),
        }
    }

    /// The driver moved the tail of a transmit queue.
    pub(crate) fn transmit_tail(&self, chip: &Arc<Chip>, queue: QueueIndex) {
        match bell(&self.transmit_bells, queue) {
            Some(bell) => bell.ring(),
            None => self.follow_transmit(chip, queue),
        }
    }

    /// The driver moved the tail of a receive queue.
    pub(crate) fn receive_tail(&self, queue: QueueIndex) {
        if let Some(bell) = bell(&self.receive_bells, queue) {
            bell.ring();
        }
    }

    /// Starts or stops a transmit queue as its registers say. When this returns, a stopped one is not in use any more.
    pub(crate) fn follow_transmit(&self, chip: &Arc<Chip>, queue: QueueIndex) {
        self.transmit_to(chip, &mut self.lock(), queue, chip.wants_transmit(queue));
    }

    /// Starts or stops a receive queue as its registers say. When this returns, a stopped one is not in use any more.
    pub(crate) fn follow_receive(&self, chip: &Arc<Chip>, queue: QueueIndex) {
        self.receive_to(chip, &mut self.lock(), queue, chip.wants_receive(queue));
    }

    /// Follows for every queue.
    pub(crate) fn follow(&self, chip: &Arc<Chip>) {
        let mut state = self.lock();
        for queue in QueueIndex::all() {
            self.transmit_to(chip, &mut state, queue, chip.wants_transmit(queue));
            self.receive_to(chip, &mut state, queue, chip.wants_receive(queue));
        }
    }

    /// Stops the queues that `which` says, does `then`, and follows for all of them.
    pub(crate) fn pause(
        &self,
        chip: &Arc<Chip>,
        which: impl Fn(&Assignment) -> bool,
        then: impl FnOnce(),
    ) {
        let mut state = self.lock();
        for queue in QueueIndex::all() {
            let stops = |assignment: Option<Assignment>| assignment.filter(|a| which(a)).is_some();
            if stops(state.transmit[queue.get()].assignment()) {
                self.transmit_to(chip, &mut state, queue, None);
            }
            if stops(state.receive[queue.get()].assignment()) {
                self.receive_to(chip, &mut state, queue, None);
            }
        }
        then();
        drop(state);
        self.follow(chip);
    }

    /// The function may send again: what waited for that goes on.
    pub(crate) fn resume(&self, function: FunctionId) {
        let queues: Vec<_> = {
            let state = self.lock();
            let owned = |assignment: Option<Assignment>| {
                assignment.is_some_and(|assignment| assignment.owner == function)
            };
            let of = |queue: &QueueIndex| {
                owned(state.transmit[queue.get()].assignment())
                    || owned(state.receive[queue.get()].assignment())
            };
            QueueIndex::all().filter(of).collect()
        };
        for queue in queues {
            let bells = [bell(&self.transmit_bells, queue), bell(&self.receive_bells, queue)];
            bells.iter().flatten().for_each(Doorbell::ring);
        }
    }

    /// Queues at work: transmit and receive.
    pub(crate) fn count(&self) -> (usize, usize) {
        let state = self.lock();
        let transmit = state.transmit.iter().filter(|slot| slot.is_running()).count();
        (transmit, state.receive.iter().filter(|slot| slot.is_running()).count())
    }

    fn transmit_to(
        &self,
        chip: &Arc<Chip>,
        state: &mut State,
        queue: QueueIndex,
        wanted: Option<Assignment>,
    ) {
        let slot = &mut state.transmit[queue.get()];
        let Some(next) = self.change(&self.transmit_bells, slot, queue, wanted) else { return };
        let Some(start) = self.start(chip, queue, next, "transmit") else { return };
        *slot = match transmit::start(start) {
            Ok(handle) => {
                set_bell(&self.transmit_bells, queue, Some(handle.doorbell().clone()));
                Slot::Running(next, handle)
            }
            Err(error) => refused(chip, queue, "transmit", next, error),
        };
    }

    fn receive_to(
        &self,
        chip: &Arc<Chip>,
        state: &mut State,
        queue: QueueIndex,
        wanted: Option<Assignment>,
    ) {
        let slot = &mut state.receive[queue.get()];
        let Some(next) = self.change(&self.receive_bells, slot, queue, wanted) else { return };
        let Some(start) = self.start(chip, queue, next, "receive") else { return };
        *slot = match receive::start(start) {
            Ok(handle) => {
                set_bell(&self.receive_bells, queue, Some(handle.doorbell().clone()));
                Slot::Running(next, handle)
            }
            Err(error) => refused(chip, queue, "receive", next, error),
        };
    }

    /// Stops the queue in `slot` unless it works as wanted; what is to be started, if anything.
    fn change<H>(
        &self,
        bells: &[Mutex<Option<Doorbell>>],
        slot: &mut Slot<H>,
        queue: QueueIndex,
        wanted: Option<Assignment>,
    ) -> Option<Assignment> {
        if slot.assignment() == wanted {
            return None;
        }
        set_bell(bells, queue, None);
        // Dropping the handle stops the queue.
        drop(std::mem::replace(slot, Slot::Idle));
        wanted
    }

    fn start<'a>(
        &'a self,
        chip: &'a Arc<Chip>,
        queue: QueueIndex,
        assignment: Assignment,
        kind: &'static str,
    ) -> Option<Start<'a>> {
        let wiring = self.wiring(assignment.owner)?;
        let name = chip.name.clone();
        let on_error = Box::new(move |error: QueueError| {
            tracing::debug!(card = name, kind, queue = queue.get(), %error, "queue stopped");
        });
        Some(Start { chip, engine: &self.engine, wiring, queue, assignment, on_error })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn refused<H>(
    chip: &Chip,
    queue: QueueIndex,
    kind: &'static str,
    assignment: Assignment,
    error: QueueError,
) -> Slot<H> {
    tracing::debug!(card = chip.name, kind, queue = queue.get(), %error, "queue not started");
    Slot::Refused(assignment)
}

fn bell(bells: &[Mutex<Option<Doorbell>>], queue: QueueIndex) -> Option<Doorbell> {
    bells[queue.get()].lock().unwrap_or_else(PoisonError::into_inner).clone()
}

fn set_bell(bells: &[Mutex<Option<Doorbell>>], queue: QueueIndex, bell: Option<Doorbell>) {
    *bells[queue.get()].lock().unwrap_or_else(PoisonError::into_inner) = bell;
}
