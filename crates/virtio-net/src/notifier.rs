//! When a queue's driver is interrupted for used buffers: at once, or when there are enough of them or the first has waited long
//! enough (virtio 1.3, 5.1.6.5.9.1). Whether the driver wants an interrupt is asked when it is due, not before.

use std::sync::Arc;
use std::time::{Duration, Instant};

use pando_engine::QueueError;
use pando_engine::ring::Ring;
use pando_tlp::Guard;

use crate::shared::Shared;

/// One queue's interrupts.
pub(crate) struct Notifier {
    shared: Arc<Shared>,
    index: u16,
    /// Packets since the last interrupt, and when the first of them was; 0 and `None` while nothing is held back.
    packets: u32,
    since: Option<Instant>,
}

impl Notifier {
    pub(crate) fn new(shared: Arc<Shared>, index: u16) -> Self {
        Self { shared, index, packets: 0, since: None }
    }

    /// Shows the driver what was put into `ring`, `packets` more, and interrupts it if that is due and wanted.
    #[inline]
    pub(crate) fn publish(
        &mut self,
        ring: &mut Ring,
        guard: &Guard<'_>,
        packets: usize,
    ) -> Result<(), QueueError> {
        if self.since.is_none() && self.shared.limits(self.index).is_none() {
            return self.interrupt(ring, guard);
        }
        self.hold_back(ring, guard, packets)
    }

    #[inline(never)]
    fn hold_back(
        &mut self,
        ring: &mut Ring,
        guard: &Guard<'_>,
        packets: usize,
    ) -> Result<(), QueueError> {
        if packets > 0 {
            ring.show(guard)?;
            self.packets = self.packets.saturating_add(packets as u32);
            self.since.get_or_insert_with(Instant::now);
        }
        self.remind(ring, guard)
    }

    /// When what is held back is due.
    pub(crate) fn due(&self) -> Option<Instant> {
        let limits = self.shared.limits(self.index);
        Some(self.since? + Duration::from_micros(limits.time.into()))
    }

    /// Interrupts if what is held back is due.
    pub(crate) fn remind(&mut self, ring: &mut Ring, guard: &Guard<'_>) -> Result<(), QueueError> {
        let Some(due) = self.due() else { return Ok(()) };
        let limits = self.shared.limits(self.index);
        if !limits.is_none() && self.packets < limits.packets && Instant::now() < due {
            return Ok(());
        }
        self.interrupt(ring, guard)?;
        (self.packets, self.since) = (0, None);
        Ok(())
    }

    #[inline]
    fn interrupt(&self, ring: &mut Ring, guard: &Guard<'_>) -> Result<(), QueueError> {
        if ring.publish(guard)? {
            self.shared.signal_queue(self.index);
        }
        Ok(())
    }
}
