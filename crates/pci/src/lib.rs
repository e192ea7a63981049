//! One PCI function: configuration space, capabilities, BARs, interrupts, and SR-IOV (PCI Express base 6.0, chapters 6, 7 and 9).
//!
//! A [`Device`] is what sits below a port, as the tree sees it. A [`Model`] is what makes it a NIC, as its functions see it.
//! An [`Endpoint`] is the device made of a model; a [`Bridge`] is a port.
//!
//! Not implemented: interrupt pins of ports, I/O BARs, expansion ROMs, VPD, resizable BARs.

mod aer;
mod bar;
mod bridge;
mod capability;
mod config_space;
mod device;
mod endpoint;
mod error;
mod event_collector;
mod header;
mod intx;
mod layout;
mod model;
mod msi;
mod msix;
mod presence;
mod root_errors;
mod spec;
mod vectors;

#[cfg(test)]
mod conformance;
#[cfg(test)]
mod testing;

pub use aer::{DetectedError, ErrorKind};
pub use bar::Bar;
pub use bridge::{Bridge, BridgeConfig, ErrorStatus, Routing, Window};
pub use capability::extended::Acs;
pub use capability::pcie::{LinkWidth, PortKind};
pub use config_space::Reset;
pub use device::{ByteEnables, ConfigKind, Decoded, Device, Doorbell, Effects, ErrorPlace, Region};
pub use endpoint::config::{
    AriHierarchy, CapabilityOffsets, EndpointConfig, MsixConfig, Resources, SriovConfig,
    VendorCapability, VfPlacement,
};
pub use endpoint::slot::Slot;
pub use endpoint::{Endpoint, EndpointReport, FunctionPort, FunctionReport, Functions};
pub use error::ConfigError;
pub use event_collector::EventCollector;
pub use header::Identity;
pub use intx::Intx;
pub use layout::LayoutError;
pub use model::{FunctionId, Model};
pub use msi::Msi;
pub use msix::Msix;
pub use spec::acs::AcsServices;
