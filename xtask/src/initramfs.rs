//! The initramfs that all guests share: programs from Debian's packages with the libraries they load.
//!
//! The init script and the test are not in it; they come with each guest in a second archive.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use guest_tests::cpio::Archive;

use crate::apt;
use crate::ui::Step;
use crate::{packages, paths};

/// Programs that guests use besides busybox's.
const PROGRAMS: &[&str] =
    &["bash", "ip", "tc", "bridge", "ethtool", "lspci", "setpci", "iperf3", "ping"];

/// Loaded at run time, so ldd does not tell: pthread_cancel wants it.
const LIBRARIES: &[&str] = &["/lib/x86_64-linux-gnu/libgcc_s.so.1"];

/// Names for lspci.
const PCI_IDS: &str = "/usr/share/misc/pci.ids";

/// The statically linked busybox, from Debian's archive: its package would displace the plain one, so it is not
/// installed.
pub(crate) fn busybox() -> Result<PathBuf> {
    let folder = paths::guest("busybox")?;
    let file = folder.join("bin/busybox");
    if !file.is_file() {
        let step = Step::start("getting Debian's busybox-static");
        let archive = apt::Archive::open(&step)?;
        let plan = archive.resolve(&step, "/^bookworm(|-security|-updates)$/", "busybox-static")?;
        let package = plan.iter().find(|package| package.name == "busybox-static");
        archive.unpack(
            &step,
            package.context("Debian's archive has no busybox-static")?,
            &folder,
        )?;
        step.done();
    }
    Ok(file)
}

/// The archive of the guests' programs, built once for each list of programs.
pub(crate) fn tools() -> Result<PathBuf> {
    let file = paths::guest("tools")?.join(format!("{}.cpio", PROGRAMS.join("-")));
    if !file.is_file() {
        packages::ensure(packages::GUEST)?;
        let busybox = busybox()?;
        let step = Step::start("building the guests' initramfs");
        let unfinished = file.with_extension("part");
        fs::write(&unfinished, build(&busybox)?)?;
        fs::rename(unfinished, &file)?;
        step.done();
    }
    Ok(file)
}

fn build(busybox: &Path) -> Result<Vec<u8>> {
    let mut archive = Archive::new();
    skeleton(&mut archive);
    add_busybox(&mut archive, busybox)?;
    let mut files: BTreeSet<PathBuf> = LIBRARIES.iter().map(PathBuf::from).collect();
    for name in PROGRAMS {
        let program = packages::find(name).with_context(|| format!("{name} is missing"))?;
        files.extend(libraries(&program)?);
        add(&mut archive, &program, &format!("usr/bin/{name}"))?;
    }
    for file in &files {
        let place = file.to_string_lossy();
        let place = place.strip_prefix("/usr").unwrap_or(&place);
        add(&mut archive, file, &format!("usr{place}"))?;
    }
    add(&mut archive, Path::new(PCI_IDS), PCI_IDS)?;
    Ok(archive.finish())
}

fn skeleton(archive: &mut Archive) {
    for folder in ["dev", "proc", "sys", "run", "tmp", "root", "usr/lib64"] {
        archive.folder(folder);
    }
    for name in ["bin", "lib", "lib64"] {
        archive.symlink(name, &format!("usr/{name}"));
    }
    archive.symlink("sbin", "usr/bin").symlink("usr/sbin", "bin");
    archive.character_device("dev/console", 5, 1);
    archive.file("etc/passwd", 0o644, b"root:x:0:0:root:/root:/bin/bash\n");
    archive.file("etc/hosts", 0o644, b"127.0.0.1 localhost\n");
}

/// busybox and its applets, in a folder of its own that comes last in PATH.
fn add_busybox(archive: &mut Archive, busybox: &Path) -> Result<()> {
    add(archive, busybox, "busybox/busybox")?;
    let list = Command::new(busybox).arg("--list").output().context("cannot run busybox")?;
    for applet in String::from_utf8_lossy(&list.stdout).lines().filter(|name| *name != "busybox") {
        archive.symlink(&format!("busybox/{applet}"), "busybox");
    }
    archive.symlink("usr/bin/sh", "bash");
    Ok(())
}

fn add(archive: &mut Archive, file: &Path, place: &str) -> Result<()> {
    let content = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    archive.file(place, 0o755, &content);
    Ok(())
}

/// The libraries that a program loads, its loader among them.
fn libraries(program: &Path) -> Result<Vec<PathBuf>> {
    let output = Command::new("ldd").arg(program).output().context("cannot run ldd")?;
    ensure!(output.status.success(), "ldd cannot read {}", program.display());
    Ok(library_paths(&String::from_utf8_lossy(&output.stdout)))
}

/// Paths in lines like `libc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x…)` and `/lib64/ld-linux-x86-64.so.2 (0x…)`.
fn library_paths(ldd: &str) -> Vec<PathBuf> {
    ldd.lines()
        .filter_map(|line| line.split_whitespace().find(|word| word.starts_with('/')))
        .map(PathBuf::from)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::library_paths;

    #[test]
    fn ldd_lines_give_paths() {
        let text = "\tlinux-vdso.so.1 (0x7f)\n\tlibc.so.6 => /lib/libc.so.6 (0x7f)\n\t/lib64/ld.so.2 (0x7f)\n";
        let paths = library_paths(text);
        assert_eq!(paths, ["/lib/libc.so.6", "/lib64/ld.so.2"].map(std::path::PathBuf::from));
    }
}
