//! The other end of a card's cable: keeps what comes out, sends what it is given.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use pando_engine::{
    Accepts, Batch, Offload, PortKind, QueueError, Receive, ReceiveHandle, TaskHandle, Transmit,
};
use pando_tlp::Guard;
use vm_memory::VolatileSlice;

use super::{Machine, eventually};

type Frames = Arc<Mutex<VecDeque<(Vec<u8>, Offload)>>>;

/// The cable.
pub(crate) struct Wire {
    out: Frames,
    into: Frames,
    sending: TaskHandle,
    _receiving: ReceiveHandle,
}

struct Sink {
    accepts: Accepts,
    frames: Frames,
}

struct Source {
    frames: Frames,
    /// Those fetched last.
    fetched: Vec<(Vec<u8>, Offload)>,
}

impl Wire {
    /// A cable at the card's switch, whose far end takes frames as `accepts` says.
    pub(crate) fn new(machine: &Machine, accepts: Accepts) -> Self {
        let port = machine.switch.port("uplink", PortKind::Uplink);
        let (out, into) = (Frames::default(), Frames::default());
        let sink = Sink { accepts, frames: out.clone() };
        let source = Source { frames: into.clone(), fetched: Vec::new() };
        let fail = || Box::new(|error| panic!("{error}"));
        Self {
            sending: machine.engine.transmit(&port, 0, Box::new(source), fail()),
            _receiving: machine.engine.receive(&port, 0, Box::new(sink), fail()),
            out,
            into,
        }
    }

    /// Sends a frame to the card.
    pub(crate) fn send(&self, frame: &[u8], offload: Offload) {
        self.into.lock().unwrap().push_back((frame.to_vec(), offload));
        self.sending.doorbell().ring();
    }

    /// Frames that have come out and weren't taken yet.
    pub(crate) fn take(&self) -> Vec<(Vec<u8>, Offload)> {
        self.out.lock().unwrap().drain(..).collect()
    }

    /// The next `count` frames that come out.
    #[track_caller]
    pub(crate) fn expect(&self, count: usize) -> Vec<(Vec<u8>, Offload)> {
        eventually("frames on the wire", || self.out.lock().unwrap().len() >= count);
        let frames = self.take();
        assert_eq!(frames.len(), count);
        frames
    }
}

impl Receive for Sink {
    fn accepts(&self) -> Accepts {
        self.accepts
    }

    fn deliver(
        &mut self,
        _: &Guard<'_>,
        batch: &Batch<'_>,
        frames: &[u16],
    ) -> Result<usize, QueueError> {
        for index in frames {
            let frame = batch.frame(usize::from(*index));
            let mut bytes = frame.head().to_vec();
            for segment in frame.rest {
                let mut rest = vec![0; segment.len()];
                segment.copy_to(&mut rest[..]);
                bytes.extend(rest);
            }
            assert_eq!(bytes.len(), frame.len as usize);
            self.frames.lock().unwrap().push_back((bytes, frame.offload));
        }
        Ok(frames.len())
    }

    fn arm(&mut self, _: &Guard<'_>) -> Result<bool, QueueError> {
        Ok(true)
    }
}

impl Transmit for Source {
    fn fetch<'g>(&'g mut self, _: &'g Guard<'_>, batch: &mut Batch<'g>) -> Result<(), QueueError> {
        self.fetched = self.frames.lock().unwrap().iter().take(16).cloned().collect();
        for (bytes, offload) in &mut self.fetched {
            assert!(batch.push(&[VolatileSlice::from(&mut bytes[..])], *offload));
        }
        Ok(())
    }

    fn complete(&mut self, _: &Guard<'_>, frames: usize) -> Result<(), QueueError> {
        self.frames.lock().unwrap().drain(..frames);
        Ok(())
    }

    fn arm(&mut self, _: &Guard<'_>) -> Result<bool, QueueError> {
        Ok(!self.frames.lock().unwrap().is_empty())
    }

    fn disarm(&mut self, _: &Guard<'_>) -> Result<(), QueueError> {
        Ok(())
    }
}
