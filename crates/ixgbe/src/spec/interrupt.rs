//! Interrupts of PF and VFs (82599 datasheet, 8.2.3.5, 8.3.5.4): offsets and bits.

/// Causes: a read clears.
pub(crate) const EICR: u32 = 0x0_0800;
/// Cause set.
pub(crate) const EICS: u32 = 0x0_0808;
/// Auto clear.
pub(crate) const EIAC: u32 = 0x0_0810;
/// Throttles of vectors 0 to 23.
pub(crate) const EITR: u32 = 0x0_0820;
/// Vectors whose throttle lies at [`EITR`].
pub(crate) const EITR_LOW: u32 = 24;
/// Throttles of vectors 24 to 127.
pub(crate) const EITR_HIGH: u32 = 0x1_2300;
/// Throttles.
pub(crate) const EITRS: u32 = 128;
/// Mask set.
pub(crate) const EIMS: u32 = 0x0_0880;
/// Mask clear.
pub(crate) const EIMC: u32 = 0x0_0888;
/// Auto mask.
pub(crate) const EIAM: u32 = 0x0_0890;
/// General purpose interrupt enable.
pub(crate) const GPIE: u32 = 0x0_0898;
/// GPIE: MSI-X, several vectors.
pub(crate) const GPIE_MSIX: u32 = 1 << 4;
/// GPIE.OCD: reading EICR leaves the vectors' causes.
pub(crate) const GPIE_OTHER_CLEAR_DISABLE: u32 = 1 << 5;
/// GPIE.EIAME: auto mask at each message.
pub(crate) const GPIE_AUTO_MASK: u32 = 1 << 30;
/// Vectors of queues, 64.
pub(crate) const IVAR: u32 = 0x0_0900;
/// Vectors of the other causes.
pub(crate) const IVAR_MISC: u32 = 0x0_0a00;
/// Cause set by vector, two.
pub(crate) const EICS_EX: u32 = 0x0_0a90;
/// Mask set by vector, two.
pub(crate) const EIMS_EX: u32 = 0x0_0aa0;
/// Mask clear by vector, two.
pub(crate) const EIMC_EX: u32 = 0x0_0ab0;
/// Auto mask by vector, two.
pub(crate) const EIAM_EX: u32 = 0x0_0ad0;

/// Causes of vectors 0 to 15.
pub(crate) const VECTOR_CAUSES: u32 = 0x0000_ffff;
/// Few filters of the flow director are free.
pub(crate) const CAUSE_FLOW_DIRECTOR: u32 = 1 << 16;
/// A mailbox message, acknowledgement or reset of a VF.
pub(crate) const CAUSE_MAILBOX: u32 = 1 << 19;
/// Link status change.
pub(crate) const CAUSE_LINK: u32 = 1 << 20;
/// The TCP timer: it has a vector of its own.
pub(crate) const CAUSE_TCP_TIMER: u32 = 1 << 30;
/// What a read of EICR clears with GPIE.OCD.
pub(crate) const CLEARED_BY_READ: u32 = 0x3fff_0000;

/// An entry of an IVAR: valid.
pub(crate) const IVAR_VALID: u8 = 1 << 7;
/// An entry of an IVAR of the PF: its vector.
pub(crate) const IVAR_VECTOR: u8 = 0x3f;
/// An entry of an IVAR of a VF: its vector.
pub(crate) const VTIVAR_VECTOR: u8 = 0x03;
/// Bits of an IVAR that exist.
pub(crate) const IVAR_MASK: u32 = 0xbfbf_bfbf;
/// Bits of IVAR_MISC that exist.
pub(crate) const IVAR_MISC_MASK: u32 = 0x0000_bfbf;
/// Bits of a VTIVAR that exist.
pub(crate) const VTIVAR_MASK: u32 = 0x8383_8383;
/// Bits of VTIVAR_MISC that exist.
pub(crate) const VTIVAR_MISC_MASK: u32 = 0x0000_0083;

/// A throttle's interval, bits 11:3, in units of 2 microseconds.
pub(crate) const INTERVAL_SHIFT: u32 = 3;
/// The interval once shifted down.
pub(crate) const INTERVAL_MASK: u32 = 0x1ff;
/// Microseconds of one unit.
pub(crate) const INTERVAL_UNIT: u64 = 2;
/// Bits of a throttle that are kept.
pub(crate) const EITR_MASK: u32 = 0x0000_8ff8;

/// A VF's causes: a read clears.
pub(crate) const VTEICR: u32 = 0x100;
/// A VF's cause set.
pub(crate) const VTEICS: u32 = 0x104;
/// A VF's mask set.
pub(crate) const VTEIMS: u32 = 0x108;
/// A VF's mask clear.
pub(crate) const VTEIMC: u32 = 0x10c;
/// A VF's auto clear.
pub(crate) const VTEIAC: u32 = 0x110;
/// A VF's auto mask.
pub(crate) const VTEIAM: u32 = 0x114;
/// A VF's vectors of queues, 4.
pub(crate) const VTIVAR: u32 = 0x120;
/// A VF's vector of its mailbox.
pub(crate) const VTIVAR_MISC: u32 = 0x140;
/// A VF's throttles, 3.
pub(crate) const VTEITR: u32 = 0x820;
