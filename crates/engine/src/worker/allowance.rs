//! What a transmit queue may send in a pass: what is left of its and its port's rate, and of the worker's turn.
//!
//! Frames beyond it stay in the queue. Without a rate and alone on its worker, a queue pays two loads per pass.

use std::sync::Arc;
use std::time::Instant;

use super::progress::Progress;
use super::scratch::Scratch;
use crate::switch::{Pacer, Share};
use crate::{Batch, Checksum, Frame, Port};

/// Bytes of a TCP header at least.
const TCP: u64 = 20;

pub(super) struct Allowance {
    pacers: [Arc<Pacer>; 2],
    share: Arc<Share>,
    busy: bool,
    /// What the rates leave, in bytes.
    left: u64,
}

impl Allowance {
    pub(super) fn new(port: &Port, index: u16) -> Self {
        let pacers = [port.pacer().clone(), port.queue_pacer(index)];
        Self { pacers, share: port.share().clone(), busy: false, left: u64::MAX }
    }

    pub(super) fn share(&self) -> &Arc<Share> {
        &self.share
    }

    /// Before a pass: until when the rates let nothing through. If frames are `under_way` these may go on.
    #[inline]
    pub(super) fn begin(&mut self, now: Instant, under_way: bool) -> Result<(), Instant> {
        self.left = u64::MAX;
        for pacer in &self.pacers {
            match pacer.allowance(now) {
                Ok(bytes) => self.left = self.left.min(bytes),
                Err(_) if under_way => self.left = 0,
                Err(until) => return Err(until),
            }
        }
        Ok(())
    }

    /// How many frames of the batch may go, or go on; those that go for the first time are paid for.
    #[inline]
    pub(super) fn cut(
        &self,
        batch: &Batch<'_>,
        progress: &Progress,
        scratch: &mut Scratch,
    ) -> usize {
        if self.left == u64::MAX && scratch.budget == u64::MAX {
            return batch.len();
        }
        let mut left = self.left.min(scratch.budget);
        let (mut cut, mut spent, mut offered) = (batch.len(), 0, 0);
        for (index, frame) in batch.iter().enumerate() {
            if progress.is_offered(index) {
                continue;
            }
            let cost = cost(&frame);
            offered += cost;
            if left == 0 {
                cut = cut.min(index);
            } else {
                left = left.saturating_sub(cost);
                spent += cost;
            }
        }
        (scratch.spent, scratch.offered) = (spent, offered);
        for pacer in &self.pacers {
            pacer.spend(spent, scratch.now);
        }
        cut
    }

    /// After a pass: whether the queue has work.
    #[inline]
    pub(super) fn settle(&mut self, busy: bool) {
        match (std::mem::replace(&mut self.busy, busy), busy) {
            (false, true) => self.share.enter(),
            (true, false) => self.share.leave(),
            _ => {}
        }
    }
}

impl Drop for Allowance {
    fn drop(&mut self) {
        self.settle(false);
    }
}

/// The bytes that a frame is on the wire; a long one has its headers in each of the frames it is cut into.
fn cost(frame: &Frame) -> u64 {
    let len = u64::from(frame.len);
    let (Some(segmentation), Checksum::Partial { start, .. }) =
        (frame.offload.segmentation, frame.offload.checksum)
    else {
        return len;
    };
    let transport = usize::from(start);
    let header = frame.head().get(transport + 12).map_or(TCP, |byte| u64::from(byte >> 4) * 4);
    let headers = u64::from(start) + header;
    let pieces = len.saturating_sub(headers).div_ceil(u64::from(segmentation.size.max(1))).max(1);
    len + (pieces - 1) * headers
}
