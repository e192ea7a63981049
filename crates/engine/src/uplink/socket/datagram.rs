//! One datagram per frame.

use std::io::{self, ErrorKind};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use arc_swap::ArcSwapOption;
use pando_tlp::Guard;

use super::file::{self, SocketFile};
use crate::finish::copy_out;
use crate::uplink::arena::Arena;
use crate::uplink::{Carrier, Uplink, UplinkCounters, UplinkError, UplinkQueue, io_error};
use crate::{Accepts, Batch, FrameRef, MAX_FRAME, Offload, QueueError, Receive, Transmit};

/// A socket at `local` that sends to `remote`.
pub(super) fn open(local: Option<&Path>, remote: Option<&Path>) -> Result<Uplink, UplinkError> {
    let remote = remote.map(file::address).transpose()?;
    let (socket, file) = match (local, &remote) {
        (Some(local), _) => {
            let (socket, file) = file::bind(local, |path| UnixDatagram::bind(path), probe)?;
            (socket, Some(file))
        }
        (None, Some(_)) => (unnamed().map_err(io_error("a socket"))?, None),
        (None, None) => return Err(UplinkError::NoAddress),
    };
    socket.set_nonblocking(true).map_err(io_error("a socket"))?;
    let readable = socket.try_clone().map_err(io_error("a socket"))?.into();
    let shared = Arc::new(Shared {
        socket,
        learns: remote.is_none(),
        peer: ArcSwapOption::from_pointee(remote),
        counters: Arc::default(),
        _file: file,
    });
    let counters = shared.counters.clone();
    let transmit = DatagramTransmit { arena: Arena::new(), shared: shared.clone() };
    let receive = DatagramReceive { scratch: vec![0; MAX_FRAME].into_boxed_slice(), shared };
    let queue = UplinkQueue { transmit: Box::new(transmit), receive: Box::new(receive), readable };
    Ok(Uplink { queues: vec![queue], carrier: Arc::new(Carrier::new(true)), counters })
}

fn probe(path: &Path) -> io::Result<()> {
    UnixDatagram::unbound()?.connect(path)
}

/// A socket with an abstract name, so that the peer can answer.
fn unnamed() -> io::Result<UnixDatagram> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Relaxed);
    let name = format!("pando-{}-{count}", std::process::id());
    UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(name)?)
}

struct Shared {
    socket: UnixDatagram,
    /// Whether the peer is whoever sent last.
    learns: bool,
    peer: ArcSwapOption<SocketAddr>,
    counters: Arc<UplinkCounters>,
    _file: Option<SocketFile>,
}

struct DatagramTransmit {
    arena: Arena,
    shared: Arc<Shared>,
}

struct DatagramReceive {
    scratch: Box<[u8]>,
    shared: Arc<Shared>,
}

impl Shared {
    fn learn(&self, from: SocketAddr) {
        if !self.learns || from.is_unnamed() {
            return;
        }
        let known = self.peer.load().as_ref().is_some_and(|peer| same(peer, &from));
        if !known {
            self.peer.store(Some(Arc::new(from)));
        }
    }
}

fn same(a: &SocketAddr, b: &SocketAddr) -> bool {
    a.as_pathname() == b.as_pathname() && a.as_abstract_name() == b.as_abstract_name()
}

impl DatagramTransmit {
    /// Returns whether there may be more.
    fn fill(&mut self) -> bool {
        let counters = &self.shared.counters;
        // A peer that only sends nonsense keeps the loop no longer than one that sends frames.
        for _ in 0..64 {
            let Some(room) = self.arena.room() else { return true };
            let (len, from) = match self.shared.socket.recv_from(&mut room[..=MAX_FRAME]) {
                Ok(received) => received,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(_) => return false,
            };
            self.shared.learn(from);
            if len < 14 {
                counters.in_dropped_runt.add(1);
            } else if len > MAX_FRAME {
                counters.in_dropped_oversize.add(1);
            } else {
                self.arena.keep(0, len, Offload::default());
                counters.in_frames.add(1);
                counters.in_bytes.add(len as u64);
            }
        }
        true
    }
}

impl Transmit for DatagramTransmit {
    fn fetch<'g>(&'g mut self, _: &'g Guard<'_>, batch: &mut Batch<'g>) -> Result<(), QueueError> {
        self.fill();
        self.arena.push_into(batch);
        Ok(())
    }

    fn complete(&mut self, _: &Guard<'_>, frames: usize) -> Result<(), QueueError> {
        self.arena.complete(frames);
        Ok(())
    }

    fn arm(&mut self, _: &Guard<'_>) -> Result<bool, QueueError> {
        Ok(self.fill() || !self.arena.is_empty())
    }

    fn disarm(&mut self, _: &Guard<'_>) -> Result<(), QueueError> {
        Ok(())
    }
}

impl DatagramReceive {
    fn send(&mut self, frame: FrameRef<'_, '_>, peer: &SocketAddr) -> io::Result<usize> {
        let bytes = copy_out(frame, &mut self.scratch).ok_or(ErrorKind::InvalidInput)?;
        self.shared.socket.send_to_addr(bytes, peer)
    }
}

impl Receive for DatagramReceive {
    fn accepts(&self) -> Accepts {
        Accepts::empty()
    }

    fn deliver(
        &mut self,
        _: &Guard<'_>,
        batch: &Batch<'_>,
        frames: &[u16],
    ) -> Result<usize, QueueError> {
        let counters = self.shared.counters.clone();
        let Some(peer) = self.shared.peer.load_full() else {
            counters.out_dropped_down.add(frames.len() as u64);
            return Ok(frames.len());
        };
        for index in frames {
            let frame = batch.frame(usize::from(*index));
            match self.send(frame, &peer).map_err(|error| error.kind()) {
                Ok(len) => {
                    counters.out_frames.add(1);
                    counters.out_bytes.add(len as u64);
                }
                Err(ErrorKind::WouldBlock) => counters.out_dropped_full.add(1),
                Err(ErrorKind::ConnectionRefused | ErrorKind::NotFound) => {
                    counters.out_dropped_down.add(1);
                }
                Err(_) => counters.out_dropped_refused.add(1),
            }
        }
        Ok(frames.len())
    }

    fn arm(&mut self, _: &Guard<'_>) -> Result<bool, QueueError> {
        Ok(true)
    }
}
