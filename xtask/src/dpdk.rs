//! DPDK's testpmd, from Debian's packages: the program, drivers, and what these load; for a guest, and for benches on this machine.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use guest_tests::cpio::Archive;

use crate::apt::{self, Package};
use crate::ui::Step;
use crate::{cache, paths};

/// What is said meanwhile.
const WHAT: &str = "getting Debian's DPDK";

/// Debian's package that holds the program.
const PACKAGE: &str = "dpdk-dev";

/// The program, and the folder of its libraries.
const PROGRAM: &str = "dpdk-testpmd";
const LIBRARIES: &str = "usr/lib/x86_64-linux-gnu";

/// Drivers are loaded by name at run time. They lie among the libraries: the program links with some, and takes no second copy.
const GUEST: &[&str] =
    &["librte_bus_pci", "librte_net_virtio", "librte_net_ixgbe", "librte_mempool_ring"];

/// Those that the benches use.
const HOST: &[&str] = &["librte_net_vhost", "librte_mempool_ring"];

/// The guest's archive, built once.
pub(crate) fn archive() -> Result<PathBuf> {
    let file = paths::guest("dpdk")?.join(format!("{}.cpio", GUEST.join("-")));
    cache::once(WHAT, &file, |step, tree, unfinished| {
        unpack(step, tree)?;
        Ok(fs::write(unfinished, build(tree)?)?)
    })?;
    Ok(file)
}

/// A folder with the program and its libraries for this machine, which need not be installed.
pub(crate) fn host() -> Result<PathBuf> {
    let folder = paths::guest("dpdk")?.join(HOST.join("-"));
    cache::once(WHAT, &folder, |step, tree, unfinished| {
        unpack(step, tree)?;
        let _ = fs::remove_dir_all(unfinished); // of a killed run
        fs::create_dir(unfinished)?;
        for file in parts(tree, HOST)? {
            let name = file.file_name().context("a file has a name")?;
            fs::copy(&file, unfinished.join(name))
                .with_context(|| format!("cannot copy {}", file.display()))?;
        }
        Ok(())
    })?;
    Ok(folder)
}

fn unpack(step: &Step, tree: &Path) -> Result<()> {
    let archive = apt::Archive::open(step)?;
    let mut plan = archive.resolve(step, "/^bookworm(|-security|-updates)$/", PACKAGE)?;
    plan.retain(|package| package.name == PACKAGE || holds_libraries(package));
    archive.download(step, &plan)?;
    plan.iter().try_for_each(|package| archive.unpack(step, package, tree))
}

/// The C library comes with the guests' programs.
fn holds_libraries(package: &Package) -> bool {
    let name = package.name.as_str();
    let other = ["-dev", "perl", "python", "libc6", "libgcc"];
    let library = name.starts_with("lib") || ["ibverbs-providers", "zlib1g"].contains(&name);
    library && !other.iter().any(|part| name.contains(part))
}

/// The guest's archive out of the unpacked packages.
fn build(tree: &Path) -> Result<Vec<u8>> {
    let mut archive = Archive::new();
    for file in parts(tree, GUEST)? {
        let name = file.file_name().context("a file has a name")?.to_string_lossy();
        let folder = if name == PROGRAM { "usr/bin" } else { LIBRARIES };
        archive.file(&format!("{folder}/{name}"), 0o755, &read(&file)?);
    }
    Ok(archive.finish())
}

/// The program, the drivers, and the libraries of all of them.
fn parts(tree: &Path, drivers: &[&str]) -> Result<BTreeSet<PathBuf>> {
    let folders = [LIBRARIES, "lib/x86_64-linux-gnu"].map(|name| tree.join(name));
    let mut files = BTreeSet::from([tree.join("usr/bin").join(PROGRAM)]);
    for name in drivers {
        files.insert(find(&folders[0], name)?);
    }
    for file in files.clone() {
        files.extend(libraries(&file, &folders)?);
    }
    Ok(files)
}

fn read(file: &Path) -> Result<Vec<u8>> {
    fs::read(file).with_context(|| format!("cannot read {}", file.display()))
}

/// `NAME.so.VERSION` in a folder, by the shortest of its names, as other files load it.
fn find(folder: &Path, name: &str) -> Result<PathBuf> {
    let start = format!("{name}.so.");
    let entries = fs::read_dir(folder).context("the packages hold no libraries")?;
    let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    let found = names.filter(|found| found.starts_with(&start)).min_by_key(String::len);
    Ok(folder.join(found.with_context(|| format!("the packages hold no {name}"))?))
}

/// The libraries that a file loads, as far as the packages hold them, and the system's for the rest.
fn libraries(file: &Path, folders: &[PathBuf]) -> Result<BTreeSet<PathBuf>> {
    let path = std::env::join_paths(folders)?;
    let output = Command::new("ldd").arg(file).env("LD_LIBRARY_PATH", path).output();
    let output = output.context("cannot run ldd")?;
    ensure!(output.status.success(), "ldd cannot read {}", file.display());
    let text = String::from_utf8_lossy(&output.stdout);
    if let Some(line) = text.lines().find(|line| line.contains("not found")) {
        bail!("{} lacks a library: {}", file.display(), line.trim());
    }
    let words =
        text.lines().filter_map(|line| line.split_whitespace().find(|w| w.starts_with('/')));
    Ok(words.map(PathBuf::from).filter(|file| !is_of_c_library(file)).collect())
}

fn is_of_c_library(file: &Path) -> bool {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    ["ld-linux", "libc.so", "libgcc_s"].iter().any(|start| name.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::{Package, holds_libraries};

    #[test]
    fn libraries_are_told_from_what_else_a_plan_has() {
        let holds =
            |name: &str| holds_libraries(&Package { name: name.into(), version: "1".into() });
        assert!(holds("librte-eal23") && holds("libnuma1") && holds("zlib1g"));
        assert!(!holds("libdpdk-dev") && !holds("libc6") && !holds("perl") && !holds("udev"));
    }
}
