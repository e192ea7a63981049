//! Who sends a request: the requester id (PCI Express base 6.0, 2.2.6.2), whether it may send at all, and what became of it.

use std::fmt;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed, Ordering::SeqCst};

use crate::Fault;

/// A routing id: bus 15:8, device 7:3, function 2:0; with ARI, bus 15:8 and function 7:0.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct RequesterId(pub u16);

impl RequesterId {
    /// The id of `function` (the low eight bits: device and function number) on `bus`.
    pub fn new(bus: u8, function: u8) -> Self {
        Self(u16::from_be_bytes([bus, function]))
    }

    /// Bits 15:8.
    pub fn bus(self) -> u8 {
        self.0.to_be_bytes()[0]
    }

    /// Bits 7:0, device and function number together.
    pub fn function(self) -> u8 {
        self.0.to_be_bytes()[1]
    }
}

impl fmt::Debug for RequesterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for RequesterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02x}:{:02x}.{}", self.bus(), self.function() >> 3, self.function() & 7)
    }
}

/// The sending half of one function, shared between the function (which sets it) and its [`Dma`](crate::Dma) (which reads it):
/// its current requester id, and whether it may send (Bus Master Enable, D0, not in reset, and for a VF: it exists). The other
/// way round, the tree notes here what the function learns of its requests' ends.
///
/// Whoever closes the gate calls [`Epochs::synchronize`](crate::Epochs::synchronize) before reporting the request-stopping
/// event as done.
#[derive(Debug, Default)]
pub struct Requester {
    state: AtomicU32,
    unsupported: AtomicU64,
    aborted: AtomicU64,
    blocked: AtomicU64,
}

/// What a function has learned of the requests it sent, as bits of its Status register (7.5.1.1.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Master Data Parity Error: it sent a write as poisoned.
    PoisonSent,
    /// Received Target Abort: a completion said Completer Abort.
    CompleterAbort,
    /// Received Master Abort: a completion said Unsupported Request.
    UnsupportedRequest,
}

/// Requests of one function that did not arrive, by reason, since it was built.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Refused {
    /// Unsupported Request.
    pub unsupported: u64,
    /// Completer Abort, ACS violations of posted requests included.
    pub aborted: u64,
    /// Blocked by the IOMMU.
    pub blocked: u64,
}

const ID: u32 = 0xffff;
const OPEN: u32 = 1 << 16;
/// Outcomes lie from here on, at the positions of the Status register.
const OUTCOMES_SHIFT: u32 = 16;
const OUTCOMES: u32 = (1 << 8 | 1 << 12 | 1 << 13) << OUTCOMES_SHIFT;

impl Outcome {
    fn bit(self) -> u32 {
        match self {
            Self::PoisonSent => 1 << (8 + OUTCOMES_SHIFT),
            Self::CompleterAbort => 1 << (12 + OUTCOMES_SHIFT),
            Self::UnsupportedRequest => 1 << (13 + OUTCOMES_SHIFT),
        }
    }
}

impl Requester {
    /// The id that requests carry now.
    pub fn id(&self) -> RequesterId {
        RequesterId(self.state.load(SeqCst) as u16)
    }

    /// Follows a new bus number.
    pub fn set_id(&self, id: RequesterId) {
        let id = u32::from(id.0);
        let _ = self.state.fetch_update(SeqCst, SeqCst, |old| Some(old & !ID | id));
    }

    /// Whether requests leave the function.
    pub fn is_open(&self) -> bool {
        self.state.load(SeqCst) & OPEN != 0
    }

    /// Opens or closes the gate; returns whether that changed it.
    pub fn set_open(&self, open: bool) -> bool {
        let old = if open {
            self.state.fetch_or(OPEN, SeqCst)
        } else {
            self.state.fetch_and(!OPEN, SeqCst)
        };
        (old & OPEN != 0) != open
    }

    /// A request of the function has ended like this.
    pub fn learn(&self, outcome: Outcome) {
        self.state.fetch_or(outcome.bit(), SeqCst);
    }

    /// What was learned since the last call, as the bits of Status at their places (15:0).
    pub fn take_outcomes(&self) -> u16 {
        if self.state.load(SeqCst) & OUTCOMES == 0 {
            return 0;
        }
        ((self.state.fetch_and(!OUTCOMES, SeqCst) & OUTCOMES) >> OUTCOMES_SHIFT) as u16
    }

    /// Counts a request that did not arrive.
    pub fn count(&self, fault: Fault) {
        let counter = match fault {
            Fault::Gated => return,
            Fault::UnsupportedRequest => &self.unsupported,
            Fault::CompleterAbort => &self.aborted,
            Fault::Translation => &self.blocked,
        };
        counter.fetch_add(1, Relaxed);
    }

    /// The requests that did not arrive.
    pub fn refused(&self) -> Refused {
        Refused {
            unsupported: self.unsupported.load(Relaxed),
            aborted: self.aborted.load(Relaxed),
            blocked: self.blocked.load(Relaxed),
        }
    }
}

#[cfg(test)]
mod tests;
