//! How runners in several machines share one list of tests: each test is that runner's who marks it first.

use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;

use anyhow::{Context, Result};

/// The folder of the marks; without one, every test is this runner's.
#[derive(Debug, Default)]
pub struct Share(Option<PathBuf>);

impl Share {
    /// A share whose marks are kept in `folder`, which exists.
    #[must_use]
    pub fn new(folder: Option<PathBuf>) -> Self {
        Self(folder)
    }

    /// Marks the test at this place of the list, unless another runner has. Making a folder is one step on every file system.
    pub(super) fn take(&self, place: usize) -> Result<bool> {
        let Some(folder) = &self.0 else { return Ok(true) };
        match fs::create_dir(folder.join(format!("test-{place}"))) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
            made => made
                .map(|()| true)
                .with_context(|| format!("cannot mark tests in {}", folder.display())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Share;

    #[test]
    fn a_test_is_taken_once() {
        let folder = std::env::temp_dir().join(format!("pando-share-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let runners = [Share::new(Some(folder.clone())), Share::new(Some(folder.clone()))];
        let taken: Vec<_> = (0..3)
            .map(|place| runners.each_ref().map(|runner| runner.take(place).unwrap()))
            .collect();
        assert_eq!(taken, [[true, false]; 3]);
        assert!(Share::default().take(0).unwrap());
        std::fs::remove_dir_all(folder).unwrap();
    }
}
