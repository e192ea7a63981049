//! What a unit tells about itself.

use std::collections::BTreeSet;
use std::fmt::{self, Display, Formatter};

use serde::{Deserialize, Serialize};

use crate::context::{self, Kind, Limits};
use crate::unit::{Shared, Tables};

/// State and counters of a remapping unit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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

/// For people, in some lines.
impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let switched = |on: bool| if on { "on" } else { "off" };
        let Self { contexts, pass_through, domains, cached, .. } = self;
        let (translation, remapping) =
            (switched(self.translation), switched(self.interrupt_remapping));
        writeln!(f, "translation {translation}, interrupt remapping {remapping}")?;
        let translated = contexts.saturating_sub(*pass_through);
        writeln!(
            f,
            "{contexts} contexts: {translated} in {domains} domains, {pass_through} passed through"
        )?;
        let questions = self.hits.saturating_add(self.misses);
        let rate = 100.0 * self.hits as f64 / questions.max(1) as f64;
        writeln!(
            f,
            "{cached} translations cached, which answered {rate:.1} % of {questions} questions"
        )?;
        let Self { faults, faults_collapsed, faults_lost, .. } = self;
        writeln!(f, "{faults} faults recorded, {faults_collapsed} collapsed, {faults_lost} lost")
    }
}

#[cfg(test)]
mod tests {
    use super::Report;

    #[test]
    fn a_report_is_told_in_words() {
        let report = Report {
            translation: true,
            interrupt_remapping: false,
            contexts: 64,
            pass_through: 1,
            domains: 63,
            cached: 512,
            hits: 999,
            misses: 1,
            faults: 3,
            faults_collapsed: 2,
            faults_lost: 1,
        };
        let lines = [
            "translation on, interrupt remapping off\n",
            "64 contexts: 63 in 63 domains, 1 passed through\n",
            "512 translations cached, which answered 99.9 % of 1000 questions\n",
            "3 faults recorded, 2 collapsed, 1 lost\n",
        ];
        assert_eq!(report.to_string(), lines.concat());
        let json = serde_json::to_string(&report).unwrap();
        assert_eq!(serde_json::from_str::<Report>(&json).unwrap(), report);
    }
}
