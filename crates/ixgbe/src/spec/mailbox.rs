//! Mailboxes and resets of VFs (82599 datasheet, 8.2.3.27.14, 8.3.5.1): offsets and bits.

/// VF function level resets, VFs 0 to 31: read-only.
pub(crate) const VFLRE_LOW: u32 = 0x0_0600;
/// The same, VFs 32 to 63.
pub(crate) const VFLRE_HIGH: u32 = 0x0_01c0;
/// Clears bits of VFLRE, two.
pub(crate) const VFLREC: u32 = 0x0_0700;
/// Requests (bits 15:0) and acknowledgements (31:16) of 16 VFs each, four.
pub(crate) const MBVFICR: u32 = 0x0_0710;
/// The PF's mailbox controls, 64.
pub(crate) const PFMAILBOX: u32 = 0x0_4b00;
/// The PF's view of the memories, 64 bytes each.
pub(crate) const PFMBMEM: u32 = 0x1_3000;

/// VF control.
pub(crate) const VFCTRL: u32 = 0x000;
/// VFCTRL: reset.
pub(crate) const VFCTRL_RESET: u32 = 1 << 26;
/// VF status.
pub(crate) const VFSTATUS: u32 = 0x008;
/// A mirror of LINKS.
pub(crate) const VFLINKS: u32 = 0x010;
/// The VF's view of its memory.
pub(crate) const VFMBMEM: u32 = 0x200;
/// The VF's mailbox control.
pub(crate) const VFMAILBOX: u32 = 0x2fc;
/// The VF's packet split type.
pub(crate) const VFPSRTYPE: u32 = 0x300;

/// Dwords of a mailbox's memory.
pub(crate) const WORDS: usize = 16;

/// PFMAILBOX: the PF has written a message.
pub(crate) const PF_STATUS: u32 = 1 << 0;
/// PFMAILBOX: the PF has read a message.
pub(crate) const PF_ACK: u32 = 1 << 1;
/// PFMAILBOX, VFMAILBOX: the VF has the buffer.
pub(crate) const VF_USES: u32 = 1 << 2;
/// PFMAILBOX, VFMAILBOX: the PF has the buffer.
pub(crate) const PF_USES: u32 = 1 << 3;
/// PFMAILBOX: takes the buffer from the VF.
pub(crate) const PF_RESETS_VF: u32 = 1 << 4;

/// VFMAILBOX: the VF has written a message.
pub(crate) const VF_REQUEST: u32 = 1 << 0;
/// VFMAILBOX: the VF has read a message.
pub(crate) const VF_ACK: u32 = 1 << 1;
/// VFMAILBOX: the PF has written a message; a read clears.
pub(crate) const SEEN_STATUS: u32 = 1 << 4;
/// VFMAILBOX: the PF has read a message; a read clears.
pub(crate) const SEEN_ACK: u32 = 1 << 5;
/// VFMAILBOX: the PF is in reset.
pub(crate) const IN_RESET: u32 = 1 << 6;
/// VFMAILBOX: the PF's reset is done; a read clears.
pub(crate) const RESET_DONE: u32 = 1 << 7;
