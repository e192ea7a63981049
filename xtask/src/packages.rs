//! Installs the Debian packages whose programs this machine lacks, and says so first.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

use crate::ui::{self, Step};

/// A program and Debian's package that holds it.
pub(crate) type Program = (&'static str, &'static str);

/// What building the guest's initramfs takes.
pub(crate) const GUEST: &[Program] = &[
    ("bash", "bash"),
    ("ip", "iproute2"),
    ("ethtool", "ethtool"),
    ("lspci", "pciutils"),
    ("iperf3", "iperf3"),
    ("ping", "iputils-ping"),
    ("depmod", "kmod"),
    ("xz", "xz-utils"),
];

/// What building a kernel module takes, with the compiler that Debian builds its kernels with.
pub(crate) const MODULE: &[Program] = &[("make", "make"), ("gcc-12", "gcc-12")];

/// What the nested L1 takes besides.
pub(crate) const NESTED: &[Program] =
    &[("qemu-system-x86_64", "qemu-system-x86"), ("setpriv", "util-linux")];

/// What the peers of benches are started with.
pub(crate) const PEERS: &[Program] = &[("setpriv", "util-linux"), ("chrt", "util-linux")];

/// The path of a program, looked for in PATH and in the folders of the system's own tools.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let system = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"].map(PathBuf::from);
    std::env::split_paths(&path)
        .chain(system)
        .map(|dir| dir.join(program))
        .find(|file| file.is_file())
}

/// Makes sure that all these programs are here.
pub(crate) fn ensure(programs: &[Program]) -> Result<()> {
    let missing: Vec<_> =
        programs.iter().filter(|(program, _)| find(program).is_none()).map(|p| p.1).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let list = missing.join(" ");
    ui::say(&format!("missing Debian packages: {list}"));
    if find("apt-get").is_none() {
        bail!(
            "this system has no apt-get; install what holds the programs of Debian's packages {list}"
        );
    }
    let step = Step::start(format!("installing {list}"));
    step.run(as_root("apt-get", &list)?.args(["update", "-q"]))?;
    let install = ["install", "-q", "-y", "--no-install-recommends"];
    step.run(as_root("apt-get", &list)?.args(install).args(&missing))?;
    step.done();
    Ok(())
}

/// `program` with root's rights, or an error that says what to type.
fn as_root(program: &str, packages: &str) -> Result<Command> {
    let mut command;
    if is_root() {
        command = Command::new(program);
    } else if can_sudo() {
        command = Command::new("sudo");
        command.args(["--non-interactive", "DEBIAN_FRONTEND=noninteractive", program]);
    } else {
        bail!(
            "installing needs root; type this, then try again:\n  sudo apt-get update && sudo apt-get install {packages}"
        );
    }
    command.env("DEBIAN_FRONTEND", "noninteractive");
    Ok(command)
}

fn is_root() -> bool {
    let status = std::fs::read_to_string(Path::new("/proc/self/status")).unwrap_or_default();
    let effective = status.lines().find_map(|line| line.strip_prefix("Uid:"));
    effective.and_then(|ids| ids.split_whitespace().nth(1)) == Some("0")
}

fn can_sudo() -> bool {
    let mut sudo = Command::new("sudo");
    sudo.args(["--non-interactive", "true"]).output().is_ok_and(|output| output.status.success())
}
