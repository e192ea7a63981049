//! How a guest is started: on Pando, on QEMU's microvm, on QEMU's q35 with an igb or with two virtio cards on a bridge.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use guest_tests::guest::Guest;
use guest_tests::overlay;

/// When a guest counts as hanging.
const LIMIT: Duration = Duration::from_secs(600);

/// The same for every guest.
const PARAMETERS: &str = "printk.devkmsg=on quiet";

/// What Pando's own command line says besides, for QEMU.
const CONSOLE: &str = "console=ttyS0,115200 panic=-1";

/// Where the machines' parts are.
pub(crate) struct Machines {
    pub(crate) pando: PathBuf,
    pub(crate) kernel: PathBuf,
    pub(crate) initrd: Vec<PathBuf>,
    pub(crate) qemu: Option<PathBuf>,
    pub(crate) folder: PathBuf,
}

/// QEMU's machines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Peer {
    /// No PCI, no card.
    Microvm,
    /// A q35 with an igb behind a root port.
    Igb {
        /// With an Intel IOMMU that translates.
        iommu: bool,
    },
    /// A q35 with two virtio cards, each served by the kernel's vhost-net at a tap of one bridge.
    VhostNet,
}

/// Runs a command in a network of its own, which goes with it: a bridge and the two taps of [`Peer::VhostNet`].
const BRIDGED: &str = r#"
    ip link add br0 type bridge && ip link set br0 up || exit
    for tap in tap0 tap1; do
        ip tuntap add "$tap" mode tap vnet_hdr && ip link set "$tap" master br0 up || exit
    done
    exec "$@"
"#;

/// Where vhost-net is.
const VHOST_NET: &str = "/dev/vhost-net";

impl Machines {
    /// A guest on Pando that runs `script`, its kernel told `parameters`.
    pub(crate) fn pando(&self, platform: &str, parameters: &str, script: &str) -> Result<Guest> {
        let file = self.folder.join("platform.toml");
        fs::write(&file, platform).context("cannot write the platform file")?;
        let mut command = Command::new(&self.pando);
        command.args(["run", "--cpus", "1", "--memory", "1GiB", "--cmdline"]);
        command.arg(format!("{PARAMETERS} {parameters}"));
        command.arg("--platform").arg(file);
        command.arg("--kernel").arg(&self.kernel).arg("--initrd").arg(self.initrd(script)?);
        Guest::spawn(&mut command, LIMIT)
    }

    /// A bare-metal guest on Pando.
    pub(crate) fn payload(&self, platform: &str, elf: &[u8]) -> Result<Guest> {
        let (file, kernel) = (self.folder.join("platform.toml"), self.folder.join("payload.elf"));
        fs::write(&file, platform).context("cannot write the platform file")?;
        fs::write(&kernel, elf).context("cannot write the payload")?;
        let mut command = Command::new(&self.pando);
        command.args(["run", "--cpus", "1", "--memory", "128MiB", "--on-reset", "exit"]);
        command.arg("--platform").arg(file).arg("--kernel").arg(kernel);
        Guest::spawn(&mut command, LIMIT)
    }

    /// A guest on QEMU that runs `script`; `None` without QEMU, or where this machine can't have the peer.
    pub(crate) fn peer(&self, peer: Peer, script: &str) -> Result<Option<Guest>> {
        let Some(qemu) = &self.qemu else { return Ok(None) };
        let Some(mut command) = peer.command(qemu) else { return Ok(None) };
        let common = "-accel kvm -cpu host -nodefaults -no-user-config -display none -no-reboot \
                      -serial stdio -smp 1 -m 1G";
        command.args(common.split_whitespace()).args(peer.devices());
        command.arg("-kernel").arg(&self.kernel).arg("-initrd").arg(self.initrd(script)?);
        let iommu = if peer == (Peer::Igb { iommu: true }) { " intel_iommu=on" } else { "" };
        command.args(["-append", &format!("{CONSOLE} {PARAMETERS}{iommu}")]);
        Guest::spawn(&mut command, LIMIT).map(Some)
    }

    fn initrd(&self, script: &str) -> Result<PathBuf> {
        let mut initrd = Vec::new();
        for archive in &self.initrd {
            let bytes = fs::read(archive);
            initrd.extend(bytes.with_context(|| format!("cannot read {}", archive.display()))?);
        }
        initrd.extend(overlay::build(script, &[], None));
        let file = self.folder.join("initrd");
        fs::write(&file, initrd).context("cannot write the guest's initrd")?;
        Ok(file)
    }
}

impl Peer {
    /// What runs QEMU, without its arguments.
    fn command(self, qemu: &Path) -> Option<Command> {
        if self != Self::VhostNet {
            return Some(Command::new(qemu));
        }
        let bridged = || {
            let mut command = Command::new("unshare");
            command.args(["--net", "sh", "-c", BRIDGED, "sh"]);
            command
        };
        let works = bridged().args(["test", "-w", VHOST_NET]).status().is_ok_and(|s| s.success());
        if !works {
            println!("    vhost-net is left out: it takes root, {VHOST_NET}, taps and a bridge");
        }
        works.then(|| {
            let mut command = bridged();
            command.arg(qemu);
            command
        })
    }

    fn devices(self) -> Vec<&'static str> {
        match self {
            Self::Microvm => vec!["-machine", "microvm,pit=off,pic=off,rtc=off"],
            Self::Igb { iommu } => {
                let iommu: &[&str] = if iommu {
                    &["-machine", "q35,kernel-irqchip=split", "-device", "intel-iommu,intremap=on"]
                } else {
                    &["-machine", "q35"]
                };
                let card = [
                    "-device",
                    "pcie-root-port,id=rp0,chassis=1,slot=1",
                    "-netdev",
                    "hubport,id=n0,hubid=0",
                    "-device",
                    "igb,bus=rp0,netdev=n0,romfile=",
                ];
                [iommu, &card].concat()
            }
            Self::VhostNet => vec![
                "-machine",
                "q35",
                "-netdev",
                "tap,id=n0,ifname=tap0,script=no,downscript=no,vhost=on",
                "-device",
                "virtio-net-pci,addr=2,netdev=n0,mac=02:00:00:00:00:02,romfile=",
                "-netdev",
                "tap,id=n1,ifname=tap1,script=no,downscript=no,vhost=on",
                "-device",
                "virtio-net-pci,addr=3,netdev=n1,mac=02:00:00:00:00:03,romfile=",
            ],
        }
    }
}
