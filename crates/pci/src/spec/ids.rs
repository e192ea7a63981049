//! Capability identifiers (PCI Code and ID Assignment specification 1.14, chapters 2 and 3).

/// Power Management.
pub(crate) const POWER_MANAGEMENT: u8 = 0x01;
/// MSI.
pub(crate) const MSI: u8 = 0x05;
/// Vendor-specific.
pub(crate) const VENDOR: u8 = 0x09;
/// PCI Express.
pub(crate) const PCI_EXPRESS: u8 = 0x10;
/// MSI-X.
pub(crate) const MSIX: u8 = 0x11;

/// Advanced Error Reporting.
pub(crate) const AER: u16 = 0x0001;
/// Device Serial Number.
pub(crate) const SERIAL_NUMBER: u16 = 0x0003;
/// Root Complex Event Collector Endpoint Association.
pub(crate) const ENDPOINT_ASSOCIATION: u16 = 0x0007;
/// Access Control Services.
pub(crate) const ACS: u16 = 0x000d;
/// Alternative Routing-ID Interpretation.
pub(crate) const ARI: u16 = 0x000e;
/// Single Root I/O Virtualization.
pub(crate) const SRIOV: u16 = 0x0010;
