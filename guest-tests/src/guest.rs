//! A running guest: its console line by line, its input, its checks, its end.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, kill_process};

pub use rustix::process::Signal;

use crate::wire::{self, Event};

/// From a guest's start to its first report; on a busy host with an emulated CPU it takes half a minute.
const BOOT: Duration = Duration::from_secs(180);

/// How long a VMM that was asked to end may take.
const FAREWELL: Duration = Duration::from_secs(5);

/// A guest and what it has said so far. It is killed when this is dropped.
#[derive(Debug)]
pub struct Guest {
    vmm: Child,
    input: Option<ChildStdin>,
    lines: Receiver<(Source, String)>,
    deadline: Instant,
    boot: Instant,
    console: Vec<String>,
    errors: Vec<String>,
    events: Vec<Event>,
    seen: usize,
    watch: Option<Watch>,
}

/// A function that is shown each report as it arrives, with the name of the guest's test.
pub type Watch = (String, fn(&str, &Event));

#[derive(Clone, Copy, Debug)]
enum Source {
    Console,
    Errors,
}

impl Guest {
    /// Starts a guest that must be through within `limit`.
    ///
    /// # Errors
    /// When the command cannot be started.
    pub fn spawn(command: &mut Command, limit: Duration) -> Result<Self> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let program = command.get_program().to_string_lossy().into_owned();
        let mut vmm = command.spawn().with_context(|| format!("cannot start {program}"))?;
        let (sender, lines) = channel();
        let pipes: [(Source, Option<Box<dyn Read + Send>>); 2] = [
            (Source::Console, vmm.stdout.take().map(|pipe| Box::new(pipe) as _)),
            (Source::Errors, vmm.stderr.take().map(|pipe| Box::new(pipe) as _)),
        ];
        for (source, pipe) in pipes {
            let sender = sender.clone();
            let reader = BufReader::new(pipe.context("a pipe is missing")?);
            thread::spawn(move || {
                for line in reader.split(b'\n').map_while(Result::ok) {
                    let line = String::from_utf8_lossy(&line).trim_end_matches('\r').to_owned();
                    if sender.send((source, line)).is_err() {
                        break;
                    }
                }
            });
        }
        let input = vmm.stdin.take();
        let start = Instant::now();
        let (deadline, boot) = (start + limit, start + BOOT.min(limit));
        let (console, errors, events) = Default::default();
        Ok(Self {
            vmm,
            input,
            lines,
            deadline,
            boot,
            console,
            errors,
            events,
            seen: 0,
            watch: None,
        })
    }

    /// Shows reports to this function from now on.
    pub fn watch(&mut self, watch: Watch) {
        self.watch = Some(watch);
    }

    /// Waits until the console shows a line with this text, and returns the line.
    ///
    /// # Errors
    /// When the guest ends or the time is up before.
    pub fn wait_line(&mut self, text: &str) -> Result<String> {
        loop {
            while let Some(line) = self.console.get(self.seen) {
                self.seen += 1;
                if line.contains(text) {
                    return Ok(line.clone());
                }
            }
            ensure!(self.read_line()?, "the guest ended without saying '{text}'");
        }
    }

    /// Waits until the script is at `await_host WORD`. [`Guest::proceed`] lets it go on.
    ///
    /// # Errors
    /// When the guest ends or the time is up before.
    pub fn wait_for(&mut self, word: &str) -> Result<()> {
        self.wait_line(&format!("PANDO:await:{word}")).map(drop)
    }

    /// Lets a script go on that waits for the host.
    ///
    /// # Errors
    /// When the guest takes no input.
    pub fn proceed(&mut self) -> Result<()> {
        self.send("\n")
    }

    /// Types this on the guest's console.
    ///
    /// # Errors
    /// When the guest takes no input.
    pub fn send(&mut self, text: &str) -> Result<()> {
        let input = self.input.as_mut().context("the guest's input is closed")?;
        input
            .write_all(text.as_bytes())
            .and_then(|()| input.flush())
            .context("the guest takes no input")
    }

    /// Closes the guest's input.
    pub fn close_input(&mut self) {
        self.input = None;
    }

    /// Sends the VMM a signal.
    ///
    /// # Errors
    /// When the VMM is gone.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        let id = Pid::from_child(&self.vmm);
        kill_process(id, signal).context("cannot signal the VMM")
    }

    /// The VMM's process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.vmm.id()
    }

    /// Waits for the VMM's end.
    ///
    /// # Errors
    /// When the time is up before.
    pub fn finish(&mut self) -> Result<ExitStatus> {
        while self.read_line()? {}
        self.vmm.wait().context("cannot wait for the VMM")
    }

    /// Asks the VMM of a hanging guest to end, for what it says of the guest's processors then.
    pub fn dismiss(&mut self) {
        self.deadline = Instant::now() + FAREWELL;
        self.boot = self.deadline;
        if self.signal(Signal::TERM).is_ok() {
            while self.read_line().unwrap_or(false) {}
        }
    }

    /// What the guest reported so far.
    #[must_use]
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// The console's lines so far.
    #[must_use]
    pub fn console(&self) -> &[String] {
        &self.console
    }

    /// The VMM's own messages so far.
    #[must_use]
    pub fn errors(&self) -> &[String] {
        &self.errors
    }

    /// Takes in one line; false when there will be none any more.
    fn read_line(&mut self) -> Result<bool> {
        let is_up = !self.events.is_empty();
        let deadline = if is_up { self.deadline } else { self.boot };
        match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok((Source::Console, line)) => {
                if let Some(event) = wire::parse(&line) {
                    if let Some((name, show)) = &self.watch {
                        show(name, &event);
                    }
                    self.events.push(event);
                }
                self.console.push(line);
            }
            Ok((Source::Errors, line)) => self.errors.push(line),
            Err(RecvTimeoutError::Disconnected) => return Ok(false),
            Err(RecvTimeoutError::Timeout) if is_up => bail!("the time is up"),
            Err(RecvTimeoutError::Timeout) => bail!("the time is up, and the guest is not"),
        }
        Ok(true)
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let _ = self.vmm.kill(); // it may have ended by itself
        let _ = self.vmm.wait();
    }
}

#[cfg(test)]
mod tests;
