//! The link's registers, and the MDIO bus of cards that have nobody on it (82599 datasheet, 8.2.3.22, 3.7.4).
//!
//! A link that is there at once, 10 Gbit/s, without pause frames. Leaves out negotiation, other speeds and PHYs.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use crate::spec::general::*;

/// Whether the cable is in.
pub(crate) struct Link {
    up: AtomicBool,
}

impl Link {
    pub(crate) fn new(up: bool) -> Self {
        Self { up: AtomicBool::new(up) }
    }

    /// Whether frames pass.
    pub(crate) fn is_up(&self) -> bool {
        self.up.load(SeqCst)
    }

    /// Plugs the cable in or out; returns whether that changed anything.
    pub(crate) fn set(&self, up: bool) -> bool {
        self.up.swap(up, SeqCst) != up
    }

    /// LINKS, and its mirror in every VF.
    pub(crate) fn status(&self) -> u32 {
        if self.is_up() { LINKS_UP | LINKS_10G | LINKS_COMPLETE } else { 0 }
    }

    /// Reads the register at `offset`; `None` if it isn't one of these.
    pub(crate) fn read(&self, offset: u32) -> Option<u32> {
        Some(match offset {
            LINKS => self.status(),
            MSRWD => MSRWD_NOBODY,
            _ => return None,
        })
    }
}
