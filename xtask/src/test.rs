//! `cargo xtask test`: unit tests, then guest tests on each wanted kernel, added up in one line.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read, Write, stderr, stdout};
use std::process::{Command, ExitCode, Stdio};
use std::sync::mpsc::{Sender, channel};

use anyhow::{Context, Result, ensure};
use guest_tests::suite;

use self::counts::Counts;
use crate::cli;
use crate::host::{self, Way};
use crate::kernels::{self, Series};
use crate::{build, dpdk, endpoint_test, initramfs, packages, paths, ui};

mod counts;
mod machines;

/// Runs what the options ask for.
pub(crate) fn run(options: &cli::Test) -> Result<ExitCode> {
    let mut counts = Counts::default();
    if !options.guest_only {
        counts += unit_tests(options.filter.as_deref())?;
    }
    if !options.unit_only {
        counts += guest_tests(options)?;
    }
    let filter = options.filter.as_deref().unwrap_or_default();
    ensure!(counts.total() + counts.skipped > 0, "no test's name contains '{filter}'");
    println!("\n{counts}");
    Ok(if counts.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn unit_tests(filter: Option<&str>) -> Result<Counts> {
    let nextest = Command::new("cargo")
        .args(["nextest", "--version"])
        .output()
        .is_ok_and(|o| o.status.success());
    if !nextest {
        ui::say("unit tests, by cargo test");
        return cargo(&["test", "--workspace", "--no-fail-fast"], filter);
    }
    ui::say("unit tests, by cargo nextest");
    let mut counts =
        cargo(&["nextest", "run", "--workspace", "--no-fail-fast", "--no-tests=pass"], filter)?;
    counts += cargo(&["test", "--workspace", "--doc", "--no-fail-fast"], filter)?;
    Ok(counts)
}

/// Runs cargo, shows what it says, and counts by its result lines.
fn cargo(arguments: &[&str], filter: Option<&str>) -> Result<Counts> {
    let mut command = Command::new("cargo");
    command.args(arguments).args(filter).current_dir(paths::root());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().context("cannot run cargo")?;
    let (sender, lines) = channel();
    pass_on(child.stdout.take(), stdout(), sender.clone());
    pass_on(child.stderr.take(), stderr(), sender);
    let mut counts = Counts::default();
    for line in lines {
        counts += Counts::of_line(&line).unwrap_or_default();
    }
    let status = child.wait()?;
    ensure!(
        status.success() || counts.failed > 0,
        "cargo {} failed before any test did",
        arguments.join(" ")
    );
    Ok(counts)
}

/// Copies a stream of lines, and hands each to `sender`.
fn pass_on(
    from: Option<impl Read + Send + 'static>,
    mut to: impl Write + Send + 'static,
    sender: Sender<String>,
) {
    let lines = from.map(BufReader::new).into_iter().flat_map(BufRead::lines);
    let mut lines: Box<dyn Iterator<Item = std::io::Result<String>> + Send> = Box::new(lines);
    std::thread::spawn(move || {
        for line in lines.by_ref().map_while(Result::ok) {
            let _ = writeln!(to, "{line}"); // a closed terminal is no reason to stop counting
            let _ = sender.send(line);
        }
    });
}

fn guest_tests(options: &cli::Test) -> Result<Counts> {
    build::guest_tests()?;
    if list(options.filter.as_deref())?.is_empty() {
        return Ok(Counts::default());
    }
    build::release_pando()?;
    packages::ensure(packages::GUEST)?;
    let way = Way::choose();
    let mut counts = Counts::default();
    if way == Way::Nested && host::kvm_opens() {
        let mut command = guest_command(options, Series::Stable, "this machine's /dev/kvm")?;
        command.push("--payloads-only".into());
        counts += run_directly(&command)?;
    }
    for series in options.kernels.list() {
        let command = guest_command(options, *series, &format!("kernel {}", series.name()))?;
        let run = match way {
            Way::Direct => run_directly(&command)?,
            Way::Nested => machines::run(&command)?,
        };
        counts += run;
    }
    Ok(counts)
}

/// The names of the guest tests that a filter leaves.
fn list(filter: Option<&str>) -> Result<String> {
    let mut runner = Command::new(build::debug("guest-tests"));
    let output = runner
        .args(["--list", "--kernel", "none"])
        .args(filter)
        .output()
        .context("cannot list the guest tests")?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn guest_command(options: &cli::Test, series: Series, label: &str) -> Result<Vec<OsString>> {
    let kernel = kernels::get(series, false)?;
    let mut command: Vec<OsString> = vec![build::debug("guest-tests").into(), "--pando".into()];
    command.extend([build::pando().into(), "--kernel".into(), kernel.image().into()]);
    let filter = options.filter.as_deref().unwrap_or_default();
    let tests: Vec<_> =
        suite::tests().into_iter().filter(|test| test.name.contains(filter)).collect();
    let wanted = |archive: &str| tests.iter().any(|test| test.needs(archive));
    if wanted("dpdk") {
        command.extend(["--archive".into(), "dpdk".into(), dpdk::archive()?.into()]);
    }
    if wanted(endpoint_test::NAME) {
        let (option, value): (&str, OsString) = match endpoint_test::archive(series, &kernel)? {
            Ok(file) => ("--archive", file.into()),
            Err(reason) => ("--without", reason.into()),
        };
        command.extend([option.into(), endpoint_test::NAME.into(), value]);
    }
    for archive in [initramfs::tools()?, kernel.guest_modules()] {
        command.extend(["--initrd".into(), archive.into()]);
    }
    command.extend(["--label".into(), label.into()]);
    command.extend(options.verbose.then(|| "--verbose".into()));
    command.extend(options.filter.as_ref().map(OsString::from));
    Ok(command)
}

fn run_directly(command: &[OsString]) -> Result<Counts> {
    let (program, arguments) = command.split_first().context("an empty command")?;
    let mut child = Command::new(program).args(arguments).stdout(Stdio::piped()).spawn()?;
    let (sender, lines) = channel();
    pass_on(child.stdout.take(), stdout(), sender);
    let counts = guest_counts(lines);
    child.wait()?;
    Ok(counts)
}

/// A run that tells no result has failed, whatever it said before.
fn guest_counts(lines: impl IntoIterator<Item = String>) -> Counts {
    let found = lines
        .into_iter()
        .filter_map(|line| Counts::of_line(&line))
        .reduce(|one, other| one + other);
    found.unwrap_or_else(Counts::without_result)
}
