//! One PCI function: configuration space, capabilities, BARs, MSI-X, and SR-IOV (PCI Express base 6.0, chapters 6, 7 and 9).
//!
//! A [`Device`] is what sits below a port, as the tree sees it. A [`Model`] is what makes it a NIC, as its functions see it.

mod device;
mod model;

pub use device::{ByteEnables, ConfigKind, Decoded, Device, Doorbell, Effects, Region};
pub use model::{FunctionId, Model};
