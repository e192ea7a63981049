//! Debian's kernels, taken from its archive without being installed: the image and the modules that guests use.
//!
//! A kernel is cached by series; its packages stay in target/guest/downloads, so that a longer list of modules needs
//! no second download.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::apt::{Archive, Package};
use crate::ui::Step;
use crate::{modules, paths};

/// A line of Debian kernels that the tests know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Series {
    /// Debian 12's own.
    Stable,
    /// From bookworm-backports.
    Backports,
    /// The newest in sid.
    Sid,
}

impl Series {
    /// Its name on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Stable => "6.1",
            Self::Backports => "6.12",
            Self::Sid => "sid",
        }
    }

    /// The releases of the archive that hold it, as apt's `--target-release` reads them.
    fn release(self) -> &'static str {
        match self {
            Self::Stable => "/^bookworm(|-security|-updates)$/",
            Self::Backports => "bookworm-backports",
            Self::Sid => "sid",
        }
    }
}

/// A kernel in the cache.
pub(crate) struct Kernel {
    dir: PathBuf,
}

impl Kernel {
    /// The bzImage.
    pub(crate) fn image(&self) -> PathBuf {
        self.dir.join("vmlinuz")
    }

    /// An initramfs archive with the modules that guests use.
    pub(crate) fn guest_modules(&self) -> PathBuf {
        self.dir.join("guest-modules.cpio")
    }

    /// An initramfs archive with the modules that the nested L1 uses.
    pub(crate) fn nested_modules(&self) -> PathBuf {
        self.dir.join("nested-modules.cpio")
    }

    /// The package that the image comes from.
    pub(crate) fn package(&self) -> Result<Package> {
        let text = fs::read_to_string(self.origin()).context("the kernel's package is unknown")?;
        let parts = text.split_once(' ').context("the kernel's package has no version")?;
        Ok(Package { name: parts.0.to_owned(), version: parts.1.to_owned() })
    }

    fn is_whole(&self, stamp: &str) -> bool {
        self.image().is_file()
            && self.origin().is_file()
            && fs::read_to_string(self.stamp()).is_ok_and(|found| found == stamp)
    }

    /// Has the image's package, its name and its version.
    fn origin(&self) -> PathBuf {
        self.dir.join("package")
    }

    /// Written last: tells that everything else is there, and for which lists of modules.
    fn stamp(&self) -> PathBuf {
        self.dir.join("wanted-modules")
    }
}

/// The kernel of a series: from the cache, or with `newest` and when there is none, from Debian's archive.
pub(crate) fn get(series: Series, newest: bool) -> Result<Kernel> {
    let kernel = Kernel { dir: paths::guest("kernels")?.join(series.name()) };
    let stamp = [modules::GUEST, modules::NESTED].map(|list| list.join(" ")).join("\n");
    if newest || !kernel.is_whole(&stamp) {
        let step = Step::start(format!("getting Debian's kernel {}", series.name()));
        build(series, &kernel, &step)
            .with_context(|| format!("cannot get Debian's kernel {}", series.name()))?;
        fs::write(kernel.stamp(), stamp)?;
        step.done();
    }
    Ok(kernel)
}

fn build(series: Series, kernel: &Kernel, step: &Step) -> Result<()> {
    let archive = Archive::open(step)?;
    let packages = archive.resolve(step, series.release(), "linux-image-amd64")?;
    let tree = kernel.dir.join("unpacked");
    fs::create_dir_all(&tree)?;
    for package in packages.iter().filter(|package| holds_kernel(package)) {
        archive.unpack(step, package, &tree)?;
    }
    let set = modules::Set::read(step, &tree)?;
    let places =
        [tree.join(format!("boot/vmlinuz-{}", set.release())), set.folder().join("vmlinuz")];
    let image =
        places.iter().find(|file| file.is_file()).context("the packages hold no kernel image")?;
    fs::copy(image, kernel.image()).context("cannot keep the kernel image")?;
    let origin = packages.iter().find(|package| holds_image(package));
    let origin = origin.context("the archive has no package of a kernel image")?;
    fs::write(kernel.origin(), format!("{} {}", origin.name, origin.version))?;
    fs::write(kernel.guest_modules(), set.archive(modules::GUEST, &kernel.dir.join("guest"))?)?;
    fs::write(kernel.nested_modules(), set.archive(modules::NESTED, &kernel.dir.join("nested"))?)?;
    fs::remove_dir_all(&tree).context("cannot remove the unpacked packages")
}

/// 6.1 and 6.12 are one package; newer ones are split by what they hold.
fn holds_kernel(package: &Package) -> bool {
    let parts = ["linux-image-", "linux-base-", "linux-binary-", "linux-modules-"];
    parts.iter().any(|part| is_of_a_release(package, part))
}

/// The one that a kernel's other packages are named after.
fn holds_image(package: &Package) -> bool {
    is_of_a_release(package, "linux-image-")
}

/// Whether the package's name is this and a kernel's release.
fn is_of_a_release(package: &Package, part: &str) -> bool {
    let rest = package.name.strip_prefix(part);
    rest.is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::{Package, holds_image, holds_kernel};

    #[test]
    fn real_kernel_packages_are_told_from_meta_packages() {
        let holds = |name: &str| holds_kernel(&Package { name: name.into(), version: "1".into() });
        assert!(holds("linux-image-6.1.0-50-amd64"));
        assert!(holds("linux-modules-7.2.13+deb14-amd64"));
        assert!(!holds("linux-image-amd64"));
        assert!(!holds("linux-base-amd64"));
        assert!(!holds("linux-base"));
    }

    #[test]
    fn one_package_names_the_kernel() {
        let names = |name: &str| holds_image(&Package { name: name.into(), version: "1".into() });
        assert!(names("linux-image-6.12.95+deb12-amd64"));
        assert!(!names("linux-image-amd64") && !names("linux-binary-7.2.13+deb14-amd64"));
    }
}
