//! A campaign: inputs until time, number or the user ends it, or until one of them finds a fault, which is kept in a file.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::Target;
use crate::inputs::Inputs;

/// An input that runs this long hangs.
const HANG: Duration = Duration::from_secs(60);
/// Attempts to make a faulty input smaller.
const ATTEMPTS: usize = 400;

static STOP: AtomicBool = AtomicBool::new(false);
/// Panics of any thread: a fault in a worker is a fault.
static PANICS: AtomicU64 = AtomicU64::new(0);
static FIRST_PANIC: Mutex<String> = Mutex::new(String::new());
/// Inputs begun and ended.
static BEGUN: AtomicU64 = AtomicU64::new(0);

/// What `cargo xtask fuzz` wants of a target.
pub(crate) enum Order {
    /// One input again.
    Input(PathBuf),
    /// Many.
    Campaign { seconds: Option<u64>, runs: Option<u64>, seed: u64, folder: PathBuf },
}

impl Order {
    /// `None` in a plain test run.
    pub(crate) fn from_environment() -> Option<Self> {
        let variable = |name: &str| std::env::var_os(format!("PANDO_FUZZ_{name}"));
        let number = |name: &str| variable(name)?.to_str()?.parse().ok();
        if let Some(file) = variable("INPUT") {
            return Some(Self::Input(file.into()));
        }
        let (seconds, runs, seed) = (number("SECONDS"), number("RUNS"), number("SEED"));
        let folder = variable("FOLDER")?.into();
        Some(Self::Campaign { seconds, runs, seed: seed.unwrap_or(0), folder })
    }

    pub(crate) fn carry_out(self, target: &Target) {
        match self {
            Self::Input(file) => match std::fs::read(&file) {
                Ok(input) => (target.run)(&input),
                Err(error) => panic!("{}: {error}", file.display()),
            },
            Self::Campaign { seconds, runs, seed, folder } => {
                listen(&folder);
                let found = campaign(target, seconds.map(Duration::from_secs), runs, seed, &folder);
                drop(std::panic::take_hook());
                if let Some(found) = found {
                    eprintln!("{found}");
                    panic!("a fault was found");
                }
            }
        }
    }
}

/// What it found, in words for a person.
fn campaign(
    target: &Target,
    time: Option<Duration>,
    runs: Option<u64>,
    seed: u64,
    folder: &Path,
) -> Option<String> {
    let (start, bar) = (Instant::now(), bar(target.name, runs));
    let mut inputs = Inputs::new(target.seeds, seed);
    let is_over = |number| {
        STOP.load(SeqCst)
            || runs.is_some_and(|runs| number >= runs)
            || time.is_some_and(|time| start.elapsed() >= time)
    };
    let mut number = 0;
    while !is_over(number) {
        let input = inputs.next_input();
        // Kept before it runs: what aborts the process leaves it behind.
        keep(folder, "running", &input);
        if fails(target, &input) {
            bar.finish_and_clear();
            return Some(fault(target, folder, number, seed, input));
        }
        number += 1;
        bar.inc(1);
    }
    bar.finish_and_clear();
    let _ = std::fs::remove_file(folder.join("running")); // a left-over below target/ harms nobody
    let (name, time) = (target.name, start.elapsed().as_secs_f64());
    let rate = number as f64 / time.max(1e-9);
    let end = if STOP.load(SeqCst) { "stopped, nothing found" } else { "nothing found" };
    eprintln!("{name}: {number} inputs in {time:.1} s ({rate:.0}/s), seed {seed}: {end}");
    None
}

fn bar(name: &str, runs: Option<u64>) -> ProgressBar {
    let (bar, template) = match runs {
        Some(runs) => (ProgressBar::new(runs), "{prefix} {wide_bar} {pos}/{len} inputs, {per_sec}"),
        None => {
            (ProgressBar::new_spinner(), "{spinner} {prefix} {elapsed} {pos} inputs, {per_sec}")
        }
    };
    let style = ProgressStyle::with_template(template);
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
    bar.set_prefix(name.to_owned());
    bar
}

fn fails(target: &Target, input: &[u8]) -> bool {
    let before = PANICS.load(SeqCst);
    BEGUN.fetch_add(1, SeqCst);
    let result = std::panic::catch_unwind(|| (target.run)(input));
    BEGUN.fetch_add(1, SeqCst);
    result.is_err() || PANICS.load(SeqCst) != before
}

/// Keeps a faulty input, as small as it can easily be made, and says how to see the fault again.
fn fault(target: &Target, folder: &Path, number: u64, seed: u64, input: Vec<u8>) -> String {
    let what = FIRST_PANIC.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let input = smaller(target, input);
    let hash = input.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let file = keep(folder, &format!("fault-{hash:016x}"), &input);
    format!(
        "{name}: input {number} of seed {seed} finds a fault: {what}\n\
         It is in {file}. Again: cargo xtask fuzz {name} --input {file}",
        name = target.name,
        file = file.display(),
    )
}

/// Takes pieces out as long as the fault stays.
fn smaller(target: &Target, mut input: Vec<u8>) -> Vec<u8> {
    let (mut piece, mut attempts) = (input.len().div_ceil(2), 0);
    while piece > 0 && attempts < ATTEMPTS && !STOP.load(SeqCst) {
        let mut at = 0;
        while at < input.len() && attempts < ATTEMPTS {
            let mut shorter = input.clone();
            shorter.drain(at..(at + piece).min(input.len()));
            attempts += 1;
            if fails(target, &shorter) {
                input = shorter;
            } else {
                at += piece;
            }
        }
        piece /= 2;
    }
    input
}

fn keep(folder: &Path, name: &str, input: &[u8]) -> PathBuf {
    let file = folder.join(name);
    if let Err(error) = std::fs::write(&file, input) {
        panic!("{}: {error}", file.display());
    }
    file
}

/// Ctrl-C ends the campaign after the input that runs, a second one at once; panics are counted and told once; a hang ends all.
fn listen(folder: &Path) {
    let handler = || {
        if STOP.swap(true, SeqCst) {
            std::process::exit(130);
        }
    };
    if let Err(error) = ctrlc::set_handler(handler) {
        eprintln!("Ctrl-C will end this without a summary: {error}");
    }
    std::panic::set_hook(Box::new(|panic| {
        if PANICS.fetch_add(1, SeqCst) == 0 {
            *FIRST_PANIC.lock().unwrap_or_else(PoisonError::into_inner) = panic.to_string();
        }
    }));
    let running = folder.join("running");
    std::thread::spawn(move || {
        let (mut seen, mut since) = (0, Instant::now());
        loop {
            std::thread::sleep(Duration::from_secs(1));
            let now = BEGUN.load(SeqCst);
            if now != seen || now.is_multiple_of(2) {
                (seen, since) = (now, Instant::now());
            } else if since.elapsed() > HANG {
                eprintln!("an input hangs: {}", running.display());
                std::process::exit(1);
            }
        }
    });
}

#[cfg(test)]
mod tests;
