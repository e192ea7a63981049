//! Counts of tests, as test runners tell them in their result lines.

use std::fmt::{Display, Formatter};
use std::ops::{Add, AddAssign};

/// How many tests did what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) passed: usize,
    pub(super) failed: usize,
    pub(super) skipped: usize,
}

impl Counts {
    /// A run that ended without a result counts as one failure.
    pub(super) fn without_result() -> Self {
        Self { failed: 1, ..Self::default() }
    }

    /// Tests that passed or failed.
    pub(super) fn total(self) -> usize {
        self.passed + self.failed
    }

    /// The counts of a result line: of `cargo test`, `cargo nextest`, or the guest tests.
    pub(super) fn of_line(line: &str) -> Option<Self> {
        let line = without_colours(line);
        let result = line.starts_with("test result: ") || line.starts_with("guest test result on ");
        let (_, rest) = if result { line.split_once(". ")? } else { nextest_summary(&line)? };
        let count = |word: &str| {
            let part = rest
                .split([',', ';'])
                .map(str::trim)
                .find(|part| part.split(' ').nth(1) == Some(word))?;
            part.split(' ').next()?.parse::<usize>().ok()
        };
        let skipped = if result { count("ignored").or(count("skipped")) } else { None };
        let failed = count("failed").unwrap_or(0) + count("timed").unwrap_or(0);
        Some(Self { passed: count("passed").unwrap_or(0), failed, skipped: skipped.unwrap_or(0) })
    }
}

/// `Summary [ 0.1s] 10 tests run: 9 passed (1 slow), 1 failed, 2 skipped`; what it calls skipped was filtered out.
fn nextest_summary(line: &str) -> Option<(&str, &str)> {
    let line = line.trim_start();
    if line.starts_with("Summary [") { line.split_once(" run: ") } else { None }
}

fn without_colours(line: &str) -> String {
    let mut parts = line.split("\x1b[");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        text += part.split_once('m').map_or("", |(_, rest)| rest);
    }
    text
}

impl Add for Counts {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            passed: self.passed + other.passed,
            failed: self.failed + other.failed,
            skipped: self.skipped + other.skipped,
        }
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Display for Counts {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)?;
        if self.skipped > 0 { write!(f, ", {} skipped", self.skipped) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::Counts;

    #[test]
    fn every_runner_is_understood() {
        let rows = [
            (
                "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 3 filtered out; finished in 0.30s",
                (12, 0, 1),
            ),
            (
                "test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out",
                (1, 2, 0),
            ),
            (
                "     Summary [   0.022s] 10 tests run: 9 passed (1 slow), 1 failed, 2 skipped",
                (9, 1, 0),
            ),
            (
                "     Summary [  60.022s] 3 tests run: 1 passed, 1 failed, 1 timed out, 2 skipped",
                (1, 2, 0),
            ),
            (
                "\x1b[32;1m     Summary\x1b[0m [   0.007s] \x1b[1m3\x1b[0m tests run: \x1b[1m3\x1b[0m \x1b[32;1mpassed\x1b[0m, 0 skipped",
                (3, 0, 0),
            ),
            (
                "guest test result on kernel 6.12: FAILED. 21 passed; 3 failed; 4 skipped",
                (21, 3, 4),
            ),
        ];
        for (line, (passed, failed, skipped)) in rows {
            assert_eq!(Counts::of_line(line), Some(Counts { passed, failed, skipped }), "{line}");
        }
        assert_eq!(Counts::of_line("test a::b ... ok"), None);
    }

    #[test]
    fn the_last_line_has_the_form_that_ci_reads() {
        assert_eq!(Counts { passed: 3, failed: 0, skipped: 0 }.to_string(), "3 passed, 0 failed");
        assert_eq!(
            Counts { passed: 3, failed: 1, skipped: 2 }.to_string(),
            "3 passed, 1 failed, 2 skipped"
        );
    }
}
