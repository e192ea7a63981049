//! What the developer sees: one line per step on stderr, with a spinner and colours on a terminal only.

use std::io::{BufRead, BufReader, IsTerminal, Read, stderr};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use indicatif::{ProgressBar, ProgressStyle};

/// Lines of a failed command that are shown.
const TAIL: usize = 20;

/// Says one line.
pub(crate) fn say(text: &str) {
    eprintln!("{} {text}", paint("36", "::"));
}

/// `text` in an SGR colour, on a terminal without `NO_COLOR`.
pub(crate) fn paint(colour: &str, text: &str) -> String {
    if stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none() {
        format!("\x1b[{colour}m{text}\x1b[0m")
    } else {
        text.to_owned()
    }
}

/// A piece of work that takes a while.
pub(crate) struct Step {
    bar: ProgressBar,
    what: String,
    start: Instant,
}

impl Step {
    /// Shows that `what` begins. Without a terminal that is one plain line.
    pub(crate) fn start(what: impl Into<String>) -> Self {
        let what = what.into();
        let bar = ProgressBar::new_spinner();
        let style =
            ProgressStyle::with_template("{spinner:.cyan} {prefix} {elapsed:.dim} {wide_msg:.dim}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
        bar.set_prefix(what.clone());
        bar.enable_steady_tick(Duration::from_millis(100));
        if !stderr().is_terminal() {
            say(&what);
        }
        Self { bar, what, start: Instant::now() }
    }

    /// Shows where the work stands.
    pub(crate) fn at(&self, detail: impl Into<String>) {
        self.bar.set_message(detail.into());
    }

    /// Ends the step well; on a terminal its line stays, with the time it took.
    pub(crate) fn done(self) {
        self.bar.finish_and_clear();
        if stderr().is_terminal() {
            say(&format!("{} ({:.1} s)", self.what, self.start.elapsed().as_secs_f32()));
        }
    }

    /// Runs `command`, showing its last line as it goes; returns its stdout, or fails with what it said last.
    pub(crate) fn run(&self, command: &mut Command) -> Result<String> {
        let program = command.get_program().to_string_lossy().into_owned();
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("cannot run {program}"))?;
        let errors = child.stderr.take().map(|mut pipe| {
            std::thread::spawn(move || {
                let mut text = Vec::new();
                let _ = pipe.read_to_end(&mut text); // whatever came before a broken pipe is what there is to show
                String::from_utf8_lossy(&text).into_owned()
            })
        });
        let mut output = String::new();
        for line in child.stdout.take().map(BufReader::new).into_iter().flat_map(BufRead::lines) {
            let line = line.unwrap_or_default();
            self.at(line.as_str());
            output.push_str(&line);
            output.push('\n');
        }
        let status = child.wait()?;
        let errors = errors.and_then(|thread| thread.join().ok()).unwrap_or_default();
        if !status.success() {
            bail!("{program} failed ({status}):\n{}", tail(&format!("{output}{errors}")));
        }
        Ok(output)
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// The last lines of a text.
pub(crate) fn tail(text: &str) -> String {
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(TAIL)..].join("\n")
}
