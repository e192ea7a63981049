//! A port: root port, or the upstream or downstream port of a switch, each a PCI-to-PCI bridge to software (PCI Express
//! base 6.0, 7.5.1.3, and the capabilities of chapter 7). It keeps registers and says what they mean; the tree forwards.
//!
//! A bridge to conventional PCI is one too, with a link above.
//!
//! Not implemented: I/O windows, VGA and ISA forwarding, hot-plug, DPC, system errors of the
//! Root Control register; of a bridge to conventional PCI: AER, Master-Abort Mode, discard timers.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use pando_tlp::{Link, Requester, RequesterId};

use crate::capability::pcie::{LinkWidth, PortKind};
use crate::config_space::{ConfigSpace, Reset};
use crate::error::ConfigError;
use crate::msi::Msi;
use crate::spec::acs::AcsServices;
use crate::spec::{pcie as pcie_spec, pm};
use crate::{ByteEnables, Effects, capability};

mod config;
mod errors;
mod routing;

pub use config::BridgeConfig;
use config::{Places, layout};
pub use errors::ErrorStatus;
pub use routing::{Routing, Window};

/// A port's registers. Every method may be called from any thread.
pub struct Bridge {
    kind: PortKind,
    wired: RequesterId,
    slot: bool,
    link: LinkWidth,
    places: Places,
    requester: Arc<Requester>,
    msi: Option<Msi>,
    upper: Option<Arc<dyn Link>>,
    /// Held over a whole write, so that what two writes ask for happens in their order.
    writing: Mutex<()>,
    state: Mutex<State>,
    routing: RwLock<Routing>,
}

#[derive(Debug)]
struct State {
    space: ConfigSpace,
    occupied: bool,
    link_up: bool,
}

impl Bridge {
    /// A port in its power-on state.
    pub fn new(config: BridgeConfig) -> Result<Self, ConfigError> {
        let (layout, places) = layout(&config)?;
        let requester = Arc::new(Requester::default());
        requester.set_id(config.id);
        let msi = config.upper.as_ref().map(|upper| {
            let dma = upper.dma(requester.clone());
            Msi::new((places.msi, 1), dma, requester.clone()).in_epochs(upper.epochs())
        });
        let state = State {
            space: ConfigSpace::new(layout),
            occupied: config.occupied,
            link_up: config.occupied,
        };
        let bridge = Self {
            kind: config.kind,
            wired: config.id,
            slot: config.slot.is_some() && config.kind.is_downstream(),
            link: config.link,
            places,
            requester,
            msi,
            upper: config.upper,
            writing: Mutex::default(),
            state: Mutex::new(state),
            routing: RwLock::default(),
        };
        bridge.power_on(&mut bridge.lock());
        Ok(bridge)
    }

    /// Which port it is.
    pub fn kind(&self) -> PortKind {
        self.kind
    }

    /// The id it answers to and sends with.
    pub fn id(&self) -> RequesterId {
        self.requester.id()
    }

    /// Takes the id that a type 0 configuration write came with (2.2.6.2); root ports are wired and don't need it.
    pub fn capture(&self, id: RequesterId) {
        let changed = self.requester.id() != id;
        self.requester.set_id(id);
        if changed && self.requester.is_open() {
            self.synchronize();
        }
    }

    /// The dword at `register`.
    pub fn read(&self, register: u16) -> u32 {
        if let Some(pending) = self.msi.as_ref().and_then(|msi| msi.read(register)) {
            return pending;
        }
        self.lock().space.read(register)
    }

    /// The guest's write. What it asks of the port itself is done when this returns.
    pub fn write(&self, register: u16, value: u32, enables: ByteEnables) -> Effects {
        let _order = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let (effects, msi, due) = {
            let mut state = self.lock();
            let was_due = self.is_due(&state.space);
            self.store(&mut state.space, register, value, enables);
            let msi = self.msi.as_ref().filter(|msi| msi.contains(register));
            let msi = msi.map(|msi| (msi, msi.registers(&state.space)));
            let due = !was_due && self.is_due(&state.space);
            (self.update(&mut state), msi, due)
        };
        if let Some((msi, registers)) = msi {
            msi.apply(&registers);
        }
        self.follow_gate();
        if due {
            self.signal();
        }
        effects
    }

    /// What the registers say about forwarding now, all of one moment.
    pub fn routing(&self) -> Routing {
        *self.routing.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Primary Bus Number; nothing depends on it.
    pub fn primary(&self) -> u8 {
        self.routing().primary
    }

    /// Secondary Bus Number: the bus below.
    pub fn secondary(&self) -> u8 {
        self.routing().secondary
    }

    /// Subordinate Bus Number: the last bus below.
    pub fn subordinate(&self) -> u8 {
        self.routing().subordinate
    }

    /// The memory window; `None` while closed, without Memory Space Enable, or outside D0.
    pub fn memory_window(&self) -> Option<Window> {
        self.routing().memory
    }

    /// The prefetchable window; `None` while closed, without Memory Space Enable, or outside D0.
    pub fn prefetch_window(&self) -> Option<Window> {
        self.routing().prefetch
    }

    /// Whether memory requests from below are forwarded (Bus Master Enable, in D0).
    pub fn bus_master(&self) -> bool {
        self.routing().bus_master
    }

    /// Whether memory requests from above are forwarded (Memory Space Enable, in D0).
    pub fn memory_space(&self) -> bool {
        self.routing().memory_space
    }

    /// ARI Forwarding Enable.
    pub fn ari_forwarding(&self) -> bool {
        self.routing().ari_forwarding
    }

    /// ACS services that are switched on.
    pub fn acs_control(&self) -> AcsServices {
        self.routing().acs
    }

    /// Whether Secondary Bus Reset holds everything below in reset.
    pub fn secondary_bus_reset(&self) -> bool {
        self.routing().secondary_bus_reset
    }

    /// A card is put into the slot, or taken out. Returns what that asks of the tree.
    pub fn set_occupied(&self, occupied: bool) -> Effects {
        let mut state = self.lock();
        if state.occupied != occupied && self.slot {
            let changed = pcie_spec::PRESENCE_CHANGED;
            state.space.set(self.places.pcie + pcie_spec::SLOT_CONTROL, changed, changed);
        }
        state.occupied = occupied;
        self.update(&mut state)
    }

    /// The link below trains, or goes down. Only a link that isn't disabled or in reset is active. Returns
    /// what that asks of the tree.
    pub fn set_link_up(&self, up: bool) -> Effects {
        let mut state = self.lock();
        state.link_up = up;
        self.update(&mut state)
    }

    /// An event of a port service: one message on the port's only vector.
    pub fn signal(&self) {
        if let Some(msi) = &self.msi {
            msi.signal_guarded(0);
        }
    }

    /// Power-on state.
    pub fn reset(&self) {
        self.reset_to(Reset::Cold);
    }

    /// Hot reset, which sticky registers survive.
    pub fn hot_reset(&self) {
        self.reset_to(Reset::Hot);
    }

    fn reset_to(&self, reset: Reset) {
        let _order = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        {
            let mut state = self.lock();
            state.space.reset(reset);
            self.power_on(&mut state);
        }
        self.follow_gate();
        if let Some(msi) = &self.msi {
            msi.inner().reset(false);
        }
        self.requester.set_id(self.wired);
    }

    /// The rules that masks can't tell.
    fn store(&self, space: &mut ConfigSpace, register: u16, value: u32, enables: ByteEnables) {
        if register == self.places.pm + pm::CONTROL {
            capability::write_power_state(space, register, value, enables);
        } else {
            space.write(register, value, enables);
        }
    }

    /// Status bits as they are after a reset: nothing has changed yet.
    fn power_on(&self, state: &mut State) {
        self.update(state);
        if self.slot {
            let changed = pcie_spec::PRESENCE_CHANGED | pcie_spec::LINK_STATE_CHANGED;
            state.space.set(self.places.pcie + pcie_spec::SLOT_CONTROL, changed, 0);
        }
    }

    /// Brings status bits and the routing up to date with the registers.
    fn update(&self, state: &mut State) -> Effects {
        let new = Routing::of(&state.space, &self.places, self.kind.is_downstream(), state.link_up);
        let mut routing = self.routing.write().unwrap_or_else(PoisonError::into_inner);
        let old = std::mem::replace(&mut *routing, new);
        drop(routing);
        if self.kind.is_downstream() {
            self.show_link(state, old.link_active, new.link_active);
        }
        old.effects(&new)
    }

    /// Link Status and Slot Status (7.5.3.8, 7.5.3.11).
    fn show_link(&self, state: &mut State, was_active: bool, active: bool) {
        let pcie = self.places.pcie;
        let negotiated = self.link.bits() << 16 | pcie_spec::LINK_ACTIVE;
        let mask = pcie_spec::LINK_NEGOTIATED | pcie_spec::LINK_ACTIVE;
        state.space.set(pcie + pcie_spec::LINK_CONTROL, mask, if active { negotiated } else { 0 });
        if !self.slot {
            return;
        }
        let presence = if state.occupied { pcie_spec::PRESENCE } else { 0 };
        state.space.set(pcie + pcie_spec::SLOT_CONTROL, pcie_spec::PRESENCE, presence);
        if was_active != active && state.occupied {
            let changed = pcie_spec::LINK_STATE_CHANGED;
            state.space.set(pcie + pcie_spec::SLOT_CONTROL, changed, changed);
        }
    }

    /// The port's own requests: Bus Master Enable and D0.
    fn follow_gate(&self) {
        let open = self.routing().bus_master;
        if !self.requester.set_open(open) {
            return;
        }
        let vectors = self.msi.as_ref().map(Msi::inner);
        if open {
            vectors.inspect(|vectors| vectors.deliver_all());
        } else {
            vectors.inspect(|vectors| vectors.quiesce());
            self.synchronize();
        }
    }

    #[cfg(test)]
    pub(crate) fn raise_bits(&self, register: u16, bits: u32) {
        self.lock().space.set(register, bits, bits);
    }

    fn synchronize(&self) {
        if let Some(upper) = &self.upper {
            upper.epochs().synchronize();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
