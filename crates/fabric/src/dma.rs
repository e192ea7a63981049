//! A function's way into the tree: stamps the requester id, checks the gate, and carries out what the tree answers.

use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;

use pando_tlp::{
    Access, Dma, Epochs, ErrorMessage, Fault, IntxWire, Iova, Link, Marks, MsiMessage, Outcome,
    Requester, RequesterId, Run, Target,
};

use crate::deferred::{LARGEST, Pending, Posted};
use crate::hub::{Destination, Hub, Landing, Question};
use crate::intx::Source;
use crate::pieces::piece;
use crate::topology::BusIndex;

/// An attachment point.
pub(crate) struct Attachment {
    pub(crate) hub: Arc<Hub>,
    pub(crate) bus: BusIndex,
}

impl Link for Attachment {
    fn dma(&self, requester: Arc<Requester>) -> Arc<dyn Dma> {
        let hub = self.hub.clone();
        Arc::new(Handle { hub, bus: self.bus, requester, pending: Pending::default() })
    }

    fn epochs(&self) -> &Arc<Epochs> {
        &self.hub.epochs
    }

    fn doorbells_changed(&self) {
        if !self.hub.doorbells_dirty.swap(true, SeqCst) {
            (self.hub.wake)();
        }
    }

    fn report(&self, source: RequesterId, message: ErrorMessage) {
        self.hub.send(self.bus, source, message);
    }

    fn intx(&self, function: u8, wire: IntxWire, asserted: bool) {
        self.hub.intx(Source { bus: self.bus, function, wire }, asserted);
    }
}

/// One function's handle.
struct Handle {
    hub: Arc<Hub>,
    bus: BusIndex,
    requester: Arc<Requester>,
    pending: Pending,
}

impl Handle {
    fn question(&self, address: Iova, access: Access, len: usize, marks: Marks) -> Question {
        let source = self.hub.source(self.bus, self.requester.id());
        Question { bus: self.bus, source, address, access, len: len as u64, marks }
    }

    fn route(&self, question: Question) -> Result<Destination, Fault> {
        if !self.requester.is_open() {
            self.hub.counters.gated.add();
            return Err(Fault::Gated);
        }
        self.hub.route(question).map_err(|fault| self.failed(question.access, fault))
    }

    /// What the function learns of a request that did not arrive: of a read by its completion (7.5.1.1.4), of a write nothing.
    #[cold]
    fn failed(&self, access: Access, fault: Fault) -> Fault {
        self.requester.count(fault);
        if access == Access::Read {
            self.requester.learn(match fault {
                Fault::CompleterAbort => Outcome::CompleterAbort,
                _ => Outcome::UnsupportedRequest,
            });
        }
        fault
    }

    /// Reads what the first answer covers; returns how much that was.
    fn read_some(&self, address: Iova, data: &mut [u8], marks: Marks) -> Result<usize, Fault> {
        let question = self.question(address, Access::Read, data.len(), marks);
        match self.route(question)? {
            Destination::Ram { start, run, read: true, .. } => {
                let run = rest_of(run, start, address, data.len())?;
                Ok(run.slice().copy_to(data))
            }
            Destination::Device(landing) => self.read_device(&question, landing, data),
            Destination::Ram { .. } => Err(self.failed(Access::Read, Fault::Translation)),
            Destination::Interrupt => Err(self.unsupported(&question)),
        }
    }

    fn read_device(
        &self,
        question: &Question,
        landing: Landing,
        data: &mut [u8],
    ) -> Result<usize, Fault> {
        let device = self.hub.device(landing.device).ok_or(Fault::UnsupportedRequest)?;
        let size = piece(landing.offset, landing.rest.min(data.len() as u64)) as usize;
        self.hub
            .refuses(&*device, landing, size, question)
            .and_then(|()| self.hub.completes(question, landing))
            .map_err(|fault| self.failed(Access::Read, fault))?;
        device.read(landing.region, landing.offset, &mut data[..size]);
        self.hub.counters.peer_reads.add();
        Ok(size)
    }

    /// Writes what the first answer covers; returns how much that was.
    fn write_some(&self, address: Iova, data: &[u8], marks: Marks) -> Result<usize, Fault> {
        let question = self.question(address, Access::Write, data.len(), marks);
        match self.route(question)? {
            Destination::Ram { start, run, write: true, .. } => {
                let run = rest_of(run, start, address, data.len())?;
                run.slice().copy_from(&data[..run.len() as usize]);
                Ok(run.len() as usize)
            }
            Destination::Device(landing) => Ok(self.post(&question, landing, data)),
            Destination::Ram { .. } => Err(self.failed(Access::Write, Fault::Translation)),
            Destination::Interrupt => self.message(&question, data),
        }
    }

    /// Hands a write to another device over; it is posted, so nobody learns of its end.
    fn post(&self, question: &Question, landing: Landing, data: &[u8]) -> usize {
        let len = landing.rest.min(data.len().min(LARGEST) as u64) as usize;
        let posted = Posted {
            bus: self.bus,
            requester: self.requester.clone(),
            address: question.address,
            data: data[..len].to_vec(),
            marks: question.marks,
            pending: self.pending.clone(),
        };
        if !self.hub.outbox.post(posted) {
            self.hub.counters.dropped_peer_writes.add();
        }
        len
    }

    /// An interrupt is a write of one aligned dword; anything else there is refused (Intel VT-d 4.1, 3.14).
    fn message(&self, question: &Question, data: &[u8]) -> Result<usize, Fault> {
        let address = question.address;
        let aligned = address.0.is_multiple_of(4);
        let data: [u8; 4] =
            data.try_into().ok().filter(|_| aligned).ok_or_else(|| self.unsupported(question))?;
        let message = MsiMessage { address: address.0, data: u32::from_le_bytes(data) };
        self.hub
            .interrupt(question.source, message)
            .map_err(|fault| self.failed(Access::Write, fault))?;
        Ok(data.len())
    }

    /// A poisoned write, of which only the first request matters: nothing is written.
    fn poisoned(&self, question: &Question) -> Result<(), Fault> {
        let destination = self.route(*question)?;
        self.requester.learn(Outcome::PoisonSent);
        self.hub.poisoned(question, destination);
        Ok(())
    }

    /// The root complex doesn't take it.
    fn unsupported(&self, question: &Question) -> Fault {
        let fault = self.hub.unsupported(&self.hub.routes.load(), question);
        self.failed(question.access, fault)
    }

    /// The address `done` bytes further, which the space must have.
    fn next(&self, address: Iova, done: usize, access: Access) -> Result<Iova, Fault> {
        address
            .checked_add(done as u64)
            .ok_or_else(|| self.failed(access, Fault::UnsupportedRequest))
    }
}

/// At most `len` bytes of `run` from `address` on.
fn rest_of(run: Run, start: Iova, address: Iova, len: usize) -> Result<Run, Fault> {
    let offset = address.0.wrapping_sub(start.0);
    let rest = run.len().saturating_sub(offset).min(len as u64);
    run.part(offset, rest).filter(|run| !run.is_empty()).ok_or(Fault::UnsupportedRequest)
}

impl Dma for Handle {
    fn requester(&self) -> RequesterId {
        self.requester.id()
    }

    fn resolve(&self, address: Iova, access: Access) -> Result<Target, Fault> {
        Ok(match self.route(self.question(address, access, 4, Marks::default()))? {
            Destination::Ram { start, run, read, write } => Target::Ram { start, run, read, write },
            Destination::Device(_) | Destination::Interrupt => Target::Device,
        })
    }

    fn read(&self, address: Iova, data: &mut [u8]) -> Result<(), Fault> {
        self.read_marked(address, data, Marks::default())
    }

    fn write(&self, address: Iova, data: &[u8]) -> Result<(), Fault> {
        self.write_marked(address, data, Marks::default())
    }

    fn read_marked(&self, address: Iova, data: &mut [u8], marks: Marks) -> Result<(), Fault> {
        if !self.pending.wait() {
            self.hub.counters.unordered_peer_reads.add();
        }
        let mut done = 0;
        while done < data.len() {
            let at = self.next(address, done, Access::Read)?;
            done += self.read_some(at, &mut data[done..], marks)?;
        }
        Ok(())
    }

    fn write_marked(&self, address: Iova, data: &[u8], marks: Marks) -> Result<(), Fault> {
        if marks.poisoned {
            let question = self.question(address, Access::Write, data.len(), marks);
            return self.poisoned(&question);
        }
        let mut done = 0;
        while done < data.len() {
            let at = self.next(address, done, Access::Write)?;
            done += self.write_some(at, &data[done..], marks)?;
        }
        Ok(())
    }
}
