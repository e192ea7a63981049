//! Where every request of every function passes: gate, ports, IOMMU, then RAM, a device or the interrupt controller.
//!
//! PCI Express base 6.0, 2.2.7 (memory requests), 6.1.4 (interrupts), 6.12 (access control). Left out: atomics, completions as
//! objects of their own (a read returns to its caller).

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock, Weak};

use arc_swap::ArcSwap;
use pando_pci::{Device, Region};
use pando_tlp::{
    Access, Epochs, Fault, Gpa, GuestRam, Iommu, Iova, MSI_RANGE, Marks, MsiMessage, MsiSink,
    RequesterId, Run,
};

use crate::counters::Counters;
use crate::deferred::Outbox;
use crate::intx::Wires;
use crate::map::{Claimant, Entry};
use crate::routes::{Arrival, Routes};
use crate::span::Span;
use crate::topology::{BusIndex, DeviceIndex};
use crate::tree::Tree;

/// The shared middle of the tree. Devices hold it through their links; it holds no device.
pub(crate) struct Hub {
    pub(crate) ram: GuestRam,
    pub(crate) iommu: Option<Arc<dyn Iommu>>,
    pub(crate) msi: Arc<dyn MsiSink>,
    pub(crate) epochs: Arc<Epochs>,
    pub(crate) routes: ArcSwap<Routes>,
    pub(crate) tree: OnceLock<Weak<Tree>>,
    pub(crate) counters: Counters,
    pub(crate) outbox: Outbox,
    pub(crate) wires: Wires,
    pub(crate) doorbells_dirty: AtomicBool,
    pub(crate) wake: Box<dyn Fn() + Send + Sync>,
}

/// A request before it is routed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Question {
    pub(crate) bus: BusIndex,
    pub(crate) source: RequesterId,
    pub(crate) address: Iova,
    pub(crate) access: Access,
    /// Bytes from `address` on that are wanted; for logs.
    pub(crate) len: u64,
    pub(crate) marks: Marks,
}

/// Where a request goes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Destination {
    Ram { start: Iova, run: Run, read: bool, write: bool },
    Device(Landing),
    Interrupt,
}

/// A place in a device's registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Landing {
    pub(crate) device: DeviceIndex,
    pub(crate) region: Region,
    pub(crate) offset: u64,
    /// For how many bytes from here the same holds.
    pub(crate) rest: u64,
}

impl Hub {
    /// The requester id that a request of the function `own` on `bus` carries.
    pub(crate) fn source(&self, bus: BusIndex, own: RequesterId) -> RequesterId {
        self.routes.load().source(bus, own)
    }

    /// Routes one request. Takes no lock of its own.
    pub(crate) fn route(&self, question: Question) -> Result<Destination, Fault> {
        let routes = self.routes.load();
        let Question { bus, address, access, .. } = question;
        let (arrival, mut same) = routes
            .up(bus, question.request(), address.0)
            .map_err(|refusal| self.refused(&routes, &question, refusal))?;
        match arrival {
            Arrival::Inside(entry) => landing(entry, address.0, same)
                .map(Destination::Device)
                .ok_or_else(|| self.unsupported(&routes, &question)),
            Arrival::Peer(port) => {
                let entry = routes.down(port, address.0);
                let landing = entry.and_then(|entry| landing(entry, address.0, same));
                landing
                    .map(Destination::Device)
                    .ok_or_else(|| self.unclaimed(&routes, &question, port))
            }
            // The root complex takes nobody's word for a translation: it has no ATS.
            Arrival::Root if question.marks.translated => Err(self.unsupported(&routes, &question)),
            Arrival::Root => {
                let interrupts = Span { first: MSI_RANGE.start, last: MSI_RANGE.end - 1 };
                if same.narrow(interrupts, address.0) {
                    return match access {
                        Access::Write => Ok(Destination::Interrupt),
                        Access::Read => Err(self.unsupported(&routes, &question)),
                    };
                }
                self.at_root(&routes, question, same)
            }
        }
    }

    /// Translates, then looks at what the *translated* address is.
    fn at_root(
        &self,
        routes: &Routes,
        question: Question,
        same: Span,
    ) -> Result<Destination, Fault> {
        let step = self.translate(question, same)?;
        let address = question.address.0;
        let unsupported = || self.unsupported(routes, &question);
        let gpa = step.gpa(address).ok_or_else(unsupported)?;
        if let Some(region) = self.ram.region(gpa) {
            return step.clip(address, gpa, region).ok_or_else(unsupported);
        }
        let entry = *routes.map.find(gpa.0).ok_or_else(unsupported)?;
        let rest = step.span.last - address;
        let last = gpa.0.saturating_add(rest);
        let landing = landing(entry, gpa.0, Span { first: gpa.0, last }).ok_or_else(unsupported)?;
        if !may_reach(routes, question.bus, landing.device) {
            return Err(unsupported());
        }
        Ok(Destination::Device(landing))
    }

    fn translate(&self, question: Question, same: Span) -> Result<Step, Fault> {
        let Question { source, address, access, .. } = question;
        let Some(iommu) = &self.iommu else {
            return Ok(Step { span: same, target: same.first, read: true, write: true });
        };
        let found =
            iommu.translate(source, address, access).map_err(|fault| self.blocked(fault))?;
        let span = Span::sized(found.start.0, found.len)
            .and_then(|span| span.intersect(same))
            .filter(|span| span.contains(address.0))
            .ok_or_else(|| self.blocked(Fault::Translation))?;
        let target = found.target.0.checked_add(span.first - found.start.0);
        let target = target.ok_or_else(|| self.blocked(Fault::Translation))?;
        Ok(Step { span, target, read: found.read, write: found.write })
    }

    /// Delivers an interrupt message of `source` that has come up to the root complex.
    pub(crate) fn interrupt(&self, source: RequesterId, message: MsiMessage) -> Result<(), Fault> {
        let message = match &self.iommu {
            Some(iommu) => iommu.remap(source, message).map_err(|fault| self.blocked(fault))?,
            None => message,
        };
        self.counters.interrupts.add();
        self.msi.signal(message);
        Ok(())
    }

    /// The tree, unless it is going away.
    pub(crate) fn tree(&self) -> Option<Arc<Tree>> {
        self.tree.get()?.upgrade()
    }

    /// A device of the tree, unless the tree is going away.
    pub(crate) fn device(&self, index: DeviceIndex) -> Option<Arc<dyn Device>> {
        self.tree()?.devices.get(index.0).cloned()
    }

    fn blocked(&self, fault: Fault) -> Fault {
        self.counters.iommu_faults.add();
        fault
    }
}

/// Where in a device's registers `address` lies. The root complex' own registers and configuration space are not for the
/// tree's requests.
fn landing(entry: Entry, address: u64, same: Span) -> Option<Landing> {
    let Claimant::Device(device, region) = entry.claimant else { return None };
    let rest = (entry.span.last.min(same.last) - address).saturating_add(1);
    Some(Landing { device, region, offset: entry.offset(address), rest })
}

/// A run of addresses and what it becomes.
struct Step {
    span: Span,
    /// What `span.first` becomes.
    target: u64,
    read: bool,
    write: bool,
}

impl Step {
    fn gpa(&self, address: u64) -> Option<Gpa> {
        self.target.checked_add(address - self.span.first).map(Gpa)
    }

    /// The part of the step that lies in `region`, around `address` whose translation is `gpa`.
    fn clip(&self, address: u64, gpa: Gpa, region: Run) -> Option<Destination> {
        let inside = gpa.0 - region.gpa.0;
        let back = inside.min(address - self.span.first);
        let forth = (region.len() - inside).min((self.span.last - address).saturating_add(1));
        let run = region.part(inside - back, back.checked_add(forth)?)?;
        let start = Iova(address - back);
        Some(Destination::Ram { start, run, read: self.read, write: self.write })
    }
}

/// Whether the root complex carries a request from `bus` to `device`: down the root port it came up, or to another if the
/// root complex routes between its ports.
fn may_reach(routes: &Routes, bus: BusIndex, device: DeviceIndex) -> bool {
    let topology = &routes.topology;
    topology.root_peer_to_peer
        || topology
            .bus_of(device)
            .is_some_and(|target| topology.root_port(target) == topology.root_port(bus))
}
