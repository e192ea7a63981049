//! The figures: a table for the terminal, JSON for everything else.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Serialize;

use crate::page::{self, Axis, Line, Plot};
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
    #[serde(skip)]
    plots: Vec<Plot>,
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
        Ok(Self { machine, load, figures: Vec::new(), groups: Vec::new(), plots: Vec::new() })
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

    /// Adds a plot to the page.
    pub(crate) fn plot(&mut self, plot: Plot) {
        self.plots.push(plot);
    }

    /// Plots the medians of what was added under `group`/`place` for each of `places`: a line for each that was measured.
    pub(crate) fn plot_over(&mut self, title: &str, label: &str, group: &str, places: &[&str]) {
        let mut lines: Vec<Line> = Vec::new();
        for figure in &self.figures {
            let Some((name, who)) = figure.name.rsplit_once('/') else { continue };
            let place = name.strip_prefix(group).and_then(|place| place.strip_prefix('/'));
            let Some(at) = places.iter().position(|wanted| Some(*wanted) == place) else {
                continue;
            };
            let point = (at as f64, figure.spread.median);
            match lines.iter_mut().find(|line| line.name == who) {
                Some(line) => line.points.push(point),
                None => lines.push(Line { name: who.to_owned(), points: vec![point] }),
            }
        }
        let unit = self.figures.iter().find(|figure| figure.name.starts_with(group));
        if let Some(y) = unit.map(|figure| figure.unit.to_owned()).filter(|_| !lines.is_empty()) {
            let x = Axis::named(label, places.iter().copied());
            self.plot(Plot { title: title.to_owned(), x, y, lines });
        }
    }

    /// The median of the figure of this name.
    pub(crate) fn median(&self, name: &str) -> Option<f64> {
        let figure = self.figures.iter().find(|figure| figure.name == name);
        figure.map(|figure| figure.spread.median)
    }

    /// What is above the table.
    fn heading(&self) -> String {
        format!("{}, load {:.1}; median (middle half), ratios by round", self.machine, self.load)
    }

    /// The table.
    fn table(&self) -> String {
        let groups = self.groups.iter().filter(|group| !group.lines.is_empty());
        groups.map(|group| format!("\n{}\n{}\n", group.title, group.lines.join("\n"))).collect()
    }

    /// Shows the table.
    pub(crate) fn print(&self) {
        print!("{}\n{}", self.heading(), self.table());
    }

    /// Everything as a page.
    pub(crate) fn save_page(&self, file: &Path) -> Result<()> {
        let page = page::html(&self.heading(), &self.plots, &self.table());
        fs::write(file, page).with_context(|| format!("cannot write {}", file.display()))
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
