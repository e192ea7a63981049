//! The figures: a table for the terminal, JSON for everything else.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Serialize;

use crate::rounds::Spread;

/// All figures of one run.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// The processor it ran on.
    machine: String,
    /// Load of the machine over the last minute, at the start.
    load: f64,
    figures: Vec<Figure>,
    #[serde(skip)]
    groups: Vec<Group>,
}

/// One measurement.
#[derive(Debug, Serialize)]
struct Figure {
    /// Group, what, and whose, joined by slashes.
    name: String,
    unit: &'static str,
    /// Whether more is better.
    more_is_better: bool,
    #[serde(flatten)]
    spread: Spread,
    samples: Vec<f64>,
}

/// Lines of the table that belong together.
#[derive(Debug)]
struct Group {
    title: String,
    lines: Vec<String>,
}

/// Something measured beside others in the same rounds.
pub(crate) struct Measured<'a> {
    /// Whose figure it is.
    pub(crate) who: &'a str,
    pub(crate) samples: &'a [f64],
}

impl Report {
    pub(crate) fn new() -> Result<Self> {
        let cpuinfo = fs::read_to_string("/proc/cpuinfo").context("no /proc/cpuinfo")?;
        let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name"));
        let model = model.unwrap_or_default().trim_start_matches([' ', '\t', ':']);
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
        let load = load.split(' ').next().and_then(|load| load.parse().ok()).unwrap_or_default();
        let machine = format!("{processors} x {model}");
        Ok(Self { machine, load, figures: Vec::new(), groups: Vec::new() })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.figures.is_empty()
    }

    /// Begins a group of lines.
    pub(crate) fn group(&mut self, title: impl Into<String>) {
        self.groups.push(Group { title: title.into(), lines: Vec::new() });
    }

    /// Adds what was measured in the same rounds; the first is compared with each of the others.
    pub(crate) fn add(
        &mut self,
        name: &str,
        unit: &'static str,
        more_is_better: bool,
        measured: &[Measured<'_>],
    ) {
        let Some(first) = measured.first() else { return };
        let mut line = format!("  {name:<34}");
        for Measured { who, samples } in measured {
            let spread = Spread::of(samples);
            line += &format!(" {who} {} {unit}", shown(spread));
            if *who != first.who {
                let ratio = Spread::of_ratios(first.samples, samples);
                line += &format!(" [{:.2}x, {:.2}-{:.2}]", ratio.median, ratio.low, ratio.high);
            }
            line.push(';');
            self.figures.push(Figure {
                name: format!("{name}/{who}"),
                unit,
                more_is_better,
                spread,
                samples: samples.to_vec(),
            });
        }
        eprintln!("{}", line.trim_end_matches(';'));
        if let Some(group) = self.groups.last_mut() {
            group.lines.push(line.trim_end_matches(';').to_owned());
        }
    }

    /// The table.
    pub(crate) fn print(&self) {
        println!("{}, load {:.1}; median (middle half), ratios by round", self.machine, self.load);
        for group in self.groups.iter().filter(|group| !group.lines.is_empty()) {
            println!("\n{}", group.title);
            group.lines.iter().for_each(|line| println!("{line}"));
        }
    }

    /// Everything as JSON.
    pub(crate) fn save(&self, file: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(self).context("cannot write the figures")?;
        fs::write(file, text + "\n").with_context(|| format!("cannot write {}", file.display()))
    }
}

/// `12.3 (12.1-12.4)`.
fn shown(spread: Spread) -> String {
    let digits = match spread.median {
        m if m >= 1000.0 => 0,
        m if m >= 10.0 => 1,
        _ => 2,
    };
    format!("{:.digits$} ({:.digits$}-{:.digits$})", spread.median, spread.low, spread.high)
}
