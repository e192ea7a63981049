//! Interrupt remapping: from a message to the interrupt that its table entry allows (VT-d 4.1, 5.1 and 9.9).
//!
//! Entries are not cached: each message reads its entry, so an invalidation has nothing to forget.
//!
//! Not implemented: posted interrupts.

use pando_tlp::{Gpa, GuestRam, MSI_RANGE, MsiMessage, RequesterId};

use crate::context::load_pair;
use crate::spec::{InterruptEntryHigh, InterruptEntryLow, Reason};

/// The remapping table, as set by SIRTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Table {
    /// Its first entry.
    pub(crate) base: Gpa,
    /// Number of 16-byte entries, 2 to 65536.
    pub(crate) entries: u32,
    /// 32-bit destinations (EIME).
    pub(crate) extended: bool,
    /// Compatibility-format messages pass (CFIS), if destinations aren't 32-bit.
    pub(crate) compatibility: bool,
}

/// A blocked message: what to record, unless its entry says not to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct InterruptFault {
    /// Why.
    pub(crate) reason: Reason,
    /// The index it asked for; 0 for compatibility format.
    pub(crate) index: u32,
    /// The fault is not recorded (FPD).
    pub(crate) no_recording: bool,
}

const REMAPPABLE: u64 = 1 << 4;
const SUBHANDLE_VALID: u64 = 1 << 3;

/// Remaps `message` of `source`.
pub(crate) fn remap(
    ram: GuestRam,
    table: &Table,
    source: RequesterId,
    message: MsiMessage,
) -> Result<MsiMessage, InterruptFault> {
    if message.address & REMAPPABLE == 0 {
        return compatibility(table, message);
    }
    let handle = (message.address >> 5 & 0x7fff | message.address << 13 & 0x8000) as u32;
    let subhandle = if message.address & SUBHANDLE_VALID != 0 { message.data } else { 0 };
    let index = handle + (subhandle & 0xffff);
    let blocked = |reason, no_recording| InterruptFault { reason, index, no_recording };
    if subhandle >> 16 != 0 {
        return Err(blocked(Reason::REQUEST_RESERVED, false));
    }
    if index >= table.entries {
        return Err(blocked(Reason::INDEX_BEYOND_TABLE, false));
    }
    let entry =
        table.base.checked_add(16 * u64::from(index)).and_then(|entry| load_pair(ram, entry.0));
    let (low, high) = entry.ok_or(blocked(Reason::ENTRY_ACCESS, false))?;
    let (low, high) = (InterruptEntryLow::from_bits(low), InterruptEntryHigh::from_bits(high));
    check(table, source, low, high).map_err(|reason| blocked(reason, low.no_recording()))?;
    Ok(compose(table, low))
}

fn compatibility(table: &Table, message: MsiMessage) -> Result<MsiMessage, InterruptFault> {
    if !table.extended && table.compatibility {
        return Ok(message);
    }
    Err(InterruptFault { reason: Reason::COMPATIBILITY_BLOCKED, index: 0, no_recording: false })
}

fn check(
    table: &Table,
    source: RequesterId,
    low: InterruptEntryLow,
    high: InterruptEntryHigh,
) -> Result<(), Reason> {
    if !low.present() {
        return Err(Reason::ENTRY_NOT_PRESENT);
    }
    // Without 32-bit destinations only bits 15:8 of the destination are an id (9.9).
    let destination_reserved = !table.extended && low.destination() & !0xff00 != 0;
    if low.reserved() != 0
        || low.reserved2() != 0
        || low.posted()
        || high.reserved() != 0
        || destination_reserved
    {
        return Err(Reason::ENTRY_RESERVED);
    }
    if is_verified(source, high)? { Ok(()) } else { Err(Reason::SOURCE_MISMATCH) }
}

/// Source validation (9.9, SVT and SQ).
fn is_verified(source: RequesterId, high: InterruptEntryHigh) -> Result<bool, Reason> {
    match high.verification() {
        0 => Ok(true),
        1 => {
            let ignored = [0, 0b100, 0b110, 0b111][usize::from(high.source_mask())];
            Ok((source.0 ^ high.source()) & !ignored == 0)
        }
        2 => {
            let [first, last] = high.source().to_be_bytes();
            Ok((first..=last).contains(&source.bus()))
        }
        _ => Err(Reason::ENTRY_RESERVED),
    }
}

/// The message an entry stands for, as a local APIC takes it (SDM 3A, 10.11; destination bits 31:8 in address bits 63:40).
fn compose(table: &Table, entry: InterruptEntryLow) -> MsiMessage {
    let destination = if table.extended { entry.destination() } else { entry.destination() >> 8 };
    let address = MSI_RANGE.start
        | u64::from(destination & 0xff) << 12
        | u64::from(destination & !0xff) << 32
        | u64::from(entry.redirection()) << 3
        | u64::from(entry.logical()) << 2;
    let level = if entry.level() { 1 << 15 | 1 << 14 } else { 0 };
    let data = u32::from(entry.vector()) | u32::from(entry.delivery()) << 8 | level;
    MsiMessage { address, data }
}

#[cfg(test)]
mod tests;
