//! Runs the tests one after another and tells as it goes, in the manner of `cargo test`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};

use crate::guest::Guest;
use crate::judge::{Verdict, judge};
use crate::overlay;
use crate::test::{Alone, Body, Context, Setup, Test};
use crate::vmm::{Files, Vmm};
use crate::wire::Event;

pub use self::journal::Journal;
pub use self::share::Share;
pub use self::summary::Summary;
use self::summary::result;

mod journal;
mod share;
mod summary;

/// Lines of a console that are shown with a failure.
const TAIL: usize = 40;

/// Everything that the tests of one run share.
#[derive(Debug)]
pub struct Runner {
    /// What runs the guests.
    pub vmm: Vmm,
    /// The kernel under test.
    pub kernel: PathBuf,
    /// Archives that make up the shared initramfs.
    pub initrd: Vec<PathBuf>,
    /// Archives that single tests ask for by name.
    pub archives: Vec<(String, PathBuf)>,
    /// Names of archives that there are none of, and why.
    pub missing: Vec<(String, String)>,
    /// A folder for files of the run.
    pub folder: PathBuf,
    /// Whether to show all that guests print.
    pub verbose: bool,
    /// Kernel parameters for every guest.
    pub parameters: String,
}

impl Runner {
    /// Runs the tests, except those that the journal already has and those of other runners. One that fails is run once more: an
    /// emulated machine on a busy host can be late, and what fails twice has failed.
    ///
    /// # Errors
    /// When the journal or the share cannot be written.
    pub fn run(&self, tests: &[Test], journal: &mut Journal, share: &Share) -> Result<Summary> {
        let mut summary = Summary::default();
        for (place, test) in tests.iter().enumerate() {
            if let Some(before) = journal.outcome(place) {
                summary.join(before);
                continue;
            }
            if !journal.knows(place) && !share.take(place)? {
                continue;
            }
            journal.begin(place)?;
            let mut outcome = self.once(test);
            if outcome.failed > 0 {
                println!("test {} ... once more, after {} failures", test.name, outcome.failed);
                print!("{}", outcome.failures.concat());
                outcome = self.once(test);
                outcome.repeated.push(test.name.to_owned());
            } else if journal.is_again(place) {
                outcome.repeated.push(test.name.to_owned());
            }
            journal.end(place, &outcome)?;
            summary.join(outcome);
        }
        Ok(summary)
    }

    fn once(&self, test: &Test) -> Summary {
        let mut summary = Summary::default();
        let start = Instant::now();
        if let Some((_, reason)) = self.missing.iter().find(|(archive, _)| test.needs(archive)) {
            summary.skip(test, reason);
            return summary;
        }
        match (&test.body, &self.vmm) {
            (Body::Guest(setup), Vmm::Qemu { sriov: false, .. }) if !setup.any_vmm => {
                summary.skip(test, "this QEMU has no NIC");
            }
            (Body::Guest(setup), _) => self.guest(test, setup, &mut summary, start),
            (Body::Alone(_), Vmm::Qemu { .. }) => summary.skip(test, "it is about Pando alone"),
            (Body::Alone(body), Vmm::Pando(pando)) => {
                self.alone(test, *body, pando, &mut summary, start);
            }
        }
        summary
    }

    fn guest(&self, test: &Test, setup: &Setup, summary: &mut Summary, start: Instant) {
        let mut guest = match self.boot(setup) {
            Ok(guest) => guest,
            Err(error) => {
                return summary.add(Verdict::failed(test.name, &error), start, "");
            }
        };
        guest.watch((test.name.to_owned(), show));
        let run = drive(&mut guest, setup).map_err(|error| format!("{error:#}"));
        if run.is_err() {
            guest.dismiss();
        }
        if self.verbose {
            println!("{}", [guest.console(), guest.errors()].concat().join("\n"));
        }
        let mut last_words = Some(last_words(&guest));
        for verdict in judge(test.name, setup, guest.events(), &run) {
            let said = if verdict.failure.is_some() { last_words.take() } else { None };
            summary.add(verdict, start, &said.unwrap_or_default());
        }
    }

    fn boot(&self, setup: &Setup) -> Result<Guest> {
        let platform = self.folder.join("platform.toml");
        fs::write(&platform, &setup.platform).context("cannot write the platform file")?;
        let files = match setup.payload {
            Some(elf) => {
                let kernel = self.folder.join("payload.elf");
                fs::write(&kernel, elf).context("cannot write the payload")?;
                Files { kernel, initrd: None, platform }
            }
            None => {
                Files { kernel: self.kernel.clone(), initrd: Some(self.initrd(setup)?), platform }
            }
        };
        // the console costs two exits per byte
        let noise = if self.verbose { "ignore_loglevel" } else { "quiet" };
        let extra = format!("{noise} {}", self.parameters);
        Guest::spawn(&mut self.vmm.command(setup, &files, &extra), setup.limit)
    }

    /// The shared archives and the script's own, in one file.
    fn initrd(&self, setup: &Setup) -> Result<PathBuf> {
        let mut initrd = Vec::new();
        let named = |(name, _): &&(String, PathBuf)| Some(name.as_str()) == setup.archive;
        let special = self.archives.iter().find(named).map(|(_, file)| file);
        ensure!(
            special.is_some() == setup.archive.is_some(),
            "this test needs the archive {}: `cargo xtask test` passes it",
            setup.archive.unwrap_or_default()
        );
        for archive in self.initrd.iter().chain(special) {
            initrd.extend(
                fs::read(archive).with_context(|| format!("cannot read {}", archive.display()))?,
            );
        }
        let kernel = setup.with_kernel.then(|| fs::read(&self.kernel)).transpose();
        let kernel = kernel.with_context(|| format!("cannot read {}", self.kernel.display()))?;
        initrd.extend(overlay::build(&setup.script, setup.programs, kernel.as_deref()));
        let file = self.folder.join("initrd");
        fs::write(&file, initrd).context("cannot write the guest's initrd")?;
        Ok(file)
    }

    fn alone(&self, test: &Test, body: Alone, pando: &Path, summary: &mut Summary, start: Instant) {
        let folder = self.folder.join("alone");
        let clean = || {
            let _ = fs::remove_dir_all(&folder); // there may be none
            fs::create_dir_all(&folder).context("cannot make the test's folder")
        };
        let context = Context { pando, kernel: &self.kernel, folder: &folder };
        let failure = clean().and_then(|()| body(&context)).err();
        let verdict = Verdict {
            name: test.name.to_owned(),
            failure: failure.map(|error| format!("{error:#}")),
            is_check: false,
        };
        summary.add(verdict, start, "");
    }
}

/// Plays the host side and waits for the guest's end.
fn drive(guest: &mut Guest, setup: &Setup) -> Result<ExitStatus> {
    if let Some(host) = setup.host {
        host(guest)?;
    }
    guest.finish()
}

/// Tells of a report as it arrives.
fn show(test: &str, event: &Event) {
    match event {
        Event::Check { name, failure } => {
            println!("test {test}: {name} ... {}", result(failure.is_none()));
            if let Some(why) = failure {
                println!("    {why}");
            }
        }
        Event::Value { name, number, unit } => println!("{test}: {name} = {number} {unit}"),
        Event::Note(text) => println!("{test}: {text}"),
        Event::Begin | Event::Await(_) | Event::End { .. } => {}
    }
}

fn last_words(guest: &Guest) -> String {
    let console = guest.console();
    let lines = [&console[console.len().saturating_sub(TAIL)..], guest.errors()].concat();
    lines.iter().map(|line| format!("    | {line}\n")).collect()
}

impl Verdict {
    fn failed(test: &str, error: &anyhow::Error) -> Self {
        Self { name: test.to_owned(), failure: Some(format!("{error:#}")), is_check: false }
    }
}
