//! The sum of a run's verdicts, and how each is told, in the manner of `cargo test`.

use std::io::{IsTerminal, stdout};
use std::time::Instant;

use serde::{Deserialize, Serialize};

use crate::judge::Verdict;
use crate::test::Test;

/// How a run ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// Checks and tests that hold.
    pub passed: usize,
    /// Those that do not.
    pub failed: usize,
    /// Tests that can't be run here.
    pub skipped: usize,
    /// Names of tests that were run a second time.
    pub(super) repeated: Vec<String>,
    /// What is to be told of each failure.
    pub(super) failures: Vec<String>,
}

impl Summary {
    pub(super) fn join(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
        self.repeated.extend(other.repeated);
        self.failures.extend(other.failures);
    }

    pub(super) fn skip(&mut self, test: &Test, reason: &str) {
        self.skipped += 1;
        println!("test {} ... {}: {reason}", test.name, paint("33", "skipped"));
    }

    /// Counts a verdict; that on a whole test is told here, one on a check was told when it arrived.
    pub(super) fn add(&mut self, verdict: Verdict, start: Instant, last_words: &str) {
        let Verdict { name, failure, is_check } = verdict;
        if !is_check {
            let time = start.elapsed().as_secs_f32();
            println!("test {name} ... {} ({time:.1} s)", result(failure.is_none()));
        }
        match failure {
            None => self.passed += 1,
            Some(why) => {
                self.failed += 1;
                self.failures.push(format!("---- {name} ----\n{why}\n{last_words}"));
            }
        }
    }

    /// Prints the failures and the counts; `label` names the run.
    pub fn print(&self, label: &str) {
        if !self.failures.is_empty() {
            println!("\nfailures on {label}:\n\n{}", self.failures.join("\n"));
        }
        if !self.repeated.is_empty() {
            println!("\nrun a second time, as the first had failed: {}", self.repeated.join(", "));
        }
        let result = result(self.failed == 0);
        let Self { passed, failed, skipped, .. } = self;
        println!(
            "\nguest test result on {label}: {result}. {passed} passed; {failed} failed; {skipped} skipped"
        );
    }
}

pub(super) fn result(holds: bool) -> String {
    if holds { paint("32", "ok") } else { paint("31", "FAILED") }
}

fn paint(colour: &str, text: &str) -> String {
    if stdout().is_terminal() { format!("\x1b[{colour}m{text}\x1b[0m") } else { text.to_owned() }
}
