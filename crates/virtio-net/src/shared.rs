//! What a function's queues share with its registers: settings, interrupts, failure, doorbells. Every lock here is held
//! for a few instructions, never while a queue is stopped or a message is sent.

use std::cell::Cell;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU8, AtomicU16, AtomicU64, Ordering::Relaxed, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwapOption;
use pando_engine::{Accepts, Counter, Doorbell, Filter, MacAddress, Port, Reminder, Rss};
use pando_tlp::Epochs;
use serde::Serialize;

use crate::coalescing::Limits;
use crate::common::Live;
use crate::config::FunctionConfig;
use crate::control::Changed;
use crate::queue::Role;
use crate::settings::Settings;
use crate::spec::{Features, NO_VECTOR, isr};

thread_local! {
    /// This thread is sending an interrupt of a queue: a register write it causes must not wait for workers.
    static INTERRUPTING: Cell<bool> = const { Cell::new(false) };
}

/// A function's vectors, as its queues use them.
pub(crate) trait Interrupts: Send + Sync {
    /// Sends the message of `vector`, or leaves it pending.
    fn signal(&self, vector: u16);
}

/// Frames that a function's queues dropped, by reason.
#[derive(Debug, Default, Serialize)]
pub struct Drops {
    /// Sent frames shorter than their headers, or in more pieces than there can be.
    pub malformed: Counter,
    /// Sent frames whose virtio header contradicts them, or asks for what wasn't negotiated.
    pub bad_header: Counter,
    /// Sent frames longer than the MTU allows.
    pub too_long: Counter,
    /// Received frames that the driver's buffers can't hold.
    pub buffers_too_small: Counter,
}

/// One function, as its queues see it.
pub(crate) struct Shared {
    pub(crate) config: FunctionConfig,
    pub(crate) port: Arc<Port>,
    pub(crate) drops: Drops,
    interrupts: Arc<dyn Interrupts>,
    epochs: Arc<Epochs>,
    settings: Mutex<Settings>,
    /// Held from reading the settings to telling the switch: what it was told last is what was set last.
    opening: Mutex<()>,
    accepts: AtomicU8,
    /// What is reported of received frames.
    rss: ArcSwapOption<Rss>,
    /// By queue: how long interrupts are held back.
    limits: Box<[AtomicU64]>,
    reminder: Reminder,
    generation: AtomicU8,
    isr: AtomicU8,
    config_vector: AtomicU16,
    /// The number of the run (from reset to reset) times two, plus one once it needs a reset.
    run: AtomicU64,
    queue_vectors: Box<[AtomicU16]>,
    bells: Mutex<Box<[Bell]>>,
}

/// How a queue is rung.
#[derive(Clone, Default)]
struct Bell {
    /// While the queue works.
    doorbell: Option<Doorbell>,
    /// Kept from one life of the queue to the next: whoever was given it still rings it when the driver is ready again.
    event: Option<Arc<OwnedFd>>,
}

impl Shared {
    pub(crate) fn new(
        config: FunctionConfig,
        port: Arc<Port>,
        interrupts: Arc<dyn Interrupts>,
        epochs: Arc<Epochs>,
        reminder: Reminder,
    ) -> Self {
        let queues = crate::layout::queues(config.queue_pairs);
        let settings = Settings::new(&config, Features::empty());
        Self {
            config,
            port,
            drops: Drops::default(),
            interrupts,
            epochs,
            settings: Mutex::new(settings),
            opening: Mutex::new(()),
            accepts: AtomicU8::new(0),
            rss: ArcSwapOption::empty(),
            limits: (0..queues).map(|_| AtomicU64::new(0)).collect(),
            reminder,
            generation: AtomicU8::new(0),
            isr: AtomicU8::new(0),
            config_vector: AtomicU16::new(NO_VECTOR),
            run: AtomicU64::new(0),
            queue_vectors: (0..queues).map(|_| AtomicU16::new(NO_VECTOR)).collect(),
            bells: Mutex::new(vec![Bell::default(); usize::from(queues)].into()),
        }
    }

    /// Defaults for a driver that negotiated `features`; the switch isn't told.
    pub(crate) fn begin(&self, features: Features) {
        let defaults = Settings::new(&self.config, features);
        let mut settings = self.settings();
        *settings = Settings { link_up: settings.link_up, ..defaults };
        self.follow(&settings);
    }

    /// Power-on state; failures of the run before don't count any more.
    pub(crate) fn reset(&self) {
        let _ = self.run.fetch_update(SeqCst, SeqCst, |run| Some((run | 1) + 1));
        self.config_vector.store(NO_VECTOR, SeqCst);
        self.queue_vectors.iter().for_each(|vector| vector.store(NO_VECTOR, SeqCst));
        self.isr.store(0, SeqCst);
        self.begin(Features::empty());
        self.config_changed();
    }

    pub(crate) fn live(&self) -> Live {
        Live {
            needs_reset: self.run.load(SeqCst) & 1 != 0,
            generation: self.generation.load(SeqCst),
        }
    }

    /// The number of this run, for [`fail`](Self::fail).
    pub(crate) fn run(&self) -> u64 {
        self.run.load(SeqCst) >> 1
    }

    /// A queue of run `run` can't go on: the driver is told, once.
    pub(crate) fn fail(&self, run: u64) {
        if self.run.compare_exchange(run << 1, run << 1 | 1, SeqCst, SeqCst).is_ok() {
            self.signal_config();
        }
    }

    /// Runs `change` on the settings and makes what it changed true. Returns the command's result, if it has one.
    pub(crate) fn command<E>(
        &self,
        change: impl FnOnce(&mut Settings) -> Result<Changed, E>,
    ) -> Result<Option<Limits>, E> {
        let changed = {
            let mut settings = self.settings();
            let changed = change(&mut settings)?;
            self.follow(&settings);
            changed
        };
        if changed.config {
            self.config_changed();
        }
        if changed.filter || changed.steering {
            self.open_port();
        }
        if changed.coalescing {
            self.reminder.remind();
        }
        Ok(changed.result)
    }

    /// Asks the driver to announce itself.
    pub(crate) fn announce(&self) {
        self.settings().announce = true;
        self.config_changed();
        self.signal_config();
    }

    /// Sets the link state; returns whether that changed it. Nobody is told.
    pub(crate) fn set_link(&self, up: bool) -> bool {
        let changed = std::mem::replace(&mut self.settings().link_up, up) != up;
        if changed {
            self.config_changed();
        }
        changed
    }

    pub(crate) fn read_config(&self, offset: usize, data: &mut [u8]) {
        self.settings().read(&self.config, offset, data);
    }

    /// Lets nothing through any more.
    pub(crate) fn close_port(&self) {
        self.port.set_filter(Filter::default());
    }

    /// The function's own address now.
    pub(crate) fn mac(&self) -> MacAddress {
        self.settings().mac
    }

    /// Lets through what the settings say.
    pub(crate) fn open_port(&self) {
        let _order = self.opening.lock().unwrap_or_else(PoisonError::into_inner);
        let (filter, pairs, hashing) = {
            let settings = self.settings();
            (settings.filter(), settings.pairs, settings.hashing.clone())
        };
        self.port.set_receive_queues(pairs, hashing.steering());
        self.port.set_filter(filter);
    }

    pub(crate) fn accepts(&self) -> Accepts {
        Accepts::from_bits_truncate(self.accepts.load(SeqCst))
    }

    /// Makes `known` what is reported of received frames now.
    #[inline]
    pub(crate) fn follow_rss(&self, known: &mut Option<Arc<Rss>>) {
        let rss = self.rss.load();
        if rss.as_ref().map(Arc::as_ptr) != known.as_ref().map(Arc::as_ptr) {
            known.clone_from(&rss);
        }
    }

    /// How long interrupts of `queue` are held back.
    #[inline]
    pub(crate) fn limits(&self, queue: u16) -> Limits {
        let limits = self.limits.get(usize::from(queue));
        Limits::from_number(limits.map_or(0, |limits| limits.load(Relaxed)))
    }

    /// The queue starts to work: the limits of its direction hold for it, as for others (5.1.6.5.9).
    pub(crate) fn queue_enabled(&self, queue: u16, role: Role) {
        let mut settings = self.settings();
        settings.coalescing.enable(queue, role);
        self.follow(&settings);
    }

    pub(crate) fn queue_disabled(&self, queue: u16) {
        self.settings().coalescing.disable(queue);
    }

    /// Shows the queues what is set.
    fn follow(&self, settings: &Settings) {
        self.accepts.store(settings.accepts().bits(), SeqCst);
        self.rss.store(settings.hashing.rss.clone());
        for (queue, limits) in (0..).zip(&self.limits) {
            let own = settings.coalescing.queue(queue).unwrap_or_default();
            limits.store(own.number(), Relaxed);
        }
    }

    /// Reads and clears the interrupt status.
    pub(crate) fn take_isr(&self) -> u8 {
        self.isr.swap(0, SeqCst)
    }

    pub(crate) fn set_config_vector(&self, vector: u16) {
        self.config_vector.store(vector, SeqCst);
    }

    pub(crate) fn set_queue_vector(&self, queue: u16, vector: u16) {
        if let Some(slot) = self.queue_vectors.get(usize::from(queue)) {
            slot.store(vector, SeqCst);
        }
    }

    /// The driver wants to know about used buffers of `queue`.
    pub(crate) fn signal_queue(&self, queue: u16) {
        let slot = self.queue_vectors.get(usize::from(queue));
        match slot.map_or(NO_VECTOR, |vector| vector.load(SeqCst)) {
            NO_VECTOR => drop(self.isr.fetch_or(isr::QUEUE, SeqCst)),
            vector => self.send(vector),
        }
    }

    pub(crate) fn doorbell(&self, queue: usize) -> Option<Doorbell> {
        self.bells().get(queue)?.doorbell.clone()
    }

    /// The queue is at work, or no longer.
    pub(crate) fn set_doorbell(&self, queue: u16, doorbell: Option<Doorbell>) {
        let mut bells = self.bells();
        let Some(bell) = bells.get_mut(usize::from(queue)) else { return };
        if let (Some(new), Some(event)) = (&doorbell, &bell.event)
            && new.rung_by(event.clone()).is_err()
        {
            bell.event = None;
        }
        bell.doorbell = doorbell;
    }

    /// Every doorbell there is.
    pub(crate) fn doorbells(&self) -> Vec<Doorbell> {
        self.bells().iter().filter_map(|bell| bell.doorbell.clone()).collect()
    }

    /// An event for each doorbell there is, with its queue; without those that can't be made.
    pub(crate) fn events(&self) -> Vec<(u16, Arc<OwnedFd>)> {
        let mut bells = self.bells();
        let event = |(queue, bell): (u16, &mut Bell)| {
            let event = bell.doorbell.as_ref()?.event().ok()?;
            bell.event = Some(event.clone());
            Some((queue, event))
        };
        (0..).zip(bells.iter_mut()).filter_map(event).collect()
    }

    fn config_changed(&self) {
        self.generation.fetch_add(1, SeqCst);
    }

    /// Tells the driver that its configuration changed.
    pub(crate) fn signal_config(&self) {
        self.isr.fetch_or(isr::CONFIG, SeqCst);
        match self.config_vector.load(SeqCst) {
            NO_VECTOR => {}
            vector => {
                // Unlike a queue's, this isn't sent in the middle of a worker's pass.
                let mut participant = self.epochs.join();
                let _guard = participant.enter();
                self.send(vector);
            }
        }
    }

    fn send(&self, vector: u16) {
        let outer = INTERRUPTING.replace(true);
        self.interrupts.signal(vector);
        INTERRUPTING.set(outer);
    }

    fn settings(&self) -> MutexGuard<'_, Settings> {
        self.settings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn bells(&self) -> MutexGuard<'_, Box<[Bell]>> {
        self.bells.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether this thread is inside an interrupt of one of our queues. Messages can be aimed at any register; such a write may ring
/// a doorbell, but whatever could wait for a worker is refused, or workers would wait for each other.
pub(crate) fn is_interrupting() -> bool {
    INTERRUPTING.get()
}
