//! Picks kernel modules with all they depend on, and puts them uncompressed into an initramfs archive.
//!
//! kmod's modules.dep(5): a line per module, its dependencies complete and in the order of removal.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use guest_tests::cpio::Archive;

use crate::packages;
use crate::ui::Step;

/// What guests load: the NICs' drivers, VFIO, and what tests build networks from.
pub(crate) const GUEST: &[&str] = &[
    "virtio_pci",
    "virtio_net",
    "ixgbe",
    "ixgbevf",
    "igb",
    "igbvf",
    "vfio_pci",
    "vfio_iommu_type1",
    "pci_stub",
    "pci_pf_stub",
    "tun",
    "veth",
    "bridge",
    "8021q",
    "macvlan",
    "af_packet",
];

/// What the nested L1 loads: the shared file system, its consoles, KVM and networks for taps.
pub(crate) const NESTED: &[&str] = &[
    "virtio_pci",
    "virtio_console",
    "9p",
    "9pnet_virtio",
    "kvm_amd",
    "tun",
    "vhost_net",
    "veth",
    "bridge",
];

/// The modules of one kernel.
pub(crate) struct Set {
    folder: PathBuf,
    release: String,
    dependencies: BTreeMap<String, Vec<String>>,
    builtin: String,
}

impl Set {
    /// Reads the modules in an unpacked package tree.
    pub(crate) fn read(step: &Step, tree: &Path) -> Result<Self> {
        let base =
            if tree.join("lib/modules").is_dir() { tree.to_owned() } else { tree.join("usr") };
        let folders =
            fs::read_dir(base.join("lib/modules")).context("the packages hold no modules")?;
        let folder = folders.flatten().next().context("the packages hold no modules")?.path();
        let release = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let depmod =
            packages::find("depmod").context("depmod of Debian's package kmod is missing")?;
        step.at("ordering modules");
        step.run(Command::new(depmod).arg("-b").arg(&base).arg(&release))?;
        let text = read_list(&folder, "modules.dep")?;
        let builtin = read_list(&folder, "modules.builtin")?;
        Ok(Self { dependencies: parse(&text), folder, release, builtin })
    }

    /// The kernel's release, as `uname -r` says it.
    pub(crate) fn release(&self) -> &str {
        &self.release
    }

    /// The folder of the modules.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// An archive of the wanted modules, what they depend on, and the lists that modprobe and lspci read. Uses the
    /// folder `scratch`.
    pub(crate) fn archive(&self, wanted: &[&str], scratch: &Path) -> Result<Vec<u8>> {
        let place = format!("lib/modules/{}", self.release);
        let folder = scratch.join(&place);
        for file in self.closure(wanted)? {
            let copy = folder.join(plain(&file));
            fs::create_dir_all(copy.parent().unwrap_or(&folder))?;
            fs::write(copy, read_module(&self.folder.join(&file))?)?;
        }
        for list in ["modules.builtin", "modules.order"] {
            fs::copy(self.folder.join(list), folder.join(list))
                .with_context(|| format!("no {list}"))?;
        }
        depmod(scratch, &self.release)?;
        let mut archive = Archive::new();
        add_all(&mut archive, &folder, &format!("usr/{place}"))?;
        fs::remove_dir_all(scratch)?;
        Ok(archive.finish())
    }

    fn closure(&self, wanted: &[&str]) -> Result<BTreeSet<String>> {
        let mut files = BTreeSet::new();
        for name in wanted {
            if let Some((file, needs)) =
                self.dependencies.iter().find(|(file, _)| module_name(file) == *name)
            {
                files.insert(file.clone());
                files.extend(needs.iter().cloned());
            } else {
                let builtin = self.builtin.lines().any(|file| module_name(file) == *name);
                ensure!(builtin, "kernel {} has no module {name}", self.release);
            }
        }
        Ok(files)
    }
}

fn parse(text: &str) -> BTreeMap<String, Vec<String>> {
    let line = |line: &str| {
        let (file, needs) = line.split_once(':')?;
        Some((file.to_owned(), needs.split_whitespace().map(str::to_owned).collect()))
    };
    text.lines().filter_map(line).collect()
}

fn read_list(folder: &Path, name: &str) -> Result<String> {
    fs::read_to_string(folder.join(name)).with_context(|| format!("the packages hold no {name}"))
}

/// `vfio_pci` of `kernel/drivers/vfio/pci/vfio-pci.ko.xz`.
fn module_name(file: &str) -> String {
    let name = file.rsplit('/').next().unwrap_or(file);
    name.split('.').next().unwrap_or(name).replace('-', "_")
}

/// Writes the lists of dependencies.
fn depmod(base: &Path, release: &str) -> Result<()> {
    let depmod = packages::find("depmod").context("depmod of Debian's package kmod is missing")?;
    let output = Command::new(depmod)
        .arg("-b")
        .arg(base)
        .arg(release)
        .output()
        .context("cannot run depmod")?;
    ensure!(output.status.success(), "depmod failed: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

fn add_all(archive: &mut Archive, folder: &Path, place: &str) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let place = format!("{place}/{}", path.file_name().unwrap_or_default().to_string_lossy());
        if path.is_dir() {
            add_all(archive, &path, &place)?;
        } else {
            archive.file(&place, 0o644, &fs::read(&path)?);
        }
    }
    Ok(())
}

fn plain(file: &str) -> &str {
    file.strip_suffix(".xz").unwrap_or(file)
}

fn read_module(file: &Path) -> Result<Vec<u8>> {
    if file.extension().is_none_or(|extension| extension != "xz") {
        return fs::read(file).with_context(|| format!("cannot read {}", file.display()));
    }
    let output = Command::new("xz")
        .args(["--decompress", "--stdout"])
        .arg(file)
        .output()
        .context("cannot run xz")?;
    ensure!(output.status.success(), "xz cannot read {}", file.display());
    Ok(output.stdout)
}

#[cfg(test)]
mod tests {
    use super::{Set, parse};

    fn set() -> Set {
        let text = "kernel/net/9p/9pnet.ko.xz:\nkernel/fs/9p/9p.ko.xz: kernel/net/9p/9pnet.ko.xz\nkernel/a-b.ko.xz:\n";
        let builtin = "kernel/drivers/virtio/virtio_pci.ko\n".to_owned();
        Set { folder: "/".into(), release: "1".into(), dependencies: parse(text), builtin }
    }

    #[test]
    fn a_module_brings_what_it_needs() {
        let files = set().closure(&["9p", "virtio_pci"]).expect("both are known");
        assert_eq!(Vec::from_iter(files), ["kernel/fs/9p/9p.ko.xz", "kernel/net/9p/9pnet.ko.xz"]);
    }

    #[test]
    fn a_dash_is_an_underscore_and_a_stranger_an_error() {
        assert_eq!(set().closure(&["a_b"]).expect("known").len(), 1);
        assert!(set().closure(&["nothing"]).is_err());
    }
}
