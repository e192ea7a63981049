//! What a worker uses in every pass, made once: nothing is allocated per frame.

use std::sync::Arc;
use std::time::Instant;

use super::held::Held;
use crate::switch::Cell;
use crate::{Finisher, QueueError};

/// A worker's working memory.
pub(super) struct Scratch {
    pub(super) finisher: Finisher,
    /// For each port, which frames of the batch go there.
    pub(super) frames: Vec<u64>,
    /// The ports that have any, in the order of their first.
    pub(super) ports: Vec<u16>,
    /// Receive queues that have failed in this pass.
    pub(super) failed: Vec<(Arc<Cell>, QueueError)>,
    /// Queues that hold an interrupt back.
    pub(super) held: Held,
    /// The transmit queue of this pass does so, since just now: until then.
    pub(super) holds_until: Option<Instant>,
    /// The time of this round.
    pub(super) now: Instant,
    /// What the task may send before it is another's turn, in bytes.
    pub(super) budget: u64,
    /// What it has sent in this pass.
    pub(super) spent: u64,
    /// What it would have sent without limits; 0 if it had none.
    pub(super) offered: u64,
}

impl Scratch {
    pub(super) fn new(finisher: Finisher) -> Self {
        Self {
            finisher,
            frames: Vec::new(),
            ports: Vec::new(),
            failed: Vec::new(),
            held: Held::new(),
            holds_until: None,
            now: Instant::now(),
            budget: u64::MAX,
            spent: 0,
            offered: 0,
        }
    }

    /// Makes room for `ports` ports, none of which has a frame.
    #[inline]
    pub(super) fn reset(&mut self, ports: usize) {
        for port in self.ports.drain(..) {
            self.frames[usize::from(port)] = 0;
        }
        if self.frames.len() < ports {
            self.frames.resize(ports, 0);
            self.ports.reserve(ports);
        }
    }

    /// Notes that frame number `frame` goes to `port`.
    #[inline]
    pub(super) fn note(&mut self, port: u16, frame: usize) {
        let frames = &mut self.frames[usize::from(port)];
        if *frames == 0 {
            self.ports.push(port);
        }
        *frames |= 1 << frame;
    }

    /// Tells the owners of receive queues that have failed. Hold nothing.
    #[inline]
    pub(super) fn report_failed(&mut self) {
        for (cell, error) in self.failed.drain(..) {
            tracing::warn!(%error, "receive queue stopped");
            cell.report(error);
        }
    }
}
