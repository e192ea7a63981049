//! Linux' driver `pci_endpoint_test` with its program and script `pcitest`, which Debian doesn't ship: built from the sources and
//! headers that belong to the very kernel that guests boot, in a tree of unpacked packages.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use guest_tests::cpio::Archive;

use crate::apt::{self, Package};
use crate::kernels::{Kernel, Series};
use crate::ui::Step;
use crate::{cache, packages, paths};

/// How tests ask for it.
pub(crate) const NAME: &str = "endpoint-test";

/// Those of the kernel's sources that are used.
const SOURCES: [&str; 4] = [
    "drivers/misc/pci_endpoint_test.c",
    "include/uapi/linux/pcitest.h",
    "tools/pci/pcitest.c",
    "tools/pci/pcitest.sh",
];

/// The compiler of Debian 12's kernels.
const COMPILER: &str = "gcc-12";

/// The archive for guests with this kernel, built once for each version, or why there is none.
pub(crate) fn archive(series: Series, kernel: &Kernel) -> Result<Result<PathBuf, &'static str>> {
    if series == Series::Sid {
        return Ok(Err("modules for sid's kernel take sid's compiler"));
    }
    let image = kernel.package()?;
    let file = paths::guest(NAME)?.join(format!("{}_{}.cpio", image.name, image.version));
    if !file.is_file() {
        packages::ensure(packages::MODULE)?;
    }
    let what = format!("building pci_endpoint_test for Debian's kernel {}", series.name());
    cache::once(&what, &file, |step, tree, unfinished| {
        let parts = Parts::unpack(step, series, &image, tree)?;
        Ok(fs::write(unfinished, parts.build(step)?)?)
    })
    .with_context(|| format!("cannot build pci_endpoint_test for {}", image.name))?;
    Ok(Ok(file))
}

/// The unpacked parts.
struct Parts {
    /// The headers of the kernel's flavour: its configuration, and the Makefile for modules.
    headers: PathBuf,
    /// The folder of [`SOURCES`].
    sources: PathBuf,
}

impl Parts {
    fn unpack(step: &Step, series: Series, image: &Package, tree: &Path) -> Result<Self> {
        let sibling = |name| Package { name, version: image.version.clone() };
        let headers = sibling(image.name.replacen("linux-image-", "linux-headers-", 1));
        let source = sibling(format!("linux-source-{}", series.name()));
        let archive = apt::Archive::open(step)?;
        let needs = archive.depends(step, &headers).with_context(|| outdated(series, image))?;
        let mut packages = vec![headers.clone(), source.clone()];
        packages.extend(needs.into_iter().filter(|name| builds_modules(name)).map(sibling));
        archive.download(step, &packages).with_context(|| outdated(series, image))?;
        packages.iter().try_for_each(|package| archive.unpack(step, package, tree))?;
        let installed = tree.join("usr/src");
        let sources = tree.join("sources");
        let tarball = installed.join(format!("{}.tar.xz", source.name));
        extract(step, &tarball, &source.name, &sources)?;
        let headers = installed.join(headers.name);
        relocate(&headers, tree)?;
        Ok(Self { headers, sources })
    }

    /// The guest's archive.
    fn build(&self, step: &Step) -> Result<Vec<u8>> {
        let [driver, _, program, script] = SOURCES.map(|source| self.sources.join(source));
        let mut archive = Archive::new();
        archive.file("pando/pci_endpoint_test.ko", 0o644, &read(&self.module(step, &driver)?)?);
        archive.file("usr/bin/pcitest", 0o755, &read(&self.program(step, &program)?)?);
        archive.file("pando/pcitest.sh", 0o755, &read(&script)?);
        Ok(archive.finish())
    }

    fn module(&self, step: &Step, driver: &Path) -> Result<PathBuf> {
        let folder = self.sources.join("module");
        fs::create_dir_all(&folder)?;
        let file = folder.join("pci_endpoint_test.c");
        fs::copy(driver, &file).context("cannot copy the driver's source")?;
        fs::write(folder.join("Makefile"), "obj-m := pci_endpoint_test.o\n")?;
        step.at("compiling the driver");
        let mut make = Command::new("make");
        make.env_remove("MAKEFLAGS").arg("-C").arg(&self.headers);
        make.arg(format!("M={}", folder.display()));
        make.arg("CONFIG_DEBUG_INFO_BTF_MODULES="); // types for BPF, made by the very pahole that made the kernel's
        step.run(make.arg("modules"))?;
        Ok(file.with_extension("ko"))
    }

    /// Static, as the guest's C library may be another one.
    fn program(&self, step: &Step, source: &Path) -> Result<PathBuf> {
        let file = source.with_extension("");
        step.at("compiling the program");
        let mut compiler = Command::new(COMPILER);
        compiler.args(["-O2", "-static", "-I"]).arg(self.sources.join("include/uapi"));
        step.run(compiler.arg("-o").arg(&file).arg(source))?;
        Ok(file)
    }
}

/// What to do when a package can't be had.
fn outdated(series: Series, image: &Package) -> String {
    format!(
        "Debian's archive can't be reached, or has a newer kernel than {}, which `cargo xtask fetch --newest --kernels {}` gets",
        image.version,
        series.name()
    )
}

/// The headers common to all flavours, and the tools that go with them; all are built from one source.
fn builds_modules(name: &str) -> bool {
    ["linux-headers-", "linux-kbuild-"].iter().any(|start| name.starts_with(start))
}

/// Unpacks [`SOURCES`] from the kernel's tarball, whose files are below `top`.
fn extract(step: &Step, tarball: &Path, top: &str, folder: &Path) -> Result<()> {
    fs::create_dir_all(folder)?;
    step.at("unpacking the driver's source");
    let mut tar = Command::new("tar");
    tar.args(["--extract", "--strip-components=1", "--occurrence=1", "--file"]).arg(tarball);
    tar.arg("--directory").arg(folder);
    step.run(tar.args(SOURCES.map(|source| format!("{top}/{source}")))).map(drop)
}

/// Lets the flavour's headers find those common to all in the tree instead of the system; their links are relative.
fn relocate(headers: &Path, tree: &Path) -> Result<()> {
    let makefile = headers.join("Makefile");
    let text = fs::read_to_string(&makefile).context("the headers have no Makefile")?;
    let text = text.replace("/usr/src/", &format!("{}/usr/src/", tree.display()));
    fs::write(makefile, text).context("cannot change the headers' Makefile")
}

fn read(file: &Path) -> Result<Vec<u8>> {
    fs::read(file).with_context(|| format!("cannot read {}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::builds_modules;

    #[test]
    fn what_the_system_has_is_left_out() {
        assert!(builds_modules("linux-headers-6.1.0-50-common"));
        assert!(builds_modules("linux-kbuild-6.1"));
        assert!(!builds_modules("linux-compiler-gcc-12-x86") && !builds_modules("pahole"));
    }
}
