//! PCI Power Management capability (7.5.2).

/// PMCSR, with the data register hardwired to zero (7.5.2.2).
pub(crate) const CONTROL: u16 = 0x04;
/// PMC: version 3 (7.5.2.1).
pub(crate) const VERSION: u32 = 3 << 16;
/// PMC: Immediate Readiness on Return to D0.
pub(crate) const IMMEDIATE_READINESS: u32 = 1 << 20;
/// PMC: PME support for D0, D3hot and D3cold, which a port must claim because it forwards PME messages.
pub(crate) const PME_SUPPORT_OF_PORTS: u32 = 0b11001 << 27;

/// PMCSR: PowerState.
pub(crate) const POWER_STATE: u32 = 0b11;
/// PowerState: D3hot.
pub(crate) const D3_HOT: u32 = 0b11;
/// PMCSR: No_Soft_Reset.
pub(crate) const NO_SOFT_RESET: u32 = 1 << 3;
/// PMCSR: PME_En, sticky.
pub(crate) const PME_ENABLE: u32 = 1 << 8;
/// PMCSR: PME_Status, sticky and RW1C.
pub(crate) const PME_STATUS: u32 = 1 << 15;
