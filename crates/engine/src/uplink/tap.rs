//! The tap uplink: an Ethernet interface of the host (Linux, Documentation/networking/tuntap.rst). Checksum and segmentation
//! metadata pass through its vnet header in both directions, so little is finished in software: datagrams to be cut, for kernels before 6.2.

mod device;
mod link;

use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::sync::Arc;

use pando_tlp::Guard;
use zerocopy::{FromBytes, IntoBytes};

use link::LinkNews;

use super::arena::Arena;
use super::{Carrier, Uplink, UplinkCounters, UplinkError, UplinkQueue, io_error};
use crate::finish::copy_out;
use crate::vnet::VnetHeader;
use crate::{
    Accepts, Batch, Checksum, FrameRef, MAX_FRAME, Offload, QueueError, Receive, Transmit,
    ether_type,
};

/// Opens tap `name` with `queues` queues.
pub(super) fn open(name: &str, queues: u16) -> Result<Uplink, UplinkError> {
    let mut news = Some(LinkNews::open().map_err(io_error("a netlink socket"))?);
    let (files, accepts) = device::open(name, queues)?;
    let shared = Arc::new(Shared {
        name: name.into(),
        carrier: Arc::new(Carrier::new(true)),
        counters: Arc::default(),
    });
    if let Some(first) = files.first() {
        link::refresh(first, &shared.carrier);
    }
    let queues: Result<_, UplinkError> = files
        .into_iter()
        .map(|file| {
            let news = news.take(); // the first queue hears of them for all
            let readable = match &news {
                Some(news) => news.readable_with(&file).map_err(io_error("an epoll descriptor"))?,
                None => file.try_clone().map_err(io_error(format!("tap `{name}`")))?.into(),
            };
            let file = Arc::new(file);
            let (arena, shared) = (Arena::new(), shared.clone());
            let transmit = TapTransmit { file: file.clone(), news, arena, shared: shared.clone() };
            let receive = TapReceive {
                file,
                scratch: vec![0; VnetHeader::LEN + MAX_FRAME].into_boxed_slice(),
                accepts,
                shared,
            };
            Ok(UplinkQueue { transmit: Box::new(transmit), receive: Box::new(receive), readable })
        })
        .collect();
    Ok(Uplink {
        queues: queues?,
        carrier: shared.carrier.clone(),
        counters: shared.counters.clone(),
    })
}

/// Reads at once at most: as many as a batch has frames.
const READS: usize = 64;

/// What the queues of one tap have in common.
struct Shared {
    name: String,
    carrier: Arc<Carrier>,
    counters: Arc<UplinkCounters>,
}

/// Frames from the host.
struct TapTransmit {
    file: Arc<File>,
    news: Option<LinkNews>,
    arena: Arena,
    shared: Arc<Shared>,
}

/// Frames to the host.
struct TapReceive {
    file: Arc<File>,
    scratch: Box<[u8]>,
    accepts: Accepts,
    shared: Arc<Shared>,
}

impl Shared {
    /// Whether `error` says that the interface was removed. Warns once and takes the link down.
    fn is_gone(&self, error: &io::Error) -> bool {
        let gone = matches!(error.raw_os_error(), Some(libc::EBADFD | libc::ENODEV));
        if gone && self.carrier.set(false) {
            tracing::warn!(tap = self.name, "the tap was removed: the uplink is down");
        }
        gone
    }
}

impl TapTransmit {
    /// Reads frames until there is none or no room for more. Returns whether there may be more.
    fn fill(&mut self) -> Result<bool, QueueError> {
        let (mut frames, mut bytes) = (0, 0);
        let mut result = Ok(true);
        for _ in 0..READS {
            let Some(room) = self.arena.room() else { break };
            match (&*self.file).read(room) {
                Ok(len) => {
                    if let Some((len, offload)) = judge(&room[..len], &self.shared.counters) {
                        self.arena.keep(VnetHeader::LEN, len, offload);
                        frames += 1;
                        bytes += len as u64;
                    }
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if self.shared.is_gone(&error) => {
                    result = Err(QueueError::Driver("the tap was removed"));
                    break;
                }
                Err(_) => {
                    result = Ok(false);
                    break;
                }
            }
        }
        if frames > 0 {
            self.shared.counters.in_frames.add(frames);
            self.shared.counters.in_bytes.add(bytes);
        }
        result
    }
}

/// The length and state of the frame in `read`, a vnet header and what follows it; `None` if it is dropped.
fn judge(read: &[u8], counters: &UplinkCounters) -> Option<(usize, Offload)> {
    let Ok((header, frame)) = VnetHeader::read_from_prefix(read) else {
        counters.in_dropped_runt.add(1);
        return None;
    };
    if frame.len() < 14 {
        counters.in_dropped_runt.add(1);
        return None;
    }
    if frame.len() > MAX_FRAME {
        counters.in_dropped_oversize.add(1);
        return None;
    }
    let Ok(mut offload) = header.offload(frame.len() as u32, || ether_type(frame)) else {
        counters.in_dropped_header.add(1);
        return None;
    };
    if offload.checksum == Checksum::Unknown && header.is_data_valid() {
        offload.checksum = Checksum::Valid;
    }
    Some((frame.len(), offload))
}

impl Transmit for TapTransmit {
    fn fetch<'g>(&'g mut self, _: &'g Guard<'_>, batch: &mut Batch<'g>) -> Result<(), QueueError> {
        self.fill()?;
        self.arena.push_into(batch);
        Ok(())
    }

    fn complete(&mut self, _: &Guard<'_>, frames: usize) -> Result<(), QueueError> {
        self.arena.complete(frames);
        Ok(())
    }

    fn arm(&mut self, _: &Guard<'_>) -> Result<bool, QueueError> {
        let news = self.news.as_ref();
        let more = news.is_some_and(|news| news.follow(&self.file, &self.shared.carrier));
        Ok(self.fill()? || more || !self.arena.is_empty())
    }

    fn disarm(&mut self, _: &Guard<'_>) -> Result<(), QueueError> {
        Ok(())
    }
}

impl TapReceive {
    fn write(&mut self, frame: FrameRef<'_, '_>) -> io::Result<()> {
        let header = VnetHeader::new(frame.offload, frame.head());
        let (first, rest) = self.scratch.split_at_mut(VnetHeader::LEN);
        first.copy_from_slice(header.as_bytes());
        let len = copy_out(frame, rest).ok_or(ErrorKind::InvalidInput)?.len();
        (&*self.file).write(&self.scratch[..VnetHeader::LEN + len]).map(drop)
    }
}

impl Receive for TapReceive {
    fn accepts(&self) -> Accepts {
        self.accepts
    }

    fn deliver(
        &mut self,
        _: &Guard<'_>,
        batch: &Batch<'_>,
        frames: &[u16],
    ) -> Result<usize, QueueError> {
        let (mut written, mut bytes) = (0, 0);
        for index in frames {
            let frame = batch.frame(usize::from(*index));
            match self.write(frame) {
                Ok(()) => {
                    written += 1;
                    bytes += u64::from(frame.len);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.shared.counters.out_dropped_full.add(1);
                }
                // EIO: the interface is not up.
                Err(error)
                    if error.raw_os_error() == Some(libc::EIO) || self.shared.is_gone(&error) =>
                {
                    self.shared.counters.out_dropped_down.add(1);
                }
                Err(_) => self.shared.counters.out_dropped_refused.add(1),
            }
        }
        self.shared.counters.out_frames.add(written);
        self.shared.counters.out_bytes.add(bytes);
        Ok(frames.len())
    }

    fn arm(&mut self, _: &Guard<'_>) -> Result<bool, QueueError> {
        Ok(true)
    }
}

#[cfg(test)]
mod tests;
