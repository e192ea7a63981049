//! What the card's owner imposes on a port, whatever its function asks for.
//!
//! The verdict is a pure function of the port and the frame's head, asked once per frame before the lookup. Anti-spoof, port VLAN,
//! rate and mirror belong here and aren't there yet.

use super::filter::Filter;
use crate::{DropReason, Frame};

/// The rules of one port.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Policy {}

/// What becomes of a frame its function sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is looked up.
    Pass,
    /// It goes nowhere.
    Drop(DropReason),
}

impl Policy {
    /// Judges a frame that a port with `filter` sends.
    #[inline]
    pub(crate) fn transmit(&self, filter: &Filter, _frame: &Frame) -> Verdict {
        if filter.link_up { Verdict::Pass } else { Verdict::Drop(DropReason::LinkDown) }
    }
}
