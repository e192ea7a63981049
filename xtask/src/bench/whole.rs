//! `cargo xtask bench --whole`: whole machines in L1, with the newest QEMU as the peer.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, ensure};

use crate::cli::Kernels;
use crate::host::{self, Way};
use crate::kernels;
use crate::{build, cli, initramfs, nested, packages, paths, qemu, ui};

/// What a bare-metal guest measures.
const PAYLOAD: &str = "payload";

/// Builds, gets the peer, and runs it all in L1, or directly where KVM is real. A bare-metal guest runs directly wherever KVM opens.
pub(super) fn run(options: &cli::Bench, folder: &Path) -> Result<ExitCode> {
    build::release_pando()?;
    let program = whole()?;
    let filter = options.filter.as_deref().unwrap_or_default();
    if PAYLOAD.contains(filter) {
        payload(&program, &folder.join("payload.json"))?;
    }
    if filter == PAYLOAD {
        return Ok(ExitCode::SUCCESS);
    }
    packages::ensure(packages::GUEST)?;
    for series in options.kernels.unwrap_or(Kernels::Stable).list() {
        let kernel = kernels::get(*series, false)?;
        let file = folder.join(format!("whole-{}.json", series.name()));
        let mut command: Vec<OsString> = vec![program.clone().into(), "--pando".into()];
        command.extend([build::pando().into(), "--kernel".into(), kernel.image().into()]);
        for archive in [initramfs::tools()?, kernel.guest_modules()] {
            command.extend(["--initrd".into(), archive.into()]);
        }
        command.extend(["--qemu".into(), qemu::newest()?.into()]);
        command.extend(["--json".into(), file.clone().into()]);
        command.extend(options.filter.as_ref().map(OsString::from));
        ui::say(&format!("guests with kernel {}", series.name()));
        measure(Way::choose(), command, &file)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn payload(program: &Path, file: &Path) -> Result<()> {
    let way = if host::kvm_opens() { Way::Direct } else { Way::choose() };
    let mut command = if way == Way::Direct { super::real_time() } else { Vec::new() };
    command.extend([program.into(), "--payload".into(), "--pando".into(), build::pando().into()]);
    command.extend(["--json".into(), file.into()]);
    measure(way, command, file)
}

fn measure(way: Way, command: Vec<OsString>, file: &Path) -> Result<()> {
    let status = match way {
        Way::Direct => directly(&command)?,
        Way::Nested => nested::run(nested::Job {
            command,
            memory: nested::MEMORY.into(),
            core: None,
            with_stdin: false,
            stdout: Box::new(std::io::stdout()),
        })?,
    };
    ensure!(status == 0, "the whole-machine benches failed");
    ui::say(&format!("figures: {}", file.display()));
    Ok(())
}

fn whole() -> Result<PathBuf> {
    let status = Command::new("cargo")
        .args(["build", "--release", "--package", "pando-benches", "--bin", "pando-whole"])
        .current_dir(paths::root())
        .status()
        .context("cannot run cargo")?;
    ensure!(status.success(), "the whole-machine benches can't be built");
    Ok(paths::target().join("release/pando-whole"))
}

fn directly(command: &[OsString]) -> Result<i32> {
    let (program, arguments) = command.split_first().context("an empty command")?;
    let status =
        Command::new(program).args(arguments).status().context("cannot run the benches")?;
    status.code().context("the benches were killed")
}
