//! Peer-to-peer writes on their way: carried out by a thread of their own, in order, without a guard.
//!
//! Why: a function sends while it holds an epoch guard, and a register write may make its target wait for every guard (a
//! reset, an FLR, a queue stopped). Done in place, the target would wait for its own caller.
//!
//! The rule that makes it sound:
//! - A posted write to a device is never carried out on its sender's thread, and never under a guard.
//! - A read of a device is: so [`Device::read`](pando_pci::Device::read) may not wait for guards, nor take a lock that is held
//!   while guards are waited for; and a function may not read under a lock that its own `Device::read` takes.
//! - A read doesn't pass the sender's own earlier writes, as long as they take no longer than [`PATIENCE`]: the write may itself
//!   be waiting for the reader's guard, so waiting without an end would be a deadlock.
//! - A write is routed and checked against its sender's gate again when its turn comes, so nothing is sent for a function that
//!   was stopped meanwhile, or by a route that is gone.
//! - Each sender has [`CREDITS`] writes on the way, and all together [`DEPTH`]: who exceeds it waits for [`PATIENCE`], then its
//!   writes are dropped and counted until one has arrived. Nobody's flood grows memory or holds up a worker for longer than that.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use pando_tlp::{Access, Iova, Marks, Participant, Requester};

use crate::hub::{Destination, Hub, Landing, Question};
use crate::pieces::piece;
use crate::topology::BusIndex;

/// Bytes of the largest write on the way.
pub(crate) const LARGEST: usize = 4096;
/// Writes on the way from one handle.
const CREDITS: u32 = 64;
/// Writes on the way from everyone.
const DEPTH: usize = 1024;
/// How long a sender waits for its own writes.
const PATIENCE: Duration = Duration::from_micros(200);

/// A posted write.
pub(crate) struct Posted {
    pub(crate) bus: BusIndex,
    pub(crate) requester: Arc<Requester>,
    pub(crate) address: Iova,
    pub(crate) data: Vec<u8>,
    pub(crate) marks: Marks,
    pub(crate) pending: Pending,
}

/// The writes of one handle on the way.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pending(Arc<Progress>);

#[derive(Debug, Default)]
struct Progress {
    count: AtomicU32,
    /// Waiting was in vain, and none has arrived since: no use to wait again.
    is_stuck: AtomicBool,
}

impl Pending {
    fn get(&self) -> u32 {
        self.0.count.load(SeqCst)
    }

    /// Waits until all are done; `false` when it took too long.
    pub(crate) fn wait(&self) -> bool {
        self.patiently(|| self.get() == 0)
    }

    fn begin(&self) {
        self.0.count.fetch_add(1, SeqCst);
    }

    fn end(&self) {
        self.0.count.fetch_sub(1, SeqCst);
        self.0.is_stuck.store(false, SeqCst);
    }

    /// Asks until the answer is yes, but not for long, and only once where it is in vain.
    fn patiently(&self, mut done: impl FnMut() -> bool) -> bool {
        if done() {
            return true;
        }
        let start = Instant::now();
        while !self.0.is_stuck.load(SeqCst) {
            std::thread::yield_now();
            if done() {
                return true;
            }
            if start.elapsed() >= PATIENCE {
                self.0.is_stuck.store(true, SeqCst);
            }
        }
        false
    }
}

/// The senders' end.
pub(crate) struct Outbox(SyncSender<Posted>);

/// The thread's end.
pub(crate) struct Inbox(Receiver<Posted>);

pub(crate) fn channel() -> (Outbox, Inbox) {
    let (sender, receiver) = sync_channel(DEPTH);
    (Outbox(sender), Inbox(receiver))
}

impl Outbox {
    /// Sends `posted` on its way; `false` if it had to be dropped.
    pub(crate) fn post(&self, posted: Posted) -> bool {
        let pending = posted.pending.clone();
        let mut waiting = Some(posted);
        let sent = pending.patiently(|| {
            if pending.get() >= CREDITS {
                return false;
            }
            let Some(posted) = waiting.take() else { return true };
            pending.begin();
            let Err(error) = self.0.try_send(posted) else { return true };
            pending.0.count.fetch_sub(1, SeqCst);
            if let TrySendError::Full(posted) = error {
                waiting = Some(posted);
            }
            false
        });
        sent && waiting.is_none()
    }
}

impl Inbox {
    /// Carries writes out until every [`Outbox`] is gone.
    pub(crate) fn run(self, hub: &Weak<Hub>, mut participant: Participant) {
        while let Ok(posted) = self.0.recv() {
            if let Some(hub) = hub.upgrade() {
                deliver(&hub, &mut participant, &posted);
            }
            posted.pending.end();
        }
    }
}

fn deliver(hub: &Hub, participant: &mut Participant, posted: &Posted) {
    let mut done = 0;
    while let Some(rest) = posted.data.get(done..).filter(|rest| !rest.is_empty()) {
        let Some(address) = posted.address.checked_add(done as u64) else { return };
        let question = Question {
            bus: posted.bus,
            source: hub.source(posted.bus, posted.requester.id()),
            address,
            access: Access::Write,
            len: rest.len() as u64,
            marks: posted.marks,
        };
        let Some(landing) = landing(hub, participant, posted, question) else { return };
        let Some(device) = hub.device(landing.device) else { return };
        let size = piece(landing.offset, landing.rest.min(rest.len() as u64)) as usize;
        if hub.refuses(&*device, landing, size, &question).is_ok() {
            device.write(landing.region, landing.offset, &rest[..size]);
            hub.counters.peer_writes.add();
        }
        done += size;
    }
}

/// Where the write goes now. What was registers when it was sent and no longer is gets nothing.
fn landing(
    hub: &Hub,
    participant: &mut Participant,
    posted: &Posted,
    question: Question,
) -> Option<Landing> {
    let _guard = participant.enter();
    if !posted.requester.is_open() {
        hub.counters.gated.add();
        return None;
    }
    match hub.route(question) {
        Ok(Destination::Device(landing)) => Some(landing),
        _ => None,
    }
}
