//! Signals that end the machine in an orderly way, or ask for its report, as events of the loop.
//!
//! On a raw terminal Ctrl-C is the guest's key; then SIGINT comes only from `kill`.

use std::io;
use std::sync::Arc;

use anyhow::{Context, Result};
use event_manager::{EventOps, EventSet, Events, MutEventSubscriber};
use vmm_sys_util::signal::{Error as SignalError, block_signal, create_sigset};

use crate::control::{Control, Request};
use crate::machine::reports::Reports;

/// Asks for the report.
const REPORT: i32 = libc::SIGUSR1;

const TAKEN: [i32; 5] = [libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGQUIT, REPORT];

/// The pending signals, as something readable.
pub struct Signals {
    fd: std::fs::File,
    control: Arc<Control>,
    reports: Arc<Reports>,
}

impl Signals {
    /// Takes the signals over; [`block`] has to come first.
    pub fn new(control: Arc<Control>, reports: Arc<Reports>) -> Result<Self> {
        let fd = signal_fd().context("creating a signalfd")?;
        Ok(Self { fd, control, reports })
    }
}

/// Keeps the signals from ending the process. Call it before any thread starts: threads inherit what is blocked.
pub fn block() -> Result<()> {
    TAKEN.into_iter().try_for_each(block_one)
}

fn block_one(signal: i32) -> Result<()> {
    match block_signal(signal) {
        Ok(()) | Err(SignalError::SignalAlreadyBlocked(_)) => Ok(()),
        Err(error) => anyhow::bail!("blocking signal {signal}: {error:?}"),
    }
}

#[expect(unsafe_code, reason = "signalfd has no safe wrapper in the crates we use")]
fn signal_fd() -> io::Result<std::fs::File> {
    use std::os::fd::FromRawFd;
    let set = create_sigset(&TAKEN).map_err(io::Error::from)?;
    // SAFETY: the set is initialised; -1 asks for a new descriptor, which is ours alone.
    unsafe {
        match libc::signalfd(-1, &set, libc::SFD_NONBLOCK | libc::SFD_CLOEXEC) {
            -1 => Err(io::Error::last_os_error()),
            fd => Ok(std::fs::File::from_raw_fd(fd)),
        }
    }
}

impl MutEventSubscriber for Signals {
    fn process(&mut self, _: Events, _: &mut EventOps) {
        // The first word of a signalfd_siginfo is the signal's number.
        let mut info = [0; size_of::<libc::signalfd_siginfo>()];
        while io::Read::read_exact(&mut self.fd, &mut info).is_ok() {
            let number = i32::from_le_bytes([info[0], info[1], info[2], info[3]]);
            match number {
                REPORT => self.reports.write_or_warn(),
                _ => self.control.request(Request::Signal(number)),
            }
        }
    }

    fn init(&mut self, ops: &mut EventOps) {
        if let Err(error) = ops.add(Events::new(&self.fd, EventSet::IN)) {
            tracing::error!(%error, "signals won't end the machine");
        }
    }
}
