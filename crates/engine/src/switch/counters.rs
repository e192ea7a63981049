//! What passed a port and what was dropped there, by reason.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::Counter;

/// Why a frame was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum DropReason {
    /// The receiver had no buffers, and the frame was a copy that nobody waits for.
    NoBuffer,
    /// The receiver has given no buffers for too long.
    Stalled,
    /// The port has no receive queue there.
    NoQueue,
    /// The function may not send requests now.
    Gated,
    /// A policy refused it.
    Filtered,
    /// Its source address or its VLAN isn't the sender's.
    Spoofed,
    /// It isn't a frame, or not what its metadata says.
    Malformed,
    /// The link is down at the sender or the receiver.
    LinkDown,
    /// No port wants it.
    NoDestination,
    /// The sender's own address.
    OwnAddress,
}

impl DropReason {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::NoBuffer,
        Self::Stalled,
        Self::NoQueue,
        Self::Gated,
        Self::Filtered,
        Self::Spoofed,
        Self::Malformed,
        Self::LinkDown,
        Self::NoDestination,
        Self::OwnAddress,
    ];
}

/// The counters of one queue of a port. They outlive the queue: the next one with the same number goes on counting.
#[derive(Debug, Default)]
pub struct QueueCounters {
    packets: Counter,
    bytes: Counter,
    drops: [Counter; DropReason::ALL.len()],
}

impl QueueCounters {
    /// Counts frames that passed; call it once per batch.
    #[inline]
    pub fn passed(&self, packets: u64, bytes: u64) {
        if packets > 0 {
            self.packets.add(packets);
            self.bytes.add(bytes);
        }
    }

    /// Counts dropped frames.
    #[inline]
    pub fn dropped(&self, why: DropReason, frames: u64) {
        if frames > 0 {
            self.drops[why as usize].add(frames);
        }
    }

    /// Frames dropped so far for this reason.
    pub fn drops(&self, why: DropReason) -> u64 {
        self.drops[why as usize].get()
    }

    /// What was counted so far.
    pub fn report(&self) -> QueueReport {
        let drops = DropReason::ALL.into_iter().map(|why| (why, self.drops(why)));
        QueueReport {
            packets: self.packets.get(),
            bytes: self.bytes.get(),
            drops: drops.filter(|(_, count)| *count > 0).collect(),
        }
    }
}

/// What one queue has done.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct QueueReport {
    /// Frames.
    pub packets: u64,
    /// Their bytes, from the destination address to the end of the payload.
    pub bytes: u64,
    /// Frames dropped, by reason; reasons without frames are left out.
    pub drops: BTreeMap<DropReason, u64>,
}

/// What one port has done, by queue number: sent by its function, and delivered to it.
#[derive(Clone, Debug, Serialize)]
pub struct PortReport {
    /// The port's name.
    pub name: String,
    /// Whether its link is up.
    pub link_up: bool,
    /// Frames its function sent.
    pub transmit: BTreeMap<u16, QueueReport>,
    /// Frames its function got.
    pub receive: BTreeMap<u16, QueueReport>,
}
