//! What a unit tells about itself.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::context::{self, Kind, Limits};
use crate::unit::{Shared, Tables};

/// State and counters of a remapping unit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// DMA is translated.
    pub translation: bool,
    /// Interrupts are remapped.
    pub interrupt_remapping: bool,
    /// Functions that have a context.
    pub contexts: usize,
    /// Those of them that are not translated.
    pub pass_through: usize,
    /// Domains that the others are in.
    pub domains: usize,
    /// Translations in the shared cache now.
    pub cached: usize,
    /// Questions the shared cache answered; functions' own caches ask it only on a miss.
    pub hits: u64,
    /// Questions it didn't.
    pub misses: u64,
    /// Faults recorded.
    pub faults: u64,
    /// Faults of a function whose like was recorded and not read yet.
    pub faults_collapsed: u64,
    /// Faults lost because all records were full.
    pub faults_lost: u64,
}

impl Report {
    pub(crate) fn new(shared: &Shared, tables: Tables, limits: Limits) -> Self {
        let (mut contexts, mut pass_through, mut domains) = (0, 0, BTreeSet::new());
        let all = tables.root.into_iter().flat_map(|root| context::all(shared.ram, root, limits));
        for context in all {
            contexts += 1;
            match context.kind {
                Kind::PassThrough => pass_through += 1,
                Kind::SecondStage { .. } => drop(domains.insert(context.domain)),
            }
        }
        let (hits, misses) = shared.iotlb.rates();
        let faults = shared.faults.counts();
        Self {
            translation: tables.root.is_some(),
            interrupt_remapping: tables.interrupts.is_some(),
            contexts,
            pass_through,
            domains: domains.len(),
            cached: shared.iotlb.len(),
            hits,
            misses,
            faults: faults.recorded,
            faults_collapsed: faults.collapsed,
            faults_lost: faults.lost,
        }
    }
}
