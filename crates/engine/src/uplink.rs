//! Uplinks: the card's cable, ended on the host. Each gives per queue a [`Transmit`] (frames from outside), a [`Receive`] (frames to
//! the outside) and a descriptor that is readable when there is something to fetch.
//!
//! What is outside is not trusted and never waited for: a frame it can't take now is dropped and counted. Left out: vhost, AF_XDP.

mod arena;
mod carrier;
mod loopback;
mod recorder;
mod socket;
mod tap;
#[cfg(test)]
pub(crate) mod testing;

use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;

use serde::Serialize;

use crate::{Counter, Receive, Transmit};
pub(crate) use arena::Arena;
pub use carrier::Carrier;
pub use recorder::recorder;
pub use socket::SocketConfig;

/// What is at the far end of the cable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UplinkConfig {
    /// A tap device of this name; made, brought up and removed again by us if there is none.
    Tap(String),
    /// A mirror that answers pings and echoes UDP and TCP, for tests without a peer.
    Loopback,
    /// An AF_UNIX socket, to another Pando or to QEMU.
    Socket(SocketConfig),
}

/// An open uplink.
pub struct Uplink {
    /// Its queues, at least one.
    pub queues: Vec<UplinkQueue>,
    /// Whether there is anybody at the other end.
    pub carrier: Arc<Carrier>,
    /// What passed, over all queues.
    pub counters: Arc<UplinkCounters>,
}

/// One queue of an uplink. All halves of all queues may be used by different threads.
pub struct UplinkQueue {
    /// Frames from outside.
    pub transmit: Box<dyn Transmit>,
    /// Frames to the outside. It always takes all it is given.
    pub receive: Box<dyn Receive>,
    /// Readable when `transmit` has something to fetch or something else to do in a fetch. Poll it; never read from it.
    pub readable: OwnedFd,
}

/// What passed through an uplink.
#[derive(Debug, Default, Serialize)]
pub struct UplinkCounters {
    /// Frames from outside.
    pub in_frames: Counter,
    /// Bytes of those.
    pub in_bytes: Counter,
    /// Frames to the outside.
    pub out_frames: Counter,
    /// Bytes of those.
    pub out_bytes: Counter,
    /// From outside: shorter than an Ethernet header.
    pub in_dropped_runt: Counter,
    /// From outside: longer than [`MAX_FRAME`](crate::MAX_FRAME).
    pub in_dropped_oversize: Counter,
    /// From outside: its offload metadata makes no sense.
    pub in_dropped_header: Counter,
    /// To the outside: it takes no more at the moment.
    pub out_dropped_full: Counter,
    /// To the outside: nobody is there, or the interface is down.
    pub out_dropped_down: Counter,
    /// To the outside: refused, as too long or for its metadata.
    pub out_dropped_refused: Counter,
}

/// Why an uplink can't be opened, and what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum UplinkError {
    /// A name the kernel would not take.
    #[error(
        "`{0}` can't be a tap's name: it needs 1 to 15 characters, none of them `/`, `:`, `%` or blank"
    )]
    TapName(String),
    /// The tun driver isn't there.
    #[error("there is no /dev/net/tun: load the driver with `modprobe tun`")]
    NoTun,
    /// Neither the tap's owner nor an administrator.
    #[error(
        "no permission to open tap `{0}`: make it beforehand with `sudo ip tuntap add dev {0} mode tap user $USER && \
         sudo ip link set {0} up`, or run with CAP_NET_ADMIN"
    )]
    TapPermission(String),
    /// The device file itself can't be opened.
    #[error(
        "no permission to open /dev/net/tun: `sudo chmod 0666 /dev/net/tun` (what udev sets up), or run as root"
    )]
    TunPermission,
    /// Somebody else has it open.
    #[error("tap `{0}` is in use by another program")]
    TapBusy(String),
    /// There is an interface of that name that can't be opened so.
    #[error(
        "`{name}` exists, but is no tap that can be opened with {queues} queue(s): remove it with `ip link del {name}`, \
         choose another name, or make it with `ip tuntap add dev {name} mode tap{}`", if *.queues > 1 { " multi_queue" } else { "" }
    )]
    TapKind {
        /// The interface.
        name: String,
        /// Queues asked for.
        queues: u16,
    },
    /// A socket whose path doesn't fit into an address.
    #[error("the path of socket `{0}` is too long or has a zero byte in it: at most 107 bytes fit")]
    SocketPath(PathBuf),
    /// Another program listens there.
    #[error("socket `{0}` is in use by another program")]
    SocketBusy(PathBuf),
    /// There is a file that is no socket.
    #[error("`{0}` exists and is not a socket: remove it or choose another path")]
    NotASocket(PathBuf),
    /// A datagram socket without an address.
    #[error("a datagram socket needs a local path, a remote path, or both")]
    NoAddress,
    /// Anything else.
    #[error("can't open {what}: {source}")]
    Io {
        /// What was to be opened.
        what: String,
        /// What the system said.
        source: io::Error,
    },
}

impl UplinkConfig {
    /// Opens the uplink with up to `queues` queues. Only a tap has more than one.
    pub fn open(&self, queues: u16) -> Result<Uplink, UplinkError> {
        match self {
            Self::Tap(name) => tap::open(name, queues.max(1)),
            Self::Loopback => loopback::open(),
            Self::Socket(config) => socket::open(config),
        }
    }
}

/// Turns a system error into an [`UplinkError`].
pub(crate) fn io_error<E: Into<io::Error>>(
    what: impl Into<String>,
) -> impl FnOnce(E) -> UplinkError {
    let what = what.into();
    move |source| UplinkError::Io { what, source: source.into() }
}
