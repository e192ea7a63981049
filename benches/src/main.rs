//! `pando-bench`: the data path and its parts in one process, each beside the limit and a peer, in rounds that take turns.
//!
//! The driver's side runs on one processor, the engine's on another. See README.md for what each figure means.

mod driver;
mod forward;
mod intel;
mod latency;
mod machine;
mod many;
mod memory;
mod packed;
mod page;
mod parts;
mod peers;
mod pin;
mod report;
mod rounds;
mod vtd;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::Parser;

use peers::testpmd::Installed;
use report::Report;

/// Measures Pando's parts in one process.
#[derive(Parser)]
struct Options {
    /// Measure only what has this in its name
    filter: Option<String>,
    /// Rounds of each measurement
    #[arg(long, default_value_t = 31)]
    rounds: usize,
    /// Milliseconds of each sample
    #[arg(long, default_value_t = 10)]
    sample: u64,
    /// Write the figures to this file
    #[arg(long)]
    json: Option<PathBuf>,
    /// Write them with plots to this file
    #[arg(long)]
    page: Option<PathBuf>,
    /// Measure DPDK's testpmd too, which lies in this folder with its libraries
    #[arg(long, requires = "scratch")]
    testpmd: Option<PathBuf>,
    /// A folder for the files of programs that are started
    #[arg(long)]
    scratch: Option<PathBuf>,
    /// Don't print the table
    #[arg(long)]
    quiet: bool,
}

/// How much is measured.
#[derive(Clone, Debug)]
struct Effort {
    rounds: usize,
    sample: Duration,
    filter: String,
    /// Where testpmd is, if it is measured.
    testpmd: Option<Installed>,
}

impl Effort {
    /// Whether any of a group's measurements is wanted.
    fn wants(&self, name: &str) -> bool {
        name.contains(&self.filter)
    }
}

fn main() -> Result<ExitCode> {
    let options = Options::parse();
    let effort = Effort {
        rounds: options.rounds.max(1),
        sample: Duration::from_millis(options.sample.max(1)),
        filter: options.filter.unwrap_or_default(),
        testpmd: options.testpmd.zip(options.scratch).map(Installed::at),
    };
    let mut report = Report::new()?;
    let processors = pin::Processors::find()?;
    processors.drive()?;
    forward::run(&effort, processors, &mut report)?;
    vtd::run(&effort, processors, &mut report)?;
    packed::run(&effort, processors, &mut report)?;
    intel::run(&effort, processors, &mut report)?;
    latency::run(&effort, processors, &mut report)?;
    many::run(&effort, processors, &mut report)?;
    parts::run(&effort, processors, &mut report)?;
    anyhow::ensure!(!report.is_empty(), "no measurement has '{}' in its name", effort.filter);
    if !options.quiet {
        report.print();
    }
    if let Some(file) = options.json {
        report.save(&file)?;
    }
    if let Some(file) = options.page {
        report.save_page(&file)?;
    }
    Ok(ExitCode::SUCCESS)
}
