//! The file of a socket that we made: taken over from a dead predecessor, removed at the end.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::uplink::{UplinkError, io_error};

/// Removes the file when dropped, if it is still the same one.
#[derive(Debug)]
pub(super) struct SocketFile {
    path: PathBuf,
    identity: (u64, u64),
}

/// The address of `path`.
pub(super) fn address(path: &Path) -> Result<SocketAddr, UplinkError> {
    SocketAddr::from_pathname(path).map_err(|_| UplinkError::SocketPath(path.into()))
}

/// Binds a socket at `path` by `bind`. A file that nobody listens at (`probe` is refused) is replaced.
pub(super) fn bind<S>(
    path: &Path,
    bind: impl Fn(&Path) -> io::Result<S>,
    probe: impl Fn(&Path) -> io::Result<()>,
) -> Result<(S, SocketFile), UplinkError> {
    address(path)?;
    let failed = || io_error(format!("socket `{}`", path.display()));
    let socket = match bind(path) {
        Err(error) if error.kind() == ErrorKind::AddrInUse => {
            let found = fs::symlink_metadata(path).map_err(failed())?;
            if !found.file_type().is_socket() {
                return Err(UplinkError::NotASocket(path.into()));
            }
            match probe(path) {
                Err(error) if error.kind() == ErrorKind::ConnectionRefused => {}
                _ => return Err(UplinkError::SocketBusy(path.into())),
            }
            fs::remove_file(path).map_err(failed())?;
            bind(path)
        }
        other => other,
    }
    .map_err(failed())?;
    let identity = identity(path).map_err(failed())?;
    Ok((socket, SocketFile { path: path.into(), identity }))
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let found = fs::symlink_metadata(path)?;
    Ok((found.dev(), found.ino()))
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if identity(&self.path).is_ok_and(|found| found == self.identity) {
            let _ = fs::remove_file(&self.path);
        }
    }
}
