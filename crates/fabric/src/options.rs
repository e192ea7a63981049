//! The description of a tree: where it lies in guest physical space, what stands around it, what its ports can do.

use std::ops::Range;
use std::sync::Arc;

use pando_pci::{Acs, Identity, LinkWidth, PortKind};
use pando_tlp::{Epochs, Gpa, GuestRam, Iommu, MsiSink};

use crate::doorbells::IoEvents;

/// Where the tree lies. Addresses are guest physical.
#[derive(Clone, Debug)]
pub struct FabricConfig {
    /// First byte of configuration space; 1 MiB per bus, aligned to its size rounded up to a power of two.
    pub ecam: Gpa,
    /// Buses of the segment, 1 to 256.
    pub buses: u16,
    /// What the root complex passes to the root bus below 4 GiB.
    pub mmio32: Range<u64>,
    /// What it passes above 4 GiB.
    pub mmio64: Range<u64>,
    /// Whether the root complex carries requests from one root port to another.
    pub peer_to_peer: bool,
}

/// What stands around the tree.
pub struct Host {
    /// Guest RAM; it wins over every window.
    pub ram: GuestRam,
    /// The IOMMU in the root complex, if there is one.
    pub iommu: Option<Arc<dyn Iommu>>,
    /// The interrupt controller.
    pub msi: Arc<dyn MsiSink>,
    /// The machine's epochs.
    pub epochs: Arc<Epochs>,
    /// Who turns doorbell writes into events.
    pub io_events: Arc<dyn IoEvents>,
    /// Asks the event loop to call [`Fabric::reconcile_doorbells`](crate::Fabric::reconcile_doorbells) soon. Called from any
    /// thread, with unknown locks held: it only wakes.
    pub wake: Box<dyn Fn() + Send + Sync>,
}

/// A device and function number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Device number, 0 to 31.
    pub device: u8,
    /// Function number, 0 to 7.
    pub function: u8,
}

/// What a root port or downstream port can do.
#[derive(Clone, Debug)]
pub struct PortOptions {
    /// Access control services, or no capability at all. With egress control and no number of ports, there is a bit for
    /// each of the port's peers.
    pub acs: Option<Acs>,
    /// Its device and function number; the next free device otherwise.
    pub place: Option<Place>,
    /// Physical Slot Number, if a slot is below.
    pub slot: Option<u16>,
    /// Its link.
    pub link: LinkWidth,
    /// Other ids than Pando's own.
    pub identity: Option<Identity>,
}

/// What an upstream port has as one of several functions of its device.
#[derive(Clone, Copy, Debug, Default)]
pub struct UpstreamFunction {
    /// Its function number, 0 to 7.
    pub function: u8,
    /// The next function of the device, 0 at the last.
    pub next_function: u8,
    /// Access control between it and the other functions, if it has any.
    pub acs: Option<Acs>,
}

impl Default for PortOptions {
    /// Every access control but egress control.
    fn default() -> Self {
        Self {
            acs: Some(Acs::all_but_egress_control()),
            place: None,
            slot: None,
            link: LinkWidth::default(),
            identity: None,
        }
    }
}

impl PortOptions {
    /// A port without access control.
    pub fn without_acs() -> Self {
        Self { acs: None, ..Self::default() }
    }
}

/// Ids of no vendor: no driver and no quirk of Linux knows them.
pub(crate) fn identity(kind: PortKind) -> Identity {
    let device = match kind {
        PortKind::RootPort => 0x0f00,
        PortKind::Upstream => 0x0f01,
        PortKind::Downstream => 0x0f02,
        PortKind::PciBridge => 0x0f03,
    };
    Identity { vendor: 0x1234, device, ..Identity::default() }
}
