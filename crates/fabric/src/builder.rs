//! Builds a tree from its description, part by part, and names every mistake by the id it is about.
//!
//! Left out: hot-plug; the shape is fixed once built.

mod occupants;
mod place;
mod windows;

use std::collections::BTreeSet;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, OnceLock};

use arc_swap::ArcSwap;
use pando_pci::{AcsServices, Bridge, BridgeConfig, Device, PortKind};
use pando_tlp::{Gpa, Link, Mmio, RequesterId};

use crate::counters::{Counters, PortErrors};
use crate::deferred::{Inbox, channel};
use crate::dma::Attachment;
use crate::doorbells::Doorbells;
use crate::error::BuildError;
use crate::fabric::Fabric;
use crate::hub::Hub;
use crate::intx::Wires;
use crate::map::{Claimant, Entry};
use crate::options::{FabricConfig, Host, Place, PortOptions, UpstreamFunction, identity};
use crate::routes::{PortState, Registers, RootDecode, Routes};
use crate::span;
use crate::topology::{Bus, BusIndex, DeviceIndex, Port, PortIndex, ROOT_BUS, Topology};
use crate::tree::Tree;
use occupants::{Occupant, Share};

/// A tree under construction.
pub struct FabricBuilder {
    hub: Arc<Hub>,
    inbox: Inbox,
    doorbells: Doorbells,
    root: RootDecode,
    topology: Topology,
    options: Vec<PortOptions>,
    ids: BTreeSet<String>,
    /// Of upstream ports among other functions of their device: the next of these.
    next_functions: Vec<Option<u8>>,
    /// What is below each port, by bus.
    occupants: Vec<Vec<Occupant>>,
    devices: Vec<Arc<dyn Device>>,
    names: Vec<String>,
    fixed: Vec<Arc<dyn Mmio>>,
}

impl FabricBuilder {
    /// A root complex with an empty bus 0.
    pub fn new(config: FabricConfig, host: Host) -> Result<Self, BuildError> {
        let root = windows::root_decode(&config, &host.ram)?;
        let (outbox, inbox) = channel();
        let doorbells = Doorbells::new(host.io_events);
        let hub = Hub {
            ram: host.ram,
            iommu: host.iommu,
            msi: host.msi,
            epochs: host.epochs,
            routes: ArcSwap::default(),
            tree: OnceLock::new(),
            counters: Counters::default(),
            outbox,
            wires: Wires::default(),
            doorbells_dirty: AtomicBool::new(false),
            wake: host.wake,
        };
        let topology = Topology {
            buses: vec![Bus::default()],
            root_peer_to_peer: config.peer_to_peer,
            ..Topology::default()
        };
        Ok(Self {
            hub: Arc::new(hub),
            inbox,
            doorbells,
            root,
            topology,
            options: Vec::new(),
            ids: BTreeSet::new(),
            next_functions: Vec::new(),
            occupants: vec![Vec::new()],
            devices: Vec::new(),
            names: Vec::new(),
            fixed: Vec::new(),
        })
    }

    /// Adds a root port to bus 0.
    pub fn root_port(&mut self, id: &str, options: PortOptions) -> Result<&mut Self, BuildError> {
        self.check_id(id)?;
        self.add_port(id, PortKind::RootPort, ROOT_BUS, options, None)?;
        Ok(self)
    }

    /// Puts a switch below the port `upstream`: its upstream port takes the name `id`, its downstream ports their own.
    pub fn switch(
        &mut self,
        id: &str,
        upstream: &str,
        downstream: &[(&str, PortOptions)],
    ) -> Result<&mut Self, BuildError> {
        self.add_switch(id, upstream, None, downstream)
    }

    /// The same for a switch whose upstream port is one of several functions of its device; the others are attached to the same
    /// port by calls of their own, in any order.
    pub fn switch_function(
        &mut self,
        id: &str,
        upstream: &str,
        function: UpstreamFunction,
        downstream: &[(&str, PortOptions)],
    ) -> Result<&mut Self, BuildError> {
        self.add_switch(id, upstream, Some(function), downstream)
    }

    /// Puts a bridge to conventional PCI below the port `port`; its bus has 32 device numbers.
    pub fn pci_bridge(&mut self, id: &str, port: &str) -> Result<&mut Self, BuildError> {
        self.check_id(id)?;
        let link = self.occupy(port, id, Share::Nobody)?;
        self.add_port(id, PortKind::PciBridge, link, PortOptions::without_acs(), None)?;
        Ok(self)
    }

    /// Puts the device `id` on the bus of the bridge `bridge`. `build` makes its functions, each with its own device and
    /// function number, which nobody else there may have.
    pub fn attach_conventional(
        &mut self,
        id: &str,
        bridge: &str,
        build: impl FnOnce(Arc<dyn Link>) -> Vec<Arc<dyn Device>>,
    ) -> Result<&mut Self, BuildError> {
        self.check_id(id)?;
        let mut ports = self.topology.ports.iter();
        let found = ports.find(|port| port.kind == PortKind::PciBridge && port.id == bridge);
        let bus = found.ok_or_else(|| BuildError::UnknownPort(bridge.to_owned()))?.below;
        self.ids.insert(id.to_owned());
        let devices = build(Arc::new(Attachment { hub: self.hub.clone(), bus }));
        self.place_devices(id, bus, devices);
        Ok(self)
    }

    fn add_switch(
        &mut self,
        id: &str,
        upstream: &str,
        function: Option<UpstreamFunction>,
        downstream: &[(&str, PortOptions)],
    ) -> Result<&mut Self, BuildError> {
        self.check_id(id)?;
        for (id, _) in downstream {
            self.check_id(id)?;
        }
        let share = if function.is_some() { Share::Port } else { Share::Nobody };
        let link = self.occupy(upstream, id, share)?;
        let options = PortOptions {
            acs: function.and_then(|of| of.acs),
            place: function.map(|of| Place { device: 0, function: of.function }),
            ..PortOptions::default()
        };
        let next = function.map(|of| of.next_function);
        let inside = self.add_port(id, PortKind::Upstream, link, options, next)?;
        for (id, options) in downstream {
            self.check_id(id)?;
            self.add_port(id, PortKind::Downstream, inside, options.clone(), None)?;
        }
        Ok(self)
    }

    /// Puts the device `id` below the port `port`. `build` makes its functions, each with its own function number, from the
    /// link they send through.
    pub fn attach(
        &mut self,
        id: &str,
        port: &str,
        build: impl FnOnce(Arc<dyn Link>) -> Vec<Arc<dyn Device>>,
    ) -> Result<&mut Self, BuildError> {
        let link = self.reserve(id, port)?;
        let devices = build(link);
        self.fill(id, devices)
    }

    /// The first half of [`attach`](Self::attach), for a device whose construction may fail: takes the port.
    pub fn reserve(&mut self, id: &str, port: &str) -> Result<Arc<dyn Link>, BuildError> {
        self.check_id(id)?;
        let bus = self.occupy(port, id, Share::Device)?;
        self.ids.insert(id.to_owned());
        Ok(Arc::new(Attachment { hub: self.hub.clone(), bus }))
    }

    /// The second half: the functions of the device that reserved its port as `id`.
    pub fn fill(
        &mut self,
        id: &str,
        devices: Vec<Arc<dyn Device>>,
    ) -> Result<&mut Self, BuildError> {
        let bus = self.occupied_by(id).ok_or_else(|| BuildError::UnknownPort(id.to_owned()))?;
        self.place_devices(id, bus, devices);
        Ok(self)
    }

    /// Puts a device integrated into the root complex on bus 0, at the device number `wanted` or the first that nobody takes:
    /// `build` gets it.
    pub fn attach_integrated(
        &mut self,
        id: &str,
        wanted: Option<u8>,
        build: impl FnOnce(Arc<dyn Link>, u8) -> Vec<Arc<dyn Device>>,
    ) -> Result<&mut Self, BuildError> {
        self.check_id(id)?;
        let device = match wanted {
            Some(device) => self.free_place(id, device)?,
            None => self.free_device(id, ROOT_BUS, PortKind::RootPort)?,
        };
        self.ids.insert(id.to_owned());
        let devices = build(Arc::new(Attachment { hub: self.hub.clone(), bus: ROOT_BUS }), device);
        self.topology.integrated.insert(device);
        self.place_devices(id, ROOT_BUS, devices);
        Ok(self)
    }

    /// Gives `len` bytes at `base` to `mmio`: the root complex' own registers, before any BAR.
    pub fn add_fixed(
        &mut self,
        base: Gpa,
        len: u64,
        mmio: Arc<dyn Mmio>,
    ) -> Result<&mut Self, BuildError> {
        let span = windows::free(&self.root, &self.hub.ram, base, len)?;
        span::remove(&mut self.root.apertures, span);
        let claimant = Claimant::Fixed(self.fixed.len());
        self.root.fixed.push(Entry { span, base: base.0, claimant });
        self.fixed.push(mmio);
        Ok(self)
    }

    /// The finished tree, in its power-on state.
    pub fn build(mut self) -> Result<Fabric, BuildError> {
        let bridges = self.bridges()?;
        let registers = Registers {
            ports: vec![PortState::default(); bridges.len()],
            devices: vec![Vec::new(); self.devices.len()],
            functions: vec![None; self.devices.len()],
        };
        let topology = Arc::new(std::mem::take(&mut self.topology));
        let routes = Routes::new(topology.clone(), registers.clone(), &self.root, 0);
        self.hub.routes.store(Arc::new(routes));
        let tree = Arc::new(Tree {
            topology,
            errors: bridges.iter().map(|_| PortErrors::default()).collect(),
            bridges,
            devices: self.devices,
            names: self.names,
            fixed: self.fixed,
        });
        self.hub.tree.get_or_init(|| Arc::downgrade(&tree));
        start_thread(self.inbox, &self.hub)?;
        let registers = Mutex::new(registers);
        let (root, doorbells) = (self.root, self.doorbells);
        let fabric = Fabric { tree, hub: self.hub, root, registers, doorbells };
        fabric.start();
        Ok(fabric)
    }

    fn check_id(&self, id: &str) -> Result<(), BuildError> {
        if self.ids.contains(id) { Err(BuildError::DuplicateId(id.to_owned())) } else { Ok(()) }
    }

    /// Adds a port to `bus`; returns the bus below it.
    fn add_port(
        &mut self,
        id: &str,
        kind: PortKind,
        bus: BusIndex,
        options: PortOptions,
        next_function: Option<u8>,
    ) -> Result<BusIndex, BuildError> {
        let function = self.place(id, kind, bus, options.place)?;
        let below = BusIndex(self.topology.buses.len());
        let index = PortIndex(self.topology.ports.len());
        // An upstream port is port 0 of its switch; every other has the next number among its peers.
        let peers = self.topology.bus(bus).ports.len();
        let number = if kind.is_downstream() { (peers + 1) as u8 } else { 0 };
        let (id, offered) = (id.to_owned(), options.acs.map(|acs| acs.services));
        self.ids.insert(id.clone());
        self.topology.ports.push(Port { id, kind, bus, function, below, number, offered });
        self.topology.buses.push(Bus { above: Some(index), ..Bus::default() });
        self.topology.insert(bus, index);
        self.options.push(options);
        self.next_functions.push(next_function);
        self.occupants.push(Vec::new());
        Ok(below)
    }

    fn place_devices(&mut self, id: &str, bus: BusIndex, devices: Vec<Arc<dyn Device>>) {
        for device in devices {
            self.topology.buses[bus.0].devices.push(DeviceIndex(self.devices.len()));
            self.devices.push(device);
            self.names.push(id.to_owned());
        }
    }

    fn bridges(&self) -> Result<Vec<Bridge>, BuildError> {
        let ports = self.topology.ports.iter().zip(&self.options).zip(&self.next_functions);
        ports
            .map(|((port, options), next)| {
                let config = self.bridge_config(port, options, *next);
                Bridge::new(config)
                    .map_err(|source| BuildError::Port { id: port.id.clone(), source })
            })
            .collect()
    }

    fn bridge_config(
        &self,
        port: &Port,
        options: &PortOptions,
        next_function: Option<u8>,
    ) -> BridgeConfig {
        let peers = &self.topology.bus(port.bus).ports;
        let siblings =
            peers.iter().filter(|&&peer| self.topology.port(peer).device() == port.device());
        let mut acs = options.acs;
        if let Some(acs) = &mut acs
            && acs.services.contains(AcsServices::EGRESS_CONTROL)
            && acs.egress_ports == 0
        {
            acs.egress_ports = u8::try_from(peers.len() + 1).unwrap_or(u8::MAX);
        }
        let identity = options.identity.unwrap_or_else(|| identity(port.kind));
        BridgeConfig {
            multi_function: next_function.is_some() || siblings.count() > 1,
            next_function,
            port_number: port.number,
            slot: options.slot,
            acs,
            link: options.link,
            upper: Some(Arc::new(Attachment { hub: self.hub.clone(), bus: port.bus })),
            occupied: !self.occupants[port.below.0].is_empty(),
            ..BridgeConfig::new(port.kind, identity, RequesterId::new(0, port.function))
        }
    }
}

fn start_thread(inbox: Inbox, hub: &Arc<Hub>) -> Result<(), BuildError> {
    let participant = hub.epochs.join();
    let hub = Arc::downgrade(hub);
    let thread = std::thread::Builder::new().name("pando-peer".to_owned());
    thread.spawn(move || inbox.run(&hub, participant))?;
    Ok(())
}

#[cfg(test)]
mod tests;
