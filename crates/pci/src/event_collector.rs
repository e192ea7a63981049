//! A Root Complex Event Collector: where the error messages of integrated endpoints end, as those of others do at their root port
//! (PCI Express base 6.0, 1.3.4, 6.2.4.1, 7.9.10).
//!
//! Not implemented: PME of integrated endpoints; endpoints on other buses than the collector's.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pando_tlp::{ErrorMessage, Link, Requester, RequesterId};

use crate::capability::{extended, pcie};
use crate::config_space::{ConfigSpace, Reset};
use crate::error::ConfigError;
use crate::layout::{Layout, LayoutBuilder, Register};
use crate::msi::Msi;
use crate::spec::header::{CLASS_EVENT_COLLECTOR, COMMAND, COMMAND_BUS_MASTER};
use crate::spec::pm;
use crate::{
    ByteEnables, ConfigKind, Decoded, Device, Doorbell, Effects, FunctionId, Identity, Region,
    capability, header, root_errors,
};

/// The collector. Every method may be called from any thread.
pub struct EventCollector {
    function: u8,
    associated: u32,
    places: Places,
    requester: Arc<Requester>,
    link: Arc<dyn Link>,
    msi: Msi,
    /// Held over a whole write, so that what two writes ask for happens in their order.
    writing: Mutex<()>,
    space: Mutex<ConfigSpace>,
}

/// Offsets of the capabilities.
#[derive(Clone, Copy, Debug)]
struct Places {
    pm: u16,
    msi: u16,
    aer: u16,
}

impl EventCollector {
    /// The function `function` (device and function number) of the root bus, for the device numbers whose bits are set in
    /// `associated`. Of `identity` vendor, device and revision count.
    pub fn new(
        identity: Identity,
        function: u8,
        associated: u32,
        link: Arc<dyn Link>,
    ) -> Result<Self, ConfigError> {
        let (layout, places) = layout(&identity, associated)?;
        let requester = Arc::new(Requester::default());
        requester.set_id(RequesterId::new(0, function));
        let dma = link.dma(requester.clone());
        let msi = Msi::new((places.msi, 1), dma, requester.clone()).in_epochs(link.epochs());
        let space = Mutex::new(ConfigSpace::new(layout));
        let writing = Mutex::default();
        Ok(Self { function, associated, places, requester, link, msi, writing, space })
    }

    fn is_own(&self, kind: ConfigKind, target: RequesterId) -> bool {
        kind == ConfigKind::Type0 && target == RequesterId::new(0, self.function)
    }

    fn write(&self, register: u16, value: u32, enables: ByteEnables) {
        let _order = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let (msi, due) = {
            let space = &mut self.lock();
            let was_due = root_errors::is_due(space, self.places.aer);
            if register == self.places.pm + pm::CONTROL {
                capability::write_power_state(space, register, value, enables);
            } else {
                space.write(register, value, enables);
            }
            let msi = self.msi.contains(register).then(|| self.msi.registers(space));
            (msi, !was_due && root_errors::is_due(space, self.places.aer))
        };
        if let Some(registers) = msi {
            self.msi.apply(&registers);
        }
        self.follow_gate();
        if due {
            self.msi.signal_guarded(0);
        }
    }

    /// Its own requests: Bus Master Enable and D0.
    fn follow_gate(&self) {
        let open = {
            let space = self.lock();
            let powered = space.read(self.places.pm + pm::CONTROL) & pm::POWER_STATE == 0;
            powered && space.read(COMMAND) & COMMAND_BUS_MASTER != 0
        };
        if !self.requester.set_open(open) {
            return;
        }
        if open {
            self.msi.inner().deliver_all();
        } else {
            self.msi.inner().quiesce();
            self.link.epochs().synchronize();
        }
    }

    fn reset_to(&self, reset: Reset) {
        let _order = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        self.lock().reset(reset);
        self.follow_gate();
        self.msi.inner().reset(false);
    }

    fn lock(&self) -> MutexGuard<'_, ConfigSpace> {
        self.space.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    pub(crate) fn raise_bits(&self, register: u16, bits: u32) {
        self.lock().set(register, bits, bits);
    }
}

fn layout(identity: &Identity, associated: u32) -> Result<(Arc<Layout>, Places), ConfigError> {
    let identity = Identity { class: CLASS_EVENT_COLLECTOR, ..*identity };
    let header = header::type0(&identity, false, None, [Register::default(); 6]);
    let mut list = LayoutBuilder::new(header);
    let pm = list.capability(None, capability::power_management())?;
    let msi = list.capability(None, capability::msi(1))?;
    list.capability(None, pcie::event_collector())?;
    let aer = list.extended(None, extended::aer(false, true))?;
    list.extended(None, extended::endpoint_association(associated))?;
    Ok((list.build(), Places { pm, msi, aer }))
}

impl Device for EventCollector {
    fn config_read(&self, kind: ConfigKind, target: RequesterId, register: u16) -> Option<u32> {
        self.is_own(kind, target)
            .then(|| self.msi.read(register).unwrap_or_else(|| self.lock().read(register)))
    }

    fn config_write(
        &self,
        kind: ConfigKind,
        target: RequesterId,
        register: u16,
        value: u32,
        enables: ByteEnables,
    ) -> Option<Effects> {
        self.is_own(kind, target).then(|| {
            self.write(register, value, enables);
            Effects::empty()
        })
    }

    fn decoded(&self, _: &mut Vec<Decoded>) {}

    fn read(&self, _: Region, _: u64, data: &mut [u8]) {
        data.fill(0xff);
    }

    fn write(&self, _: Region, _: u64, _: &[u8]) {}

    fn collect(&self, source: RequesterId, message: ErrorMessage) -> bool {
        if self.associated >> (source.function() >> 3) & 1 == 0 {
            return false;
        }
        let due = {
            let space = &mut self.lock();
            let was_due = root_errors::is_due(space, self.places.aer);
            root_errors::receive(space, self.places.aer, source, message);
            !was_due && root_errors::is_due(space, self.places.aer)
        };
        if due {
            self.msi.signal_guarded(0);
        }
        true
    }

    fn doorbells(&self, _: &mut Vec<Doorbell>) {}

    fn reset(&self) {
        self.reset_to(Reset::Cold);
    }

    fn hot_reset(&self) {
        self.reset_to(Reset::Hot);
    }

    fn function(&self, target: RequesterId) -> Option<FunctionId> {
        (target == RequesterId::new(0, self.function)).then_some(FunctionId::Pf)
    }
}

#[cfg(test)]
mod tests;
