//! A private view of Debian's archive: its own package lists and state below target/, nothing installed.
//!
//! The mirror and the keyring are those of the machine's own sources, so no host name is written here.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::paths;
use crate::ui::Step;

/// Fallback keyring: that of Debian's package debian-archive-keyring.
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// A package of one exact version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) version: String,
}

impl Package {
    /// Its file in a folder of downloads, if it is there.
    fn file(&self, downloads: &Path) -> Option<PathBuf> {
        let version = self.version.replace(':', "%3a");
        let names = ["amd64", "all"].map(|kind| format!("{}_{version}_{kind}.deb", self.name));
        names.map(|name| downloads.join(name)).into_iter().find(|file| file.exists())
    }

    /// As apt takes exactly this version.
    fn exactly(&self) -> String {
        format!("{}={}", self.name, self.version)
    }
}

/// apt with its own configuration.
pub(crate) struct Archive {
    dir: PathBuf,
}

impl Archive {
    /// Writes the configuration and fetches the package lists.
    pub(crate) fn open(step: &Step) -> Result<Self> {
        let archive = Self { dir: paths::guest("apt")? };
        for folder in ["lists/partial", "cache/archives/partial"] {
            std::fs::create_dir_all(archive.dir.join(folder))?;
        }
        std::fs::write(archive.dir.join("status"), "")?;
        std::fs::write(archive.dir.join("sources.list"), sources()?)?;
        step.run(archive.apt("apt-get").args(["update", "-q"]))?;
        Ok(archive)
    }

    /// The packages that installing `name` from `suite` would bring, in their exact versions.
    pub(crate) fn resolve(&self, step: &Step, suite: &str, name: &str) -> Result<Vec<Package>> {
        let arguments =
            ["install", "--simulate", "--no-install-recommends", "--target-release", suite, name];
        let plan = step.run(self.apt("apt-get").args(arguments))?;
        Ok(plan.lines().filter_map(planned).collect())
    }

    /// The names of the packages that this one depends on, without those that are one choice of several.
    pub(crate) fn depends(&self, step: &Step, package: &Package) -> Result<Vec<String>> {
        let record = step.run(self.apt("apt-cache").arg("show").arg(package.exactly()))?;
        Ok(depended(&record))
    }

    /// Downloads the packages that aren't there yet, all at once.
    pub(crate) fn download(&self, step: &Step, packages: &[Package]) -> Result<()> {
        let downloads = paths::guest("downloads")?;
        let missing = packages.iter().filter(|package| package.file(&downloads).is_none());
        let names: Vec<_> = missing.map(|package| package.exactly()).collect();
        let [first, rest @ ..] = &names[..] else { return Ok(()) };
        let others =
            if rest.is_empty() { String::new() } else { format!(" and {} more", rest.len()) };
        step.at(format!("downloading {first}{others}"));
        let mut apt = self.apt("apt-get");
        step.run(apt.arg("download").args(&names).current_dir(&downloads)).map(drop)
    }

    /// Downloads a package and unpacks it into `folder`.
    pub(crate) fn unpack(&self, step: &Step, package: &Package, folder: &Path) -> Result<()> {
        self.download(step, std::slice::from_ref(package))?;
        let file = package.file(&paths::guest("downloads")?);
        let Package { name, version } = package;
        let file =
            file.with_context(|| format!("apt-get download did not leave {name} {version}"))?;
        step.at(format!("unpacking {name} {version}"));
        step.run(Command::new("dpkg-deb").arg("--extract").args([&file, folder]))?;
        Ok(())
    }

    fn apt(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        let place = |key: &str, name: &str| format!("Dir::{key}={}", self.dir.join(name).display());
        let options = [
            place("State", ""),
            place("State::lists", "lists"),
            place("State::status", "status"),
            place("Cache", "cache"),
            place("Etc::SourceList", "sources.list"),
            place("Etc::SourceParts", "none"),
            place("Etc::PreferencesParts", "none"),
            "APT::Sandbox::User=root".to_owned(),
            "APT::Architecture=amd64".to_owned(),
            "Acquire::Languages=none".to_owned(),
            "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false".to_owned(),
        ];
        command.args(options.iter().flat_map(|option| ["-o", option]));
        command
    }
}

/// `Inst NAME [OLD] (VERSION ARCHIVE …` of `apt-get --simulate`.
fn planned(line: &str) -> Option<Package> {
    let (name, rest) = line.strip_prefix("Inst ")?.split_once(' ')?;
    let version = rest.split_once('(')?.1.split_whitespace().next()?;
    Some(Package { name: name.to_owned(), version: version.to_owned() })
}

/// `Depends: NAME (>= VERSION), NAME | NAME, …` of a package's record.
fn depended(record: &str) -> Vec<String> {
    let list = record.lines().find_map(|line| line.strip_prefix("Depends: ")).unwrap_or_default();
    let parts = list.split(", ").filter(|part| !part.contains('|'));
    parts.filter_map(|part| part.split_whitespace().next()).map(str::to_owned).collect()
}

/// The private sources: bookworm from wherever this machine has its Debian from, with backports and sid beside it.
fn sources() -> Result<String> {
    let format = "$(ORIGIN)|$(REPO_URI)|$(SIGNED_BY)";
    let targets = Command::new("apt-get")
        .args(["indextargets", "--format", format, "Created-By: Packages"])
        .output();
    let targets = targets.context("cannot ask apt for this machine's package sources")?;
    lines(&String::from_utf8_lossy(&targets.stdout)).context(
        "apt knows no Debian archive on this machine: check /etc/apt/sources.list, run `apt-get update`, try again",
    )
}

fn lines(targets: &str) -> Option<String> {
    let mut main = None;
    let mut security = None;
    for line in targets.lines() {
        let mut fields = line.split('|');
        if let (Some("Debian"), Some(uri), Some(key)) =
            (fields.next(), fields.next(), fields.next())
        {
            let place = if uri.contains("security") { &mut security } else { &mut main };
            place.get_or_insert((uri.to_owned(), if key.starts_with('/') { key } else { KEYRING }));
        }
    }
    let (uri, key) = main?;
    let mut text = String::new();
    for suite in ["bookworm", "bookworm-updates", "bookworm-backports", "sid"] {
        text += &format!("deb [arch=amd64 signed-by={key}] {uri} {suite} main\n");
    }
    if let Some((uri, key)) = security {
        text += &format!("deb [arch=amd64 signed-by={key}] {uri} bookworm-security main\n");
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::{Package, depended, lines, planned};

    #[test]
    fn a_plan_names_exact_versions() {
        let line = "Inst linux-image-6.1.0-50-amd64 (6.1.176-1 Debian:12.15/oldstable [amd64])";
        let package =
            Package { name: "linux-image-6.1.0-50-amd64".into(), version: "6.1.176-1".into() };
        assert_eq!(planned(line), Some(package.clone()));
        assert_eq!(planned("Conf linux-image (1)"), None);
        let upgrade = "Inst linux-image-6.1.0-50-amd64 [6.1.1] (6.1.176-1 Debian:12.15 [amd64]) []";
        assert_eq!(planned(upgrade), Some(package));
    }

    #[test]
    fn a_record_names_what_a_package_needs() {
        let record = "Package: a\nPre-Depends: no\nDepends: b (= 1), c | d, e\nSize: 1\n";
        assert_eq!(depended(record), ["b", "e"]);
        assert!(depended("Package: a\n").is_empty());
    }

    #[test]
    fn sources_follow_the_machine() {
        let text = lines(
            "Other|http://x/|\nDebian|http://m/debian/|$(SIGNED_BY)\nDebian|http://m/security/|/k.gpg\n",
        );
        let text = text.expect("a Debian source");
        assert!(text.contains("http://m/debian/ sid main"), "{text}");
        assert!(text.contains("signed-by=/k.gpg] http://m/security/ bookworm-security"), "{text}");
        assert!(lines("Other|http://x/|\n").is_none());
    }
}
