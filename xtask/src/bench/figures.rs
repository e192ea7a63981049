//! Figures of one or several runs, and which differences between two sets are more than noise.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;

/// Differences below this part are noise, however steady the figures are.
const LEAST: f64 = 0.02;

/// Figures by name.
#[derive(Debug, Default)]
pub(super) struct Figures(BTreeMap<String, Figure>);

#[derive(Debug, Deserialize)]
struct Run {
    figures: Vec<Figure>,
}

#[derive(Clone, Debug, Deserialize)]
struct Figure {
    name: String,
    unit: String,
    more_is_better: bool,
    samples: Vec<f64>,
}

impl Figures {
    /// Those in a file that the benches wrote.
    pub(super) fn read(file: &Path) -> Result<Self> {
        let text =
            fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        let run: Run = serde_json::from_str(&text)
            .with_context(|| format!("{} holds no figures", file.display()))?;
        Ok(Self(run.figures.into_iter().map(|figure| (figure.name.clone(), figure)).collect()))
    }

    /// Adds the samples of another run.
    pub(super) fn add(&mut self, run: Self) {
        for (name, figure) in run.0 {
            match self.0.get_mut(&name) {
                Some(known) => known.samples.extend(figure.samples),
                None => drop(self.0.insert(name, figure)),
            }
        }
    }

    /// A line for each figure that both have.
    pub(super) fn compare(&self, old: &Self) -> String {
        let both = || self.0.iter().filter_map(|(name, new)| Some((old.0.get(name)?, new)));
        let mut noise = BTreeMap::<&str, f64>::new();
        for (old, new) in both() {
            let group = noise.entry(new.group()).or_insert(LEAST);
            *group = group.max(spread(old, new));
        }
        both().map(|(old, new)| line(old, new, noise[new.group()])).collect()
    }
}

impl Figure {
    /// What it was measured beside: a machine that changed under one of them changed under all.
    fn group(&self) -> &str {
        self.name.rsplit_once('/').map_or(&self.name, |(group, _)| group)
    }
}

/// Noise: how far the middle halves reach, both together.
fn spread(old: &Figure, new: &Figure) -> f64 {
    let reach = |[low, middle, high]: [f64; 3]| (high - low) / middle;
    reach(quartiles(&old.samples)) + reach(quartiles(&new.samples))
}

fn line(old: &Figure, new: &Figure, noise: f64) -> String {
    let (before, after) = (quartiles(&old.samples), quartiles(&new.samples));
    let change = after[1] / before[1] - 1.0;
    let verdict = match (change.abs() > noise, (change > 0.0) == new.more_is_better) {
        (false, _) => "",
        (true, true) => "  better",
        (true, false) => "  WORSE",
    };
    format!(
        "{:<44} {:>10.2} -> {:>10.2} {:<5} {:>+6.1} % (noise {:.1} %){verdict}\n",
        new.name,
        before[1],
        after[1],
        new.unit,
        100.0 * change,
        100.0 * noise
    )
}

fn quartiles(samples: &[f64]) -> [f64; 3] {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    [1, 2, 3].map(|quarter| {
        sorted.get((sorted.len().max(1) - 1) * quarter / 4).copied().unwrap_or_default()
    })
}

#[cfg(test)]
mod tests {
    use super::{Figure, Figures};

    fn figures(all: &[(&str, [f64; 5])]) -> Figures {
        let figure = |(name, samples): &(&str, [f64; 5])| {
            let (name, unit) = (format!("forward/64/{name}"), "Mpps".to_owned());
            (name.clone(), Figure { name, unit, more_is_better: true, samples: samples.to_vec() })
        };
        Figures(all.iter().map(figure).collect())
    }

    const STEADY: [f64; 5] = [10.0, 10.1, 10.0, 9.9, 10.0];
    const FASTER: [f64; 5] = [12.0, 12.1, 12.0, 11.9, 12.0];
    const SHAKY: [f64; 5] = [8.0, 12.0, 15.0, 9.0, 11.0];

    #[test]
    fn a_difference_counts_when_it_exceeds_the_spread() {
        let (slow, fast) = (figures(&[("pando", STEADY)]), figures(&[("pando", FASTER)]));
        assert!(fast.compare(&slow).contains("better"));
        assert!(slow.compare(&fast).contains("WORSE"));
    }

    #[test]
    fn where_a_neighbour_shakes_nothing_is_said() {
        let slow = figures(&[("pando", STEADY), ("raw", STEADY)]);
        let fast = figures(&[("pando", FASTER), ("raw", SHAKY)]);
        let text = fast.compare(&slow);
        assert!(!text.contains("better") && !text.contains("WORSE"), "{text}");
    }
}
