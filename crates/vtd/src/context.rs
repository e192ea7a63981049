//! From a requester id to its domain: root table and context table in legacy mode (VT-d 4.1, 3.4.2, 9.1 and 9.3).

use std::sync::atomic::Ordering;

use pando_tlp::{Gpa, GuestRam, RequesterId};
use vm_memory::Bytes;

use crate::spec::{ContextHigh, ContextLow, Reason};

/// What a context entry says of a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Context {
    /// The domain id; functions with the same one share cached translations.
    pub(crate) domain: u16,
    /// Faults are not recorded (FPD).
    pub(crate) no_recording: bool,
    /// How requests are translated.
    pub(crate) kind: Kind,
}

/// How a function's requests are translated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Not at all.
    PassThrough,
    /// By second-stage tables: the top table and how many levels there are.
    SecondStage {
        /// The top-level table.
        table: Gpa,
        /// 3, 4 or 5.
        levels: u32,
    },
}

/// A fault found on the way; FPD of the context entry, where it got that far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ContextFault {
    /// Why.
    pub(crate) reason: Reason,
    /// Faults are not recorded.
    pub(crate) no_recording: bool,
}

/// Reads 8 aligned bytes of a table as one access; `None` outside RAM.
pub(crate) fn load(ram: GuestRam, address: u64) -> Option<u64> {
    ram.run(Gpa(address), 8)?.slice().load(0, Ordering::Acquire).ok()
}

/// Finds the context of `source` below the root table at `root`. `levels` is the deepest table the unit supports.
pub(crate) fn find(
    ram: GuestRam,
    root: Gpa,
    source: RequesterId,
    levels: u32,
) -> Result<Context, ContextFault> {
    let fault = |reason| ContextFault { reason, no_recording: false };
    let root_entry = root.0 + 16 * u64::from(source.bus());
    let low = load(ram, root_entry).ok_or(fault(Reason::ROOT_ACCESS))?;
    let high = load(ram, root_entry + 8).ok_or(fault(Reason::ROOT_ACCESS))?;
    if low & 1 == 0 {
        return Err(fault(Reason::ROOT_NOT_PRESENT));
    }
    if low & 0xffe != 0 || high != 0 {
        return Err(fault(Reason::ROOT_RESERVED));
    }
    let entry = (low & !0xfff).wrapping_add(16 * u64::from(source.function()));
    let (low, high) = load_pair(ram, entry).ok_or(fault(Reason::CONTEXT_ACCESS))?;
    check(ContextLow::from_bits(low), ContextHigh::from_bits(high), levels)
}

/// Reads a 16-byte entry so that its first half, which has the present bit, belongs to the second.
pub(crate) fn load_pair(ram: GuestRam, address: u64) -> Option<(u64, u64)> {
    let mut low = load(ram, address)?;
    // A rewrite in progress shows as a changed first half; a guest that rewrites for ever gets what was there last.
    for _ in 0..4 {
        let high = load(ram, address.checked_add(8)?)?;
        let again = load(ram, address)?;
        if again == low {
            return Some((low, high));
        }
        low = again;
    }
    Some((low, load(ram, address.checked_add(8)?)?))
}

fn check(low: ContextLow, high: ContextHigh, levels: u32) -> Result<Context, ContextFault> {
    let no_recording = low.no_recording();
    let fault = |reason| Err(ContextFault { reason, no_recording });
    if !low.present() {
        return fault(Reason::CONTEXT_NOT_PRESENT);
    }
    if low.reserved() != 0 || high.reserved() != 0 {
        return fault(Reason::CONTEXT_RESERVED);
    }
    let width = u32::from(high.width());
    if !(1..=levels - 2).contains(&width) {
        return fault(Reason::CONTEXT_INVALID);
    }
    let kind = match low.kind() {
        0 => Kind::SecondStage { table: Gpa(low.table() << 12), levels: width + 2 },
        2 if width == levels - 2 => Kind::PassThrough,
        _ => return fault(Reason::CONTEXT_INVALID),
    };
    Ok(Context { domain: high.domain(), no_recording, kind })
}

#[cfg(test)]
mod tests;
