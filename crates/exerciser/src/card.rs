//! The card: a PF, its VFs, each with registers of its own, and the PCI endpoint they are (PCI Express base 6.0, 7.5.1.2, 9.2).

use std::os::fd::OwnedFd;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, OnceLock};

use pando_pci::{
    Bar, Device, Endpoint, EndpointConfig, EndpointReport, FunctionId, FunctionPort, Functions,
    Identity, Model, MsixConfig, Resources, Slot, SriovConfig,
};
use pando_tlp::{Access, Link, Participant};

use crate::registers::{Interrupt, Registers};
use crate::spec::*;
use crate::worker;

/// What a card is built from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExerciserConfig {
    /// Its name, for its thread.
    pub name: String,
    /// Virtual functions it can have, 0 to 255.
    pub vfs: u16,
}

/// Why a card can't be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The endpoint can't be laid out.
    #[error("PCI function: {0}")]
    Pci(#[from] pando_pci::ConfigError),
    /// The host gives no thread.
    #[error("starting its thread: {0}")]
    Thread(#[from] std::io::Error),
}

/// An exerciser.
pub struct Exerciser(Arc<Endpoint>);

impl Exerciser {
    /// Builds the card at `slot` of `link`.
    pub fn new(
        config: &ExerciserConfig,
        slot: &Slot,
        link: Arc<dyn Link>,
    ) -> Result<Self, BuildError> {
        let (commands, queue) = channel();
        let built = OnceLock::new();
        let epochs = link.epochs().clone();
        let endpoint = Endpoint::new(endpoint_config(config, slot), link, |functions| {
            built.get_or_init(|| Arc::new(Card::new(functions, commands))).clone()
        })?;
        let card = built.get().map(Arc::downgrade).unwrap_or_default();
        let participant = epochs.join();
        let name = config.name.chars().take(15).collect();
        std::thread::Builder::new()
            .name(name)
            .spawn(move || worker::run(&card, &queue, participant))?;
        Ok(Self(Arc::new(endpoint)))
    }

    /// What the tree plugs in.
    pub fn device(&self) -> Arc<dyn Device> {
        self.0.clone()
    }

    /// What its functions are doing.
    pub fn report(&self) -> EndpointReport {
        self.0.report()
    }
}

/// The model behind the BARs.
pub(crate) struct Card {
    pf: Function,
    vfs: Box<[Function]>,
    commands: Sender<FunctionId>,
}

struct Function {
    port: FunctionPort,
    registers: Registers,
}

impl Function {
    fn new(port: &FunctionPort, has_pin: bool) -> Self {
        Self { port: port.clone(), registers: Registers::new(has_pin) }
    }

    /// Under a guard: whoever resets the function waits for it afterwards, and later guards see the reset.
    fn piece(&self) {
        let Some((life, mut job)) = self.registers.job() else { return };
        match job.step(&*self.port.dma) {
            None => self.registers.proceed(life, job),
            Some(end) => {
                if let Some(interrupt) = self.registers.end(life, end) {
                    self.interrupt(interrupt);
                }
            }
        }
    }

    fn interrupt(&self, interrupt: Interrupt) {
        match interrupt {
            Interrupt::Pin => self.follow_pin(),
            Interrupt::Msi(vector) => self.port.msi.signal(vector),
            Interrupt::Msix(vector) => self.port.msix.signal(vector),
        }
    }

    fn follow_pin(&self) {
        self.port.intx.follow(|| self.registers.asserts_pin());
    }
}

impl Card {
    fn new(functions: &Functions, commands: Sender<FunctionId>) -> Self {
        let vfs = functions.vfs().iter().map(|port| Function::new(port, false)).collect();
        Self { pf: Function::new(functions.pf(), true), vfs, commands }
    }

    fn function(&self, function: FunctionId) -> Option<&Function> {
        match function {
            FunctionId::Pf => Some(&self.pf),
            FunctionId::Vf(index) => self.vfs.get(usize::from(index)),
        }
    }

    /// One piece of the function's command.
    pub(crate) fn work(&self, id: FunctionId, participant: &mut Participant) {
        let Some(function) = self.function(id) else { return };
        {
            let _guard = participant.enter();
            function.piece();
        }
        if function.registers.stays() {
            self.queue(id);
        }
    }

    /// At most one entry per function is in the line.
    fn queue(&self, id: FunctionId) {
        if self.commands.send(id).is_err() {
            tracing::debug!(?id, "no thread for a command");
        }
    }
}

impl Model for Card {
    fn read(&self, function: FunctionId, bar: u8, offset: u64, data: &mut [u8]) {
        match self.function(function) {
            Some(function) => {
                if function.registers.read(bar, offset, data) {
                    function.follow_pin();
                }
            }
            None => data.fill(0xff),
        }
    }

    fn write(&self, id: FunctionId, bar: u8, offset: u64, data: &[u8]) {
        let Some(function) = self.function(id) else { return };
        if function.registers.write(bar, offset, data) {
            self.queue(id);
        }
        function.follow_pin();
    }

    fn refuses(&self, _: FunctionId, bar: u8, offset: u64, len: usize, _: Access) -> bool {
        bar == 0 && offset < REFUSED_END && offset.saturating_add(len as u64) > REFUSED
    }

    fn reset(&self, function: FunctionId) {
        if let Some(function) = self.function(function) {
            function.registers.reset();
            function.follow_pin();
        }
    }

    fn bus_master(&self, _: FunctionId, _: bool) {}

    fn virtual_functions(&self, _: u16) {}

    fn doorbells(&self, _: FunctionId, _: &mut Vec<(u8, u64, Arc<OwnedFd>)>) {}
}

fn endpoint_config(config: &ExerciserConfig, slot: &Slot) -> EndpointConfig {
    let identity = Identity {
        vendor: VENDOR,
        device: DEVICE,
        revision: 1,
        class: CLASS,
        subsystem_vendor: VENDOR,
        subsystem: DEVICE,
    };
    let vfs = config.vfs.min(255);
    let mut endpoint = EndpointConfig::new(identity, resources());
    endpoint.sriov = (vfs != 0).then(|| SriovConfig::new(vfs, DEVICE, DEVICE, resources()));
    endpoint.interrupt_pin = true;
    endpoint.place(slot);
    endpoint
}

/// The same for the PF and for each VF: six BARs of 32 bits, MSI, and MSI-X in the first.
fn resources() -> Resources {
    let bar = |index| {
        let size = if index == 0 { BAR0_SIZE } else { MEMORY_SIZE };
        Bar { index, size, is_64bit: false, prefetchable: false }
    };
    Resources {
        bars: (0..6).map(bar).collect(),
        msi: Some(MSI_VECTORS),
        msix: Some(MsixConfig { vectors: VECTORS, bar: 0, table: TABLE, pba: PENDING }),
        ..Resources::default()
    }
}

#[cfg(test)]
mod tests;
