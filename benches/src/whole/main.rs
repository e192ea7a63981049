//! `pando-whole`: whole machines under KVM, Pando's and QEMU's in turn: boot time, memory, VFs enabled, TCP between VFs.
//!
//! Runs in L1 where the host has no KVM; `cargo xtask bench --whole` starts it there with everything it needs.

mod account;
mod machine;
mod measures;
mod report;

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Parser;

use machine::Machines;
use report::Report;

/// Measures whole machines.
#[derive(Parser)]
struct Options {
    /// Measure only what has this in its name
    filter: Option<String>,
    /// The pando binary
    #[arg(long)]
    pando: PathBuf,
    /// Measure only what a bare-metal guest can, which needs no kernel
    #[arg(long)]
    payload: bool,
    /// The guests' kernel
    #[arg(long, required_unless_present = "payload")]
    kernel: Option<PathBuf>,
    /// An archive of the guests' initramfs; may be given several times
    #[arg(long)]
    initrd: Vec<PathBuf>,
    /// QEMU's program; without it, the peers are left out
    #[arg(long)]
    qemu: Option<PathBuf>,
    /// Rounds
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Write the figures to this file
    #[arg(long)]
    json: Option<PathBuf>,
}

fn main() -> Result<()> {
    let options = Options::parse();
    let folder = std::env::temp_dir().join(format!("pando-whole-{}", std::process::id()));
    std::fs::create_dir_all(&folder).context("cannot make a folder for the guests' files")?;
    let machines = Machines {
        pando: std::path::absolute(&options.pando)?,
        kernel: options.kernel.unwrap_or_default(),
        initrd: options.initrd,
        qemu: options.qemu,
        folder,
    };
    let mut report = Report::default();
    let filter = options.filter.as_deref().unwrap_or_default();
    let all: &[_] = if options.payload { &measures::PAYLOAD } else { &measures::ALL };
    for (name, measure) in all {
        if name.contains(filter) {
            measure(&machines, options.rounds.max(1), &mut report)
                .with_context(|| format!("measuring {name}"))?;
        }
    }
    let _ = std::fs::remove_dir_all(&machines.folder); // a left-over in /tmp harms nobody
    match options.json {
        Some(file) => report.save(&file),
        None => Ok(()),
    }
}
