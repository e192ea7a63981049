//! A port: where a function or the uplink is connected to the switch.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::cell::Cell;
use super::counters::{PortReport, QueueCounters};
use super::pace::{Pacer, Rate, Share};
use super::policy::Policy;
use super::steer::Steer;
use super::{Core, Filter};
use crate::Capture;

/// What is connected there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PortKind {
    /// A PF or VF.
    Function,
    /// The card's cable, at most one: it gets every group and what no function owns. Of its filter only `link_up` counts, and its
    /// link is up at first.
    Uplink,
}

/// All that can be set of a port of a function but its captures and rates.
#[derive(Clone, Default)]
pub struct PortSettings {
    /// What it lets in.
    pub filter: Filter,
    /// What its owner imposes.
    pub policy: Option<Policy>,
    /// Who chooses its receive queues; `None`: flows are spread.
    pub steering: Option<Arc<dyn Steer>>,
}

/// One port of a switch.
pub struct Port {
    switch: Arc<Core>,
    name: String,
    kind: PortKind,
    number: u16,
    counters: Mutex<Counters>,
    share: Arc<Share>,
    pacer: Arc<Pacer>,
    queue_pacers: Mutex<BTreeMap<u16, Arc<Pacer>>>,
}

#[derive(Default)]
struct Counters {
    transmit: BTreeMap<u16, Arc<QueueCounters>>,
    receive: BTreeMap<u16, Arc<QueueCounters>>,
}

impl Port {
    pub(super) fn new(switch: &Arc<Core>, name: &str, kind: PortKind, number: u16) -> Self {
        Self {
            switch: switch.clone(),
            name: name.to_owned(),
            kind,
            number,
            counters: Mutex::default(),
            share: Arc::default(),
            pacer: Arc::default(),
            queue_pacers: Mutex::default(),
        }
    }

    /// The port's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What is connected there.
    pub fn kind(&self) -> PortKind {
        self.kind
    }

    /// Its number in the switch, which names it in [`Switch::configure`](super::Switch::configure) and [`Mirror`](super::Mirror).
    pub fn number(&self) -> u16 {
        self.number
    }

    /// The switch it is a port of.
    pub(crate) fn switch(&self) -> &Arc<Core> {
        &self.switch
    }

    /// Changes what the port lets in; frames of batches begun later see it.
    pub fn set_filter(&self, filter: Filter) {
        let filter = Arc::new(filter);
        self.change(|port| port.filter = filter);
    }

    /// Lets `steering` choose receive queues from now on; `None`: flows are spread over queues 0 to `queues` - 1, at first 1.
    pub fn set_receive_queues(&self, queues: u16, steering: Option<Arc<dyn Steer>>) {
        self.change(|port| (port.enabled, port.steering) = (queues.max(1), steering));
    }

    /// Imposes `policy` on frames of batches begun later; `None`: nothing, at no cost.
    pub fn set_policy(&self, policy: Option<Policy>) {
        let policy = policy.map(Arc::new);
        self.change(|port| port.policy = policy);
    }

    /// Limits what all transmit queues together send; `None`: not.
    pub fn set_rate(&self, rate: Option<Rate>) {
        self.pacer.set(rate);
    }

    /// Limits what transmit queue `index` sends; `None`: not.
    pub fn set_queue_rate(&self, index: u16, rate: Option<Rate>) {
        self.queue_pacer(index).set(rate);
    }

    pub(crate) fn pacer(&self) -> &Arc<Pacer> {
        &self.pacer
    }

    pub(crate) fn queue_pacer(&self, index: u16) -> Arc<Pacer> {
        let mut pacers = self.queue_pacers.lock().unwrap_or_else(PoisonError::into_inner);
        pacers.entry(index).or_default().clone()
    }

    pub(crate) fn share(&self) -> &Arc<Share> {
        &self.share
    }

    /// Shows `capture` every frame that the port's function sends or gets from now on; `None`: nobody, at no cost.
    pub fn set_capture(&self, capture: Option<Arc<dyn Capture>>) {
        self.change(|port| port.capture = capture);
    }

    pub(crate) fn attach(&self, index: u16, cell: Arc<Cell>) {
        self.change(|port| drop(port.cells.insert(index, cell)));
    }

    /// Takes `cell` out, unless another has its place already.
    pub(crate) fn detach(&self, index: u16, cell: &Arc<Cell>) {
        self.change(|port| {
            if port.cells.get(&index).is_some_and(|there| Arc::ptr_eq(there, cell)) {
                port.cells.remove(&index);
            }
        });
    }

    fn change(&self, change: impl FnOnce(&mut super::Config)) {
        self.switch.change(self.number, change);
    }

    /// The counters of transmit queue `index`; its owner counts there what never becomes a frame.
    pub fn transmit_counters(&self, index: u16) -> Arc<QueueCounters> {
        self.counters().transmit.entry(index).or_default().clone()
    }

    /// The counters of receive queue `index`.
    pub fn receive_counters(&self, index: u16) -> Arc<QueueCounters> {
        self.counters().receive.entry(index).or_default().clone()
    }

    /// What the port has done.
    pub fn report(&self) -> PortReport {
        let link_up = self.switch.tables().port(self.number).filter.link_up;
        let counters = self.counters();
        let all = |queues: &BTreeMap<u16, Arc<QueueCounters>>| {
            queues.iter().map(|(queue, counters)| (*queue, counters.report())).collect()
        };
        PortReport {
            name: self.name.clone(),
            link_up,
            transmit: all(&counters.transmit),
            receive: all(&counters.receive),
        }
    }

    fn counters(&self) -> MutexGuard<'_, Counters> {
        self.counters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
