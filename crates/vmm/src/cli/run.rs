//! `pando run`: from options to a running machine, and from its end to an exit status.

use std::fs::File;
use std::io::{self, IsTerminal};

use anyhow::{Context, Result};
use pando_vmm::console::output::Output;
use pando_vmm::console::terminal::RawTerminal;
use pando_vmm::kvm;
use pando_vmm::load::Payload;
use pando_vmm::machine::{Config, Ended, InputKind, Machine};
use pando_vmm::platform::{Platform, PollTime};
use pando_vmm::signals;
use pando_vmm::user_error::UserError;
use tracing_subscriber::EnvFilter;

use super::{Run, check};

/// The machine ended otherwise than by the guest's power-off.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotPoweredOff {
    /// See [`Ended::Reset`].
    #[error("the guest {0}, and --on-reset exit ends the machine then")]
    Reset(&'static str),
    /// See [`Ended::Quit`].
    #[error("stopped at the console (Ctrl-A x)")]
    Quit,
    /// See [`Ended::Signal`].
    #[error("stopped by signal {0}")]
    Signal(i32),
}

impl NotPoweredOff {
    pub(super) fn exit_status(&self) -> u8 {
        match self {
            Self::Quit => 1,
            Self::Reset(_) => 3,
            Self::Signal(number) => u8::try_from(128 + number).unwrap_or(1),
        }
    }
}

/// Boots a guest and returns when it has powered off.
pub(super) fn run(run: &Run) -> Result<()> {
    start_logging(run.verbose);
    abort_on_panic();
    signals::block()?;
    let payload = Payload::open(&run.kernel, run.initrd.as_deref(), run.cmdline.as_deref())?;
    if payload.is_linux() {
        kvm::check_for_kernel(&run.kernel)?;
    }
    tracing::info!(command_line = payload.command_line());
    let platform = platform(run)?;
    let (output, stdio) = output(run)?;
    let terminal = stdio.then(RawTerminal::new).transpose().context("making the terminal raw")?;
    let terminal = terminal.flatten();
    let config = Config {
        workers: run.workers.or(platform.machine.workers.map(usize::from)),
        poll: run.poll.or(platform.machine.poll).map(PollTime::duration),
        platform,
        payload,
        output,
        input: match (stdio, &terminal) {
            (false, _) => InputKind::None,
            (true, None) => InputKind::Plain,
            (true, Some(_)) => InputKind::Terminal,
        },
        on_reset: run.on_reset,
        report: run.report.clone(),
    };
    let ended = Machine::new(config)?.run()?;
    drop(terminal);
    match ended {
        Ended::PoweredOff => Ok(()),
        Ended::Reset(how) => Err(NotPoweredOff::Reset(how).into()),
        Ended::Quit => Err(NotPoweredOff::Quit.into()),
        Ended::Signal(number) => Err(NotPoweredOff::Signal(number).into()),
    }
}

/// The platform file's machine or the default one, with what the options say otherwise.
fn platform(run: &Run) -> Result<Platform> {
    let mut platform = match &run.platform {
        Some(file) => check::load(file)?,
        None => Platform::default(),
    };
    platform.machine.cpus = run.cpus.unwrap_or(platform.machine.cpus);
    platform.machine.memory = run.memory.unwrap_or(platform.machine.memory);
    Ok(platform)
}

/// The console's output, and whether standard input belongs to it.
fn output(run: &Run) -> Result<(Output, bool)> {
    match run.serial.to_str() {
        Some("stdio") => Ok((Output::to(io::stdout())?, true)),
        Some("none") => Ok((Output::none(), false)),
        _ => {
            let file = File::create(&run.serial);
            let file = file.map_err(UserError::file("serial output file", &run.serial))?;
            Ok((Output::to(file)?, false))
        }
    }
}

fn start_logging(verbose: u8) {
    let level = match verbose {
        0 => "warn",
        1 => "info",
        _ => "debug",
    };
    let filter = EnvFilter::try_from_env("PANDO_LOG").unwrap_or_else(|_| EnvFilter::new(level));
    let colour = io::stderr().is_terminal();
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    log.with_ansi(colour).with_target(false).without_time().init();
}

/// A thread that panics leaves a machine that can neither go on nor end.
fn abort_on_panic() {
    let previous = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        previous(info);
        pando_vmm::console::terminal::restore();
        std::process::abort();
    }));
}
