//! A connection, made anew whenever it is lost.
//!
//! The sending half never waits: frames go into a bounded buffer, and those that don't fit are dropped. The fetching half looks
//! after the connection and writes what is left in the buffer when the peer takes more.

use std::io::{self, ErrorKind, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use pando_tlp::Guard;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};

use super::file::{self, SocketFile};
use super::framing::{Filled, Input, PREFIX};
use crate::finish::copy_out;
use crate::uplink::{Carrier, Uplink, UplinkCounters, UplinkError, UplinkQueue, io_error};
use crate::{Accepts, Batch, FrameRef, MAX_FRAME, QueueError, Receive, Transmit};

/// How long to wait before the next attempt to connect.
const AGAIN: Duration = Duration::from_millis(200);

/// Bytes buffered for a peer that is slow: some long frames.
const OUTPUT: usize = 256 * 1024;
const _: () = assert!(OUTPUT > PREFIX + MAX_FRAME);

/// Listens at `path`.
pub(super) fn listen(path: &Path) -> Result<Uplink, UplinkError> {
    let bind = |path: &Path| UnixListener::bind(path);
    let (listener, file) = file::bind(path, bind, |path| dial(path).map(drop))?;
    listener.set_nonblocking(true).map_err(io_error("a socket"))?;
    open(Role::Listen { listener, _file: file })
}

/// Connects to whoever listens at `path`.
pub(super) fn connect(path: &Path) -> Result<Uplink, UplinkError> {
    file::address(path)?;
    let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::CLOEXEC)
        .map_err(io_error("a timer"))?;
    open(Role::Connect { path: path.into(), timer, next: Instant::now() })
}

fn open(role: Role) -> Result<Uplink, UplinkError> {
    let failed = || io_error("a socket");
    let epoll = epoll::create(CreateFlags::CLOEXEC).map_err(failed())?;
    // The engine gets a descriptor for all that may happen here: connections come and go, it stays.
    let readable = epoll.try_clone().map_err(io_error("a socket"))?;
    let connection = Arc::new(Connection {
        output: Mutex::new(Output { peer: None, bytes: Vec::with_capacity(OUTPUT), sent: 0 }),
        blocked: AtomicBool::new(false),
        epoll,
        carrier: Arc::new(Carrier::new(false)),
        counters: Arc::default(),
    });
    let (carrier, counters) = (connection.carrier.clone(), connection.counters.clone());
    let mut transmit =
        StreamTransmit { role, peer: None, input: Input::new(), connection: connection.clone() };
    transmit.await_peer().map_err(failed())?;
    transmit.find_peer();
    let receive = Box::new(StreamReceive(connection));
    let queue = UplinkQueue { transmit: Box::new(transmit), receive, readable };
    Ok(Uplink { queues: vec![queue], carrier, counters })
}

/// A connection to `path`, or none, without ever waiting.
fn dial(path: &Path) -> io::Result<UnixStream> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    rustix::net::connect(&socket, &SocketAddrUnix::new(path)?)?;
    Ok(socket.into())
}

/// Makes `timer` readable once after `delay`.
fn expire(timer: &OwnedFd, delay: Duration) -> rustix::io::Result<()> {
    let none = Timespec { tv_sec: 0, tv_nsec: 0 };
    let it_value =
        Timespec { tv_sec: delay.as_secs() as i64, tv_nsec: i64::from(delay.subsec_nanos()) };
    let setting = Itimerspec { it_interval: none, it_value };
    timerfd_settime(timer, TimerfdTimerFlags::empty(), &setting).map(drop)
}

/// Who makes the connection.
enum Role {
    Listen { listener: UnixListener, _file: SocketFile },
    Connect { path: PathBuf, timer: OwnedFd, next: Instant },
}

/// What both halves share.
struct Connection {
    output: Mutex<Output>,
    /// Bytes are waiting for the peer.
    blocked: AtomicBool,
    epoll: OwnedFd,
    carrier: Arc<Carrier>,
    counters: Arc<UplinkCounters>,
}

/// What is to be sent. Locked once per batch.
struct Output {
    peer: Option<Arc<UnixStream>>,
    bytes: Vec<u8>,
    sent: usize,
}

struct StreamTransmit {
    role: Role,
    peer: Option<Arc<UnixStream>>,
    input: Input,
    connection: Arc<Connection>,
}

struct StreamReceive(Arc<Connection>);

impl Role {
    fn descriptor(&self) -> BorrowedFd<'_> {
        match self {
            Self::Listen { listener, .. } => listener.as_fd(),
            Self::Connect { timer, .. } => timer.as_fd(),
        }
    }

    /// A new peer, if there is one now.
    fn find(&mut self) -> Option<UnixStream> {
        match self {
            Self::Listen { listener, .. } => {
                let (peer, _) = listener.accept().ok()?;
                peer.set_nonblocking(true).ok()?;
                Some(peer)
            }
            Self::Connect { next, .. } if Instant::now() < *next => None,
            Self::Connect { path, timer, next } => dial(path).ok().or_else(|| {
                *next = Instant::now() + AGAIN;
                let _ = expire(timer, AGAIN); // also takes back that it has expired
                None
            }),
        }
    }
}

impl Connection {
    fn output(&self) -> MutexGuard<'_, Output> {
        self.output.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn watch(&self, descriptor: impl AsFd) -> rustix::io::Result<()> {
        epoll::add(&self.epoll, descriptor, EventData::new_u64(0), EventFlags::IN)
    }

    fn unwatch(&self, descriptor: impl AsFd) {
        let _ = epoll::delete(&self.epoll, descriptor);
    }

    /// Writes what the peer takes. A peer that is lost is left to the fetching half, which sees the end of the stream.
    fn flush(&self, output: &mut Output) {
        let Some(peer) = output.peer.clone() else { return };
        while output.sent < output.bytes.len() {
            match (&*peer).write(&output.bytes[output.sent..]) {
                Ok(len) => output.sent += len,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(_) => {
                    let _ = peer.shutdown(Shutdown::Both);
                    output.disconnect();
                    break;
                }
            }
        }
        let blocked = output.sent < output.bytes.len();
        if !blocked {
            output.bytes.clear();
            output.sent = 0;
        }
        if self.blocked.swap(blocked, SeqCst) != blocked {
            let events = if blocked { EventFlags::IN | EventFlags::OUT } else { EventFlags::IN };
            let _ = epoll::modify(&self.epoll, &*peer, EventData::new_u64(0), events);
        }
    }
}

impl Output {
    fn disconnect(&mut self) {
        self.peer = None;
        self.bytes.clear();
        self.sent = 0;
    }

    /// Adds a frame, whole or not at all.
    fn add(&mut self, frame: FrameRef<'_, '_>) -> bool {
        let len = frame.len as usize;
        if self.bytes.len() + PREFIX + len > OUTPUT {
            self.bytes.drain(..self.sent);
            self.sent = 0;
        }
        let start = self.bytes.len();
        if start + PREFIX + len > OUTPUT {
            return false;
        }
        self.bytes.extend(frame.len.to_be_bytes());
        self.bytes.resize(start + PREFIX + len, 0);
        copy_out(frame, &mut self.bytes[start + PREFIX..]).is_some()
    }
}

impl StreamTransmit {
    /// Wakes the engine when a peer may be there.
    fn await_peer(&mut self) -> rustix::io::Result<()> {
        if let Role::Connect { timer, next, .. } = &mut self.role {
            *next = Instant::now();
            expire(timer, Duration::from_millis(1))?;
        }
        self.connection.watch(self.role.descriptor())
    }

    fn find_peer(&mut self) {
        let Some(peer) = self.role.find().map(Arc::new) else { return };
        let connection = &self.connection;
        if connection.watch(&*peer).is_err() {
            return;
        }
        connection.unwatch(self.role.descriptor());
        let mut output = connection.output();
        output.disconnect();
        output.peer = Some(peer.clone());
        connection.blocked.store(false, SeqCst);
        drop(output);
        self.peer = Some(peer);
        connection.carrier.set(true);
    }

    fn lose_peer(&mut self) {
        let Some(peer) = self.peer.take() else { return };
        let connection = &self.connection;
        connection.unwatch(&*peer);
        let mut output = connection.output();
        output.disconnect();
        connection.blocked.store(false, SeqCst);
        drop(output);
        self.input.disconnect();
        connection.carrier.set(false);
        if let Err(error) = self.await_peer() {
            tracing::warn!(%error, "the socket uplink can't wait for another peer");
        }
    }

    /// Returns whether there may be more.
    fn fill(&mut self) -> bool {
        if self.peer.is_none() {
            self.find_peer();
        }
        if self.connection.blocked.load(SeqCst) {
            self.connection.flush(&mut self.connection.output());
        }
        let Some(peer) = &self.peer else { return false };
        match self.input.fill(&mut &**peer, &self.connection.counters) {
            Filled::Empty => false,
            Filled::More => true,
            Filled::Gone => {
                self.lose_peer();
                true
            }
        }
    }
}

impl Transmit for StreamTransmit {
    fn fetch<'g>(&'g mut self, _: &'g Guard<'_>, batch: &mut Batch<'g>) -> Result<(), QueueError> {
        self.fill();
        self.input.push_into(batch);
        Ok(())
    }

    fn complete(&mut self, _: &Guard<'_>, frames: usize) -> Result<(), QueueError> {
        self.input.complete(frames);
        Ok(())
    }

    fn arm(&mut self, _: &Guard<'_>) -> Result<bool, QueueError> {
        Ok(self.fill() || !self.input.is_empty())
    }

    fn disarm(&mut self, _: &Guard<'_>) -> Result<(), QueueError> {
        Ok(())
    }
}

impl Receive for StreamReceive {
    fn accepts(&self) -> Accepts {
        Accepts::empty()
    }

    fn deliver(
        &mut self,
        _: &Guard<'_>,
        batch: &Batch<'_>,
        frames: &[u16],
    ) -> Result<usize, QueueError> {
        let counters = &self.0.counters;
        let mut output = self.0.output();
        for index in frames {
            let frame = batch.frame(usize::from(*index));
            if output.peer.is_none() {
                counters.out_dropped_down.add(1);
            } else if frame.len as usize > MAX_FRAME {
                counters.out_dropped_refused.add(1);
            } else if output.add(frame) || {
                self.0.flush(&mut output);
                output.add(frame)
            } {
                counters.out_frames.add(1);
                counters.out_bytes.add(u64::from(frame.len));
            } else {
                counters.out_dropped_full.add(1);
            }
        }
        self.0.flush(&mut output);
        Ok(frames.len())
    }

    fn arm(&mut self, _: &Guard<'_>) -> Result<bool, QueueError> {
        Ok(true)
    }
}
