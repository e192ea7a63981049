//! Workers: threads that poll the queues given to them while there is work, and sleep when there is none.
//!
//! Each task belongs to one worker, and those with work share it fairly. It moves when too many compete for one worker.

mod allowance;
mod balance;
mod fair;
mod held;
mod polling;
mod progress;
mod run;
mod scratch;
mod shared;
mod task;
mod transmit;

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use pando_tlp::Epochs;
use serde::Serialize;

use crate::doorbell::Target;
use crate::switch::Cell;
use crate::{Doorbell, FinishCounters, Finisher, Port, QueueError, Receive, Service, Transmit};
use polling::Polling;
use run::Worker;
use scratch::Scratch;
pub(crate) use shared::Shared;
pub(crate) use task::Task;
use task::{Body, Kind};
use transmit::Transmitter;

/// Told once when a queue stops by itself. Called on a worker, with nothing locked and no guard held; it may run at the same
/// time as [`TaskHandle::stop`], but isn't called for an error found after a stop began.
pub type OnError = Box<dyn FnOnce(QueueError) + Send>;

/// Workers at most: each has a bit where waiting workers are noted.
const WORKERS: usize = 64;

/// The workers.
pub struct Engine {
    workers: Arc<[Arc<Shared>]>,
    threads: Vec<JoinHandle<()>>,
    polling: Duration,
}

/// What the workers have done.
#[derive(Clone, Debug, Serialize)]
pub struct EngineReport {
    /// The longest time that a worker polls before it sleeps, in microseconds.
    pub polling_us: u64,
    /// One entry per worker.
    pub workers: Vec<WorkerReport>,
}

/// What one worker has done.
#[derive(Clone, Debug, Serialize)]
pub struct WorkerReport {
    /// Tasks it has now.
    pub tasks: usize,
    /// How often it slept and was woken.
    pub wakeups: u64,
    /// Tasks that it gave to other workers, because too many competed for it.
    pub given: u64,
    /// What it finished in software.
    #[serde(serialize_with = "inside")]
    pub finished: Arc<FinishCounters>,
}

/// An `Arc` as what is in it.
fn inside<T: Serialize, S: serde::Serializer>(arc: &Arc<T>, to: S) -> Result<S::Ok, S::Error> {
    arc.as_ref().serialize(to)
}

impl Engine {
    /// Starts `workers` threads (1 to 64) that take part in `epochs`.
    pub fn new(workers: usize, epochs: Arc<Epochs>) -> io::Result<Self> {
        Self::polling(workers, epochs, None)
    }

    /// The same; without work each polls for `longest` at most before it sleeps. `None`: for ten times what waking a thread takes on
    /// this host, 50 us to 2 ms, and not at all on a host with one processor.
    pub fn polling(
        workers: usize,
        epochs: Arc<Epochs>,
        longest: Option<Duration>,
    ) -> io::Result<Self> {
        let polling = longest.unwrap_or_else(polling::host_choice);
        let finishers: Vec<_> = (0..workers.clamp(1, WORKERS)).map(|_| Finisher::new()).collect();
        let shared: io::Result<Vec<_>> = finishers
            .iter()
            .enumerate()
            .map(|(number, finisher)| {
                Shared::new(number, finisher.counters().clone()).map(Arc::new)
            })
            .collect();
        let workers: Arc<[_]> = shared?.into();
        let mut engine = Self { workers: workers.clone(), threads: Vec::new(), polling };
        for (shared, finisher) in workers.iter().zip(finishers) {
            let worker = Worker::new(
                workers.clone(),
                shared.number,
                epochs.join(),
                Scratch::new(finisher),
                Polling::up_to(polling),
            );
            let thread = std::thread::Builder::new().name(format!("worker-{}", shared.number));
            engine.threads.push(thread.spawn(move || worker.run())?);
        }
        Ok(engine)
    }

    /// Polls `queue`, transmit queue number `index` of `port`, from now on.
    pub fn transmit(
        &self,
        port: &Arc<Port>,
        index: u16,
        queue: Box<dyn Transmit>,
        on_error: OnError,
    ) -> TaskHandle {
        self.start(Body::Transmit(Box::new(Transmitter::new(queue, port, index))), on_error)
    }

    /// Like [`transmit`](Self::transmit), for an uplink: `descriptor` becoming readable (from not readable) rings the doorbell.
    /// `queue`'s `arm` says `true` if it is readable already. Fails if `descriptor` can't be waited for.
    pub fn source(
        &self,
        port: &Arc<Port>,
        index: u16,
        queue: Box<dyn Transmit>,
        descriptor: OwnedFd,
        on_error: OnError,
    ) -> io::Result<TaskHandle> {
        let body = Body::Transmit(Box::new(Transmitter::new(queue, port, index)));
        let home = self.idlest(body.kind());
        let handle = TaskHandle(Task::new(body, &self.workers, home, on_error));
        handle.0.doorbell.rung_by(Arc::new(descriptor))?;
        handle.0.start();
        Ok(handle)
    }

    /// Serves a control queue from now on.
    pub fn serve(&self, service: Box<dyn Service>, on_error: OnError) -> TaskHandle {
        self.start(Body::Service(service), on_error)
    }

    /// Gives frames for `port` to `queue` from now on, as its receive queue number `index`.
    pub fn receive(
        &self,
        port: &Arc<Port>,
        index: u16,
        queue: Box<dyn Receive>,
        on_error: OnError,
    ) -> ReceiveHandle {
        let waiting = AtomicU64::new(0);
        let home = usize::from(index) % self.workers.len();
        let workers = self.workers.clone();
        let doorbell = Doorbell::new(Target::Waiters { waiting, home, workers });
        let counters = port.receive_counters(index);
        let cell = Arc::new(Cell::new(queue, doorbell, counters, on_error));
        port.attach(index, cell.clone());
        ReceiveHandle { cell, port: port.clone(), index }
    }

    /// What lets queues look again whether they have to hold interrupts back.
    pub fn reminder(&self) -> Reminder {
        Reminder(self.workers.clone())
    }

    /// What the workers have done.
    pub fn report(&self) -> EngineReport {
        let workers = self.workers.iter().map(|worker| WorkerReport {
            tasks: worker.tasks.iter().map(|tasks| tasks.load(Ordering::Relaxed)).sum(),
            wakeups: worker.wakeups.get(),
            given: worker.given.get(),
            finished: worker.finished.clone(),
        });
        EngineReport { polling_us: self.polling.as_micros() as u64, workers: workers.collect() }
    }

    fn start(&self, body: Body, on_error: OnError) -> TaskHandle {
        let home = self.idlest(body.kind());
        let task = Task::new(body, &self.workers, home, on_error);
        task.start();
        TaskHandle(task)
    }

    /// The worker with the fewest tasks of this kind.
    fn idlest(&self, kind: Kind) -> usize {
        let tasks = |worker: &Arc<Shared>| worker.tasks[kind as usize].load(Ordering::Relaxed);
        let least = self.workers.iter().min_by_key(|worker| tasks(worker));
        least.map_or(0, |worker| worker.number)
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        for worker in self.workers.iter() {
            worker.stop();
        }
        for thread in self.threads.drain(..) {
            // An owner told of an error may hold the last handle, and then this is a worker. A worker contains what its queues do;
            // if it panicked all the same, the message is out already.
            if thread.thread().id() != std::thread::current().id() {
                let _ = thread.join();
            }
        }
    }
}

/// Reminds queues of what they hold back, from any thread.
#[derive(Clone)]
pub struct Reminder(Arc<[Arc<Shared>]>);

impl Reminder {
    /// [`Receive::remind`] or [`Transmit::remind`] is soon called for every queue that holds an interrupt back.
    pub fn remind(&self) {
        self.0.iter().for_each(|worker| worker.remind());
    }
}

/// A queue that a worker polls. Dropping it stops it.
pub struct TaskHandle(Arc<Task>);

impl TaskHandle {
    /// The queue's doorbell.
    pub fn doorbell(&self) -> &Doorbell {
        &self.0.doorbell
    }

    /// Stops the queue: when this returns, no worker uses it, and it is dropped. Call it from a thread that holds no lock which
    /// the queue's own methods take; never from one of the queue's own methods.
    pub fn stop(self) {}
}

impl Drop for TaskHandle {
    fn drop(&mut self) {
        self.0.stop();
    }
}

/// A receive queue of a port. Dropping it stops it.
pub struct ReceiveHandle {
    cell: Arc<Cell>,
    port: Arc<Port>,
    index: u16,
}

impl ReceiveHandle {
    /// Rung when buffers were added: senders that wait for them go on.
    pub fn doorbell(&self) -> &Doorbell {
        &self.cell.doorbell
    }

    /// As [`TaskHandle::stop`].
    pub fn stop(self) {}
}

impl Drop for ReceiveHandle {
    fn drop(&mut self) {
        self.cell.stop();
        self.port.detach(self.index, &self.cell);
    }
}

#[cfg(test)]
mod tests;
