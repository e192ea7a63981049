//! Captures: the frames that pass named ports, written to a pcapng file (draft-ietf-opsawg-pcapng) by a thread of its own.
//!
//! A worker copies into a record taken from a bounded pool and never waits; frames for which there is no record are counted and
//! left out. Timestamps are those of the copy, in nanoseconds. Unfinished frames are recorded unfinished, as on a real host.

mod writer;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::{JoinHandle, Thread};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crossbeam_queue::ArrayQueue;
use serde::Serialize;

use crate::finish::copy_prefix;
use crate::{Counter, FrameRef};

/// Frames that wait for the thread at most.
const RECORDS: usize = 4096;

/// Bytes that wait for the thread at most.
const BYTES: usize = 16 << 20;

/// Records of more bytes than this give their memory back after use.
const KEPT: usize = 2048;

/// Which way a frame goes, as the port's owner sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Into the port's owner: a function receives it, or an uplink sends it outside.
    Inbound,
    /// Out of the port's owner.
    Outbound,
}

/// One capture file. Dropping it ends the capture: what was captured before is in the file then.
#[derive(Debug)]
pub struct CaptureFile {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

/// A port's place in a capture file. A clone is the same place.
#[derive(Clone, Debug)]
pub struct CapturePort {
    shared: Arc<Shared>,
    interface: u32,
}

/// What a capture has done so far.
#[derive(Debug, Default, Serialize)]
pub struct CaptureCounters {
    /// Frames given to the thread.
    pub frames: Counter,
    /// Frames left out because the thread was behind.
    pub dropped: Counter,
    /// Frames lost because the file couldn't be written.
    pub failed: Counter,
}

#[derive(Debug)]
struct Shared {
    path: PathBuf,
    snap_length: usize,
    names: Mutex<Vec<String>>,
    records: ArrayQueue<Record>,
    pool: ArrayQueue<Vec<u8>>,
    /// Bytes in `records`.
    waiting: AtomicUsize,
    /// The thread has nothing to do and wants to be woken.
    idle: AtomicBool,
    end: AtomicBool,
    thread: OnceLock<Thread>,
    counters: CaptureCounters,
}

/// One frame on its way to the thread.
#[derive(Debug)]
struct Record {
    interface: u32,
    direction: Direction,
    time: Duration,
    len: u32,
    bytes: Vec<u8>,
}

impl CaptureFile {
    /// Creates the file and starts its thread. At most `snap_length` bytes of each frame are kept.
    pub fn create(path: &Path, snap_length: usize) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            path: path.into(),
            snap_length: snap_length.clamp(14, crate::MAX_FRAME),
            names: Mutex::default(),
            records: ArrayQueue::new(RECORDS),
            pool: ArrayQueue::new(RECORDS),
            waiting: AtomicUsize::new(0),
            idle: AtomicBool::new(false),
            end: AtomicBool::new(false),
            thread: OnceLock::new(),
            counters: CaptureCounters::default(),
        });
        let writer = writer::Writer::new(File::create(path)?, shared.snap_length)?;
        let thread = std::thread::Builder::new().name("pando-capture".into()).spawn({
            let shared = shared.clone();
            move || shared.run(writer)
        })?;
        let _ = shared.thread.set(thread.thread().clone());
        Ok(Self { shared, thread: Some(thread) })
    }

    /// A new interface of this name in the file.
    pub fn port(&self, name: &str) -> CapturePort {
        let mut names = self.shared.names.lock().unwrap_or_else(PoisonError::into_inner);
        names.push(name.into());
        CapturePort { shared: self.shared.clone(), interface: names.len() as u32 - 1 }
    }

    /// Its counters.
    pub fn counters(&self) -> &CaptureCounters {
        &self.shared.counters
    }
}

impl Drop for CaptureFile {
    fn drop(&mut self) {
        self.shared.end.store(true, SeqCst);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            let _ = thread.join();
        }
    }
}

impl CapturePort {
    /// Records `frame`. Never waits.
    #[inline]
    pub fn frame(&self, direction: Direction, frame: FrameRef<'_, '_>) {
        let shared = &*self.shared;
        if shared.end.load(Relaxed) {
            return;
        }
        let len = shared.snap_length.min(frame.len as usize);
        if shared.waiting.fetch_add(len, Relaxed) + len > BYTES {
            shared.waiting.fetch_sub(len, Relaxed);
            shared.counters.dropped.add(1);
            return;
        }
        let mut bytes = shared.pool.pop().unwrap_or_default();
        bytes.resize(len, 0);
        copy_prefix(frame, &mut bytes);
        let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let record = Record { interface: self.interface, direction, time, len: frame.len, bytes };
        match shared.records.push(record) {
            Ok(()) => shared.counters.frames.add(1),
            Err(record) => {
                shared.recycle(record.bytes);
                shared.counters.dropped.add(1);
            }
        }
        if shared.idle.load(SeqCst) && shared.idle.swap(false, SeqCst) {
            shared.wake();
        }
    }
}

impl Shared {
    fn recycle(&self, bytes: Vec<u8>) {
        self.waiting.fetch_sub(bytes.len(), Relaxed);
        if bytes.capacity() <= KEPT {
            let _ = self.pool.push(bytes);
        }
    }

    fn wake(&self) {
        if let Some(thread) = self.thread.get() {
            thread.unpark();
        }
    }

    /// The thread.
    fn run(&self, mut writer: writer::Writer) {
        loop {
            let ending = self.end.load(SeqCst);
            while let Some(record) = self.records.pop() {
                self.write(&mut writer, &record);
                self.recycle(record.bytes);
            }
            if let Err(error) = writer.flush() {
                self.warn(&mut writer, &error);
            }
            if ending {
                return;
            }
            self.idle.store(true, SeqCst);
            if self.records.is_empty() && !self.end.load(SeqCst) {
                std::thread::park();
            }
            self.idle.store(false, SeqCst);
        }
    }

    fn write(&self, writer: &mut writer::Writer, record: &Record) {
        let result = self.describe(writer, record.interface).and_then(|()| writer.frame(record));
        if let Err(error) = result {
            self.counters.failed.add(1);
            self.warn(writer, &error);
        }
    }

    /// Writes the descriptions of the interfaces up to `interface`.
    fn describe(&self, writer: &mut writer::Writer, interface: u32) -> io::Result<()> {
        while writer.interfaces() <= interface {
            let names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
            let name = names.get(writer.interfaces() as usize).cloned().unwrap_or_default();
            drop(names);
            writer.interface(&name)?;
        }
        Ok(())
    }

    fn warn(&self, writer: &mut writer::Writer, error: &io::Error) {
        if writer.fail() {
            let path = self.path.display();
            tracing::warn!(%path, %error, "the capture file can't be written any more");
        }
    }
}

#[cfg(test)]
mod tests;
