//! The card: a PF, its VFs, and the PCI endpoint they are (virtio 1.3, 4.1.2; SR-IOV as virtio 1.3, 6 and PCI Express base 6.0, 9).
//! Leaves out administration queues: what a VF may do is the host's business, not the PF driver's.

use std::os::fd::OwnedFd;
use std::sync::{Arc, OnceLock};

use pando_engine::{Engine, PortKind, Switch};
use pando_pci::{
    Endpoint, EndpointConfig, FunctionId, FunctionPort, Functions, Identity, Model, Msix, Slot,
    SriovConfig,
};
use pando_tlp::Link;
use serde::Serialize;

use crate::config::{ConfigError, FunctionConfig, NicConfig};
use crate::function::{Function, FunctionReport, Wiring};
use crate::layout::{self, REGISTERS, WINDOW, window};
use crate::shared::Interrupts;
use crate::spec::{CLASS, DEVICE, REVISION, SUBSYSTEM, VENDOR};

/// A virtio-net card: what is plugged in, and what the host may do to it.
pub struct VirtioNic {
    endpoint: Arc<Endpoint>,
    card: Arc<Card>,
}

/// Why a card can't be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The user's mistake.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Ours: the endpoint can't be laid out.
    #[error("PCI function: {0}")]
    Pci(#[from] pando_pci::ConfigError),
}

/// What a card is doing.
#[derive(Debug, Serialize)]
pub struct NicReport<'a> {
    /// The PF.
    pub pf: FunctionReport<'a>,
    /// The VFs that a driver has negotiated with.
    pub vfs: Vec<FunctionReport<'a>>,
}

impl VirtioNic {
    /// Builds the card at `slot` of `link`, with a port in `switch` for each function; the switch's uplink is none of its business.
    pub fn new(
        config: &NicConfig,
        slot: &Slot,
        link: Arc<dyn Link>,
        engine: &Arc<Engine>,
        switch: &Arc<Switch>,
    ) -> Result<Self, BuildError> {
        config.validate()?;
        let built = OnceLock::new();
        let endpoint = Endpoint::new(endpoint_config(config, slot), link.clone(), |functions| {
            let plug = Plug { link: &link, engine, switch };
            let card = built.get_or_init(|| Arc::new(plug.card(config, functions)));
            card.clone()
        })?;
        let card = built.into_inner().ok_or(pando_pci::ConfigError::Msix("no model was built"))?;
        Ok(Self { endpoint: Arc::new(endpoint), card })
    }

    /// What the tree plugs in.
    pub fn endpoint(&self) -> &Arc<Endpoint> {
        &self.endpoint
    }

    /// Asks the function's driver to tell the network where it is, if it can (GUEST_ANNOUNCE).
    pub fn announce(&self, function: FunctionId) {
        if let Some(function) = self.card.function(function) {
            function.announce();
        }
    }

    /// Plugs the PF's cable in or out: `VIRTIO_NET_S_LINK_UP` (virtio 1.3, 5.1.4) follows. VFs stay connected to each other.
    pub fn set_link(&self, up: bool) {
        self.card.pf.set_link(up);
    }

    /// What it is doing now.
    pub fn report(&self) -> NicReport<'_> {
        let vfs = self.card.vfs.iter().map(Function::report);
        NicReport {
            pf: self.card.pf.report(),
            vfs: vfs.filter(|report| report.features != 0).collect(),
        }
    }
}

fn endpoint_config(config: &NicConfig, slot: &Slot) -> EndpointConfig {
    let identity = Identity {
        vendor: VENDOR,
        device: DEVICE,
        revision: REVISION,
        class: CLASS,
        subsystem_vendor: VENDOR,
        subsystem: SUBSYSTEM,
    };
    let mut endpoint = EndpointConfig::new(identity, layout::resources(config.pf_queue_pairs));
    let [a, b, c, d, e, f] = config.mac.0;
    endpoint.serial_number = Some(u64::from_be_bytes([a, b, c, 0xff, 0xfe, d, e, f]));
    endpoint.sriov = (config.vfs > 0).then(|| {
        let resources = layout::resources(config.vf_queue_pairs);
        SriovConfig::new(config.vfs, DEVICE, SUBSYSTEM, resources)
    });
    endpoint.place(slot);
    endpoint
}

/// What functions are connected to.
struct Plug<'a> {
    link: &'a Arc<dyn Link>,
    engine: &'a Arc<Engine>,
    switch: &'a Arc<Switch>,
}

impl Plug<'_> {
    fn card(&self, config: &NicConfig, functions: &Functions) -> Card {
        let vfs = (0..).zip(functions.vfs());
        Card {
            name: config.name.clone(),
            pf: self.function(config.pf(), functions.pf()),
            vfs: vfs.map(|(vf, port)| self.function(config.vf(vf), port)).collect(),
        }
    }

    fn function(&self, config: FunctionConfig, function: &FunctionPort) -> Function {
        let port = self.switch.port(&config.name, PortKind::Function);
        let wiring = Wiring {
            link: self.link.clone(),
            dma: function.dma.clone(),
            interrupts: function.msix.clone(),
            engine: self.engine.clone(),
            port,
        };
        Function::new(config, wiring)
    }
}

impl Interrupts for Msix {
    fn signal(&self, vector: u16) {
        Msix::signal(self, vector);
    }
}

/// The functions, as their configuration spaces see them.
pub(crate) struct Card {
    pub(crate) name: String,
    pub(crate) pf: Function,
    pub(crate) vfs: Box<[Function]>,
}

impl Card {
    fn function(&self, function: FunctionId) -> Option<&Function> {
        match function {
            FunctionId::Pf => Some(&self.pf),
            FunctionId::Vf(vf) => self.vfs.get(usize::from(vf)),
        }
    }
}

impl Model for Card {
    fn read(&self, function: FunctionId, bar: u8, offset: u64, data: &mut [u8]) {
        match self.function(function) {
            Some(function) if bar == REGISTERS => function.read(offset, data),
            _ => data.fill(0),
        }
    }

    fn write(&self, function: FunctionId, bar: u8, offset: u64, data: &[u8]) {
        match self.function(function) {
            Some(function) if bar == REGISTERS => function.write(offset, data),
            _ => {}
        }
    }

    fn reset(&self, function: FunctionId) {
        if let Some(function) = self.function(function) {
            function.reset();
        }
    }

    fn bus_master(&self, function: FunctionId, enabled: bool) {
        match self.function(function) {
            Some(function) if enabled => function.resume(),
            _ => {}
        }
    }

    fn virtual_functions(&self, count: u16) {
        tracing::debug!(card = self.name, count, "VFs");
    }

    fn doorbells(&self, function: FunctionId, doorbells: &mut Vec<(u8, u64, Arc<OwnedFd>)>) {
        if let Some(function) = self.function(function) {
            function.doorbells(doorbells);
        }
    }

    fn vendor_read(&self, function: FunctionId, index: usize, offset: u16) -> Option<u32> {
        if index != WINDOW || usize::from(offset) != window::DATA {
            return None;
        }
        self.function(function)?.window_read()
    }

    fn vendor_write(&self, function: FunctionId, index: usize, offset: u16, bytes: &[u8]) {
        let Some(function) = self.function(function).filter(|_| index == WINDOW) else { return };
        let data = bytes.get(window::DATA..).and_then(|data| data.first_chunk::<4>());
        let data = data.filter(|_| usize::from(offset) == window::DATA);
        function.window_write(bytes, data.copied());
    }
}

#[cfg(test)]
mod tests;
