//! The invalidation queue (VT-d 4.1, 6.5.2): which descriptor means what. The register file runs the queue.

use pando_tlp::{Gpa, Iova};

use crate::iotlb::Scope;
use crate::spec::{MAX_ADDRESS_MASK, descriptor};

/// One descriptor, understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// Forget translations.
    Translations(Scope),
    /// Forget contexts or interrupt entries. Neither is cached beyond an epoch, so which ones doesn't matter.
    Entries,
    /// Everything before is done when this is.
    Wait {
        /// Status data and the address it is written to.
        status: Option<(u32, Gpa)>,
        /// The completion event is wanted (IF).
        interrupt: bool,
    },
}

/// Understands the 128-bit descriptor; `None` for a type, granularity or reserved bit that isn't specified.
pub(crate) fn decode(low: u64, high: u64) -> Option<Command> {
    if low >> 9 & 7 != 0 {
        return None; // bits 11:9 extend the type; none of the extended ones is there
    }
    match low & 0xf {
        descriptor::CONTEXT => {
            let valid = low >> 4 & 3 != 0 && high == 0 && low & 0xfffc_0000_0000_f1c0 == 0;
            valid.then_some(Command::Entries)
        }
        descriptor::IOTLB => iotlb(low, high),
        descriptor::INTERRUPT_ENTRY => {
            (high == 0 && low & 0xffff_0000_07ff_f1e0 == 0).then_some(Command::Entries)
        }
        descriptor::WAIT => wait(low, high),
        _ => None,
    }
}

fn iotlb(low: u64, high: u64) -> Option<Command> {
    let domain = (low >> 16) as u16;
    if low >> 32 != 0 || low & 0xf100 != 0 {
        return None;
    }
    let granularity = low >> 4 & 3;
    if granularity == 3 && high & 0xf80 != 0 {
        return None;
    }
    scope(granularity, domain, high).map(Command::Translations)
}

/// The scope of an IOTLB invalidation by its granularity: 1 global, 2 domain, 3 pages of `address` (6.5.1.2, 6.5.2.3).
pub(crate) fn scope(granularity: u64, domain: u16, address: u64) -> Option<Scope> {
    let mask = (address & 0x3f) as u32;
    match granularity {
        1 => Some(Scope::Global),
        2 => Some(Scope::Domain(domain)),
        3 if mask <= MAX_ADDRESS_MASK => {
            Some(Scope::Pages { domain, address: Iova(address & !0xfff), mask })
        }
        _ => None,
    }
}

fn wait(low: u64, high: u64) -> Option<Command> {
    const INTERRUPT: u64 = 1 << 4;
    const STATUS: u64 = 1 << 5;
    if low & 0xffff_f100 != 0 || low & STATUS != 0 && high & 3 != 0 {
        return None;
    }
    let status = (low & STATUS != 0).then_some(((low >> 32) as u32, Gpa(high)));
    Some(Command::Wait { status, interrupt: low & INTERRUPT != 0 })
}

#[cfg(test)]
mod tests;
