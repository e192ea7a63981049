//! The command line of a guest, for Pando and, as the peer of benchmarks and of this harness itself, for QEMU.

use std::path::PathBuf;
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
    /// QEMU with KVM, and without NICs: platform files are Pando's alone.
    Qemu,
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
            Self::Qemu => qemu(setup, files, line.trim_end()),
        }
    }
}

fn pando(binary: &PathBuf, setup: &Setup, files: &Files, line: &str) -> Command {
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

fn qemu(setup: &Setup, files: &Files, line: &str) -> Command {
    let mut command = Command::new("qemu-system-x86_64");
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
