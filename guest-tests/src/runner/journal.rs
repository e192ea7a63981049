//! What a run has done so far, in a file that outlives the machine it runs in: one JSON entry per line.
//!
//! When the nested machine dies, the run goes on in another one where the first left off.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::summary::Summary;

/// How often a test may take its machine down before it counts as failed.
const CHANCES: usize = 2;

/// The entries of a run; without a file nothing is kept.
#[derive(Debug, Default)]
pub struct Journal {
    file: Option<File>,
    entries: Vec<Entry>,
    /// Places of tests that failed in an earlier machine and run again.
    again: Vec<usize>,
}

#[derive(Debug, Serialize, Deserialize)]
enum Entry {
    Begin(usize),
    End(usize, Summary),
}

impl Journal {
    /// The journal in this file, which is made if there is none.
    ///
    /// # Errors
    /// When the file can't be read and written.
    pub fn open(path: &Path) -> Result<Self> {
        let told = || format!("cannot use the journal {}", path.display());
        let text = match std::fs::read_to_string(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
            text => text.with_context(told)?,
        };
        // the last line may be cut off
        let entries = text.lines().map_while(|line| serde_json::from_str(line).ok()).collect();
        let file = OpenOptions::new().create(true).append(true).open(path).with_context(told)?;
        Ok(Self { file: Some(file), entries, again: Vec::new() })
    }

    /// Lets the tests that have failed run again, as if they had not been run.
    pub fn forget_failures(&mut self) {
        let failed = |entry: &Entry| match entry {
            Entry::End(place, outcome) if outcome.failed > 0 => Some(*place),
            _ => None,
        };
        self.again = self.entries.iter().filter_map(failed).collect();
        let again = &self.again;
        self.entries.retain(|entry| {
            let (Entry::Begin(place) | Entry::End(place, _)) = entry;
            !again.contains(place)
        });
    }

    /// Whether the test at this place has failed in an earlier machine.
    pub(super) fn is_again(&self, place: usize) -> bool {
        self.again.contains(&place)
    }

    /// Whether the test at this place has been begun before, in whatever machine.
    pub(super) fn knows(&self, place: usize) -> bool {
        self.is_again(place) || self.begun(place) > 0
    }

    /// How often the test at this place has been begun.
    fn begun(&self, place: usize) -> usize {
        let begun = |entry: &&Entry| matches!(entry, Entry::Begin(at) if *at == place);
        self.entries.iter().filter(begun).count()
    }

    /// What came of the test at this place of the list, if it has been run.
    pub(super) fn outcome(&self, place: usize) -> Option<Summary> {
        let end = self.entries.iter().find_map(|entry| match entry {
            Entry::End(at, summary) if *at == place => Some(summary.clone()),
            _ => None,
        });
        let fatal = || Summary {
            failed: 1,
            failures: vec![format!(
                "---- test {} of the list ----\nthe nested machine died {CHANCES} times while it ran\n",
                place + 1
            )],
            ..Summary::default()
        };
        end.or_else(|| (self.begun(place) >= CHANCES).then(fatal))
    }

    pub(super) fn begin(&mut self, place: usize) -> Result<()> {
        self.write(Entry::Begin(place))
    }

    pub(super) fn end(&mut self, place: usize, outcome: &Summary) -> Result<()> {
        self.write(Entry::End(place, outcome.clone()))
    }

    fn write(&mut self, entry: Entry) -> Result<()> {
        let Some(file) = &mut self.file else { return Ok(()) };
        let line = serde_json::to_string(&entry).context("cannot write the journal")? + "\n";
        file.write_all(line.as_bytes())
            .and_then(|()| file.sync_all())
            .context("cannot write the journal")?;
        self.entries.push(entry);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Journal, Summary};

    #[test]
    fn a_run_goes_on_where_its_machine_died() {
        let folder = std::env::temp_dir().join(format!("pando-journal-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join("journal");
        let outcome = Summary { passed: 3, failed: 1, ..Summary::default() };
        let mut first = Journal::open(&file).unwrap();
        first.begin(0).unwrap();
        first.end(0, &outcome).unwrap();
        first.begin(1).unwrap();
        let mut second = Journal::open(&file).unwrap();
        assert_eq!(second.outcome(0), Some(outcome));
        assert_eq!(second.outcome(1), None, "it gets a second chance");
        assert!(second.knows(1) && !second.knows(2));
        second.begin(1).unwrap();
        let third = Journal::open(&file).unwrap();
        assert_eq!(third.outcome(1).map(|summary| summary.failed), Some(1));
        assert_eq!(third.outcome(2), None);
        let mut fourth = Journal::open(&file).unwrap();
        fourth.forget_failures();
        assert_eq!((fourth.outcome(0), fourth.is_again(0), fourth.knows(0)), (None, true, true));
        assert!(fourth.outcome(1).is_some() && !fourth.is_again(1), "it took its machine along");
        let outcome = Summary { passed: 4, ..Summary::default() };
        fourth.begin(0).unwrap();
        fourth.end(0, &outcome).unwrap();
        assert_eq!(fourth.outcome(0), Some(outcome));
        std::fs::remove_dir_all(folder).unwrap();
    }
}
