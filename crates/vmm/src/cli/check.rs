//! `pando check`: what a platform file says, or everything that is wrong with it.

use std::io::{IsTerminal, stderr};
use std::path::Path;

use anyhow::Result;
use pando_vmm::platform::{Errors, Platform};

/// Every problem of a platform file, as many lines as it takes.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct BadPlatform(String);

/// Prints the platform in `file`: its tree, or as JSON everything it says and what follows from that.
pub(super) fn check(file: &Path, json: bool) -> Result<()> {
    let platform = load(file)?;
    if json {
        println!("{}", serde_json::to_string_pretty(&platform)?);
    } else {
        println!("{}", platform.tree().trim_end());
    }
    Ok(())
}

/// Reads the platform in `file`.
pub(super) fn load(file: &Path) -> Result<Platform> {
    let render = |errors: Errors| BadPlatform(errors.render(stderr().is_terminal()));
    Ok(Platform::load(file).map_err(render)?)
}
