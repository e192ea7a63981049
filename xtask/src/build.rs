//! Builds the programs that the commands run, and tells where they are.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::paths;

/// The `pando` binary that users get.
pub(crate) fn pando() -> PathBuf {
    paths::target().join("release/pando")
}

/// A program built without optimisation.
pub(crate) fn debug(name: &str) -> PathBuf {
    paths::target().join("debug").join(name)
}

/// Builds the `pando` binary.
pub(crate) fn release_pando() -> Result<()> {
    cargo(&["build", "--release", "--package", "pando-vmm", "--bin", "pando"])
}

/// Builds the runner of the guest tests.
pub(crate) fn guest_tests() -> Result<()> {
    cargo(&["build", "--package", "guest-tests"])
}

/// cargo shows its own progress.
fn cargo(arguments: &[&str]) -> Result<()> {
    let status = Command::new("cargo")
        .args(arguments)
        .current_dir(paths::root())
        .status()
        .context("cannot run cargo")?;
    ensure!(status.success(), "cargo {} failed", arguments.join(" "));
    Ok(())
}
