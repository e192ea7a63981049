//! Who sends a request: the requester id (PCI Express base 6.0, 2.2.6.2) and whether it may send at all.

use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

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
/// its current requester id, and whether it may send (Bus Master Enable, D0, not in reset, and for a VF: it exists).
///
/// Whoever closes the gate calls [`Epochs::synchronize`](crate::Epochs::synchronize) before reporting the request-stopping
/// event as done.
#[derive(Debug, Default)]
pub struct Requester(AtomicU32);

const OPEN: u32 = 1 << 16;

impl Requester {
    /// The id that requests carry now.
    pub fn id(&self) -> RequesterId {
        RequesterId(self.0.load(SeqCst) as u16)
    }

    /// Follows a new bus number.
    pub fn set_id(&self, id: RequesterId) {
        let _ = self.0.fetch_update(SeqCst, SeqCst, |old| Some(old & OPEN | u32::from(id.0)));
    }

    /// Whether requests leave the function.
    pub fn is_open(&self) -> bool {
        self.0.load(SeqCst) & OPEN != 0
    }

    /// Opens or closes the gate; returns whether that changed it.
    pub fn set_open(&self, open: bool) -> bool {
        let old =
            if open { self.0.fetch_or(OPEN, SeqCst) } else { self.0.fetch_and(!OPEN, SeqCst) };
        (old & OPEN != 0) != open
    }
}
