//! An uplink that ends in a capture file: what is sent there is recorded, and nothing ever comes back.

use std::sync::Arc;

use pando_tlp::Guard;
use rustix::event::EventfdFlags;

use super::{Carrier, Uplink, UplinkCounters, UplinkError, UplinkQueue, io_error};
use crate::pcap::{CapturePort, Direction};
use crate::{Accepts, Batch, QueueError, Receive, Transmit};

/// An uplink that records into `capture`.
pub fn recorder(capture: CapturePort) -> Result<Uplink, UplinkError> {
    let never = rustix::event::eventfd(0, EventfdFlags::CLOEXEC).map_err(io_error("an eventfd"))?;
    let counters = Arc::<UplinkCounters>::default();
    let queue = UplinkQueue {
        transmit: Box::new(Silence),
        receive: Box::new(Recorder { capture, counters: counters.clone() }),
        readable: never,
    };
    Ok(Uplink { queues: vec![queue], carrier: Arc::new(Carrier::new(true)), counters })
}

struct Silence;

struct Recorder {
    capture: CapturePort,
    counters: Arc<UplinkCounters>,
}

impl Transmit for Silence {
    fn fetch<'g>(&'g mut self, _: &'g Guard<'_>, _: &mut Batch<'g>) -> Result<(), QueueError> {
        Ok(())
    }

    fn complete(&mut self, _: &Guard<'_>, _: usize) -> Result<(), QueueError> {
        Ok(())
    }

    fn arm(&mut self, _: &Guard<'_>) -> Result<bool, QueueError> {
        Ok(false)
    }

    fn disarm(&mut self, _: &Guard<'_>) -> Result<(), QueueError> {
        Ok(())
    }
}

impl Receive for Recorder {
    fn accepts(&self) -> Accepts {
        Accepts::all()
    }

    fn deliver(
        &mut self,
        _: &Guard<'_>,
        batch: &Batch<'_>,
        frames: &[u16],
    ) -> Result<usize, QueueError> {
        for index in frames {
            let frame = batch.frame(usize::from(*index));
            self.capture.frame(Direction::Inbound, frame);
            self.counters.out_bytes.add(u64::from(frame.len));
        }
        self.counters.out_frames.add(frames.len() as u64);
        Ok(frames.len())
    }

    fn arm(&mut self, _: &Guard<'_>) -> Result<bool, QueueError> {
        Ok(true)
    }
}
