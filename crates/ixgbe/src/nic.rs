//! The card's building and plugging in, its report, and what the host may do to it.

use std::sync::{Arc, OnceLock};

use pando_engine::{Engine, PortKind, Switch};
use pando_pci::{Endpoint, FunctionPort, Functions, Slot};
use pando_tlp::Link;
use serde::Serialize;

use crate::card::Card;
use crate::chip::Chip;
use crate::identity;
use crate::interrupt::{Messages, Outlet, Participants};
use crate::policy::Policies;
use crate::settings::{ConfigError, NicConfig};
use crate::throttle::Alarms;
use crate::work::{Wiring, Work};

/// An 82599 card: what is plugged in.
pub struct IntelNic {
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
    /// The host gives no thread.
    #[error("interrupt timer: {0}")]
    Timer(std::io::Error),
}

/// What a card is doing.
#[derive(Debug, Serialize)]
pub struct NicReport<'a> {
    /// Its name.
    pub name: &'a str,
    /// Whether the cable is in.
    pub link_up: bool,
    /// VFs that exist.
    pub vfs: u16,
    /// Transmit queues at work.
    pub transmit_queues: usize,
    /// Receive queues at work.
    pub receive_queues: usize,
}

impl IntelNic {
    /// Builds the card at `slot` of `link`, with a port in `switch` for each function; the switch's uplink is none of its business.
    pub fn new(
        config: &NicConfig,
        slot: &Slot,
        link: Arc<dyn Link>,
        engine: &Arc<Engine>,
        switch: &Arc<Switch>,
    ) -> Result<Self, BuildError> {
        config.validate()?;
        let alarms = Alarms::new(usize::from(config.vfs) + 1);
        let built = OnceLock::new();
        let endpoint_config = identity::endpoint(config, slot);
        let endpoint = Endpoint::new(endpoint_config, link.clone(), |functions| {
            let plug = Plug { config, link: &link, engine, switch, alarms: &alarms };
            built.get_or_init(|| Arc::new(plug.card(functions))).clone()
        })?;
        let card = built.into_inner().ok_or(pando_pci::ConfigError::Msix("no model was built"))?;
        card.start_timer(alarms).map_err(BuildError::Timer)?;
        Ok(Self { endpoint: Arc::new(endpoint), card })
    }

    /// What the tree plugs in.
    pub fn endpoint(&self) -> &Arc<Endpoint> {
        &self.endpoint
    }

    /// Plugs the cable in or out.
    pub fn set_link(&self, up: bool) {
        self.card.set_link(up);
    }

    #[cfg(test)]
    pub(crate) fn chip(&self) -> &Arc<Chip> {
        &self.card.chip
    }

    /// What it is doing now.
    pub fn report(&self) -> NicReport<'_> {
        let (transmit_queues, receive_queues) = self.card.work.count();
        let chip = &self.card.chip;
        NicReport {
            name: &chip.name,
            link_up: chip.link.is_up(),
            vfs: chip.active_vfs(),
            transmit_queues,
            receive_queues,
        }
    }
}

/// What functions are connected to.
struct Plug<'a> {
    config: &'a NicConfig,
    link: &'a Arc<dyn Link>,
    engine: &'a Arc<Engine>,
    switch: &'a Arc<Switch>,
    alarms: &'a Arc<Alarms>,
}

impl Plug<'_> {
    fn card(&self, functions: &Functions) -> Card {
        let participants = Participants::new(self.link.epochs().clone());
        let outlet = |(number, port): (usize, &FunctionPort)| {
            let messages: Arc<dyn Messages> = Arc::new(port.clone());
            Outlet::new(messages, participants.clone(), self.alarms.alarm(number))
        };
        let vfs = (1..).zip(functions.vfs()).map(outlet);
        let chip = Arc::new(Chip::new(
            self.config,
            Policies::new(self.switch, self.config.model),
            outlet((0, functions.pf())),
            vfs,
        ));
        let pf = self.wiring(&self.config.name, functions.pf());
        let vfs = (0..)
            .zip(functions.vfs())
            .map(|(vf, port)| self.wiring(&format!("{}.vf{vf}", self.config.name), port));
        let work = Work::new(self.engine.clone(), pf, vfs.collect());
        Card::new(chip, work)
    }

    fn wiring(&self, name: &str, port: &FunctionPort) -> Wiring {
        Wiring { dma: port.dma.clone(), port: self.switch.port(name, PortKind::Function) }
    }
}
