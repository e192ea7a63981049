//! One function: registers in its BAR, and its queues from DRIVER_OK to reset (virtio 1.3, 2.1, 2.6.1, 4.1).
//!
//! The lock of the registers is held while queues stop, so that no other vCPU sees a reset half done. Workers never take it.

use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pando_engine::{Doorbell, Engine, Port};
use pando_tlp::{Dma, Link};
use serde::Serialize;

use crate::common::{Common, Effect};
use crate::config::FunctionConfig;
use crate::layout::{self, REGISTERS};
use crate::queue::{Role, Running, Starter};
use crate::shared::{Drops, Interrupts, Shared, is_interrupting};
use crate::spec::{Features, Status, common, config};
use crate::window::Window;

/// What every function offers.
const OFFERED: Features = Features::CSUM
    .union(Features::GUEST_CSUM)
    .union(Features::CTRL_GUEST_OFFLOADS)
    .union(Features::MTU)
    .union(Features::MAC)
    .union(Features::GUEST_TSO4)
    .union(Features::GUEST_TSO6)
    .union(Features::GUEST_ECN)
    .union(Features::HOST_TSO4)
    .union(Features::HOST_TSO6)
    .union(Features::HOST_ECN)
    .union(Features::MRG_RXBUF)
    .union(Features::STATUS)
    .union(Features::CTRL_VQ)
    .union(Features::CTRL_RX)
    .union(Features::CTRL_VLAN)
    .union(Features::GUEST_ANNOUNCE)
    .union(Features::MQ)
    .union(Features::CTRL_MAC_ADDR)
    .union(Features::VQ_NOTF_COAL)
    .union(Features::NOTF_COAL)
    .union(Features::GUEST_USO4)
    .union(Features::GUEST_USO6)
    .union(Features::HOST_USO)
    .union(Features::HASH_REPORT)
    .union(Features::RSS)
    .union(Features::SPEED_DUPLEX)
    .union(Features::INDIRECT_DESC)
    .union(Features::EVENT_IDX)
    .union(Features::VERSION_1)
    .union(Features::ACCESS_PLATFORM)
    .union(Features::IN_ORDER)
    .union(Features::RING_RESET);

/// What a function is connected to.
pub(crate) struct Wiring {
    pub(crate) link: Arc<dyn Link>,
    pub(crate) dma: Arc<dyn Dma>,
    pub(crate) interrupts: Arc<dyn Interrupts>,
    pub(crate) engine: Arc<Engine>,
    pub(crate) port: Arc<Port>,
}

/// A PF or a VF.
pub(crate) struct Function {
    shared: Arc<Shared>,
    link: Arc<dyn Link>,
    dma: Arc<dyn Dma>,
    engine: Arc<Engine>,
    state: Mutex<State>,
}

struct State {
    common: Common,
    /// By queue; empty while the function isn't driven.
    running: Vec<Option<Running>>,
    window: Window,
}

/// What a function is doing.
#[derive(Debug, Serialize)]
pub struct FunctionReport<'a> {
    /// Its name: the card's, or the card's and the VF's number.
    pub name: &'a str,
    /// Its address now.
    pub mac: String,
    /// `device_status`.
    pub status: u8,
    /// The feature bits negotiated.
    pub features: u64,
    /// Queues set to work and not reset.
    pub queues: usize,
    /// Frames its queues dropped.
    pub drops: &'a Drops,
}

impl Function {
    /// A function in power-on state.
    pub(crate) fn new(config: FunctionConfig, wiring: Wiring) -> Self {
        let pairs = config.queue_pairs;
        let queues = layout::queues(pairs);
        let mut offered = OFFERED;
        offered.set(Features::SR_IOV, config.sr_iov);
        offered.set(Features::RING_PACKED, config.packed_rings);
        let common = Common::new(offered, layout::vectors(pairs), queues, config.queue_size);
        let epochs = wiring.link.epochs().clone();
        let reminder = wiring.engine.reminder();
        let shared = Shared::new(config, wiring.port, wiring.interrupts, epochs, reminder);
        Self {
            shared: Arc::new(shared),
            link: wiring.link,
            dma: wiring.dma,
            engine: wiring.engine,
            state: Mutex::new(State { common, running: Vec::new(), window: Window::default() }),
        }
    }

    /// Reads the BAR of the structures.
    pub(crate) fn read(&self, offset: u64, data: &mut [u8]) {
        if is_interrupting() {
            return data.fill(0xff);
        }
        match Place::of(offset) {
            Place::Common(offset) => self.state().common.read(offset, data, self.shared.live()),
            Place::Device(offset) => self.shared.read_config(offset, data),
            Place::Isr(0) => crate::bytes::read(&[self.shared.take_isr()], 0, data),
            Place::Isr(_) | Place::Notify(_) | Place::Nothing => data.fill(0),
        }
    }

    /// Writes the BAR of the structures.
    pub(crate) fn write(&self, offset: u64, data: &[u8]) {
        match Place::of(offset) {
            Place::Notify(queue) => {
                if let Some(doorbell) = self.shared.doorbell(queue) {
                    doorbell.ring();
                }
            }
            // A worker's own message: whatever it could set off might wait for that worker.
            _ if is_interrupting() => {}
            Place::Common(offset) => self.write_common(offset, data),
            Place::Isr(_) | Place::Device(_) | Place::Nothing => {}
        }
    }

    /// Power-on state; nobody works on its queues when this returns.
    pub(crate) fn reset(&self) {
        let was_driven = {
            let mut state = self.state();
            state.window = Window::default();
            self.stop_all(&mut state)
        };
        if was_driven {
            self.link.doorbells_changed();
        }
    }

    /// The function may send again: whatever waited for that goes on.
    pub(crate) fn resume(&self) {
        self.shared.doorbells().iter().for_each(Doorbell::ring);
    }

    /// Appends its doorbells as (BAR, offset, event); one whose event can't be made is trapped instead.
    pub(crate) fn doorbells(&self, doorbells: &mut Vec<(u8, u64, Arc<OwnedFd>)>) {
        let events = self.shared.events().into_iter();
        doorbells.extend(events.map(|(queue, event)| (REGISTERS, layout::doorbell(queue), event)));
    }

    /// Asks the driver to announce its addresses, if it can.
    pub(crate) fn announce(&self) {
        let features = self.state().common.features();
        if features.contains(Features::GUEST_ANNOUNCE) {
            self.shared.announce();
        }
    }

    /// Whether frames pass at all, from now on.
    pub(crate) fn set_link(&self, up: bool) {
        {
            let state = self.state();
            if !self.shared.set_link(up) || state.running.is_empty() {
                return;
            }
            self.shared.open_port();
        }
        self.shared.signal_config();
    }

    /// Reads the data of the configuration window; `None` while it shows nothing.
    pub(crate) fn window_read(&self) -> Option<u32> {
        let (offset, length) = self.state().window.access()?;
        let mut data = [0; 4];
        self.read(offset, &mut data[..length]);
        Some(u32::from_le_bytes(data))
    }

    /// The configuration window's capability was written; `data` if its data was.
    pub(crate) fn window_write(&self, bytes: &[u8], data: Option<[u8; 4]>) {
        let window = Window::of(bytes);
        self.state().window = window;
        if let (Some(data), Some((offset, length))) = (data, window.access()) {
            self.write(offset, &data[..length]);
        }
    }

    pub(crate) fn report(&self) -> FunctionReport<'_> {
        let state = self.state();
        let needs_reset = self.shared.live().needs_reset;
        let status = state.common.status().bits();
        FunctionReport {
            name: &self.shared.config.name,
            mac: self.shared.mac().to_string(),
            status: if needs_reset { status | Status::NEEDS_RESET.bits() } else { status },
            features: state.common.features().bits(),
            queues: state.running.iter().flatten().count(),
            drops: &self.shared.drops,
        }
    }

    fn write_common(&self, offset: usize, data: &[u8]) {
        let mut done = Done::default();
        {
            let mut state = self.state();
            for effect in state.common.write(offset, data) {
                self.perform(&mut state, effect, &mut done);
            }
        }
        // Messages go out, and the tree is told, with nothing locked.
        if done.failed {
            self.shared.fail(done.run);
        }
        if done.doorbells_changed {
            self.link.doorbells_changed();
        }
    }

    fn perform(&self, state: &mut State, effect: Effect, done: &mut Done) {
        match effect {
            Effect::ConfigVector(vector) => self.shared.set_config_vector(vector),
            Effect::QueueVector(queue, vector) => self.shared.set_queue_vector(queue, vector),
            Effect::Reset => done.doorbells_changed |= self.stop_all(state),
            Effect::ResetQueue(queue) => {
                done.doorbells_changed |= self.stop_queue(state, queue);
                state.common.queue_was_reset(queue);
                self.shared.set_queue_vector(queue, crate::spec::NO_VECTOR);
            }
            Effect::Start => {
                let features = state.common.features();
                tracing::debug!(function = self.shared.config.name, ?features, "driver is ready");
                self.shared.begin(features);
                self.shared.open_port();
                let queues = state.common.queue_count();
                state.running = (0..queues).map(|_| None).collect();
                (0..queues).for_each(|queue| self.start_queue(state, queue, done));
            }
            Effect::StartQueue(queue) => self.start_queue(state, queue, done),
        }
    }

    fn start_queue(&self, state: &mut State, queue: u16, done: &mut Done) {
        let features = state.common.features();
        let role = Role::of(queue, self.shared.config.queue_pairs, features);
        let registers = state.common.queue(queue).filter(|registers| registers.enabled);
        let slot = state.running.get_mut(usize::from(queue));
        let (Some(role), Some(registers), Some(slot)) = (role, registers, slot) else { return };
        let (engine, dma, shared) = (&*self.engine, &self.dma, &self.shared);
        match (Starter { engine, dma, shared, features }).start(queue, role, registers) {
            Ok(running) => {
                self.shared.set_doorbell(queue, Some(running.doorbell().clone()));
                self.shared.queue_enabled(queue, role);
                *slot = Some(running);
                done.doorbells_changed = true;
            }
            Err(error) => {
                tracing::debug!(function = shared.config.name, queue, %error, "queue not started");
                (done.failed, done.run) = (true, shared.run());
            }
        }
    }

    /// Whether the queue was at work.
    fn stop_queue(&self, state: &mut State, queue: u16) -> bool {
        self.shared.set_doorbell(queue, None);
        self.shared.queue_disabled(queue);
        let running = state.running.get_mut(usize::from(queue)).and_then(Option::take);
        let was_running = running.is_some();
        if let Some(running) = running {
            running.stop();
        }
        was_running
    }

    /// Stops and resets everything; whether the function was driven.
    fn stop_all(&self, state: &mut State) -> bool {
        let was_driven = !state.running.is_empty();
        if was_driven {
            tracing::debug!(function = self.shared.config.name, "reset");
            self.shared.close_port();
            for queue in 0..state.common.queue_count() {
                self.stop_queue(state, queue);
            }
            // A command that came in meanwhile may have opened it again.
            self.shared.close_port();
        }
        state.running = Vec::new();
        state.common.reset();
        self.shared.reset();
        was_driven
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is left to do once the lock is dropped.
#[derive(Default)]
struct Done {
    doorbells_changed: bool,
    failed: bool,
    run: u64,
}

/// What lies at an offset of the BAR.
enum Place {
    Common(usize),
    Isr(usize),
    Device(usize),
    Notify(usize),
    Nothing,
}

impl Place {
    fn of(offset: u64) -> Self {
        let Ok(offset) = usize::try_from(offset) else { return Self::Nothing };
        let within = |start: usize, length: usize| {
            offset.checked_sub(start).filter(|offset| *offset < length)
        };
        if let Some(offset) = within(layout::COMMON, common::LENGTH) {
            Self::Common(offset)
        } else if let Some(offset) = within(layout::ISR, layout::ISR_LENGTH) {
            Self::Isr(offset)
        } else if let Some(offset) = within(layout::DEVICE, config::LENGTH) {
            Self::Device(offset)
        } else if let Some(offset) = within(layout::NOTIFY, layout::NOTIFY_LENGTH) {
            Self::Notify(offset / layout::NOTIFY_MULTIPLIER)
        } else {
            Self::Nothing
        }
    }
}

impl Drop for Function {
    fn drop(&mut self) {
        self.reset();
    }
}

#[cfg(test)]
mod tests;
