//! Runs the guest tests: directly where KVM is real, otherwise inside the nested machine of `cargo xtask nested`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::{Parser, ValueEnum};
use guest_tests::runner::{Journal, Runner, Share};
use guest_tests::suite;
use guest_tests::test::Test;
use guest_tests::vmm::Vmm;

/// Runs the guest tests.
#[derive(Parser)]
#[command(max_term_width = 100)]
struct Options {
    /// Run only tests whose name contains this
    filter: Option<String>,
    /// The pando binary
    #[arg(long, default_value = "target/release/pando")]
    pando: PathBuf,
    /// The guests' kernel
    #[arg(long)]
    kernel: PathBuf,
    /// An archive of the guests' initramfs; may be given several times
    #[arg(long)]
    initrd: Vec<PathBuf>,
    /// An archive that single tests ask for by its name
    #[arg(long, num_args = 2, value_names = ["NAME", "FILE"])]
    archive: Vec<PathBuf>,
    /// An archive that there is none of here, and why: tests that ask for it are skipped
    #[arg(long, num_args = 2, value_names = ["NAME", "REASON"])]
    without: Vec<String>,
    /// What runs the guests: pando, or QEMU as its peer and to show that the harness itself works
    #[arg(long, value_enum, default_value = "pando")]
    vmm: Choice,
    /// The QEMU binary
    #[arg(long, default_value = "qemu-system-x86_64")]
    qemu: PathBuf,
    /// Kernel parameters for every guest
    #[arg(long, default_value = "")]
    parameters: String,
    /// Run each test this often, to catch what fails only sometimes
    #[arg(long, default_value_t = 1)]
    repeat: usize,
    /// Keep the results in this file, and leave out the tests whose results it has
    #[arg(long, value_name = "FILE")]
    journal: Option<PathBuf>,
    /// Leave out tests that another runner has put its mark on in this folder, and put one on the others
    #[arg(long, value_name = "FOLDER", requires = "journal")]
    share: Option<PathBuf>,
    /// Run again what has failed by the journal
    #[arg(long, requires = "journal")]
    again: bool,
    /// How results call this run
    #[arg(long, default_value = "this kernel")]
    label: String,
    /// Run only bare-metal payloads, which an interpreting /dev/kvm can run too
    #[arg(long)]
    payloads_only: bool,
    /// Show everything that guests print
    #[arg(long, short)]
    verbose: bool,
    /// List the tests and end
    #[arg(long)]
    list: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Choice {
    /// Pando
    Pando,
    /// QEMU without a NIC; tests that need one are skipped
    Qemu,
    /// QEMU 10 or newer with a virtio NIC and 7 VFs
    QemuSriov,
}

fn main() -> Result<ExitCode> {
    let options = Options::parse();
    let filter = options.filter.as_deref().unwrap_or_default();
    let wanted =
        |test: &Test| test.name.contains(filter) && (!options.payloads_only || test.is_payload());
    let tests: Vec<_> = suite::tests().into_iter().filter(wanted).collect();
    if options.list {
        tests.iter().for_each(|test| println!("{}", test.name));
        return Ok(ExitCode::SUCCESS);
    }
    let vmm = match options.vmm {
        Choice::Pando if !options.pando.is_file() => {
            bail!("there is no {}", options.pando.display())
        }
        Choice::Pando => Vmm::Pando(std::path::absolute(options.pando)?),
        Choice::Qemu => Vmm::Qemu { program: options.qemu, sriov: false },
        Choice::QemuSriov => Vmm::Qemu { program: options.qemu, sriov: true },
    };
    let folder = std::env::temp_dir().join(format!("pando-guest-tests-{}", std::process::id()));
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("cannot make {}", folder.display()))?;
    let Options { kernel, initrd, archive, without, verbose, parameters, .. } = options;
    let pairs = archive.chunks_exact(2);
    let archives = pairs.map(|pair| (pair[0].display().to_string(), pair[1].clone())).collect();
    let pairs = without.chunks_exact(2);
    let missing = pairs.map(|pair| (pair[0].clone(), pair[1].clone())).collect();
    let runner = Runner { vmm, kernel, initrd, archives, missing, folder, verbose, parameters };
    let mut journal =
        options.journal.as_deref().map(Journal::open).transpose()?.unwrap_or_default();
    if options.again {
        journal.forget_failures();
    }
    let share = Share::new(options.share);
    let summary = runner.run(&vec![tests; options.repeat].concat(), &mut journal, &share)?;
    let _ = std::fs::remove_dir_all(&runner.folder); // a left-over in /tmp harms nobody
    summary.print(&options.label);
    Ok(if summary.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
