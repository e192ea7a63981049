//! The socket uplink: frames over an AF_UNIX socket, finished, as QEMU's `-netdev stream` and `-netdev dgram` put them there: a
//! datagram each, or in a stream each after its length (4 bytes, big-endian).
//!
//! The peer isn't trusted: what it sends is bounded before use, and it can neither stall nor flood anybody. Left out: TCP and UDP
//! sockets, file descriptors passed in.

mod datagram;
mod file;
mod framing;
mod stream;

use std::path::PathBuf;

use super::{Uplink, UplinkError};

/// Where the socket is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SocketConfig {
    /// A stream: waits at the path for one peer at a time.
    Listen(PathBuf),
    /// A stream: connects to a peer that listens at the path, again and again until it is there.
    Connect(PathBuf),
    /// Datagrams. The system queues only `net.unix.max_dgram_qlen` of them, often 10, and a burst beyond that is dropped: a stream
    /// carries more.
    Datagram {
        /// Where this end receives; `None`: a name that only the peer learns.
        local: Option<PathBuf>,
        /// Where the peer receives; `None`: wherever the last datagram came from.
        remote: Option<PathBuf>,
    },
}

pub(super) fn open(config: &SocketConfig) -> Result<Uplink, UplinkError> {
    match config {
        SocketConfig::Listen(path) => stream::listen(path),
        SocketConfig::Connect(path) => stream::connect(path),
        SocketConfig::Datagram { local, remote } => {
            datagram::open(local.as_deref(), remote.as_deref())
        }
    }
}

#[cfg(test)]
mod tests;
