use std::sync::{Mutex, mpsc};

use pando_tlp::Epochs;
use vm_memory::VolatileSlice;

use super::*;
use crate::{Accepts, Engine, Filter, MacAddress, Offload, Receive, ReceiveHandle, Switch};

const RECEIVER: MacAddress = MacAddress([2, 0, 0, 0, 0, 1]);

/// A queue with one frame, which is sent after `before` was done.
struct Late<F> {
    before: Option<F>,
    frame: Option<Vec<u8>>,
    told: mpsc::Sender<&'static str>,
}

impl<F: FnOnce() + Send> Transmit for Late<F> {
    fn fetch<'g>(&'g mut self, _: &'g Guard<'_>, batch: &mut Batch<'g>) -> Result<(), QueueError> {
        self.before.take().into_iter().for_each(|before| before());
        if let Some(frame) = &mut self.frame {
            assert!(batch.push(&[VolatileSlice::from(&mut frame[..])], Offload::default()));
        }
        Ok(())
    }

    fn complete(&mut self, _: &Guard<'_>, frames: usize) -> Result<(), QueueError> {
        if frames > 0 {
            self.frame = None;
            self.told.send("sent").unwrap();
        }
        Ok(())
    }

    fn arm(&mut self, _: &Guard<'_>) -> Result<bool, QueueError> {
        Ok(false)
    }

    fn disarm(&mut self, _: &Guard<'_>) -> Result<(), QueueError> {
        Ok(())
    }
}

/// Tells its name for each frame.
struct Named(&'static str, mpsc::Sender<&'static str>);

impl Receive for Named {
    fn accepts(&self) -> Accepts {
        Accepts::empty()
    }

    fn deliver(
        &mut self,
        _: &Guard<'_>,
        _: &Batch<'_>,
        frames: &[u16],
    ) -> Result<usize, QueueError> {
        frames.iter().for_each(|_| self.1.send(self.0).unwrap());
        Ok(frames.len())
    }

    fn arm(&mut self, _: &Guard<'_>) -> Result<bool, QueueError> {
        Ok(true)
    }
}

#[test]
fn a_frame_goes_to_the_queue_that_was_there_when_it_was_sent() {
    let engine = Arc::new(Engine::new(1, Epochs::new()).unwrap());
    let switch = Switch::new("card");
    let [sender, receiver] = ["one", "other"].map(|name| switch.port(name, PortKind::Function));
    sender.set_filter(Filter { link_up: true, ..Filter::default() });
    receiver.set_filter(Filter { link_up: true, unicast: vec![RECEIVER], ..Filter::default() });
    let (told, names) = mpsc::channel();
    let sent = told.clone();
    let receive = {
        let engine = engine.clone();
        move |name| -> ReceiveHandle {
            engine.receive(&receiver, 0, Box::new(Named(name, told.clone())), Box::new(|_| {}))
        }
    };
    let receiving = Arc::new(Mutex::new(Some(receive("old"))));
    let current = receiving.clone();
    let restart = move || {
        let mut current = current.lock().unwrap();
        drop(current.take());
        *current = Some(receive("new"));
    };
    let mut frame = vec![0; 60];
    frame[..6].copy_from_slice(&RECEIVER.0);
    let queue = Late { before: Some(restart), frame: Some(frame), told: sent };
    let _sending = engine.transmit(&sender, 0, Box::new(queue), Box::new(|_| {}));
    assert_eq!(names.recv(), Ok("new"), "before it is over");
}
