//! The command line of a guest, for Pando and, as the peer of benchmarks and of this harness itself, for QEMU.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::test::Setup;

/// Lets the guest write all its reports to the kernel's log.
const PARAMETERS: &str = "printk.devkmsg=on";

/// What Pando passes by itself: a console from the first instruction on, and a panic resets.
const PEER_PARAMETERS: &str = "console=ttyS0,115200 earlycon=uart8250,io,0x3f8,115200 panic=-1";

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
    /// Its bzImage, or the payload.
    pub kernel: PathBuf,
    /// Its whole initrd; a payload has none.
    pub initrd: Option<PathBuf>,
    /// Its platform file.
    pub platform: PathBuf,
}

impl Vmm {
    /// The command that runs a guest with its console on stdio; `extra` are kernel parameters of the whole run.
    #[must_use]
    pub fn command(&self, setup: &Setup, files: &Files, extra: &str) -> Command {
        let parameters = format!("{PARAMETERS} {extra} {}", setup.cmdline);
        let mut command = match self {
            Self::Pando(binary) => pando(binary, setup, files),
            Self::Qemu { program, sriov } => qemu(program, setup, *sriov),
        };
        let option = |name: &str| {
            if matches!(self, Self::Pando(_)) { format!("--{name}") } else { format!("-{name}") }
        };
        command.arg(option("kernel")).arg(&files.kernel);
        if let Some(initrd) = &files.initrd {
            command.arg(option("initrd")).arg(initrd);
        }
        match self {
            Self::Pando(_) => command.args(["--cmdline", parameters.trim_end()]),
            Self::Qemu { .. } => {
                command.args(["-append", &format!("{PEER_PARAMETERS} {parameters}")])
            }
        };
        command
    }
}

fn pando(binary: &Path, setup: &Setup, files: &Files) -> Command {
    let mut command = Command::new(binary);
    command.args(["run", "--verbose", "--platform"]).arg(&files.platform);
    command.args(["--cpus", &setup.cpus.to_string(), "--memory", setup.memory]).args(setup.args);
    if !setup.restarts {
        command.args(["--on-reset", "exit"]);
    }
    command
}

fn qemu(program: &Path, setup: &Setup, sriov: bool) -> Command {
    let mut command = Command::new(program);
    let machine =
        "-accel kvm -cpu host -machine q35 -nodefaults -display none -no-reboot -serial stdio";
    command.args(machine.split(' '));
    command.args(["-smp", &setup.cpus.to_string(), "-m", &setup.memory.replace("iB", "")]);
    command.args(if sriov { virtio_nic() } else { Vec::new() });
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
