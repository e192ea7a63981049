//! `pando check`: what a platform file says, or everything that is wrong with it.

use std::io::{IsTerminal, stderr};
use std::path::Path;

use anyhow::Result;
use pando_vmm::platform::{Errors, Platform};

/// Every problem of a platform file, as many lines as it takes.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct BadPlatform(String);

/// Prints the tree of the platform in `file`.
pub(super) fn check(file: &Path) -> Result<()> {
    let platform = load(file)?;
    println!("{}", platform.tree().trim_end());
    Ok(platform.check_available()?)
}

/// Reads the platform in `file`.
pub(super) fn load(file: &Path) -> Result<Platform> {
    let render = |errors: Errors| BadPlatform(errors.render(stderr().is_terminal()));
    Ok(Platform::load(file).map_err(render)?)
}
