//! The command line of a guest, for Pando and, as the peer of benchmarks and of this harness itself, for QEMU.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::test::Setup;

/// Prints from the first instruction on, but only warnings: the console costs two exits per byte. A panic resets.
const COMMAND_LINE: &str =
    "console=ttyS0,115200 earlycon=uart8250,io,0x3f8,115200 panic=-1 printk.devkmsg=on";

/// Which program runs the guests.
#[derive(Clone, Debug)]
pub enum Vmm {
    /// Pando, at this path.
    Pando(PathBuf),
    /// QEMU with KVM; platform files are Pando's alone.
    Qemu {
        /// The program.
        program: PathBuf,
        /// Whether it has a NIC with 7 VFs below a switch (QEMU 10 or newer), or none.
        sriov: bool,
    },
}

/// Files of one guest.
#[derive(Clone, Debug)]
pub struct Files {
    /// Its bzImage.
    pub kernel: PathBuf,
    /// Its whole initrd.
    pub initrd: PathBuf,
    /// Its platform file.
    pub platform: PathBuf,
}

impl Vmm {
    /// The command that runs a guest with its console on stdio.
    #[must_use]
    pub fn command(&self, setup: &Setup, files: &Files, verbose: bool) -> Command {
        let noise = if verbose { "ignore_loglevel" } else { "quiet" };
        let line = format!("{COMMAND_LINE} {noise} {}", setup.cmdline);
        match self {
            Self::Pando(binary) => pando(binary, setup, files, line.trim_end()),
            Self::Qemu { program, sriov } => {
                let mut command = qemu(program, setup, files, line.trim_end());
                command.args(sriov.then(virtio_nic).unwrap_or_default());
                command
            }
        }
    }
}

fn pando(binary: &Path, setup: &Setup, files: &Files, line: &str) -> Command {
    let mut command = Command::new(binary);
    command.arg("run").arg("--platform").arg(&files.platform);
    command
        .arg("--kernel")
        .arg(&files.kernel)
        .arg("--initrd")
        .arg(&files.initrd)
        .args(["--cmdline", line]);
    command.args(["--cpus", &setup.cpus.to_string(), "--memory", setup.memory]).args(setup.args);
    command
}

fn qemu(program: &Path, setup: &Setup, files: &Files, line: &str) -> Command {
    let mut command = Command::new(program);
    command.args([
        "-accel",
        "kvm",
        "-cpu",
        "host",
        "-machine",
        "q35",
        "-nodefaults",
        "-display",
        "none",
        "-no-reboot",
    ]);
    command.args(["-serial", "stdio", "-append", line]);
    command.arg("-kernel").arg(&files.kernel).arg("-initrd").arg(&files.initrd);
    command.args(["-smp", &setup.cpus.to_string(), "-m", &setup.memory.replace("iB", "")]);
    command
}

/// The same tree as the suite's usual platform; a hub joins the functions.
fn virtio_nic() -> Vec<String> {
    let mut devices = vec![
        "pcie-root-port,id=rp0,chassis=1,slot=1".to_owned(),
        "x3130-upstream,id=sw0,bus=rp0".to_owned(),
        "xio3130-downstream,id=dp0,bus=sw0,chassis=2,slot=1".to_owned(),
        "xio3130-downstream,id=dp1,bus=sw0,chassis=2,slot=2".to_owned(),
    ];
    let mut arguments = Vec::new();
    for function in (0..8).rev() {
        // the VFs come first: QEMU makes them part of a PF that follows
        let role = if function == 0 { "id=nic0,multifunction=on" } else { "sriov-pf=nic0" };
        devices.push(format!(
            "virtio-net-pci,bus=dp0,addr=0.{function},netdev=n{function},{role},romfile="
        ));
        arguments.extend(["-netdev".to_owned(), format!("hubport,id=n{function},hubid=0")]);
    }
    arguments.extend(devices.into_iter().flat_map(|device| ["-device".to_owned(), device]));
    arguments
}
