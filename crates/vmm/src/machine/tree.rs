//! The PCI tree of a machine, built from its platform: ports and switches here, cards by [`cards`](super::cards).

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use kvm_ioctls::VmFd;
use pando_fabric::{
    Fabric, FabricBuilder, FabricConfig, Host, Place, PortOptions, UpstreamFunction,
};
use pando_firmware::layout;
use pando_pci::{Acs, AcsServices, EventCollector, Identity, Slot};
use pando_tlp::{Dma, Epochs, Gpa, GuestRam, Iommu, Link, Mmio, MsiSink, Requester, RequesterId};

use super::cards::Cards;
use super::functions::{Function, slots};
use super::iommu;
use super::reports::{Reports, Source};
use crate::doorbells::{DoorbellWake, KvmDoorbells};
use crate::platform::{
    AcsServices as Services, Below, DeviceFunction, PciBridge, Platform, Port, Switch,
};

/// What a tree is built from.
pub struct Parts<'a> {
    /// What the user wants.
    pub platform: &'a Platform,
    /// Addresses of configuration space, windows and remapping unit.
    pub layout: &'a pando_firmware::Platform,
    /// Guest memory, for requests that reach it.
    pub ram: GuestRam,
    /// The local APICs, for interrupts that need no more translation.
    pub msi: Arc<dyn MsiSink>,
    /// The machine's epochs.
    pub epochs: &'a Arc<Epochs>,
    /// For doorbells that KVM answers by itself.
    pub vm: &'a Arc<VmFd>,
    /// Wakes the event loop when doorbells move.
    pub wake: DoorbellWake,
    /// Threads that move packets; `None` leaves it to the host's size.
    pub workers: Option<usize>,
    /// How long they poll for nothing before they sleep; `None` leaves it to the host.
    pub poll: Option<Duration>,
}

/// What the machine needs of a tree.
pub struct Tree {
    /// Configuration space, windows and routes.
    pub fabric: Arc<Fabric>,
    /// The IOAPIC's way to the CPUs, with its own requester id.
    pub ioapic: Arc<dyn Dma>,
    /// What else goes back to its power-on state, after the fabric and its devices; called while no CPU runs.
    pub reset: Vec<Box<dyn Fn() + Send>>,
    /// Whatever must live as long as the machine: workers, uplinks.
    pub keep: Vec<Box<dyn Send>>,
    /// What every part tells of itself.
    pub reports: Reports,
}

/// The IOMMU of a machine as the tree needs it.
#[derive(Default)]
pub struct IommuParts {
    /// Translates requests.
    pub iommu: Option<Arc<dyn Iommu>>,
    /// Its registers, at the layout's remapping unit.
    pub registers: Option<Arc<dyn Mmio>>,
    /// Brings it to its power-on state.
    pub reset: Option<Box<dyn Fn() + Send>>,
    /// What it tells of itself.
    pub(super) report: Option<Source>,
}

/// Builds everything behind the host bridge.
pub fn build_tree(parts: &Parts<'_>) -> Result<Tree> {
    let iommu = iommu::build(parts)?;
    let mut tree = Builder::new(parts, iommu.iommu)?;
    let root = &parts.platform.root_complex;
    root.ports.iter().try_for_each(|port| {
        let options = options(port);
        tree.fabric.root_port(port.id.as_str(), options)?;
        tree.below(port)
    })?;
    let endpoints = root.endpoints.iter().filter_map(Function::of);
    for functions in Function::devices(endpoints).values() {
        tree.cards.attach_integrated(&mut tree.fabric, functions)?;
    }
    if root.event_collector {
        event_collector(&mut tree.fabric, &root.endpoints)?;
    }
    if let (Some(dmar), Some(registers)) = (&parts.layout.dmar, iommu.registers) {
        tree.fabric.add_fixed(Gpa(dmar.base), layout::DMAR.size, registers)?;
    }
    tree.finish(iommu.reset, iommu.report)
}

/// A tree under construction.
struct Builder {
    fabric: FabricBuilder,
    cards: Cards,
}

impl Builder {
    fn new(parts: &Parts<'_>, iommu: Option<Arc<dyn Iommu>>) -> Result<Self> {
        let [low, high] = [0, 1].map(|index| {
            parts
                .layout
                .windows
                .get(index)
                .map_or(0..0, |window| window.range.base..window.range.end())
        });
        let config = FabricConfig {
            ecam: Gpa(parts.layout.ecam.base),
            buses: parts.layout.ecam.buses,
            mmio32: low,
            mmio64: high,
            peer_to_peer: parts.platform.root_complex.peer_to_peer,
        };
        let wake = parts.wake.clone();
        let host = Host {
            ram: parts.ram,
            iommu,
            msi: parts.msi.clone(),
            epochs: parts.epochs.clone(),
            io_events: Arc::new(KvmDoorbells::new(parts.vm.clone())),
            wake: Box::new(move || wake.wake()),
        };
        let fabric = FabricBuilder::new(config, host).context("laying out the root complex")?;
        Ok(Self { fabric, cards: Cards::new(parts)? })
    }

    /// What is plugged in at a port, switches with all that is below them.
    fn below(&mut self, port: &Port) -> Result<()> {
        if let [Below::PciBridge(bridge)] = &port.below[..] {
            return self.bridge(port, bridge);
        }
        let functions: Vec<_> = port.below.iter().filter_map(Function::of).collect();
        let mut endpoints = Vec::new();
        for (function, slot) in functions.iter().zip(slots(&functions)) {
            match function {
                Function::Switch(switch) => self.switch(port, switch, &slot)?,
                endpoint => endpoints.push((*endpoint, slot)),
            }
        }
        self.cards.attach(&mut self.fabric, port.id.as_str(), &endpoints)
    }

    fn bridge(&mut self, port: &Port, bridge: &PciBridge) -> Result<()> {
        let id = bridge.id.as_str();
        self.fabric.pci_bridge(id, port.id.as_str())?;
        let behind = bridge.behind.iter().map(Function::Exerciser);
        let devices = Function::devices(behind);
        devices.values().try_for_each(|functions| {
            self.cards.attach_conventional(&mut self.fabric, id, functions)
        })
    }

    fn switch(&mut self, port: &Port, switch: &Switch, slot: &Slot) -> Result<()> {
        let (id, port) = (switch.id.as_str(), port.id.as_str());
        let downstream: Vec<_> =
            switch.downstream.iter().map(|port| (port.id.as_str(), options(port))).collect();
        if slot.multi_function {
            let &Slot { function, next_function, acs, .. } = slot;
            let function = UpstreamFunction { function, next_function, acs };
            self.fabric.switch_function(id, port, function, &downstream)?;
        } else {
            self.fabric.switch(id, port, &downstream)?;
        }
        switch.downstream.iter().try_for_each(|port| self.below(port))
    }

    fn finish(
        mut self,
        reset: Option<Box<dyn Fn() + Send>>,
        iommu: Option<Source>,
    ) -> Result<Tree> {
        let link = root_bus_link(&mut self.fabric)?;
        let requester = Arc::new(Requester::default());
        requester.set_id(RequesterId(layout::IOAPIC_REQUESTER));
        requester.set_open(true);
        let fabric = Arc::new(self.fabric.build().context("building the PCI tree")?);
        let reset = reset.into_iter().collect();
        let (keep, mut reports) = self.cards.finish();
        let told = fabric.clone();
        reports.add(&["tree"], move || serde_json::to_value(told.report()));
        if let Some(iommu) = iommu {
            reports.add(&["iommu"], iommu);
        }
        Ok(Tree { fabric, ioapic: link.dma(requester), reset, keep, reports })
    }
}

/// A collector of the errors of all endpoints on the root bus.
fn event_collector(fabric: &mut FabricBuilder, endpoints: &[Below]) -> Result<()> {
    let devices = endpoints.iter().map(|endpoint| endpoint.position().device);
    let associated = devices.fold(0, |bits, device| bits | 1 << device);
    let identity = Identity { vendor: 0x1234, device: 0x0f04, ..Identity::default() };
    let mut built = Ok(());
    fabric.attach_integrated("event-collector", None, |link, device| match EventCollector::new(
        identity,
        device << 3,
        associated,
        link,
    ) {
        Ok(collector) => vec![Arc::new(collector)],
        Err(error) => {
            built = Err(error);
            Vec::new()
        }
    })?;
    built.context("the event collector")
}

/// A way into the root complex for what is no PCI function.
fn root_bus_link(fabric: &mut FabricBuilder) -> Result<Arc<dyn Link>> {
    let mut link = None;
    fabric.attach_integrated("ioapic", None, |root, _| {
        link = Some(root);
        Vec::new()
    })?;
    link.context("connecting the IOAPIC")
}

fn options(port: &Port) -> PortOptions {
    PortOptions {
        acs: port.acs.map(access_control),
        place: Some(place(port.position)),
        ..PortOptions::default()
    }
}

fn place(position: DeviceFunction) -> Place {
    Place { device: position.device, function: position.function }
}

/// A platform file's services as a port's capability; the tree knows the number of its peers.
fn access_control(services: Services) -> Acs {
    Acs { services: AcsServices::from_bits_truncate(services.word()), egress_ports: 0 }
}

/// A platform file's services as the capability of a device of `functions`: egress control has a bit for each (7.7.11.4).
pub(super) fn function_access_control(services: Services, functions: usize) -> Acs {
    let acs = access_control(services);
    let egress = acs.services.contains(AcsServices::EGRESS_CONTROL);
    let functions = u8::try_from(functions).unwrap_or(u8::MAX);
    Acs { egress_ports: if egress { functions } else { 0 }, ..acs }
}

/// A range of the bus that the tree answers in.
pub struct FabricWindow {
    /// Who answers.
    pub fabric: Arc<Fabric>,
    /// Where the range begins.
    pub base: u64,
}

impl Mmio for FabricWindow {
    fn read(&self, offset: u64, data: &mut [u8]) {
        self.fabric.mmio_read(Gpa(self.base + offset), data);
    }

    fn write(&self, offset: u64, data: &[u8]) {
        self.fabric.mmio_write(Gpa(self.base + offset), data);
    }
}
