//! Sees what functions send, for the counters: frames that were spoofed, frames that went out to the wire.

use std::sync::{Arc, Weak};

use pando_engine::{Batch, Checksum, Frame, Witness};

use crate::chip::Chip;
use crate::layout::Pool;
use crate::spec::filter::VMECM;
use crate::statistics::Tally;

/// Watches one port.
struct Watch {
    chip: Weak<Chip>,
    /// The pool whose spoofed frames these are.
    pool: Option<Pool>,
}

/// A witness of what the port of `pool`, or of a card without pools, sends.
pub(super) fn watch(chip: &Arc<Chip>, pool: Option<Pool>) -> Arc<dyn Witness> {
    Arc::new(Watch { chip: Arc::downgrade(chip), pool })
}

impl Witness for Watch {
    fn spoofed(&self, frames: u64) {
        let Some(chip) = self.chip.upgrade() else { return };
        if self.pool.is_some_and(|pool| chip.storage.has_pool([VMECM, VMECM + 4], pool)) {
            chip.statistics.spoofed(frames);
        }
    }

    fn left(&self, batch: &Batch<'_>, frames: u64) {
        let Some(chip) = self.chip.upgrade() else { return };
        let mut tally = Tally::default();
        for (_, frame) in batch.iter().enumerate().filter(|(index, _)| frames >> index & 1 != 0) {
            add(&mut tally, &frame);
        }
        chip.statistics.sent_to_wire(&tally);
    }
}

/// Adds a frame as it is on the wire: a long one is several.
fn add(tally: &mut Tally, frame: &Frame) {
    let (len, head) = (frame.len as usize, frame.head());
    let (Some(segmentation), Checksum::Partial { start, offset }) =
        (frame.offload.segmentation, frame.offload.checksum)
    else {
        return tally.add(len, head);
    };
    // TCP's header is as long as it says, or has no options as far as one can see; UDP's checksum is at 6.
    let header = match head.get(usize::from(start) + 12) {
        _ if offset == 6 => 8,
        Some(byte) => usize::from(byte >> 4) * 4,
        None => 20,
    };
    let headers = usize::from(start) + header;
    let (payload, size) = (len.saturating_sub(headers), usize::from(segmentation.size.max(1)));
    let whole = payload.saturating_sub(1) / size;
    tally.add_equal(whole as u64, headers + size, head);
    tally.add(headers + payload - whole * size, head);
}
