//! An endpoint: a physical function and its virtual functions, below a port or on the root bus (PCI Express base 6.0, chapters
//! 6, 7 and 9). It owns configuration space, BARs, gates and interrupts; what the BARs hold is the [`Model`]'s.
//!
//! Not implemented: ATS, PRI, PASID, VF migration, resizable BARs.

use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pando_tlp::{Access, Dma, Link, Requester, RequesterId};

use crate::config_space::Reset;
use crate::error::ConfigError;
use crate::intx::Intx;
use crate::msi::Msi;
use crate::msix::Msix;
use crate::presence::Presence;
use crate::{
    ByteEnables, ConfigKind, Decoded, DetectedError, Device, Doorbell, Effects, ErrorPlace,
    FunctionId, Model, Region,
};
use card::Card;
use config::EndpointConfig;
use interrupts::Interrupts;
pub use report::{EndpointReport, FunctionReport};
use state::{Change, Gates, State};

mod access;
mod card;
pub(crate) mod config;
mod errors;
mod interrupts;
mod report;
mod shape;
pub(crate) mod slot;
mod sriov;
mod state;
mod transition;

/// A PF and its VFs.
pub struct Endpoint {
    card: Card,
    link: Arc<dyn Link>,
    model: Arc<dyn Model>,
    pf: Function,
    vfs: Box<[Function]>,
    /// Held over a whole configuration write, so that what two writes ask for happens in their order.
    writing: Mutex<()>,
    state: Mutex<State>,
    /// System Page Size in bytes, for register accesses.
    page_size: AtomicU64,
}

/// One function, apart from its configuration space.
struct Function {
    id: FunctionId,
    requester: Arc<Requester>,
    interrupts: Interrupts,
    presence: Presence,
}

/// What a model gets for each of its functions.
#[derive(Clone)]
pub struct FunctionPort {
    /// The way into the tree, with the function's own id and gate.
    pub dma: Arc<dyn Dma>,
    /// Its MSI-X; without a single vector where it has none, as for `msi`.
    pub msix: Arc<Msix>,
    /// Its MSI.
    pub msi: Arc<Msi>,
    /// Its interrupt pin, or one that tells nobody. Only one of the three works at a time, as the driver has chosen; a model
    /// tells all that apply.
    pub intx: Arc<Intx>,
}

/// The functions of a card, all TotalVFs included.
pub struct Functions {
    pf: FunctionPort,
    vfs: Vec<FunctionPort>,
}

impl Functions {
    /// The port of a function; `None` for a VF that the card hasn't got.
    pub fn get(&self, function: FunctionId) -> Option<&FunctionPort> {
        match function {
            FunctionId::Pf => Some(&self.pf),
            FunctionId::Vf(index) => self.vfs.get(usize::from(index)),
        }
    }

    /// The PF's.
    pub fn pf(&self) -> &FunctionPort {
        &self.pf
    }

    /// The VFs', in their order.
    pub fn vfs(&self) -> &[FunctionPort] {
        &self.vfs
    }
}

impl Endpoint {
    /// A card in its power-on state; `build` makes its model.
    pub fn new(
        config: EndpointConfig,
        link: Arc<dyn Link>,
        build: impl FnOnce(&Functions) -> Arc<dyn Model>,
    ) -> Result<Self, ConfigError> {
        let card = Card::new(&config)?;
        let function = |id| Function::new(&card, id, &link);
        let total = card.vf.as_ref().map_or(0, |vf| vf.total);
        let (pf, pf_port) = function(FunctionId::Pf);
        let (vfs, vf_ports): (Vec<_>, Vec<_>) =
            (0..total).map(|index| function(FunctionId::Vf(index))).unzip();
        let model = build(&Functions { pf: pf_port, vfs: vf_ports });
        let state = State::new(&card);
        pf.requester.set_id(state.id(&card, FunctionId::Pf));
        pf.presence.set(true);
        pf.interrupts.intx.power(true);
        let page_size = AtomicU64::new(state.page_size(&card));
        let vfs = vfs.into_boxed_slice();
        let (writing, state) = (Mutex::default(), Mutex::new(state));
        Ok(Self { card, link, model, pf, vfs, writing, state, page_size })
    }

    /// NumVFs functions of TotalVFs exist now.
    pub fn active_vfs(&self) -> u16 {
        self.lock().active
    }

    fn function_of(&self, function: FunctionId) -> Option<&Function> {
        match function {
            FunctionId::Pf => Some(&self.pf),
            FunctionId::Vf(index) => self.vfs.get(usize::from(index)),
        }
    }

    /// What a write to `register` has made of the function's interrupts.
    fn interrupts(
        &self,
        state: &State,
        function: FunctionId,
        register: u16,
    ) -> Option<(FunctionId, interrupts::Registers)> {
        let (shape, space) = (self.card.shape(function)?, state.space(function)?);
        let interrupts = &self.function_of(function)?.interrupts;
        Some((function, interrupts.registers(shape, space, register)?))
    }

    fn reset_to(&self, reset: Reset) {
        let _order = self.order();
        let removed = {
            let mut state = self.lock();
            let removed = state.reset(&self.card, reset);
            self.page_size.store(state.page_size(&self.card), SeqCst);
            removed
        };
        let (reset, gates) = (Some(FunctionId::Pf), Gates::One(FunctionId::Pf));
        let change =
            Change { decode: true, captured: true, reset, removed, gates, ..Change::default() };
        self.perform(change);
    }

    #[cfg(test)]
    pub(crate) fn raise_bits(&self, function: FunctionId, register: u16, bits: u32) {
        let mut state = self.lock();
        if let Some(space) = state.space_mut(function) {
            space.set(register, bits, bits);
        }
    }

    fn order(&self) -> MutexGuard<'_, ()> {
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Function {
    fn new(card: &Card, id: FunctionId, link: &Arc<dyn Link>) -> (Self, FunctionPort) {
        let requester = Arc::new(Requester::default());
        let dma = link.dma(requester.clone());
        let interrupts = Interrupts::new(card, id, link, &dma, &requester);
        let Interrupts { msix, msi, intx } = &interrupts;
        let port = FunctionPort { dma, msix: msix.clone(), msi: msi.clone(), intx: intx.clone() };
        (Self { id, requester, interrupts, presence: Presence::default() }, port)
    }
}

impl Device for Endpoint {
    fn config_read(&self, kind: ConfigKind, target: RequesterId, register: u16) -> Option<u32> {
        let (function, stored) = {
            let mut state = self.lock();
            let function = state.find(&self.card, kind, target)?;
            self.fold_outcomes(&mut state, function, register);
            (function, state.read(&self.card, function, register))
        };
        let stored = self.function_of(function)?.interrupts.read(register, stored);
        let vendor = &self.card.shape(function)?.vendor;
        let index = vendor.iter().position(|range| range.contains(&register));
        let own = index.and_then(|index| {
            let _visit = self.function_of(function)?.presence.enter()?;
            self.model.vendor_read(function, index, register - vendor[index].start)
        });
        Some(own.unwrap_or(stored))
    }

    fn config_write(
        &self,
        kind: ConfigKind,
        target: RequesterId,
        register: u16,
        value: u32,
        enables: ByteEnables,
    ) -> Option<Effects> {
        let _order = self.order();
        let change = {
            let mut state = self.lock();
            let function = state.find(&self.card, kind, target)?;
            self.fold_outcomes(&mut state, function, register);
            let bus = if kind == ConfigKind::Type0 { target.bus() } else { state.bus };
            let captured = std::mem::replace(&mut state.bus, bus) != bus;
            let change = state.write(&self.card, function, register, value, enables);
            self.page_size.store(state.page_size(&self.card), SeqCst);
            let interrupts = self.interrupts(&state, function, register);
            Change { captured, interrupts, ..change }
        };
        let effects = if change.decode { Effects::DECODE } else { Effects::empty() };
        self.perform(change);
        Some(effects)
    }

    fn decoded(&self, ranges: &mut Vec<Decoded>) {
        ranges.extend(self.lock().decoded(&self.card));
    }

    fn read(&self, region: Region, offset: u64, data: &mut [u8]) {
        if self.read_register(region, offset, data).is_none() {
            data.fill(0xff);
        }
    }

    fn write(&self, region: Region, offset: u64, data: &[u8]) {
        let _dropped = self.write_register(region, offset, data).is_none();
    }

    fn refuses(&self, region: Region, offset: u64, len: usize, access: Access) -> bool {
        self.refuses_register(region, offset, len, access).unwrap_or(false)
    }

    fn detect(&self, place: ErrorPlace, error: &DetectedError) {
        self.log_error(place, error);
    }

    fn doorbells(&self, doorbells: &mut Vec<Doorbell>) {
        self.collect_doorbells(doorbells);
    }

    fn reset(&self) {
        self.reset_to(Reset::Cold);
    }

    fn hot_reset(&self) {
        self.reset_to(Reset::Hot);
    }

    fn function(&self, target: RequesterId) -> Option<FunctionId> {
        let state = self.lock();
        let kind = if target.bus() == state.bus { ConfigKind::Type0 } else { ConfigKind::Type1 };
        state.find(&self.card, kind, target)
    }
}

#[cfg(test)]
mod tests;
