//! What the root complex decodes: ECAM, fixed register windows, and the apertures in front of the root bus; RAM before all.

use pando_tlp::{Gpa, GuestRam};
use vm_memory::{GuestAddress, GuestMemoryBackend, GuestMemoryRegion};

use crate::error::BuildError;
use crate::map::{Claimant, Entry};
use crate::options::FabricConfig;
use crate::routes::RootDecode;
use crate::span::{self, Span};

/// log2 of the configuration space of one bus.
const BUS_SHIFT: u32 = 20;

/// ECAM and the apertures of `config`, without what RAM covers.
pub(super) fn root_decode(config: &FabricConfig, ram: &GuestRam) -> Result<RootDecode, BuildError> {
    let mut root = RootDecode::default();
    for aperture in [&config.mmio32, &config.mmio64] {
        root.apertures
            .extend(Span::sized(aperture.start, aperture.end.saturating_sub(aperture.start)));
    }
    for region in ram.memory().iter() {
        let start = region.start_addr().0;
        let used = Span::sized(start, region.len());
        used.inspect(|&used| span::remove(&mut root.apertures, used));
    }
    let ecam = ecam(config, ram)?;
    span::remove(&mut root.apertures, ecam);
    root.fixed.push(Entry { span: ecam, base: ecam.first, claimant: Claimant::Ecam });
    Ok(root)
}

fn ecam(config: &FabricConfig, ram: &GuestRam) -> Result<Span, BuildError> {
    let (base, buses) = (config.ecam.0, config.buses);
    if !(1..=256).contains(&buses) {
        return Err(BuildError::Buses(buses));
    }
    let refuse = |reason| BuildError::Ecam { base, buses, reason };
    let len = u64::from(buses) << BUS_SHIFT;
    if !base.is_multiple_of(len.next_power_of_two()) {
        return Err(refuse("aligned to its size, rounded up to a power of two"));
    }
    let span = Span::sized(base, len).ok_or_else(|| refuse("inside the address space"))?;
    if touches_ram(ram, span) { Err(refuse("outside RAM")) } else { Ok(span) }
}

/// The span of a new fixed window, if nothing is there.
pub(super) fn free(
    root: &RootDecode,
    ram: &GuestRam,
    base: Gpa,
    len: u64,
) -> Result<Span, BuildError> {
    let refuse = |reason| BuildError::Window { base: base.0, len, reason };
    let span = Span::sized(base.0, len).ok_or_else(|| refuse("is empty or wraps"))?;
    if touches_ram(ram, span) {
        return Err(refuse("overlaps RAM"));
    }
    if root.fixed.iter().any(|entry| entry.span.intersect(span).is_some()) {
        return Err(refuse("overlaps another window or ECAM"));
    }
    Ok(span)
}

fn touches_ram(ram: &GuestRam, span: Span) -> bool {
    ram.memory().iter().any(|region| {
        let GuestAddress(start) = region.start_addr();
        Span::sized(start, region.len()).is_some_and(|used| used.intersect(span).is_some())
    })
}
