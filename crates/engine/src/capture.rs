//! Who watches a port.

use crate::FrameRef;
use crate::pcap::{CapturePort, Direction};

/// Is shown every frame of a port. Called on workers, from several at a time.
pub trait Capture: Send + Sync {
    /// A frame passed, out of the port's owner or into it; it may be unfinished, and a long one is shown uncut.
    fn frame(&self, direction: Direction, frame: FrameRef<'_, '_>);
}

impl Capture for CapturePort {
    fn frame(&self, direction: Direction, frame: FrameRef<'_, '_>) {
        Self::frame(self, direction, frame);
    }
}
