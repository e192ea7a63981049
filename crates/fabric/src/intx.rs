//! Legacy interrupts on their way up: which wires of the root complex are asserted now (PCI Express base 6.0, 2.2.8.1).
//!
//! Every bridge turns a wire by the device number that the message has on its secondary side, and drives its own wire as long as
//! one source below does. That comes to the same as walking up from each source and joining at the root, which is what is
//! done here. The root complex turns once more, by the device number on the root bus: the firmware's `_PRT` says so.
//!
//! A port that is in reset, or whose link is down, has none of its wires asserted. Bus Master Enable and access control don't matter to
//! messages.

use std::collections::BTreeSet;
use std::sync::{Mutex, OnceLock, PoisonError, Weak};

use pando_tlp::{IntxSink, IntxWire};

use crate::fabric::Fabric;
use crate::hub::Hub;
use crate::routes::Routes;
use crate::topology::BusIndex;

/// The wires that arrive at the root complex.
#[derive(Default)]
pub(crate) struct Wires {
    sink: OnceLock<Weak<dyn IntxSink>>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    sources: BTreeSet<Source>,
    asserted: [bool; IntxWire::COUNT],
}

/// A function that asserts a wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Source {
    pub(crate) bus: BusIndex,
    /// The low eight bits of its id.
    pub(crate) function: u8,
    pub(crate) wire: IntxWire,
}

impl Fabric {
    /// From now on `sink` is told of the root complex' four wires. Only the first call counts.
    pub fn connect_intx(&self, sink: Weak<dyn IntxSink>) {
        let _second = self.hub.wires.sink.set(sink);
    }
}

impl Hub {
    /// An Assert_INTx or Deassert_INTx message of `source`.
    pub(crate) fn intx(&self, source: Source, asserted: bool) {
        self.change_wires(|sources| {
            if asserted {
                sources.insert(source);
            } else {
                sources.remove(&source);
            }
        });
    }

    /// Routes are new: what is asserted may arrive at other wires, or not at all.
    pub(crate) fn follow_wires(&self) {
        self.change_wires(|_| {});
    }

    /// Routes are looked at under the lock: whoever comes last has seen the newest.
    fn change_wires(&self, change: impl FnOnce(&mut BTreeSet<Source>)) {
        let mut state = self.wires.state.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut state.sources);
        let mut asserted = [false; IntxWire::COUNT];
        if !state.sources.is_empty() {
            let routes = self.routes.load();
            let arrived = state.sources.iter().filter_map(|source| arrival(&routes, *source));
            arrived.for_each(|wire| asserted[usize::from(wire.number())] = true);
        }
        let old = std::mem::replace(&mut state.asserted, asserted);
        let Some(sink) = self.wires.sink.get().and_then(Weak::upgrade) else { return };
        for (number, (old, new)) in (0..).zip(old.into_iter().zip(asserted)) {
            if old != new {
                sink.set(IntxWire::new(number), new);
            }
        }
    }
}

/// The root complex' wire that `source` drives, if its messages get there.
fn arrival(routes: &Routes, source: Source) -> Option<IntxWire> {
    let Source { mut bus, mut function, mut wire } = source;
    while let Some(port) = routes.topology.bus(bus).above {
        let state = routes.port(port);
        if state.is_cut {
            return None;
        }
        // With ARI there is no device number: it counts as 0.
        wire = wire.swizzled(if state.ari_forwarding { 0 } else { function >> 3 });
        let port = routes.topology.port(port);
        (bus, function) = (port.bus, port.function);
    }
    Some(wire.swizzled(function >> 3))
}
