//! The embedded switch of one card: which ports a frame goes to (an 82599-class VEB: 82599 datasheet, 7.10.3).
//!
//! Programmed by the functions' filters, not learning. Every change publishes a new snapshot, and a pass over a queue uses one
//! snapshot from its beginning to its end: no lock per frame.

mod cell;
mod counters;
mod filter;
mod mac_table;
mod mirror;
mod pace;
mod patience;
mod policy;
mod port;
mod steer;
mod tables;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::{ArcSwap, Guard};

pub(crate) use cell::{Cell, Rest, contain, remind_again};
pub use counters::{DropReason, PortReport, QueueCounters, QueueReport};
pub use filter::{Filter, HashFilter, VlanSet};
pub use mirror::Mirror;
pub use pace::Rate;
pub(crate) use pace::{Pacer, Share};
pub use policy::{Policy, Witness};
pub(crate) use policy::{Verdict, judge};
pub use port::{Port, PortKind, PortSettings};
pub use steer::Steer;
pub(crate) use steer::{flow_hash, queue};
pub(crate) use tables::{Cells, Tables};

use crate::Capture;
use tables::Entry;

/// The switch.
pub struct Switch {
    name: String,
    core: Arc<Core>,
    ports: Mutex<Vec<Arc<Port>>>,
}

/// What its ports share.
pub(crate) struct Core {
    config: Mutex<Ports>,
    tables: ArcSwap<Tables>,
}

/// Every port, and what is watched.
#[derive(Default)]
struct Ports {
    ports: Vec<Config>,
    mirrors: Vec<Mirror>,
    groups: u32,
}

/// One port, as it is configured now.
struct Config {
    kind: PortKind,
    filter: Arc<Filter>,
    policy: Option<Arc<Policy>>,
    steering: Option<Arc<dyn Steer>>,
    cells: BTreeMap<u16, Arc<Cell>>,
    /// How many receive queues flows are spread over.
    enabled: u16,
    capture: Option<Arc<dyn Capture>>,
}

impl Switch {
    /// A switch without ports.
    pub fn new(name: &str) -> Arc<Self> {
        let tables = ArcSwap::from_pointee(Tables::new(Vec::new(), Vec::new()));
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

    /// A number for a card that shares this switch with others: see [`Policy::group`].
    pub fn group(&self) -> u32 {
        let mut config = self.core.lock();
        config.groups += 1;
        config.groups
    }

    /// Gives several ports other settings, and the card of number `group` other mirrors, all at once.
    pub fn configure(
        &self,
        group: u32,
        settings: impl IntoIterator<Item = (u16, PortSettings)>,
        mirrors: Vec<Mirror>,
    ) {
        let mut config = self.core.lock();
        for (number, settings) in settings {
            if let Some(port) = config.ports.get_mut(usize::from(number)) {
                port.set(settings);
            }
        }
        config.mirrors.retain(|mirror| mirror.group != group);
        config.mirrors.extend(mirrors);
        self.core.publish(&config);
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

    fn lock(&self) -> MutexGuard<'_, Ports> {
        self.config.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, kind: PortKind) {
        let mut config = self.lock();
        let filter = Filter { link_up: kind == PortKind::Uplink, ..Filter::default() };
        config.ports.push(Config {
            kind,
            filter: Arc::new(filter),
            policy: None,
            steering: None,
            cells: BTreeMap::new(),
            enabled: 1,
            capture: None,
        });
        self.publish(&config);
    }

    /// Changes port number `port` and publishes that.
    fn change(&self, port: u16, change: impl FnOnce(&mut Config)) {
        let mut config = self.lock();
        if let Some(port) = config.ports.get_mut(usize::from(port)) {
            change(port);
            self.publish(&config);
        }
    }

    fn publish(&self, config: &Ports) {
        let entries = config.ports.iter().map(Config::entry).collect();
        self.tables.store(Arc::new(Tables::new(entries, config.mirrors.clone())));
    }
}

impl Config {
    fn set(&mut self, settings: PortSettings) {
        self.filter = Arc::new(settings.filter);
        self.policy = settings.policy.map(Arc::new);
        self.steering = settings.steering;
    }

    fn entry(&self) -> Entry {
        Entry {
            kind: self.kind,
            filter: self.filter.clone(),
            policy: self.policy.clone(),
            cells: self.cells(),
            capture: self.capture.clone(),
        }
    }

    fn cells(&self) -> Cells {
        let only = self.steering.as_ref().and_then(|steering| steering.only());
        match &self.steering {
            None => Cells::Spread(
                self.cells.range(..self.enabled).map(|(_, cell)| cell.clone()).collect(),
            ),
            Some(_) if let Some(number) = only => {
                Cells::Spread(self.cells.get(&number).cloned().into_iter().collect())
            }
            Some(steering) => {
                let last = self.cells.last_key_value().map_or(0, |(number, _)| *number + 1);
                let cells = (0..last).map(|number| self.cells.get(&number).cloned()).collect();
                Cells::Steered(steering.clone(), cells)
            }
        }
    }
}
