//! Blocks of queue registers (82599 datasheet, 8.2.3.8 and 8.2.3.9): offsets inside a block, and bits.

/// Bytes from one queue's block to the next.
pub(crate) const STRIDE: u32 = 0x40;

/// Transmit blocks of the PF's view.
pub(crate) const TRANSMIT: u32 = 0x6000;
/// Receive blocks of queues 0 to 63 of the PF's view.
pub(crate) const RECEIVE_LOW: u32 = 0x1000;
/// Receive blocks of queues 64 to 127 of the PF's view.
pub(crate) const RECEIVE_HIGH: u32 = 0xd000;
/// SRRCTL of queues 0 to 15 once more.
pub(crate) const SRRCTL_ALIAS: u32 = 0x2100;
/// DCA_RXCTRL of queues 0 to 15 once more.
pub(crate) const DCA_RXCTRL_ALIAS: u32 = 0x2200;

/// Receive blocks of a VF's view.
pub(crate) const VF_RECEIVE: u32 = 0x1000;
/// Transmit blocks of a VF's view.
pub(crate) const VF_TRANSMIT: u32 = 0x2000;
/// Blocks of each kind that a VF's view has room for.
pub(crate) const VF_BLOCKS: u32 = 8;

/// RDBAL, TDBAL.
pub(crate) const BASE_LOW: u32 = 0x00;
/// RDBAH, TDBAH.
pub(crate) const BASE_HIGH: u32 = 0x04;
/// RDLEN, TDLEN: bytes.
pub(crate) const LENGTH: u32 = 0x08;
/// DCA_RXCTRL, DCA_TXCTRL.
pub(crate) const DCA: u32 = 0x0c;
/// RDH, TDH.
pub(crate) const HEAD: u32 = 0x10;
/// SRRCTL.
pub(crate) const SRRCTL: u32 = 0x14;
/// RDT, TDT.
pub(crate) const TAIL: u32 = 0x18;
/// RXDCTL, TXDCTL.
pub(crate) const CONTROL: u32 = 0x28;
/// RXDCTL: the longest frame, with its check sequence, bits 13:0 (X540 alone).
pub(crate) const LONGEST_MASK: u32 = 0x3fff;
/// RXDCTL: there is a longest frame.
pub(crate) const LONGEST_ENABLE: u32 = 1 << 15;
/// RSCCTL.
pub(crate) const RSCCTL: u32 = 0x2c;
/// RSCCTL: segments are joined, over descriptors as bits 3:2 say.
pub(crate) const RSCCTL_ENABLE: u32 = 1 << 0;
/// TDWBAL.
pub(crate) const WRITE_BACK_LOW: u32 = 0x38;
/// TDWBAH.
pub(crate) const WRITE_BACK_HIGH: u32 = 0x3c;

/// Bits of RDBAL and TDBAL that exist: rings begin at multiples of 128.
pub(crate) const BASE_MASK: u32 = 0xffff_ff80;
/// Bits of RDLEN and TDLEN that exist: a multiple of 128 bytes.
pub(crate) const LENGTH_MASK: u32 = 0x000f_ff80;
/// Bits of heads and tails that exist.
pub(crate) const POINTER_MASK: u32 = 0x0000_ffff;

/// RXDCTL.ENABLE, TXDCTL.ENABLE.
pub(crate) const ENABLE: u32 = 1 << 25;
/// RXDCTL.SWFLSH, TXDCTL.SWFLSH: clears itself.
pub(crate) const FLUSH: u32 = 1 << 26;
/// RXDCTL.VME: VLAN tags are stripped.
pub(crate) const STRIP_VLAN: u32 = 1 << 30;

/// SRRCTL after reset: buffers of 2 KiB, headers of 256 bytes, legacy descriptors.
pub(crate) const SRRCTL_RESET: u32 = 0x0000_0402;

/// Bytes of a descriptor.
pub(crate) const DESCRIPTOR: u32 = 16;
