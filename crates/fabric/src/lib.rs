//! The PCI Express tree of a machine: root complex, root ports, switches, and the way of every access and every request.
//!
//! Two natural paths (PCI Express base 6.0; sections stand where they are implemented):
//! - A guest's access enters at [`Fabric::mmio_read`] and [`Fabric::mmio_write`]: configuration space port by port, memory
//!   through a flat map made of every window on the way.
//! - A function's request enters at its [`Link`](pando_tlp::Link): gate, then at every port Bus Master Enable and the
//!   [`verdict`], then the IOMMU, then RAM, another device or the interrupt controller.
//!
//! What both rest on is one immutable value, made anew when a configuration write changes what is decoded, published whole,
//! and waited for with the machine's epochs. Neither path takes a lock.
//!
//! Invariant: nothing here knows a packet, a NIC or KVM. Invariant: a device is never called with a lock of the tree held,
//! but for asking what it decodes and which doorbells it wants.
//!
//! Not implemented: hot-plug, I/O space, errors of links, further bridges behind one to conventional PCI.

mod builder;
mod counters;
mod deferred;
mod dma;
mod doorbells;
mod error;
mod errors;
mod fabric;
mod hub;
mod intx;
mod map;
mod options;
mod pieces;
mod report;
mod routes;
mod span;
mod topology;
mod tree;
mod verdict;

#[cfg(test)]
mod tests;

pub use builder::FabricBuilder;
pub use counters::{Counts, PortCounts};
pub use doorbells::IoEvents;
pub use error::BuildError;
pub use fabric::Fabric;
pub use options::{FabricConfig, Host, Place, PortOptions, UpstreamFunction};
pub use report::{BusReport, DeviceReport, FabricReport, PortReport, RangeReport};
pub use verdict::{
    AddressType, Egress, EgressVector, Ingress, PortControls, Request, Verdict, verdict,
};
