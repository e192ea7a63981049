//! What a unit tells about itself.

use serde::Serialize;

use crate::unit::Shared;

/// State and counters of a remapping unit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// DMA is translated.
    pub translation: bool,
    /// Interrupts are remapped.
    pub interrupt_remapping: bool,
    /// Translations in the shared cache now.
    pub cached: usize,
    /// Questions the shared cache answered; functions' own caches ask it only on a miss.
    pub hits: u64,
    /// Questions it didn't.
    pub misses: u64,
    /// Faults recorded.
    pub faults: u64,
    /// Faults lost because all records were full.
    pub faults_lost: u64,
}

impl Report {
    pub(crate) fn new(translation: bool, interrupt_remapping: bool, shared: &Shared) -> Self {
        let (hits, misses) = shared.iotlb.rates();
        let (faults, faults_lost) = shared.faults.counts();
        Self {
            translation,
            interrupt_remapping,
            cached: shared.iotlb.len(),
            hits,
            misses,
            faults,
            faults_lost,
        }
    }
}
