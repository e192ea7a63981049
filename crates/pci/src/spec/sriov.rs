//! SR-IOV extended capability (9.3.3).

/// SR-IOV Control 15:0 (9.3.3.3), SR-IOV Status 31:16 (9.3.3.4).
pub(crate) const CONTROL: u16 = 0x08;
/// NumVFs 15:0 (9.3.3.7), Function Dependency Link 23:16 (9.3.3.8).
pub(crate) const NUM_VFS: u16 = 0x10;
/// First VF Offset 15:0 (9.3.3.9), VF Stride 31:16 (9.3.3.10).
pub(crate) const OFFSET_STRIDE: u16 = 0x14;
/// System Page Size (9.3.3.13).
pub(crate) const SYSTEM_PAGE_SIZE: u16 = 0x20;
/// VF BAR0 (9.3.3.14).
pub(crate) const VF_BAR0: u16 = 0x24;
/// Length in bytes.
pub(crate) const LENGTH: u16 = 0x40;

/// SR-IOV Capabilities: ARI Capable Hierarchy Preserved (9.3.3.2.2).
pub(crate) const ARI_PRESERVED: u32 = 1 << 1;
/// SR-IOV Control: VF Enable (9.3.3.3.1).
pub(crate) const VF_ENABLE: u32 = 1 << 0;
/// SR-IOV Control: VF MSE (9.3.3.3.4).
pub(crate) const VF_MEMORY: u32 = 1 << 3;
/// SR-IOV Control: ARI Capable Hierarchy (9.3.3.3.5).
pub(crate) const ARI_HIERARCHY: u32 = 1 << 4;
/// The page sizes that every device must support: 4 KiB, 8 KiB, 64 KiB, 256 KiB, 1 MiB, 4 MiB (9.3.3.12).
pub(crate) const PAGE_SIZES: u32 = 0x553;
/// Bit 0 of the page size registers is 2 to the power of this, in bytes.
pub(crate) const PAGE_SHIFT: u32 = 12;
