//! The sockets between this process and QEMU's virtio-serial ports: they carry the job's bytes unchanged.

use std::fs::{self, File};
use std::io::{self, Write};
use std::net::Shutdown;
use std::os::fd::AsRawFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, Result};

/// A socket that QEMU will connect to, named like its port.
pub(super) struct Port {
    listener: UnixListener,
    name: &'static str,
}

impl Port {
    /// Listens in `folder`. The path is taken through /proc, since a socket's path must be short.
    pub(super) fn listen(folder: &Path, name: &'static str) -> Result<Self> {
        let dir = File::open(folder)?;
        let path = format!("/proc/self/fd/{}/{name}", dir.as_raw_fd());
        let _ = fs::remove_file(&path); // of a killed run with the same process id
        let listener = UnixListener::bind(path)
            .with_context(|| format!("cannot make the socket of {name}"))?;
        listener.set_nonblocking(true)?;
        Ok(Self { listener, name })
    }

    /// QEMU's options for the port. It runs in the folder, so the path is the bare name.
    pub(super) fn options(&self) -> [String; 4] {
        let name = self.name;
        [
            "-chardev".into(),
            format!("socket,id={name},path={name}"),
            "-device".into(),
            format!("virtserialport,chardev={name},name={name}"),
        ]
    }

    /// QEMU's connection, if there is one; otherwise waits a little.
    pub(super) fn accept(&self, pause: Duration) -> Result<Option<UnixStream>> {
        match self.listener.accept() {
            Ok((stream, _)) => Ok(Some(stream)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                thread::sleep(pause);
                Ok(None)
            }
            Err(error) => Err(error).with_context(|| format!("no connection for {}", self.name)),
        }
    }
}

/// Copies what the job writes until it ends. When nobody takes it any more, `control` is closed, which ends the machine.
pub(super) fn drain(
    mut from: UnixStream,
    mut to: Box<dyn Write + Send>,
    control: &UnixStream,
) -> io::Result<JoinHandle<io::Result<()>>> {
    let control = control.try_clone()?;
    Ok(thread::spawn(move || {
        let result = io::copy(&mut from, &mut to).and_then(|_| to.flush());
        if result.is_err() {
            let _ = control.shutdown(Shutdown::Both); // fails if the machine is gone
        }
        result
    }))
}

/// Copies this process's stdin, or nothing, to the job and then ends its input. The thread ends with the input or with
/// the process.
///
/// The socket itself stays open: QEMU throws unread input away when it sees it closed.
pub(super) fn feed(to: &UnixStream, with_stdin: bool) -> Result<()> {
    if !with_stdin {
        return to.shutdown(Shutdown::Write).context("cannot end the job's input");
    }
    let mut to = to.try_clone()?;
    thread::spawn(move || {
        let _ = io::copy(&mut io::stdin().lock(), &mut to); // a job that ended reads no more
        let _ = to.shutdown(Shutdown::Write);
    });
    Ok(())
}
