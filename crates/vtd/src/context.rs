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

/// What the tables of a unit can be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Levels of the deepest second-stage table: 3, 4 or 5.
    pub(crate) levels: u32,
    /// Bits of an address in an entry; those above are reserved.
    pub(crate) host_width: u32,
}

/// Finds the context of `source` below the root table at `root`.
pub(crate) fn find(
    ram: GuestRam,
    root: Gpa,
    source: RequesterId,
    limits: Limits,
) -> Result<Context, ContextFault> {
    let fault = |reason| ContextFault { reason, no_recording: false };
    let root_entry = root.0 + 16 * u64::from(source.bus());
    let low = load(ram, root_entry).ok_or(fault(Reason::ROOT_ACCESS))?;
    let high = load(ram, root_entry + 8).ok_or(fault(Reason::ROOT_ACCESS))?;
    if low & 1 == 0 {
        return Err(fault(Reason::ROOT_NOT_PRESENT));
    }
    if low & 0xffe != 0 || high != 0 || low >> limits.host_width != 0 {
        return Err(fault(Reason::ROOT_RESERVED));
    }
    let entry = (low & !0xfff).wrapping_add(16 * u64::from(source.function()));
    let (low, high) = load_pair(ram, entry).ok_or(fault(Reason::CONTEXT_ACCESS))?;
    check(ContextLow::from_bits(low), ContextHigh::from_bits(high), limits)
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

fn check(low: ContextLow, high: ContextHigh, limits: Limits) -> Result<Context, ContextFault> {
    let no_recording = low.no_recording();
    let fault = |reason| Err(ContextFault { reason, no_recording });
    if !low.present() {
        return fault(Reason::CONTEXT_NOT_PRESENT);
    }
    if low.reserved() != 0 || high.reserved() != 0 || high.reserved2() {
        return fault(Reason::CONTEXT_RESERVED);
    }
    let (width, deepest) = (u32::from(high.width()), limits.levels - 2);
    if !(1..=deepest).contains(&width) {
        return fault(Reason::CONTEXT_INVALID);
    }
    let table = Gpa(low.table() << 12);
    let kind = match low.kind() {
        0 if table.0 >> limits.host_width != 0 => return fault(Reason::CONTEXT_RESERVED),
        0 => Kind::SecondStage { table, levels: width + 2 },
        2 if width == deepest => Kind::PassThrough,
        _ => return fault(Reason::CONTEXT_INVALID),
    };
    Ok(Context { domain: high.domain(), no_recording, kind })
}

/// Contexts that are present below the root table at `root`, one after another; tables outside RAM hold none.
pub(crate) fn all(ram: GuestRam, root: Gpa, limits: Limits) -> impl Iterator<Item = Context> {
    (0..=255).flat_map(move |bus| {
        let present = load(ram, root.0 + 16 * u64::from(bus)).is_some_and(|entry| entry & 1 != 0);
        let functions = if present { 0..256 } else { 0..0 };
        functions.filter_map(move |function| {
            find(ram, root, RequesterId::new(bus, function as u8), limits).ok()
        })
    })
}

#[cfg(test)]
mod tests;
