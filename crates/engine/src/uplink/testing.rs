//! For tests: the engine's side of an uplink, by hand.

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use pando_tlp::{Epochs, Participant};
use rustix::event::{PollFd, PollFlags, Timespec, epoll, poll};
use vm_memory::VolatileSlice;

use super::{Uplink, UplinkQueue};
use crate::finish::copy_out;
use crate::{Accepts, Batch, Finisher, MAX_FRAME, Offload, QueueError, Receive, Transmit};

/// Long enough for anything that happens at all.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Hand(Participant);

impl Hand {
    pub(crate) fn new() -> Self {
        Self(Epochs::new().join())
    }

    /// Gives `frames` to `receive`, which takes all.
    pub(crate) fn send(&mut self, receive: &mut dyn Receive, frames: &[(Vec<u8>, Offload)]) {
        let guard = self.0.enter();
        for group in frames.chunks(64) {
            let mut group = group.to_vec();
            let mut batch = Batch::new();
            for (bytes, offload) in &mut group {
                assert!(receive.accepts().contains(offload.needs()));
                assert!(batch.push(&[VolatileSlice::from(&mut bytes[..])], *offload));
            }
            let indices: Vec<u16> = (0..batch.len() as u16).collect();
            assert_eq!(receive.deliver(&guard, &batch, &indices), Ok(indices.len()));
        }
    }

    /// Gives one frame to `receive`, finished as far as it wants.
    pub(crate) fn deliver(
        &mut self,
        finisher: &mut Finisher,
        receive: &mut dyn Receive,
        bytes: &mut [u8],
        offload: Offload,
    ) {
        let guard = self.0.enter();
        let mut batch = Batch::new();
        assert!(batch.push(&[VolatileSlice::from(bytes)], offload));
        let done = finisher.deliver(&guard, receive, &batch, &[0], 0).unwrap();
        assert_eq!((done.taken, done.dropped), (1, 0));
    }

    /// Fetches once, and completes what it got.
    pub(crate) fn fetch(
        &mut self,
        transmit: &mut dyn Transmit,
    ) -> Result<Vec<(Vec<u8>, Offload)>, QueueError> {
        let guard = self.0.enter();
        let mut batch = Batch::new();
        transmit.fetch(&guard, &mut batch)?;
        let mut scratch = vec![0; MAX_FRAME];
        let frames: Vec<_> = batch
            .iter()
            .map(|frame| (copy_out(frame, &mut scratch).unwrap().to_vec(), frame.offload))
            .collect();
        drop(batch);
        transmit.complete(&guard, frames.len())?;
        Ok(frames)
    }

    /// Fetches until there are `count` frames, sleeping in between.
    pub(crate) fn fetch_some(&mut self, queue: &mut UplinkQueue, count: usize) -> Vec<Vec<u8>> {
        self.fetch_asleep(&mut Sleeper::new(queue), queue, count)
    }

    /// The same, with a sleeper that has heard of the queue before.
    pub(crate) fn fetch_asleep(
        &mut self,
        sleeper: &mut Sleeper,
        queue: &mut UplinkQueue,
        count: usize,
    ) -> Vec<Vec<u8>> {
        let mut frames = Vec::new();
        let end = Instant::now() + PATIENCE;
        while frames.len() < count && Instant::now() < end {
            frames.extend(self.fetch(&mut *queue.transmit).unwrap().into_iter().map(|(b, _)| b));
            if frames.len() < count && !self.arm(&mut *queue.transmit) {
                assert!(sleeper.sleep(), "nobody woke us");
            }
        }
        frames
    }

    pub(crate) fn arm(&mut self, transmit: &mut dyn Transmit) -> bool {
        let guard = self.0.enter();
        transmit.arm(&guard).unwrap()
    }
}

/// Waits for edges of a queue's descriptor, as a worker does.
pub(crate) struct Sleeper(OwnedFd);

impl Sleeper {
    pub(crate) fn new(queue: &UplinkQueue) -> Self {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).unwrap();
        let edges = epoll::EventFlags::IN | epoll::EventFlags::ET;
        epoll::add(&epoll, &queue.readable, epoll::EventData::new_u64(0), edges).unwrap();
        Self(epoll)
    }

    /// Whether there was one.
    fn sleep(&mut self) -> bool {
        let time = Timespec { tv_sec: PATIENCE.as_secs() as i64, tv_nsec: 0 };
        let mut events = Vec::with_capacity(1);
        epoll::wait(&self.0, rustix::buffer::spare_capacity(&mut events), Some(&time)).unwrap();
        !events.is_empty()
    }
}

/// Whether `descriptor` becomes readable within `time`.
pub(crate) fn wait(descriptor: &OwnedFd, time: Duration) -> bool {
    let time = Timespec { tv_sec: time.as_secs() as i64, tv_nsec: time.subsec_nanos().into() };
    let mut set = [PollFd::new(descriptor, PollFlags::IN)];
    poll(&mut set, Some(&time)).unwrap() == 1
}

/// The one queue of `uplink`.
pub(crate) fn only(uplink: &mut Uplink) -> &mut UplinkQueue {
    assert_eq!(uplink.queues.len(), 1);
    &mut uplink.queues[0]
}

/// A finished frame of `len` bytes that says `fill`.
pub(crate) fn plain(fill: u8, len: usize) -> (Vec<u8>, Offload) {
    let mut bytes = vec![fill; len];
    bytes[..12].copy_from_slice(&[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2]);
    (bytes, Offload::default())
}

/// Nobody has to be asked: an uplink takes any finished frame.
#[test]
fn uplinks_take_what_they_say() {
    let mut uplink = super::UplinkConfig::Loopback.open(4).unwrap();
    assert_eq!(only(&mut uplink).receive.accepts(), Accepts::empty());
}
