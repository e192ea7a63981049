//! Measurements that take turns: one sample of each per round, so that whatever disturbs the machine disturbs all of them.

use anyhow::Result;
use serde::{Deserialize, Serialize};

/// A measurement that gives one sample at a time.
pub(crate) struct Case<'a> {
    pub(crate) sample: Box<dyn FnMut() -> Result<f64> + 'a>,
}

impl<'a> Case<'a> {
    pub(crate) fn new(sample: impl FnMut() -> Result<f64> + 'a) -> Self {
        Self { sample: Box::new(sample) }
    }
}

/// The samples of every case, in the order of the rounds.
pub(crate) fn take(rounds: usize, cases: &mut [Case<'_>]) -> Result<Vec<Vec<f64>>> {
    let mut samples = vec![Vec::with_capacity(rounds); cases.len()];
    for _ in 0..rounds {
        for (case, samples) in cases.iter_mut().zip(&mut samples) {
            samples.push((case.sample)()?);
        }
    }
    Ok(samples)
}

/// The middle of some samples and how far they lie apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    /// A quarter of the samples is below.
    pub(crate) low: f64,
    /// A quarter of the samples is above.
    pub(crate) high: f64,
}

impl Spread {
    /// Of at least one sample.
    pub(crate) fn of(samples: &[f64]) -> Self {
        let mut sorted = samples.to_vec();
        sorted.sort_by(f64::total_cmp);
        let at = |part: f64| {
            let place = part * (sorted.len().max(1) - 1) as f64;
            sorted.get(place.round() as usize).copied().unwrap_or_default()
        };
        Self { median: at(0.5), low: at(0.25), high: at(0.75) }
    }

    /// Of the ratios of each round.
    pub(crate) fn of_ratios(samples: &[f64], over: &[f64]) -> Self {
        let ratios: Vec<_> = samples.iter().zip(over).map(|(a, b)| a / b).collect();
        Self::of(&ratios)
    }
}

#[cfg(test)]
mod tests {
    use super::Spread;

    #[test]
    fn the_spread_is_the_middle_half() {
        let spread = Spread::of(&[5.0, 1.0, 3.0, 2.0, 4.0]);
        assert_eq!(spread, Spread { median: 3.0, low: 2.0, high: 4.0 });
        assert_eq!(Spread::of_ratios(&[2.0], &[4.0]).median, 0.5);
        assert_eq!(Spread::of(&[]), Spread::default());
    }
}
