//! Console output: a bounded queue and a thread that empties it, so that a stopped reader can't stop the guest for ever.
//!
//! A writer waits for room at most [`PATIENCE`]; then bytes are dropped, and a mark says how many, until the reader moves again.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

/// Bytes queued at most.
const CAPACITY: usize = 64 << 10;
/// How long a writer waits for room.
const PATIENCE: Duration = Duration::from_secs(1);

/// A handle to the queue.
#[derive(Clone)]
pub struct Output(Arc<Shared>);

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    filled: Condvar,
    drained: Condvar,
}

#[derive(Default)]
struct Queue {
    bytes: VecDeque<u8>,
    /// The thread is writing what it took.
    writing: bool,
    /// Bytes dropped since the reader stopped.
    dropped: u64,
    /// Nobody reads any more: everything is dropped silently.
    closed: bool,
}

impl Output {
    /// Output that goes nowhere.
    pub fn none() -> Self {
        let shared = Shared::default();
        shared.lock().closed = true;
        Self(Arc::new(shared))
    }

    /// Output to `sink`, by a thread of its own.
    pub fn to(sink: impl Write + Send + 'static) -> Result<Self> {
        let shared = Arc::new(Shared::default());
        let writer = shared.clone();
        let thread = std::thread::Builder::new().name("console".into());
        thread.spawn(move || writer.drain_into(sink)).context("starting the console thread")?;
        Ok(Self(shared))
    }

    /// Waits until everything is written, but no longer than `patience`.
    pub fn flush_within(&self, patience: Duration) {
        let deadline = Instant::now() + patience;
        let mut queue = self.0.lock();
        while !queue.closed && (queue.writing || !queue.bytes.is_empty()) {
            let Some(left) = deadline.checked_duration_since(Instant::now()) else { return };
            queue = self.0.wait(queue, left);
        }
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.push(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Shared {
    fn push(&self, bytes: &[u8]) {
        let mut queue = self.lock();
        // Who has dropped already doesn't wait again for the same stopped reader.
        if queue.bytes.len() + bytes.len() > CAPACITY && queue.dropped == 0 && !queue.closed {
            let is_full =
                |queue: &mut Queue| queue.bytes.len() + bytes.len() > CAPACITY && !queue.closed;
            let waited = self.drained.wait_timeout_while(queue, PATIENCE, is_full);
            queue = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        if queue.closed {
            return;
        }
        if queue.bytes.len() + bytes.len() > CAPACITY {
            queue.dropped += bytes.len() as u64;
            return;
        }
        queue.mark_dropped();
        queue.bytes.extend(bytes);
        self.filled.notify_one();
    }

    fn drain_into(&self, mut sink: impl Write) {
        loop {
            let chunk = self.take();
            let written = sink.write_all(&chunk).and_then(|()| sink.flush());
            let mut queue = self.lock();
            queue.writing = false;
            queue.closed |= written.is_err();
            self.drained.notify_all();
            if queue.closed {
                return;
            }
        }
    }

    /// Waits for bytes and takes all there are.
    fn take(&self) -> Vec<u8> {
        let waited = self.filled.wait_while(self.lock(), |queue| queue.bytes.is_empty());
        let mut queue = waited.unwrap_or_else(PoisonError::into_inner);
        queue.writing = true;
        let chunk = queue.bytes.drain(..).collect();
        self.drained.notify_all();
        chunk
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&'a self, queue: MutexGuard<'a, Queue>, time: Duration) -> MutexGuard<'a, Queue> {
        self.drained.wait_timeout(queue, time).unwrap_or_else(PoisonError::into_inner).0
    }
}

impl Queue {
    fn mark_dropped(&mut self) {
        if self.dropped > 0 {
            let mark = format!("\r\n[pando: {} bytes of output dropped]\r\n", self.dropped);
            self.bytes.extend(mark.bytes());
            self.dropped = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    /// Writes when told to.
    struct Gate(mpsc::Receiver<()>, Arc<Mutex<Vec<u8>>>);

    impl Write for Gate {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.recv().map_err(io::Error::other)?;
            self.1.lock().unwrap().extend(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_stopped_reader_delays_the_writer_once_and_loses_bytes_visibly() {
        let (open, gate) = mpsc::channel();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let mut output = Output::to(Gate(gate, seen.clone())).unwrap();
        let start = Instant::now();
        for _ in 0..4 * CAPACITY / 1024 {
            output.write_all(&[b'x'; 1024]).unwrap();
        }
        assert!(start.elapsed() < 60 * PATIENCE, "it waited again and again");
        (0..3).for_each(|_| open.send(()).unwrap());
        output.flush_within(PATIENCE);
        output.write_all(b"end").unwrap();
        output.flush_within(PATIENCE);
        let text = String::from_utf8(seen.lock().unwrap().clone()).unwrap();
        assert!(text.contains("bytes of output dropped]\r\nend"), "{} bytes", text.len());
    }

    #[test]
    fn a_reader_that_went_away_costs_nothing() {
        let (_, gate) = mpsc::channel();
        let mut output = Output::to(Gate(gate, Arc::default())).unwrap();
        for _ in 0..CAPACITY {
            output.write_all(&[b'x'; 64]).unwrap();
        }
        output.flush_within(Duration::from_secs(3600)); // or the test hangs
        let queue = output.0.lock();
        assert!(queue.closed);
        assert_eq!(queue.dropped, 0, "a writer's patience was over");
    }
}
