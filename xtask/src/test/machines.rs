//! Guest tests in nested machines: several at once share the list, and what an accident took runs again.

use std::ffi::OsString;
use std::fs;
use std::io::stdout;
use std::path::{Path, PathBuf};
use std::sync::mpsc::channel;
use std::thread;

use anyhow::{Context, Result};

use super::counts::Counts;
use super::{guest_counts, pass_on};
use crate::scratch::Scratch;
use crate::{host, nested, ui};

/// Under TCG, L1's KVM tells a guest (of any VMM) sizes of XSAVE's state that contradict each other: 6.1 warns of it,
/// 7.2 does not boot.
const NESTED_PARAMETERS: &str = "noxsave";

/// A machine's memory in MiB. The guests' comes out of it, and the largest has 5 GiB that it hardly uses.
const MEMORY: u64 = 4096;

/// What QEMU takes besides, in MiB; TCG's translated code is most of it.
const BESIDES: u64 = 1024;

/// More machines than that hardly shorten a run: the longest tests take minutes.
const MOST: usize = 4;

/// Tests that may fail in one nested machine and run again in a fresh one. More of them are no accident.
const ACCIDENTS: usize = 8;

/// Runs the tests in a machine on each processor, as far as the memory lasts.
pub(super) fn run(command: &[OsString]) -> Result<Counts> {
    nested::prepare()?;
    let folder = Scratch::new("runs")?; // which test is whose, and the results
    let mut cores = host::cores();
    let fit = usize::try_from(host::free_memory() / (MEMORY + BESIDES)).unwrap_or(MOST);
    cores.truncate(fit.clamp(1, MOST));
    thread::scope(|scope| {
        let machines: Vec<_> = cores
            .into_iter()
            .map(|core| Machine::new(command, core, folder.path()))
            .map(|machine| scope.spawn(|| machine.run()))
            .collect();
        let counts = machines
            .into_iter()
            .map(|machine| machine.join().unwrap_or_else(|_| Ok(Counts::without_result())));
        counts.reduce(|one, other| Ok(one? + other?)).context("no processor to run on")?
    })
}

/// One nested machine, and those that take its place.
struct Machine {
    command: Vec<OsString>,
    core: usize,
    journal: PathBuf,
}

impl Machine {
    fn new(command: &[OsString], core: usize, folder: &Path) -> Self {
        let journal = folder.join(format!("journal-{core}"));
        let mut command = command.to_vec();
        command.extend(["--parameters".into(), NESTED_PARAMETERS.into()]);
        command.extend(["--journal".into(), journal.clone().into()]);
        command.extend(["--share".into(), folder.into()]);
        Self { command, core, journal }
    }

    /// Under TCG an L1 dies now and then; the journal ends a test that takes it along again and again, so here only a machine
    /// that begins none ends the run. What has failed in one runs again in another, once.
    fn run(mut self) -> Result<Counts> {
        let (mut known, mut again) = (0, false);
        loop {
            let (counts, end) = self.once()?;
            let Err(error) = end else {
                if again || counts.failed == 0 || counts.failed > ACCIDENTS {
                    return Ok(counts);
                }
                again = true;
                self.command.push("--again".into());
                ui::say("what has failed runs again in another nested machine");
                continue;
            };
            eprintln!("{} {error:#}", ui::paint("1;31", "error:"));
            let length = fs::metadata(&self.journal).map_or(0, |file| file.len());
            if length == known {
                return Ok(Counts::without_result());
            }
            known = length;
            ui::say("the tests that are left run in another nested machine");
        }
    }

    fn once(&self) -> Result<(Counts, Result<i32>)> {
        let (sender, lines) = channel();
        let (reader, writer) = std::io::pipe().context("cannot make a pipe")?;
        pass_on(Some(reader), stdout(), sender);
        let end = nested::run(nested::Job {
            command: self.command.clone(),
            memory: format!("{MEMORY}M"),
            core: Some(self.core),
            with_stdin: false,
            stdout: Box::new(writer),
        });
        Ok((guest_counts(lines), end))
    }
}
