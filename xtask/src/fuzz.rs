//! `cargo xtask fuzz`: the targets among the crates' tests (see `fuzz/`), each with as many inputs as wanted.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use anyhow::{Context, Result, ensure};

use crate::cli::{self, FuzzTarget};
use crate::{paths, ui};

/// Seconds for each target unless the options say otherwise.
const SECONDS: u64 = 60;

impl FuzzTarget {
    const ALL: [Self; 4] = [Self::Vtd, Self::Fabric, Self::Ixgbe, Self::VirtioNet];

    /// Its name, the package it is about, and the test that it is.
    fn place(self) -> [&'static str; 3] {
        match self {
            Self::Vtd => ["vtd", "pando-vtd", "unit::tests::fuzz::target"],
            Self::Fabric => ["fabric", "pando-fabric", "tests::fuzz::target"],
            Self::Ixgbe => ["ixgbe", "pando-ixgbe", "card::tests::fuzz::target"],
            Self::VirtioNet => ["virtio-net", "pando-virtio-net", "function::tests::fuzz::target"],
        }
    }
}

/// Runs what the options ask for; fails at the first fault.
pub(crate) fn run(options: &cli::Fuzz) -> Result<ExitCode> {
    // Ctrl-C is for the target, which ends with a summary; then this ends too.
    let stopped = Arc::new(AtomicBool::new(false));
    let stop = stopped.clone();
    ctrlc::set_handler(move || stop.store(true, SeqCst)).context("cannot take Ctrl-C over")?;
    let targets = options.target.as_ref().map_or(&FuzzTarget::ALL[..], std::slice::from_ref);
    let built = targets.iter().map(|target| build(*target)).collect::<Result<Vec<_>>>()?;
    for (target, program) in targets.iter().zip(built) {
        if stopped.load(SeqCst) {
            break;
        }
        if !one(*target, &program, options)? {
            return Ok(ExitCode::FAILURE);
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Builds the target's test program, optimised but with every check.
fn build(target: FuzzTarget) -> Result<PathBuf> {
    let [name, package, _] = target.place();
    let step = ui::Step::start(format!("building {name}"));
    let mut cargo = Command::new("cargo");
    cargo.args(["test", "--profile", "fuzz", "--lib", "--no-run", "--package", package]);
    cargo.args(["--message-format", "json"]).current_dir(paths::root());
    let output = step.run(&mut cargo)?;
    step.done();
    let messages = output.lines().filter_map(|line| serde_json::from_str(line).ok());
    let program = messages
        .filter(|message: &serde_json::Value| message["profile"]["test"] == true)
        .find_map(|message| message["executable"].as_str().map(PathBuf::from));
    program.with_context(|| format!("cargo built no test program of {package}"))
}

/// Whether it found nothing.
fn one(target: FuzzTarget, program: &Path, options: &cli::Fuzz) -> Result<bool> {
    let [name, _, test] = target.place();
    let folder = paths::target().join("fuzz").join(name);
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("cannot make {}", folder.display()))?;
    let mut command = Command::new(program);
    command.args([test, "--exact", "--nocapture", "--quiet", "--test-threads", "1"]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).env("PANDO_FUZZ_FOLDER", folder);
    if let Some(input) = &options.input {
        ensure!(input.is_file(), "no file {}", input.display());
        command.env("PANDO_FUZZ_INPUT", input).env("RUST_BACKTRACE", "1");
    }
    if let Some(runs) = options.runs {
        command.env("PANDO_FUZZ_RUNS", runs.to_string());
    }
    if options.runs.is_none() || options.seconds.is_some() {
        command.env("PANDO_FUZZ_SECONDS", options.seconds.unwrap_or(SECONDS).to_string());
    }
    command.env("PANDO_FUZZ_SEED", options.seed.to_string());
    let status = command.status().with_context(|| format!("cannot run {}", program.display()))?;
    if options.input.is_some() && status.success() {
        ui::say("no fault with this input");
    }
    Ok(status.success())
}
