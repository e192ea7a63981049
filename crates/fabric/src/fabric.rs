//! The finished tree: a guest's accesses go in, and what configuration writes ask for is carried out.
//!
//! Rules of the house:
//! - No lock of the tree is held while a device is called, except that what a device decodes or wants rung is asked under one;
//!   those calls may not come back.
//! - What routing depends on is a value ([`Routes`]) that is published whole. After every new one the tree waits for all guards
//!   before the write that caused it returns, so nobody uses an old route afterwards. Call with no guard held.

mod access;
mod config;
mod function;

use std::sync::atomic::Ordering::SeqCst;
use std::sync::{Arc, Mutex, PoisonError};

use pando_pci::Effects;
use pando_tlp::RequesterId;

use crate::doorbells::Doorbells;
use crate::fabric::function::function_state;
use crate::hub::Hub;
use crate::routes::{PortState, Registers, RootDecode, Routes};
use crate::topology::{DeviceIndex, PortIndex};
use crate::tree::Tree;

/// The PCI Express tree of one machine. All methods take `&self` and may be called from any thread.
pub struct Fabric {
    pub(crate) tree: Arc<Tree>,
    pub(crate) hub: Arc<Hub>,
    pub(crate) root: RootDecode,
    pub(crate) registers: Mutex<Registers>,
    pub(crate) doorbells: Doorbells,
}

/// What may have changed.
#[derive(Clone, Copy, Debug)]
enum Changed {
    Port(PortIndex),
    Device(DeviceIndex),
    /// A device beside others, known by this id.
    Function(DeviceIndex, RequesterId),
    Everything,
}

impl Fabric {
    /// Everything to its power-on state, as after a platform reset: devices, bridges, bus numbers, doorbells.
    pub fn reset(&self) {
        for device in &self.tree.devices {
            device.reset();
        }
        for bridge in &self.tree.bridges {
            bridge.reset();
        }
        self.refresh(Changed::Everything);
    }

    /// Arms what the devices want to be rung by event now, and disarms the rest. For the event loop, after the wake-up call.
    pub fn reconcile_doorbells(&self) {
        if self.hub.doorbells_dirty.swap(false, SeqCst) {
            self.doorbells.reconcile(&self.tree, || self.hub.routes.load_full());
        }
    }

    /// Carries out what a write to a port asked for; no lock is held.
    fn perform_for_port(&self, port: PortIndex, effects: Effects) {
        if effects.contains(Effects::SECONDARY_BUS_RESET) {
            // First nothing crosses any more, then all below is reset, then what it decodes is gone.
            self.refresh(Changed::Port(port));
            self.reset_below(port);
            self.refresh(Changed::Everything);
        } else if !effects.is_empty() {
            self.refresh(Changed::Port(port));
        }
    }

    fn perform_for_device(&self, device: DeviceIndex, target: RequesterId, effects: Effects) {
        let topology = &self.tree.topology;
        if topology.bus_of(device).is_some_and(|bus| topology.is_shared(bus)) {
            self.refresh(Changed::Function(device, target));
        } else if !effects.is_empty() {
            self.refresh(Changed::Device(device));
        }
    }

    /// Hot reset (6.6.1): reaches every bridge and device below `port`, not the port itself.
    fn reset_below(&self, port: PortIndex) {
        let topology = &self.tree.topology;
        let below = topology.port(port).below;
        tracing::debug!(port = topology.port(port).id, "hot reset");
        for bus in topology.subtree(below) {
            for &device in &topology.bus(bus).devices {
                self.tree.devices[device.0].hot_reset();
            }
            for &port in &topology.bus(bus).ports {
                self.tree.bridges[port.0].hot_reset();
            }
        }
    }

    /// Reads the changed registers anew; if routing differs by that, publishes new routes and waits until the old are unused.
    fn refresh(&self, changed: Changed) {
        if !self.publish(changed) {
            return;
        }
        self.hub.follow_wires();
        self.hub.epochs.synchronize();
        self.doorbells.withdraw(|| self.hub.routes.load_full());
        self.doorbells_moved();
    }

    /// Doorbells may be wanted at other addresses now.
    fn doorbells_moved(&self) {
        if !self.hub.doorbells_dirty.swap(true, SeqCst) {
            (self.hub.wake)();
        }
    }

    fn publish(&self, changed: Changed) -> bool {
        // Registers are read under the lock: whoever comes last has seen everybody's writes.
        let mut registers = self.registers.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.update(&mut registers, changed) {
            return false;
        }
        let generation = self.hub.routes.load().generation + 1;
        let topology = self.tree.topology.clone();
        let routes = Routes::new(topology, registers.clone(), &self.root, generation);
        self.hub.routes.store(Arc::new(routes));
        self.hub.counters.rebuilds.add();
        true
    }

    fn update(&self, registers: &mut Registers, changed: Changed) -> bool {
        match changed {
            Changed::Port(port) => self.update_port(registers, port),
            Changed::Device(device) => self.update_device(registers, device),
            Changed::Function(device, id) => {
                self.update_device(registers, device) | self.update_function(registers, device, id)
            }
            Changed::Everything => {
                let mut differs = false;
                for port in 0..self.tree.topology.ports.len() {
                    differs |= self.update_port(registers, PortIndex(port));
                }
                for device in 0..self.tree.devices.len() {
                    let device = DeviceIndex(device);
                    differs |= self.update_device(registers, device);
                    differs |= self.update_known_function(registers, device);
                }
                differs
            }
        }
    }

    fn update_port(&self, registers: &mut Registers, port: PortIndex) -> bool {
        let state = PortState::from(self.tree.bridges[port.0].routing());
        let old = std::mem::replace(&mut registers.ports[port.0], state);
        old != state
    }

    fn update_device(&self, registers: &mut Registers, device: DeviceIndex) -> bool {
        let mut decoded = Vec::with_capacity(registers.devices[device.0].len());
        self.tree.devices[device.0].decoded(&mut decoded);
        let old = std::mem::replace(&mut registers.devices[device.0], decoded);
        old != registers.devices[device.0]
    }

    fn update_function(
        &self,
        registers: &mut Registers,
        device: DeviceIndex,
        id: RequesterId,
    ) -> bool {
        let Some(state) = function_state(&*self.tree.devices[device.0], id) else { return false };
        registers.functions[device.0].replace(state) != Some(state)
    }

    /// After a reset; before the first write of all there is nothing to know.
    fn update_known_function(&self, registers: &mut Registers, device: DeviceIndex) -> bool {
        let Some(old) = registers.functions[device.0] else { return false };
        let above =
            self.tree.topology.bus_of(device).and_then(|bus| self.tree.topology.bus(bus).above);
        let bus = above.map_or(0, |port| registers.ports[port.0].controls.secondary);
        let id = RequesterId::new(bus, old.function);
        let new = function_state(&*self.tree.devices[device.0], id);
        std::mem::replace(&mut registers.functions[device.0], new) != new
    }

    /// Takes the registers as they are at power-on.
    pub(crate) fn start(&self) {
        self.refresh(Changed::Everything);
    }
}
