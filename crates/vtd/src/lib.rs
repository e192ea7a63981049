//! The IOMMU: Intel VT-d (specification revision 4.1) in legacy mode, with queued invalidation and interrupt remapping.
//!
//! A [`RemappingUnit`] is one register page and what the root complex asks per request: where does this address lead for this
//! requester, and which interrupt does this message mean?
//!
//! Invariant: an invalidation-wait status is written only when no worker can still use an old translation.
//!
//! Not implemented: scalable mode and PASID, first-stage and nested translation, device TLBs (ATS), page requests,
//! posted interrupts, protected memory regions, performance monitoring.

mod context;
mod fault;
mod interrupt;
mod invalidate;
mod iotlb;
mod registers;
mod report;
mod slot;
mod spec;
mod sync;
mod unit;
mod walk;

// Declared here, since tests/loom.rs compiles the module without them.
#[cfg(test)]
#[path = "iotlb/tests.rs"]
mod iotlb_tests;

pub use report::Report;
pub use unit::{Config, ConfigError, RemappingUnit};
