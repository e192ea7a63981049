//! The command line of `cargo xtask`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};

use crate::kernels::Series;
use crate::nested;

/// Pando's developer commands. What they need from Debian's packages they get by themselves.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Task,
}

/// One developer command.
#[derive(Subcommand)]
pub(crate) enum Task {
    /// Boot Debian's kernel on Pando, enable VFs, pass traffic between them and show it all
    Demo(Demo),
    /// Run the unit tests and the guest tests
    Test(Test),
    /// Measure Pando, beside the limit, beside its peers, or against another revision
    Bench(Bench),
    /// Try the parts that untrusted sides talk to with random and changed inputs, on the stable compiler
    Fuzz(Fuzz),
    /// Run a command in a nested machine with KVM, for CPUs without virtualization
    Nested(Nested),
    /// Get the kernels and programs that guests use, now instead of when they are first needed
    Fetch(Fetch),
}

/// Options of `demo`.
#[derive(clap::Args)]
pub(crate) struct Demo {
    /// End in a shell inside the guest
    #[arg(long)]
    pub(crate) shell: bool,
}

/// Options of `test`.
#[derive(clap::Args)]
pub(crate) struct Test {
    /// Run only tests whose name contains this
    pub(crate) filter: Option<String>,
    /// Kernels for the guest tests
    #[arg(long, value_enum, default_value = "6.1")]
    pub(crate) kernels: Kernels,
    /// Leave the guest tests out
    #[arg(long, conflicts_with = "guest_only")]
    pub(crate) unit_only: bool,
    /// Leave the unit tests out
    #[arg(long)]
    pub(crate) guest_only: bool,
    /// Show everything that guests print
    #[arg(long, short)]
    pub(crate) verbose: bool,
}

/// Options of `bench`.
#[derive(clap::Args)]
pub(crate) struct Bench {
    /// Measure only what has this in its name
    pub(crate) filter: Option<String>,
    /// Compare with a revision, built and run in turn with this tree, or with the figures in a file
    #[arg(long, value_name = "REV|FILE", conflicts_with = "whole")]
    pub(crate) against: Option<String>,
    /// Whole machines with Linux guests, Pando's and QEMU's, instead of the parts in one process
    #[arg(long)]
    pub(crate) whole: bool,
    /// Debian's kernel in the guests, 6.1 unless given
    #[arg(long, value_enum, requires = "whole")]
    pub(crate) kernels: Option<Kernels>,
    /// DPDK's testpmd as one more peer of what goes from VF to VF
    #[arg(long, conflicts_with_all = ["whole", "against"])]
    pub(crate) peers: bool,
    /// Rounds of each measurement in one process
    #[arg(long, default_value_t = 31)]
    pub(crate) rounds: usize,
}

/// Options of `fuzz`.
#[derive(clap::Args)]
pub(crate) struct Fuzz {
    /// What to try; each in turn unless given
    pub(crate) target: Option<FuzzTarget>,
    /// Seconds for each target [default: 60, without --runs]
    #[arg(long)]
    pub(crate) seconds: Option<u64>,
    /// Inputs for each target
    #[arg(long)]
    pub(crate) runs: Option<u64>,
    /// The same seed makes the same inputs
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
    /// Run this one input again, as a fault's message says
    #[arg(long, value_name = "FILE", requires = "target", conflicts_with_all = ["seconds", "runs"])]
    pub(crate) input: Option<PathBuf>,
}

/// What can be fuzzed.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum FuzzTarget {
    /// The IOMMU: registers, tables in memory, the invalidation queue under translations
    Vtd,
    /// The tree: any topology with any bridge and access control registers, against a packet carried by hand
    Fabric,
    /// The 82599: programs of register accesses and descriptors, by PF and VFs
    Ixgbe,
    /// The virtio card: registers, and rings of any content
    VirtioNet,
}

/// Options of `nested`.
#[derive(clap::Args)]
pub(crate) struct Nested {
    /// Memory of the nested machine
    #[arg(long, default_value = nested::MEMORY)]
    pub(crate) memory: String,
    /// Give the nested machine one processor, on this one of the host's, emulated by Debian 12's QEMU instead of the newest
    #[arg(long)]
    pub(crate) core: Option<usize>,
    /// The command and its arguments, run in the current folder
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) command: Vec<OsString>,
}

/// Options of `fetch`.
#[derive(clap::Args)]
pub(crate) struct Fetch {
    /// Kernels to get
    #[arg(long, value_enum, default_value = "6.1")]
    pub(crate) kernels: Kernels,
    /// Look for newer versions of those that are here
    #[arg(long)]
    pub(crate) newest: bool,
}

/// A choice of kernels.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Kernels {
    /// Debian 12's own
    #[value(name = "6.1")]
    Stable,
    /// From bookworm-backports
    #[value(name = "6.12")]
    Backports,
    /// The newest in sid
    Sid,
    /// Each of them
    All,
}

impl Kernels {
    /// The chosen kernels, oldest first.
    pub(crate) fn list(self) -> &'static [Series] {
        match self {
            Self::Stable => &[Series::Stable],
            Self::Backports => &[Series::Backports],
            Self::Sid => &[Series::Sid],
            Self::All => &[Series::Stable, Series::Backports, Series::Sid],
        }
    }
}
