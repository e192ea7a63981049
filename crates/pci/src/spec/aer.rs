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
/// Correctable: Advisory Non-Fatal Error.
pub(crate) const ADVISORY: u32 = 1 << 13;

/// Uncorrectable Error Status (7.8.4.2).
pub(crate) const STATUS: u16 = 0x04;
/// Uncorrectable Error Mask (7.8.4.3).
pub(crate) const MASK: u16 = 0x08;
/// Uncorrectable Error Severity (7.8.4.4).
pub(crate) const SEVERITY: u16 = 0x0c;
/// Correctable Error Status (7.8.4.5).
pub(crate) const CORRECTABLE_STATUS: u16 = 0x10;
/// Correctable Error Mask (7.8.4.6).
pub(crate) const CORRECTABLE_MASK: u16 = 0x14;
/// Advanced Error Capabilities and Control: First Error Pointer 4:0 (7.8.4.7).
pub(crate) const CAPABILITIES: u16 = 0x18;
/// First Error Pointer.
pub(crate) const FIRST_ERROR: u32 = 0x1f;
/// Header Log, four dwords (7.8.4.8).
pub(crate) const HEADER_LOG: u16 = 0x1c;
/// Root Error Command (7.8.4.9).
pub(crate) const ROOT_COMMAND_AT: u16 = 0x2c;
/// Root Error Status (7.8.4.10).
pub(crate) const ROOT_STATUS_AT: u16 = 0x30;
/// Error Source Identification: ERR_COR 15:0, ERR_FATAL or ERR_NONFATAL 31:16 (7.8.4.11).
pub(crate) const ERROR_SOURCE: u16 = 0x34;

/// Root Error Command: three reporting enables (7.8.4.9).
pub(crate) const ROOT_COMMAND: u32 = 0b111;
/// Root Error Status: seven bits, each RW1C and sticky (7.8.4.10).
pub(crate) const ROOT_STATUS: u32 = 0x7f;
/// Root Error Status: ERR_COR Received.
pub(crate) const CORRECTABLE_RECEIVED: u32 = 1 << 0;
/// Root Error Status: ERR_FATAL or ERR_NONFATAL Received. Its bit for a further one is the next, as for ERR_COR.
pub(crate) const UNCORRECTABLE_RECEIVED: u32 = 1 << 2;
/// Root Error Status: First Uncorrectable Fatal.
pub(crate) const FIRST_FATAL: u32 = 1 << 4;
/// Root Error Status: Non-Fatal Error Messages Received.
pub(crate) const NON_FATAL_RECEIVED: u32 = 1 << 5;
/// Root Error Status: Fatal Error Messages Received.
pub(crate) const FATAL_RECEIVED: u32 = 1 << 6;
/// Root Error Command: Correctable, Non-Fatal and Fatal Error Reporting Enable.
pub(crate) const REPORT_CORRECTABLE: u32 = 1 << 0;
/// As above.
pub(crate) const REPORT_NON_FATAL: u32 = 1 << 1;
/// As above.
pub(crate) const REPORT_FATAL: u32 = 1 << 2;
