//! Queues of bare frames on split rings, as a NIC personality would write them.

use pando_engine::ring::{Chain, SplitRing, Writer};
use pando_engine::{Accepts, Batch, Offload, QueueError, Receive, Transmit};
use pando_tlp::Guard;

/// Frames from a ring, a chain each.
pub struct RawTransmit(pub SplitRing);

/// Frames into a ring, a chain each.
pub struct RawReceive(pub SplitRing);

impl Transmit for RawTransmit {
    fn fetch<'g>(
        &'g mut self,
        guard: &'g Guard<'_>,
        batch: &mut Batch<'g>,
    ) -> Result<(), QueueError> {
        self.0.begin(guard)?;
        let mut chain = Chain::new();
        while batch.has_room(2) && self.0.next(guard, &mut chain)? {
            batch.push(chain.readable(), Offload::default());
        }
        Ok(())
    }

    fn complete(&mut self, guard: &Guard<'_>, frames: usize) -> Result<(), QueueError> {
        for _ in 0..frames {
            self.0.put(guard, 0)?;
        }
        self.0.publish(guard)?;
        Ok(())
    }

    fn arm(&mut self, guard: &Guard<'_>) -> Result<bool, QueueError> {
        self.0.arm(guard)
    }

    fn disarm(&mut self, guard: &Guard<'_>) -> Result<(), QueueError> {
        self.0.disarm(guard)
    }
}

impl Receive for RawReceive {
    fn accepts(&self) -> Accepts {
        Accepts::empty()
    }

    fn deliver(
        &mut self,
        guard: &Guard<'_>,
        batch: &Batch<'_>,
        frames: &[u16],
    ) -> Result<usize, QueueError> {
        self.0.begin(guard)?;
        let mut chain = Chain::new();
        let mut taken = 0;
        for index in frames {
            if !self.0.next(guard, &mut chain)? {
                break;
            }
            let frame = batch.frame(usize::from(*index));
            let mut writer = Writer::new(chain.writable());
            writer.write(frame.head());
            for piece in frame.rest {
                writer.copy(*piece);
            }
            self.0.put(guard, writer.written() as u32)?;
            taken += 1;
        }
        self.0.publish(guard)?;
        Ok(taken)
    }

    fn arm(&mut self, guard: &Guard<'_>) -> Result<bool, QueueError> {
        self.0.arm_for_more(guard)
    }
}
