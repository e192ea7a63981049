//! What a register write asks of the card beyond its own registers. `card` does it, once the write is stored and nothing is locked.

use crate::layout::Pool;
use crate::queue::QueueIndex;

/// One write's effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Nothing.
    None,
    /// There may be something to send.
    TransmitTail(QueueIndex),
    /// There may be new buffers.
    ReceiveTail(QueueIndex),
    /// A transmit queue was enabled or disabled.
    Transmit(QueueIndex),
    /// A receive queue was enabled, disabled, or strips tags from now on or not.
    Receive(QueueIndex),
    /// Which queues may work has changed for several: RXCTRL, DMATXCTL, VFRE, VFTE, GCR_EXT.
    Gates,
    /// What comes in, or where it goes, has changed: addresses, tables, pool modes, RSS, policies.
    Filters,
    /// RTTBCNRC of a queue.
    Rate(QueueIndex),
    /// QDE: Drop Enable of a queue.
    DropEnable(QueueIndex, bool),
    /// VFCTRL.RST.
    ResetVf(Pool),
    /// CTRL.RST or CTRL.LNK_RST.
    Reset,
    /// CTRL_EXT.PFRSTD: the VFs may go on.
    ResetDone,
}
