//! Register layouts as the specification draws them: offsets, bits and reset values, nothing else.
//!
//! Offsets are relative to the function's configuration space or to the capability they lie in; all sections are of the
//! PCI Express base specification 6.0 unless said otherwise.

pub(crate) mod acs;
pub(crate) mod aer;
pub(crate) mod header;
pub(crate) mod ids;
pub(crate) mod msi;
pub(crate) mod pcie;
pub(crate) mod pm;
pub(crate) mod sriov;
