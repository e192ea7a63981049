//! A network card of a platform, with its functions and its uplink.

use std::fmt;
use std::path::PathBuf;

use serde::{Serialize, Serializer};

use super::acs::AcsServices;
use super::mac::MacAddress;
use super::model::NicModel;
use super::value::{Delay, DeviceFunction, Id, Speed};

/// A network card: one physical function and the virtual functions it can have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Nic {
    /// Its name.
    pub id: Id,
    /// Where its physical function is: on its port's bus (device number 0), or on bus 0.
    pub position: DeviceFunction,
    /// What it is.
    pub model: NicModel,
    /// The ACS capability of its functions; `None` means that they have no such capability.
    pub acs: Option<AcsServices>,
    /// The physical function's address.
    pub mac: MacAddress,
    /// What each virtual function has, from 0; as many as TotalVFs, none without an SR-IOV capability.
    pub vfs: Vec<Vf>,
    /// Queue pairs of the physical function.
    pub queues: u16,
    /// Queue pairs of each virtual function.
    pub vf_queues: u16,
    /// Queue pairs of the whole card; the functions' pairs together are at most that.
    pub queue_budget: u16,
    /// Whether drivers may have packed rings.
    pub packed_rings: bool,
    /// The largest packet in bytes, without the Ethernet header.
    pub mtu: u16,
    /// The link speed it reports.
    pub speed: Speed,
    /// Where its network port leads; `None` is a port without a cable.
    pub uplink: Option<Uplink>,
}

/// A virtual function.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Vf {
    /// Its address.
    pub mac: MacAddress,
}

/// Where a card's network port leads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Uplink {
    /// The other end.
    pub kind: UplinkKind,
    /// What goes wrong on the way; `None` when nothing does.
    pub faults: Option<Faults>,
}

/// The other end of an uplink.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum UplinkKind {
    /// A mirror: what is sent to a peer comes back as if from that peer.
    Loopback,
    /// A tap interface of the host.
    Tap {
        /// Its name.
        name: String,
        /// Its queues, 1 to 16.
        queues: u16,
    },
    /// A UNIX socket.
    Socket {
        /// Its path.
        path: PathBuf,
        /// What kind of socket it is.
        kind: SocketKind,
        /// Whether Pando creates it; otherwise it connects to it.
        listen: bool,
    },
    /// A capture file that takes what is sent out; nothing comes in.
    Pcap {
        /// Its path.
        file: PathBuf,
    },
    /// A wire inside the machine that several cards are on: their functions reach each other as those of one card do.
    Segment {
        /// Its name.
        name: Id,
    },
}

/// How frames travel on a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SocketKind {
    /// One after the other, each behind its length.
    Stream,
    /// One frame, one datagram.
    Datagram,
}

/// What goes wrong on an uplink: shares of the frames, in parts per million.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Faults {
    /// Frames that are lost.
    pub drop: u32,
    /// Frames that arrive twice.
    pub duplicate: u32,
    /// Frames in which one bit is flipped.
    pub corrupt: u32,
    /// Frames that arrive late.
    pub delay: u32,
    /// How late those are.
    pub delay_by: Delay,
    /// The same seed makes the same faults.
    pub seed: u64,
}

/// A recording of every frame at one port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Capture {
    /// The card.
    pub nic: Id,
    /// Which of its ports.
    pub port: CapturePort,
    /// The pcapng file.
    pub file: PathBuf,
}

/// A port of a card's embedded switch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CapturePort {
    /// The physical function's.
    Pf,
    /// A virtual function's, by number from 0.
    Vf(u16),
    /// The network port.
    Uplink,
}

impl fmt::Display for CapturePort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pf => f.write_str("pf"),
            Self::Vf(number) => write!(f, "vf{number}"),
            Self::Uplink => f.write_str("uplink"),
        }
    }
}

impl Serialize for CapturePort {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
