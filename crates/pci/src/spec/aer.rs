//! Advanced Error Reporting extended capability, version 2 (7.8.4).

/// Uncorrectable errors modelled: 4 data link, 5 surprise down, 12 poisoned, 13 flow control, 14 completion timeout,
/// 15 completer abort, 16 unexpected completion, 17 receiver overflow, 18 malformed, 20 unsupported request, 22 internal.
pub(crate) const UNCORRECTABLE: u32 = 0x0057_f030;
/// Uncorrectable: ACS Violation, where the function has ACS.
pub(crate) const ACS_VIOLATION: u32 = 1 << 21;
/// The uncorrectable errors that a VF reports for itself (9.4.2): 12, 14, 15, 16 and 20.
pub(crate) const UNCORRECTABLE_OF_VF: u32 = 0x0011_d000;
/// Uncorrectable Error Mask after reset: the internal error.
pub(crate) const MASK_RESET: u32 = 0x0040_0000;
/// Uncorrectable Error Severity after reset.
pub(crate) const SEVERITY_RESET: u32 = 0x0046_2030;
/// Correctable errors modelled: 0 receiver, 6 bad TLP, 7 bad DLLP, 8 replay rollover, 12 replay timeout, 13 advisory
/// non-fatal, 14 corrected internal, 15 header log overflow.
pub(crate) const CORRECTABLE: u32 = 0xf1c1;
/// The correctable error that a VF reports for itself (9.4.2): advisory non-fatal.
pub(crate) const CORRECTABLE_OF_VF: u32 = 0x2000;
/// Correctable Error Mask after reset.
pub(crate) const CORRECTABLE_MASK_RESET: u32 = 0xe000;
/// Root Error Command: three reporting enables (7.8.4.9).
pub(crate) const ROOT_COMMAND: u32 = 0b111;
/// Root Error Status: seven bits, each RW1C and sticky (7.8.4.10).
pub(crate) const ROOT_STATUS: u32 = 0x7f;
