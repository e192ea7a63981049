//! `cargo xtask bench`: the benches of `benches/`, alone, beside peers or against another revision, and the whole-machine ones in L1.
//!
//! Figures go to `target/bench/`. Two revisions take turns, run by run, so that both see the same machine.

mod figures;
mod whole;

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result, ensure};

use self::figures::Figures;
use crate::scratch::Scratch;
use crate::{cli, dpdk, packages, paths, ui};

/// Runs of each revision in a comparison.
const TURNS: usize = 3;

/// Runs what the options ask for.
pub(crate) fn run(options: &cli::Bench) -> Result<ExitCode> {
    let folder = folder()?;
    if options.whole {
        return whole::run(options, &folder);
    }
    let mine = build(&paths::root(), &paths::target())?;
    let Some(against) = &options.against else {
        let file = folder.join("latest.json");
        measure(&mine, options, &file, true)?;
        let page = page(&file);
        ui::say(&format!("figures: {}; plots: {}", file.display(), page.display()));
        return Ok(ExitCode::SUCCESS);
    };
    let (old, new) = if Path::new(against).is_file() {
        let file = folder.join("latest.json");
        measure(&mine, options, &file, false)?;
        (Figures::read(Path::new(against))?, Figures::read(&file)?)
    } else {
        let theirs = Checkout::new(against, &folder)?;
        in_turn(options, &folder, &theirs.build()?, &mine)?
    };
    let text = new.compare(&old);
    println!("this tree against {against}; old -> new, and what is more than noise\n\n{text}");
    Ok(ExitCode::SUCCESS)
}

fn folder() -> Result<PathBuf> {
    let folder = paths::target().join("bench");
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("cannot make {}", folder.display()))?;
    Ok(folder)
}

/// Builds the benches of the workspace at `root`.
fn build(root: &Path, target: &Path) -> Result<PathBuf> {
    let status = Command::new("cargo")
        .args(["build", "--release", "--package", "pando-benches", "--bin", "pando-bench"])
        .current_dir(root)
        .env("CARGO_TARGET_DIR", target)
        .status()
        .context("cannot run cargo")?;
    ensure!(status.success(), "the benches in {} can't be built", root.display());
    Ok(target.join("release/pando-bench"))
}

/// The page beside a file of figures.
fn page(file: &Path) -> PathBuf {
    file.with_extension("html")
}

/// DPDK's testpmd, and a folder for its files.
struct Peers {
    testpmd: PathBuf,
    scratch: Scratch,
}

impl Peers {
    fn get() -> Result<Self> {
        packages::ensure(packages::PEERS)?;
        Ok(Self { testpmd: dpdk::host()?, scratch: Scratch::new("peers")? })
    }

    /// How the benches are told of them.
    fn options(&self) -> [&OsStr; 4] {
        let (testpmd, scratch) = (self.testpmd.as_os_str(), self.scratch.path().as_os_str());
        ["--testpmd".as_ref(), testpmd, "--scratch".as_ref(), scratch]
    }
}

/// One run, at real-time priority where that is allowed: a figure is worth little if others run in between.
fn measure(program: &Path, options: &cli::Bench, file: &Path, show: bool) -> Result<()> {
    let peers = options.peers.then(Peers::get).transpose()?;
    let real_time = real_time();
    let (first, rest) = real_time.split_first().context("an empty command")?;
    let mut command = Command::new(first);
    command.args(rest).arg(program).args(&options.filter).arg("--json").arg(file);
    command.args(["--rounds", &options.rounds.to_string()]);
    command.args(peers.iter().flat_map(Peers::options));
    if show {
        command.arg("--page").arg(page(file));
    } else {
        command.args(["--quiet"]).stderr(Stdio::null());
    }
    let status = command.status().context("cannot run the benches")?;
    ensure!(status.success(), "the benches failed");
    Ok(())
}

/// A prefix that gives real-time priority, or none.
fn real_time() -> Vec<OsString> {
    let prefix = ["chrt", "-f", "1"].map(OsString::from).to_vec();
    let works = packages::find("chrt").is_some()
        && Command::new("chrt").args(["-f", "1", "true"]).status().is_ok_and(|s| s.success());
    if works {
        return prefix;
    }
    ui::say("no right to real-time priority (chrt): other programs will disturb the figures");
    vec!["env".into()]
}

/// Runs old and new in turn; the figures of all runs of each.
fn in_turn(
    options: &cli::Bench,
    folder: &Path,
    old: &Path,
    new: &Path,
) -> Result<(Figures, Figures)> {
    let mut figures = [Figures::default(), Figures::default()];
    for turn in 1..=TURNS {
        for ((program, name), all) in [(old, "old"), (new, "new")].into_iter().zip(&mut figures) {
            let step = ui::Step::start(format!("turn {turn} of {TURNS}: {name}"));
            let file = folder.join(format!("{name}-{turn}.json"));
            measure(program, options, &file, false)?;
            all.add(Figures::read(&file)?);
            step.done();
        }
    }
    let [old, new] = figures;
    Ok((old, new))
}

/// Another revision in a folder of its own, removed with this.
struct Checkout {
    tree: PathBuf,
    target: PathBuf,
}

impl Checkout {
    fn new(revision: &str, folder: &Path) -> Result<Self> {
        let checkout = Self { tree: folder.join("tree"), target: folder.join("target") };
        checkout.remove();
        let status = Command::new("git")
            .args(["worktree", "add", "--quiet", "--detach"])
            .arg(&checkout.tree)
            .arg(revision)
            .current_dir(paths::root())
            .status()
            .context("cannot run git")?;
        ensure!(
            status.success(),
            "'{revision}' is neither a file nor a revision of this repository"
        );
        Ok(checkout)
    }

    fn build(&self) -> Result<PathBuf> {
        ensure!(
            self.tree.join("benches/src/main.rs").is_file(),
            "that revision has no benches to compare with"
        );
        build(&self.tree, &self.target)
    }

    fn remove(&self) {
        if self.tree.exists() {
            let mut git = Command::new("git");
            git.args(["worktree", "remove", "--force"]).arg(&self.tree);
            let _ = git.current_dir(paths::root()).status(); // what is left is below target/
        }
    }
}

impl Drop for Checkout {
    fn drop(&mut self) {
        self.remove();
    }
}
