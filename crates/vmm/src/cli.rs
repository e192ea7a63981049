//! The command line: `pando run` and `pando check`.

mod check;
mod run;

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, Parser, Subcommand};
use pando_vmm::machine::OnReset;
use pando_vmm::platform::{Cpus, MemorySize, PollTime};

/// A minimal hypervisor with a PCI Express tree, an IOMMU and SR-IOV network cards, all in software.
#[derive(Debug, Parser)]
#[command(version, propagate_version = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Boot a guest with its console on this terminal
    #[command(after_help = RUN_HELP)]
    Run(Box<Run>),
    /// Check a platform file and print its tree
    Check {
        /// The platform file (TOML)
        file: PathBuf,
        /// Print everything it says, defaults included, as JSON
        #[arg(long, conflicts_with = "report")]
        json: bool,
        /// Tell beside it what a machine's report (`pando run --report FILE`) says of the IOMMU: contexts, domains, cache, faults
        #[arg(long, value_name = "FILE")]
        report: Option<PathBuf>,
    },
}

const RUN_HELP: &str = "\
Examples:
  pando run --kernel /boot/vmlinuz-6.1.0 --initrd initrd.img --cmdline 'quiet'
  pando run --platform card.toml --kernel vmlinuz --cpus 4 --memory 4GiB
  pando run --kernel payload.elf --serial none        a bare-metal payload with a PVH entry

On a terminal, Ctrl-A x stops the machine and Ctrl-A h lists what else there is.
The exit status is 0 when the guest powers itself off.
A machine without svm or vmx cannot boot kernels: put `cargo xtask nested --` before the command.";

#[derive(Debug, Args)]
struct Run {
    /// Platform file: the PCI tree and its cards; without it one switch with one card
    #[arg(long, value_name = "FILE")]
    platform: Option<PathBuf>,
    /// What to boot: a 64-bit Linux bzImage, or an ELF with a PVH entry
    #[arg(long, value_name = "FILE")]
    kernel: PathBuf,
    /// Initial RAM disk
    #[arg(long, value_name = "FILE")]
    initrd: Option<PathBuf>,
    /// Appended to Pando's own kernel command line, which -v shows
    #[arg(long, value_name = "STR", allow_hyphen_values = true)]
    cmdline: Option<String>,
    /// Number of CPUs, 1 to 16 [default: the platform file's, else 1]
    #[arg(long, value_name = "N", value_parser = cpus)]
    cpus: Option<Cpus>,
    /// Guest memory, such as 512MiB or 4GiB [default: the platform file's, else 512MiB]
    #[arg(long, value_name = "SIZE")]
    memory: Option<MemorySize>,
    /// Where the guest's first serial port goes: stdio, none, or a file
    #[arg(long, value_name = "stdio|FILE|none", default_value = "stdio")]
    serial: PathBuf,
    /// What a guest's reset does
    #[arg(long, value_name = "WHAT", default_value = "restart")]
    on_reset: OnReset,
    /// Threads that move packets [default: the platform file's, else one per CPU that is here beside the guest's, one at
    /// least and at most one per function]
    #[arg(long, value_name = "N")]
    workers: Option<usize>,
    /// How long they poll for more before they sleep, 0us to 1s [default: the platform file's, else the host's choice: ten times what waking a thread takes]
    #[arg(long, value_name = "TIME")]
    poll: Option<PollTime>,
    /// Where a report of every part's state and counters goes when the machine ends, and on SIGUSR1 [default: standard error,
    /// on SIGUSR1 only]
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Say more on standard error: the command line, resets; twice for debugging
    #[arg(short, long, action = clap::ArgAction::Count)]
    verbose: u8,
}

impl Cli {
    /// Does what was asked.
    pub(crate) fn execute(self) -> Result<()> {
        match self.command {
            Command::Run(run) => run::run(&run),
            Command::Check { file, json, report } => check::check(&file, json, report.as_deref()),
        }
    }
}

fn cpus(text: &str) -> Result<Cpus, String> {
    let count = text.parse::<u8>().map_err(|_| "a machine has 1 to 16".to_owned())?;
    Cpus::new(count).map_err(|error| error.to_string())
}

/// 2 for what clap refuses, 3 for a reset that ends, 128 + n for signal n, 1 for the rest.
pub(crate) fn exit_status(error: &anyhow::Error) -> u8 {
    error.downcast_ref::<run::NotPoweredOff>().map_or(1, run::NotPoweredOff::exit_status)
}

#[cfg(test)]
mod tests;
