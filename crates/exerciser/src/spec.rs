//! The registers, all of 32 bits: offsets in BAR 0 and what their bits mean.

/// Any value; reads back what was written.
pub const MAGIC: u64 = 0x00;
/// Starts one of the commands below. Reads as the command while it runs, and 0 when it has ended; ignored while one runs.
pub const COMMAND: u64 = 0x04;
/// How the last command ended; cleared when one begins. The pin is asserted until this is read, which is all that the driver's newer
/// handlers do, or [`IRQ_RAISED`] is written as zero.
pub const STATUS: u64 = 0x08;
/// Where reads come from: low, then high 32 bits.
pub const SOURCE: u64 = 0x0c;
/// Where writes go: low, then high 32 bits.
pub const DESTINATION: u64 = 0x14;
/// Length in bytes.
pub const SIZE: u64 = 0x1c;
/// CRC-32 (0x04c11db7 reflected, from all ones, not inverted at the end) of the data: of a read to be compared with, of a write
/// and of a copy the result.
pub const CHECKSUM: u64 = 0x20;
/// What interrupt ends a command: [`IRQ_INTX`], [`IRQ_MSI`] or [`IRQ_MSIX`].
pub const IRQ_TYPE: u64 = 0x24;
/// Its vector, from 1; the pin has none.
pub const IRQ_NUMBER: u64 = 0x28;
/// Kept and ignored.
pub const FLAGS: u64 = 0x2c;
/// Read-only: what it can do.
pub const CAPABILITIES: u64 = 0x30;

/// Read-only, not of the driver's layout: why the last command failed, one of [`Reason`].
pub const REASON: u64 = 0x400;
/// Every access from here to [`REFUSED_END`] is refused with Completer Abort.
pub const REFUSED: u64 = 0x800;
/// See [`REFUSED`].
pub const REFUSED_END: u64 = 0x808;
/// The end of the registers.
pub const REGISTERS_END: u64 = 0x1000;

/// Commands: raise the interrupt that IRQ_TYPE says, as the two after this do: the driver has one for each type.
pub const RAISE_INTX: u32 = 1 << 0;
/// See [`RAISE_INTX`].
pub const RAISE_MSI: u32 = 1 << 1;
/// See [`RAISE_INTX`].
pub const RAISE_MSIX: u32 = 1 << 2;
/// Commands: read from the source address.
pub const READ: u32 = 1 << 3;
/// Commands: write random bytes to the destination address.
pub const WRITE: u32 = 1 << 4;
/// Commands: copy from the source to the destination address.
pub const COPY: u32 = 1 << 5;
/// With READ, WRITE or COPY, not of the driver's layout: requests are marked as translated (AT = 10b).
pub const TRANSLATED: u32 = 1 << 30;
/// With WRITE or COPY, not of the driver's layout: what is written is marked as poisoned.
pub const POISONED: u32 = 1 << 31;

/// Status: the read went well; the bit after it says the opposite, as for the next two.
pub const READ_SUCCESS: u32 = 1 << 0;
/// Status: the write went well.
pub const WRITE_SUCCESS: u32 = 1 << 2;
/// Status: the copy went well.
pub const COPY_SUCCESS: u32 = 1 << 4;
/// Status: an interrupt was raised.
pub const IRQ_RAISED: u32 = 1 << 6;
/// Status: the source can't be read.
pub const SOURCE_INVALID: u32 = 1 << 7;
/// Status: the destination can't be written.
pub const DESTINATION_INVALID: u32 = 1 << 8;

/// Capabilities: any alignment, MSI, MSI-X.
pub const CAPABLE: u32 = 0b0111;
/// Capabilities: the interrupt pin, which VFs haven't got.
pub const CAPABLE_PIN: u32 = 1 << 3;
/// IRQ_TYPE of the interrupt pin.
pub const IRQ_INTX: u32 = 0;
/// IRQ_TYPE of MSI.
pub const IRQ_MSI: u32 = 1;
/// IRQ_TYPE of MSI-X.
pub const IRQ_MSIX: u32 = 2;

/// Why a command failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u32)]
pub enum Reason {
    /// It didn't.
    #[default]
    None = 0,
    /// The function may not send: Bus Master Enable.
    Gated = 1,
    /// Unsupported Request.
    UnsupportedRequest = 2,
    /// Completer Abort: refused by a device, or an ACS violation.
    CompleterAbort = 3,
    /// Blocked by the IOMMU.
    Blocked = 4,
    /// The data isn't what CHECKSUM says.
    Checksum = 5,
    /// Size 0, or the addresses wrap.
    Range = 6,
}

/// Vendor and device id of the driver's table whose driver data leaves everything to its parameters.
pub const VENDOR: u16 = 0x16c3;
/// See [`VENDOR`]; VFs have the same, so that the driver takes them too.
pub const DEVICE: u16 = 0xedda;
/// Of no defined class.
pub const CLASS: u32 = 0xff_0000;

/// Bytes of BAR 0: registers, then the MSI-X table and its pending bits, a page each.
pub const BAR0_SIZE: u64 = 0x4000;
/// Bytes of BARs 1 to 5, which are memory.
pub const MEMORY_SIZE: u64 = 0x1000;
/// MSI-X vectors of each function.
pub const VECTORS: u16 = 8;
/// MSI vectors of each function.
pub const MSI_VECTORS: u16 = 32;
/// Offset of the MSI-X table.
pub const TABLE: u32 = 0x1000;
/// Offset of its pending bits.
pub const PENDING: u32 = 0x2000;
