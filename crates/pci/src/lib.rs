//! One PCI function: configuration space, capabilities, BARs, MSI-X, and SR-IOV (PCI Express base 6.0, chapters 6, 7 and 9).
//!
//! A [`Device`] is what sits below a port, as the tree sees it. A [`Model`] is what makes it a NIC, as its functions see it.
//! A [`Bridge`] is a port.

mod bridge;
mod capability;
mod config_space;
mod device;
mod error;
mod header;
mod layout;
mod model;
mod msi;
mod spec;
mod vectors;

pub use bridge::{Bridge, BridgeConfig, Routing, Window};
pub use capability::extended::Acs;
pub use capability::pcie::{LinkWidth, PortKind};
pub use config_space::Reset;
pub use device::{ByteEnables, ConfigKind, Decoded, Device, Doorbell, Effects, Region};
pub use error::ConfigError;
pub use header::Identity;
pub use layout::LayoutError;
pub use model::{FunctionId, Model};
pub use spec::acs::AcsServices;
