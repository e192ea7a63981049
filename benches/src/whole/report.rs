//! The figures of whole machines: a line as each is known, JSON of the same shape as the in-process benches'.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Serialize;

/// All figures.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Report {
    figures: Vec<Figure>,
}

#[derive(Debug, Serialize)]
struct Figure {
    name: String,
    unit: &'static str,
    more_is_better: bool,
    median: f64,
    samples: Vec<f64>,
}

impl Report {
    /// Adds a figure, and shows it.
    pub(crate) fn add(
        &mut self,
        name: &str,
        unit: &'static str,
        more_is_better: bool,
        samples: &[f64],
    ) -> f64 {
        let median = median(samples);
        let list: Vec<_> = samples.iter().map(|sample| format!("{sample:.2}")).collect();
        println!("{name:<44} {median:>10.2} {unit:<8} ({})", list.join(", "));
        let (name, samples) = (name.to_owned(), samples.to_vec());
        self.figures.push(Figure { name, unit, more_is_better, median, samples });
        median
    }

    /// Adds the ratios of two sets of samples taken in turn, and says what they should reach.
    pub(crate) fn ratio(
        &mut self,
        name: &str,
        more_is_better: bool,
        samples: &[f64],
        over: &[f64],
        goal: f64,
    ) {
        let ratios: Vec<_> = samples.iter().zip(over).map(|(a, b)| a / b).collect();
        let ratio = self.add(name, "x", more_is_better, &ratios);
        let reached = if more_is_better { ratio >= goal } else { ratio <= goal };
        println!("    goal {goal}: {}", if reached { "reached" } else { "NOT reached" });
    }

    pub(crate) fn save(&self, file: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(self).context("cannot write the figures")?;
        fs::write(file, text + "\n").with_context(|| format!("cannot write {}", file.display()))
    }
}

fn median(samples: &[f64]) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len().saturating_sub(1) / 2).copied().unwrap_or_default()
}
