//! From a cause to a message: masks, auto clear and auto mask, throttles (82599 datasheet, 7.3). The rules are `bank`'s, the PF's
//! registers `physical`'s, a VF's `virtual_function`'s; `outlet` sends.
//!
//! Every lock here is a leaf: held for a few instructions, never while a message is sent. Leaves out low latency interrupts and the TCP
//! timer. Without GPIE's MSI-X mode every cause goes to one message, or to the interrupt pin.

mod bank;
mod outlet;
mod physical;
mod virtual_function;

pub(crate) use outlet::{Messages, Outlet, Pool as Participants};
pub(crate) use physical::Physical;
pub(crate) use virtual_function::Virtual;

/// Which half of a queue pair a cause comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// Frames were received.
    Receive,
    /// Frames were sent.
    Transmit,
}

/// The byte of an IVAR table for queue number `queue`: two queues in a dword, receive before transmit.
fn entry(table: &[u32], queue: usize, direction: Direction) -> u8 {
    let byte = queue % 2 * 2 + usize::from(direction == Direction::Transmit);
    table.get(queue / 2).map_or(0, |dword| dword.to_le_bytes()[byte])
}
