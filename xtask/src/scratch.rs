//! Folders below `target/guest` that live as long as their owner.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result};

use crate::paths;

/// Folders that this process has made.
static MADE: AtomicUsize = AtomicUsize::new(0);

/// A folder of this process, removed with its owner.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    /// An empty folder below `target/guest/KIND`, from which those of killed processes go.
    pub(crate) fn new(kind: &str) -> Result<Self> {
        let all = paths::guest(kind)?;
        remove_leftovers(&all);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let folder = all.join(format!("{}-{number}", std::process::id()));
        let _ = fs::remove_dir_all(&folder); // of a killed run with the same process id
        fs::create_dir(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        Ok(Self(folder))
    }

    /// Its path.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0); // a left-over below target/ harms nobody
    }
}

/// Removes the folders of runs that were killed.
fn remove_leftovers(all: &Path) {
    for entry in fs::read_dir(all).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if !Path::new("/proc").join(name.split('-').next().unwrap_or_default()).exists() {
            let _ = fs::remove_dir_all(entry.path()); // another run may be at it as well
        }
    }
}
