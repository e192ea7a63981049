//! What finishing has done, and why it refused.

use serde::Serialize;

use crate::Counter;

/// Why a frame can't be finished: it isn't what its metadata says. It is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfinishable {
    /// Longer than [`MAX_FRAME`](crate::MAX_FRAME), or it would be cut into frames longer than IP allows.
    #[error("the frame is too long")]
    TooLong,
    /// The checksum's place isn't inside the frame, or it is in the Ethernet header (a checksum there would rewrite addresses and
    /// tags after the switch has judged them).
    #[error("the checksum lies outside the packet")]
    Checksum,
    /// The headers aren't whole, or aren't TCP over the stated IP version, or are of a fragment.
    #[error("the headers are not what the segmentation request says")]
    Headers,
    /// Cut into pieces smaller than any driver asks for.
    #[error("the segment size is too small")]
    SegmentSize,
}

/// What finishing has done so far.
#[derive(Debug, Default, Serialize)]
pub struct FinishCounters {
    /// Checksums completed in frames that stayed whole.
    pub checksums: Counter,
    /// Long frames cut.
    pub long_frames: Counter,
    /// Frames they were cut into.
    pub segments: Counter,
    /// Dropped: [`Unfinishable::TooLong`].
    pub dropped_too_long: Counter,
    /// Dropped: [`Unfinishable::Checksum`].
    pub dropped_checksum: Counter,
    /// Dropped: [`Unfinishable::Headers`].
    pub dropped_headers: Counter,
    /// Dropped: [`Unfinishable::SegmentSize`].
    pub dropped_segment_size: Counter,
}

impl FinishCounters {
    pub(super) fn refused(&self, why: Unfinishable) {
        match why {
            Unfinishable::TooLong => &self.dropped_too_long,
            Unfinishable::Checksum => &self.dropped_checksum,
            Unfinishable::Headers => &self.dropped_headers,
            Unfinishable::SegmentSize => &self.dropped_segment_size,
        }
        .add(1);
    }
}
