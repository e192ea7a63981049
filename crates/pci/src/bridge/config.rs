//! What a port is built from, and the configuration space that makes of it.

use std::sync::Arc;

use pando_tlp::{Link, RequesterId};

use crate::capability;
use crate::capability::extended::{self, Acs};
use crate::capability::pcie::{self, LinkWidth, Port, PortKind};
use crate::error::ConfigError;
use crate::header::{self, Identity};
use crate::layout::{Layout, LayoutBuilder};
use crate::spec::header::{CLASS_BRIDGE, END};

/// What a port is built from.
#[derive(Clone)]
pub struct BridgeConfig {
    /// Which port it is.
    pub kind: PortKind,
    /// Vendor, device and revision; class and subsystem ids are ignored.
    pub identity: Identity,
    /// Its id at power-on: the bus is 0 until captured; a root port's is wired.
    pub id: RequesterId,
    /// Whether its device has several functions (Header Type bit 7).
    pub multi_function: bool,
    /// Port Number in Link Capabilities.
    pub port_number: u8,
    /// Physical Slot Number, if a slot is below.
    pub slot: Option<u16>,
    /// Access control, if it has any. An upstream port has it only as one of several functions.
    pub acs: Option<Acs>,
    /// Of an upstream port that is one of several functions: the next function of its device, 0 at the last (7.8.8).
    pub next_function: Option<u8>,
    /// Its link: the one below it, or above an upstream port.
    pub link: LinkWidth,
    /// Where its own interrupts enter the tree; without it none is sent.
    pub upper: Option<Arc<dyn Link>>,
    /// Whether something is below at power-on.
    pub occupied: bool,
}

impl BridgeConfig {
    /// A port of this kind with these ids at this place; all the rest as plain as can be.
    pub fn new(kind: PortKind, identity: Identity, id: RequesterId) -> Self {
        Self {
            kind,
            identity,
            id,
            multi_function: false,
            port_number: 0,
            slot: None,
            acs: None,
            next_function: None,
            link: LinkWidth::default(),
            upper: None,
            occupied: false,
        }
    }
}

/// Offsets of the capabilities.
#[derive(Clone, Copy, Debug)]
pub(super) struct Places {
    pub(super) pm: u16,
    pub(super) msi: u16,
    pub(super) pcie: u16,
    pub(super) aer: u16,
    pub(super) acs: Option<Acs>,
    pub(super) acs_offset: u16,
}

/// The registers of a port, and where its capabilities lie.
pub(super) fn layout(config: &BridgeConfig) -> Result<(Arc<Layout>, Places), ConfigError> {
    let link = config.link;
    if !link.is_valid() {
        return Err(ConfigError::Link { speed: link.speed, lanes: link.lanes });
    }
    config.acs.map_or(Ok(()), |acs| acs.check())?;
    let identity = Identity { class: CLASS_BRIDGE, ..config.identity };
    let port = Port {
        kind: config.kind,
        link: config.link,
        number: config.port_number,
        slot: config.slot.filter(|_| config.kind.is_downstream()),
    };
    let root = config.kind == PortKind::RootPort;
    let mut header = header::type1(&identity, config.multi_function);
    if config.kind == PortKind::PciBridge {
        header::conventional_secondary(&mut header);
    }
    let mut list = LayoutBuilder::new(header);
    let pm = list.capability(None, capability::power_management_of_port())?;
    let msi = list.capability(None, capability::msi(1))?;
    let pcie = list.capability(None, pcie::port(&port))?;
    let aer = match config.kind {
        PortKind::PciBridge => END, // it would need registers for its secondary side too
        _ => list.extended(None, extended::aer(config.acs.is_some(), root))?,
    };
    let acs_offset = match &config.acs {
        Some(acs) => list.extended(None, extended::acs(acs))?,
        None => END,
    };
    if let Some(next) = config.next_function {
        list.extended(None, extended::ari(next))?;
    }
    Ok((list.build(), Places { pm, msi, pcie, aer, acs: config.acs, acs_offset }))
}
