//! What is made out of Debian's packages once and kept below target/guest.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::ui::Step;

/// Makes `place` if it isn't there. `make` gets an empty folder for what it unpacks, and the path at which its result has to be in
/// the end; `what` says what goes on.
pub(crate) fn once(
    what: &str,
    place: &Path,
    make: impl FnOnce(&Step, &Path, &Path) -> Result<()>,
) -> Result<()> {
    if place.exists() {
        return Ok(());
    }
    let step = Step::start(what);
    let tree = place.with_extension("unpacked");
    let _ = fs::remove_dir_all(&tree); // of a killed run
    fs::create_dir_all(&tree)?;
    let unfinished = place.with_extension("part");
    make(&step, &tree, &unfinished)?;
    fs::rename(unfinished, place)?;
    fs::remove_dir_all(&tree).context("cannot remove the unpacked packages")?;
    step.done();
    Ok(())
}
