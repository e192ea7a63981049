//! The embedded switch of one card: which ports a frame goes to (an 82599-class VEB: 82599 datasheet, 7.10.3).
//!
//! Programmed by the functions' filters, not learning. Every change publishes a new snapshot, and a pass over a queue uses one
//! snapshot from its beginning to its end: no lock per frame. Leaves out VEPA and mirror rules.

mod cell;
mod counters;
mod filter;
mod mac_table;
mod patience;
mod policy;
mod port;
mod steer;
mod tables;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::{ArcSwap, Guard};

pub(crate) use cell::{Cell, Rest, contain};
pub use counters::{DropReason, PortReport, QueueCounters, QueueReport};
pub use filter::{Filter, VlanSet};
pub(crate) use policy::Verdict;
pub use port::{Port, PortKind};
pub(crate) use steer::{flow_hash, queue};
pub(crate) use tables::Tables;

use crate::Capture;
use policy::Policy;
use tables::Entry;

/// The switch.
pub struct Switch {
    name: String,
    core: Arc<Core>,
    ports: Mutex<Vec<Arc<Port>>>,
}

/// What its ports share.
pub(crate) struct Core {
    config: Mutex<Vec<Config>>,
    tables: ArcSwap<Tables>,
}

/// One port, as it is configured now.
struct Config {
    kind: PortKind,
    filter: Arc<Filter>,
    policy: Policy,
    cells: BTreeMap<u16, Arc<Cell>>,
    /// How many receive queues flows are spread over.
    enabled: u16,
    capture: Option<Arc<dyn Capture>>,
}

impl Switch {
    /// A switch without ports.
    pub fn new(name: &str) -> Arc<Self> {
        let tables = ArcSwap::from_pointee(Tables::new(Vec::new()));
        let core = Arc::new(Core { config: Mutex::default(), tables });
        Arc::new(Self { name: name.to_owned(), core, ports: Mutex::default() })
    }

    /// A new port. Ports are never removed; a function that is gone has [`Filter::default`] and no queues.
    pub fn port(&self, name: &str, kind: PortKind) -> Arc<Port> {
        let mut ports = self.ports.lock().unwrap_or_else(PoisonError::into_inner);
        let port = Arc::new(Port::new(&self.core, name, kind, ports.len() as u16));
        ports.push(port.clone());
        self.core.add(kind);
        port
    }

    /// The switch's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The port of this name.
    pub fn find(&self, name: &str) -> Option<Arc<Port>> {
        let ports = self.ports.lock().unwrap_or_else(PoisonError::into_inner);
        ports.iter().find(|port| port.name() == name).cloned()
    }

    /// What every port has done, in the order they were made.
    pub fn report(&self) -> Vec<PortReport> {
        let ports = self.ports.lock().unwrap_or_else(PoisonError::into_inner);
        ports.iter().map(|port| port.report()).collect()
    }
}

impl Core {
    /// The snapshot to use for one pass.
    #[inline]
    pub(crate) fn tables(&self) -> Guard<Arc<Tables>> {
        self.tables.load()
    }

    fn add(&self, kind: PortKind) {
        let mut config = self.config.lock().unwrap_or_else(PoisonError::into_inner);
        let filter = Filter { link_up: kind == PortKind::Uplink, ..Filter::default() };
        config.push(Config {
            kind,
            filter: Arc::new(filter),
            policy: Policy::default(),
            cells: BTreeMap::new(),
            enabled: 1,
            capture: None,
        });
        self.publish(&config);
    }

    /// Changes port number `port` and publishes that.
    fn change(&self, port: u16, change: impl FnOnce(&mut Config)) {
        let mut config = self.config.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(port) = config.get_mut(usize::from(port)) {
            change(port);
            self.publish(&config);
        }
    }

    fn publish(&self, config: &[Config]) {
        let entries = config.iter().map(|config| Entry {
            kind: config.kind,
            filter: config.filter.clone(),
            policy: config.policy.clone(),
            cells: config.cells.range(..config.enabled).map(|(_, cell)| cell.clone()).collect(),
            capture: config.capture.clone(),
        });
        self.tables.store(Arc::new(Tables::new(entries.collect())));
    }
}
