//! What crosses a PCI Express link, and the one way to guest memory and to an interrupt.
//!
//! Everything a function does outside itself is a request that carries its [`RequesterId`]: a read or write of memory, or an MSI,
//! which is a write too (PCI Express base specification 6.0, chapter 2). A device model holds a [`Dma`] and nothing else;
//! the tree behind it decides where the request goes.
//!
//! The data path does not ask per access: a [`DmaView`] remembers what the tree answered, for as long as the [`Epochs`] it
//! was asked in lasts.
//!
//! Not implemented: atomic operations, TLP prefixes (PASID), locked reads, I/O space.

mod address;
mod dma;
mod epoch;
mod header;
mod interrupt;
mod intx;
mod iommu;
mod link;
mod message;
mod mmio;
mod near;
mod ram;
mod requester;
mod sync;
mod view;

// Declared here, since the models in tests/loom.rs compile the module without them.
#[cfg(test)]
#[path = "epoch/tests.rs"]
mod epoch_tests;

pub use address::{Gpa, Iova};
pub use dma::{Access, Dma, Fault, Marks, Target};
pub use epoch::{Epochs, Guard, Participant};
pub use header::TlpHeader;
pub use interrupt::{MSI_RANGE, MsiMessage, MsiSink};
pub use intx::{IntxSink, IntxWire};
pub use iommu::{Iommu, Translation};
pub use link::Link;
pub use message::ErrorMessage;
pub use mmio::Mmio;
pub use near::{LINE, bring_near, copy_words, read_array, write_array};
pub use ram::{GuestRam, Run};
pub use requester::{Outcome, Refused, Requester, RequesterId};
pub use view::{DmaView, Known};
