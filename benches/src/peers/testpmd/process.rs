//! The process of a peer: started in a folder of its own, ended on every way out, asked for its last words.

use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};

use super::PATIENCE;

/// The file that it writes to.
const OUTPUT: &str = "output";

/// Lines of its output that an error shows.
const TAIL: usize = 15;

/// A process, which ends with this.
pub(super) struct Process {
    child: Child,
    /// The folder of its sockets and its output.
    folder: PathBuf,
}

/// A command to be completed by program and arguments: killed when this process ends, and without a real-time priority. With one,
/// DPDK's main thread waits in a loop for threads that never get their turn.
pub(super) fn command() -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--", "chrt", "--other", "0"]);
    command
}

impl Process {
    /// Starts it in this folder. Nobody writes to its input, but it is open.
    pub(super) fn start(mut command: Command, folder: &Path) -> Result<Self> {
        let output = File::create(folder.join(OUTPUT)).context("cannot keep testpmd's output")?;
        command.current_dir(folder).stdin(Stdio::piped());
        command.stdout(output.try_clone()?).stderr(output);
        let child = command.spawn().context("cannot run setpriv of Debian's package util-linux")?;
        Ok(Self { child, folder: folder.to_owned() })
    }

    /// Connects to a socket of its as soon as it is there. A long path is no path of a socket, so this goes through /proc.
    pub(super) fn connect(&mut self, name: &str) -> Result<UnixStream> {
        let folder = File::open(&self.folder)?;
        let path = format!("/proc/self/fd/{}/{name}", folder.as_raw_fd());
        let start = Instant::now();
        loop {
            let error = match UnixStream::connect(&path) {
                Ok(stream) => {
                    stream.set_read_timeout(Some(PATIENCE))?;
                    return Ok(stream);
                }
                Err(error) => error,
            };
            let ended = self.child.try_wait().context("cannot ask for testpmd's state")?;
            ensure!(ended.is_none(), "testpmd ended while it started");
            ensure!(
                start.elapsed() < PATIENCE,
                "testpmd has not come up within {PATIENCE:?}: its socket {name} does not answer ({error})"
            );
            sleep(Duration::from_millis(20));
        }
    }

    /// Gives the threads of this name the priority that this process has.
    pub(super) fn take_our_priority(&self, name: &str) -> Result<()> {
        let own = fs::read_to_string("/proc/self/stat").context("no /proc/self/stat")?;
        let Some(priority) = real_time_priority(&own) else { return Ok(()) };
        let tasks = fs::read_dir(format!("/proc/{}/task", self.child.id()))?;
        for task in tasks.flatten() {
            if fs::read_to_string(task.path().join("comm"))?.starts_with(name) {
                let mut chrt = Command::new("chrt");
                chrt.args(["--fifo", "--pid", &priority.to_string()]).arg(task.file_name());
                let status = chrt.status().context("cannot run chrt of util-linux")?;
                ensure!(status.success(), "cannot give testpmd a real-time priority");
            }
        }
        Ok(())
    }

    /// Lets it go on.
    pub(super) fn resume(&self) -> Result<()> {
        kill_process(Pid::from_child(&self.child), Signal::CONT).context("cannot signal testpmd")
    }

    /// Stops it, and waits until all its threads stand: the signal is heard by one that may have to wait for its turn.
    pub(super) fn stop(&self) -> Result<()> {
        let id = Pid::from_child(&self.child);
        kill_process(id, Signal::STOP).context("cannot signal testpmd")?;
        let either = WaitIdOptions::STOPPED | WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        waitid(WaitId::Pid(id), either).map(drop).context("cannot wait for testpmd")
    }

    /// The error, with what it said last.
    pub(super) fn explain(&self, error: anyhow::Error) -> anyhow::Error {
        let said = fs::read(self.folder.join(OUTPUT)).unwrap_or_default();
        let said = String::from_utf8_lossy(&said);
        let lines: Vec<_> = said.lines().collect();
        let last = lines[lines.len().saturating_sub(TAIL)..].join("\n");
        anyhow!("{error:#}; the last that testpmd said:\n{last}")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill(); // it may have ended by itself
        let _ = self.child.wait();
    }
}

/// Field 40 (rt_priority) of a stat line if it isn't zero (proc(5)); the name in field 2 may hold blanks.
fn real_time_priority(stat: &str) -> Option<u32> {
    let priority = stat.rsplit_once(')')?.1.split_whitespace().nth(40 - 3)?.parse().ok()?;
    (priority > 0).then_some(priority)
}

#[cfg(test)]
mod tests {
    use super::real_time_priority;

    #[test]
    fn a_priority_of_zero_is_none() {
        let rest: Vec<_> = (3..=52).map(|field| field.to_string()).collect();
        let stat = format!("1 (a b) c) {}", rest.join(" "));
        assert_eq!(real_time_priority(&stat), Some(40));
        assert_eq!(real_time_priority(&stat.replace(" 40 ", " 0 ")), None);
    }
}
