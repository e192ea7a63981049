//! Counters (82599 datasheet, 8.2.3.23, 8.3.5.6 and 8.3.5.7): offsets. All are the PF's view unless named otherwise.

/// Packets missed for want of descriptors, per packet buffer, 8.
pub(crate) const MPC: u32 = 0x3fa0;
/// Received frames of 64 bytes, 65-127, 128-255, 256-511, 512-1023, 1024 and more.
pub(crate) const PRC64: u32 = 0x405c;
/// Good frames received.
pub(crate) const GPRC: u32 = 0x4074;
/// Broadcasts received.
pub(crate) const BPRC: u32 = 0x4078;
/// Multicasts received.
pub(crate) const MPRC: u32 = 0x407c;
/// Good frames transmitted.
pub(crate) const GPTC: u32 = 0x4080;
/// Good octets received, low; high follows.
pub(crate) const GORC: u32 = 0x4088;
/// Good octets transmitted, low; high follows.
pub(crate) const GOTC: u32 = 0x4090;
/// Received frames too short.
pub(crate) const RUC: u32 = 0x40a4;
/// Received frames too long.
pub(crate) const ROC: u32 = 0x40ac;
/// Octets received in all, low; high follows.
pub(crate) const TOR: u32 = 0x40c0;
/// Frames received in all.
pub(crate) const TPR: u32 = 0x40d0;
/// Frames transmitted in all.
pub(crate) const TPT: u32 = 0x40d4;
/// Transmitted frames by length, as [`PRC64`].
pub(crate) const PTC64: u32 = 0x40d8;
/// Multicasts transmitted.
pub(crate) const MPTC: u32 = 0x40f0;
/// Broadcasts transmitted.
pub(crate) const BPTC: u32 = 0x40f4;
/// Spoofed frames.
pub(crate) const SSVPC: u32 = 0x8780;
/// Good frames fetched by transmit DMA.
pub(crate) const TXDGPC: u32 = 0x87a0;
/// Statistics slots.
pub(crate) const SLOTS: u32 = 16;
/// Bytes from one slot's counters to the next, where they lie in queue blocks.
pub(crate) const SLOT_STRIDE: u32 = 0x40;
/// Frames received, per slot; octets follow in two dwords.
pub(crate) const QPRC: u32 = 0x1030;
/// Frames dropped on receive, per slot.
pub(crate) const QPRDC: u32 = 0x1430;
/// Frames transmitted, per slot.
pub(crate) const QPTC: u32 = 0x6030;
/// Octets transmitted, per slot, 8 bytes each.
pub(crate) const QBTC: u32 = 0x8700;
/// Slots of receive queues, one byte each.
pub(crate) const RQSMR: u32 = 0x2300;
/// Slots of transmit queues, one byte each.
pub(crate) const TQSM: u32 = 0x8600;

/// First and last of the dwords that are counters or nothing.
pub(crate) const BLOCK: std::ops::Range<u32> = 0x4000..0x4200;
/// The same, of flow control and missed packets.
pub(crate) const FLOW_BLOCK: std::ops::Range<u32> = 0x3f00..0x3fe0;
/// Flow control counters of the priority classes.
pub(crate) const PXON2OFF_BLOCK: std::ops::Range<u32> = 0x3240..0x3260;

/// The PF's view of a pool's counters: frames received, 0x40 bytes each.
pub(crate) const PVFGPRC: u32 = 0x101c;
/// Octets received, bits 31:0, 0x40 bytes each.
pub(crate) const PVFGORC_LOW: u32 = 0x1020;
/// Octets received, bits 35:32, 0x40 bytes each.
pub(crate) const PVFGORC_HIGH: u32 = 0xd020;
/// Multicasts received, 0x40 bytes each.
pub(crate) const PVFMPRC: u32 = 0xd01c;
/// Frames transmitted, 4 bytes each.
pub(crate) const PVFGPTC: u32 = 0x8300;
/// Octets transmitted, 8 bytes each.
pub(crate) const PVFGOTC: u32 = 0x8400;

/// A VF's own view: frames received.
pub(crate) const VFGPRC: u32 = 0x101c;
/// Octets received, bits 31:0.
pub(crate) const VFGORC_LOW: u32 = 0x1020;
/// Octets received, bits 35:32.
pub(crate) const VFGORC_HIGH: u32 = 0x1024;
/// Multicasts received.
pub(crate) const VFMPRC: u32 = 0x1034;
/// Frames transmitted.
pub(crate) const VFGPTC: u32 = 0x201c;
/// Octets transmitted, bits 31:0.
pub(crate) const VFGOTC_LOW: u32 = 0x2020;
/// Octets transmitted, bits 35:32.
pub(crate) const VFGOTC_HIGH: u32 = 0x2024;
