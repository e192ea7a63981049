//! An exerciser: a PCI function that does DMA at any address on command, so that a guest can try what its IOMMU, its access
//! control and its error reporting let through.
//!
//! Its registers are those of the Linux driver `pci_endpoint_test` (drivers/misc/pci_endpoint_test.c; the other side of the
//! same layout is drivers/pci/endpoint/functions/pci-epf-test.c), with a few of its own behind them. That driver binds to it by its
//! own table, and its `pcitest.sh` is one of the guest tests; user space drives the registers as well, through sysfs' `resource0` or
//! VFIO.
//!
//! Not implemented: the driver's DMA engine flag, doorbell BARs.

mod card;
mod checksum;
mod job;
mod registers;
pub mod spec;
mod worker;

pub use card::{BuildError, Exerciser, ExerciserConfig};
