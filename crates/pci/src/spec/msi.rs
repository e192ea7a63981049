//! MSI (7.7.1) and MSI-X (7.7.2) capabilities, and the MSI-X table.

/// MSI: Message Control: MSI Enable.
pub(crate) const ENABLE: u32 = 1 << 16;
/// MSI: Message Control: Multiple Message Capable: vectors asked for, as a power of two.
pub(crate) const MULTIPLE_MESSAGE_CAPABLE_SHIFT: u32 = 17;
/// MSI: Message Control: Multiple Message Enable: vectors granted, as a power of two.
pub(crate) const MULTIPLE_MESSAGE_ENABLE_SHIFT: u32 = 20;
/// MSI: Multiple Message Enable; writable even where only one message is asked for.
pub(crate) const MULTIPLE_MESSAGE_ENABLE: u32 = 0b111 << MULTIPLE_MESSAGE_ENABLE_SHIFT;
/// MSI: the power of two of the most vectors there can be.
pub(crate) const LARGEST: u32 = 5;
/// MSI: Message Control: 64-bit Address Capable.
pub(crate) const ADDRESS_64BIT: u32 = 1 << 23;
/// MSI: Message Control: Per-Vector Masking Capable.
pub(crate) const PER_VECTOR_MASKING: u32 = 1 << 24;
/// MSI: Message Address; bits 1:0 are reserved.
pub(crate) const ADDRESS: u16 = 0x04;
/// MSI: Message Upper Address.
pub(crate) const ADDRESS_UPPER: u16 = 0x08;
/// MSI: Message Data, 16 bits.
pub(crate) const DATA: u16 = 0x0c;
/// MSI: Mask Bits.
pub(crate) const MASK: u16 = 0x10;
/// MSI: Pending Bits.
pub(crate) const PENDING: u16 = 0x14;
/// Length of the MSI capability in bytes, with 64-bit address and masking.
pub(crate) const LENGTH: u16 = 0x18;

/// MSI-X: Message Control: Function Mask.
pub(crate) const MSIX_FUNCTION_MASK: u32 = 1 << 30;
/// MSI-X: Message Control: MSI-X Enable.
pub(crate) const MSIX_ENABLE: u32 = 1 << 31;
/// MSI-X table: bytes per entry: address, upper address, data, vector control.
pub(crate) const MSIX_ENTRY: u64 = 16;
/// MSI-X table: Vector Control: Mask Bit.
pub(crate) const MSIX_MASK: u32 = 1;
/// The most vectors a function may have.
pub(crate) const MSIX_VECTORS: u16 = 2048;
