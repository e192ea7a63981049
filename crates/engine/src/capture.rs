//! Who watches a port.

use crate::FrameRef;

/// Which way a frame went, as the port's function sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// The function sent it.
    Sent,
    /// The function got it.
    Received,
}

/// Is shown every frame of a port. Called on workers, from several at a time.
pub trait Capture: Send + Sync {
    /// A frame passed; it may be unfinished, and a long one is shown uncut.
    fn frame(&self, direction: Direction, frame: FrameRef<'_, '_>);
}
