//! A whole machine but for its processors: memory, tree, one virtio card below a switch, its switch and worker, maybe VT-d; and
//! what a guest does before it passes traffic: numbers buses, places BARs, enables VFs, starts their queues.

mod bus;
mod function;
mod intel;
mod translation;

use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result};
use pando_engine::uplink::UplinkConfig;
use pando_engine::{Engine, MacAddress, PortKind, ReceiveHandle, Switch, TaskHandle};
use pando_fabric::{Fabric, FabricBuilder, FabricConfig, Host, IoEvents, PortOptions};
use pando_ixgbe::IntelNic;
use pando_pci::{Device, Slot};
use pando_tlp::{Dma, Epochs, Gpa, Iommu, Link, MsiMessage, MsiSink, Requester, RequesterId};
use pando_virtio_net::{NicConfig, VirtioNic};

use crate::memory::Memory;
use crate::pin::Processors;
use translation::{Mapper, Unit};

use bus::Bars;

pub(crate) use bus::Bus;
pub(crate) use function::{Layout, VirtualFunction};
pub(crate) use intel::Registers;

/// Where configuration space lies.
const ECAM: u64 = 0xe000_0000;

/// Where windows and BARs lie.
const WINDOWS: u64 = 0x80_0000_0000;

/// What a machine is made of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// VFs enabled and driven.
    pub(crate) functions: u16,
    /// Whether VT-d translates, by pages of 4 KiB that never change.
    pub(crate) translated: bool,
    /// Memory in MiB.
    pub(crate) memory: usize,
}

/// Which card it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Model {
    Virtio,
    Intel,
}

/// The machine.
pub(crate) struct Machine {
    pub(crate) memory: Memory,
    pub(crate) fabric: Arc<Fabric>,
    pub(crate) epochs: Arc<Epochs>,
    /// A way into the tree for what is no function of a card.
    pub(crate) way: Arc<dyn Dma>,
    pub(crate) bus: Bus,
    pub(crate) switch: Arc<Switch>,
    /// What is plugged into the switch's uplink.
    cable: Vec<(TaskHandle, ReceiveHandle)>,
    engine: Arc<Engine>,
    processors: Processors,
    mapper: Option<Mapper>,
}

/// Counts messages.
#[derive(Debug, Default)]
pub(crate) struct Interrupts(AtomicU64);

impl MsiSink for Interrupts {
    fn signal(&self, _: MsiMessage) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Every doorbell is an exit.
struct NoEvents;

impl IoEvents for NoEvents {
    fn assign(&self, _: Gpa, _: BorrowedFd<'_>) {}
    fn deassign(&self, _: Gpa, _: BorrowedFd<'_>) {}
}

impl Machine {
    /// Builds it and enables the VFs; no queue runs yet.
    pub(crate) fn new(processors: Processors, plan: Plan) -> Result<Self> {
        Self::with(processors, plan, Model::Virtio, 1)
    }

    /// The same with so many workers.
    pub(crate) fn with_workers(processors: Processors, plan: Plan, workers: usize) -> Result<Self> {
        Self::with(processors, plan, Model::Virtio, workers)
    }

    /// The same with an Intel card, of which nothing is programmed yet.
    pub(crate) fn intel(processors: Processors, plan: Plan) -> Result<Self> {
        Self::with(processors, plan, Model::Intel, 1)
    }

    fn with(processors: Processors, plan: Plan, model: Model, workers: usize) -> Result<Self> {
        let mut memory = Memory::new(plan.memory)?;
        let epochs = Epochs::new();
        let interrupts = Arc::new(Interrupts::default());
        let unit = plan.translated.then(|| Unit::new(&memory, &epochs, &interrupts)).transpose()?;
        let host = Host {
            ram: memory.ram,
            iommu: unit.as_ref().map(|unit| unit.0.clone() as Arc<dyn Iommu>),
            msi: interrupts.clone(),
            epochs: epochs.clone(),
            io_events: Arc::new(NoEvents),
            wake: Box::new(|| {}),
        };
        let mut builder = FabricBuilder::new(fabric_config(), host)?;
        builder.root_port("rp0", PortOptions::default())?;
        builder.switch("sw0", "rp0", &[("dp0", PortOptions::default())])?;
        let engine =
            processors.at_engines(workers, || Ok(Engine::new(workers, epochs.clone())?))?;
        let engine = Arc::new(engine);
        let switch = Switch::new("nic0");
        let card = Card { engine: &engine, switch: &switch, vfs: plan.functions, model };
        processors.at_engine(|| card.plug(&mut builder))?;
        let way = way(&mut builder)?;
        // Its threads too: one that starts at the driver's side may wait for the driver, and others for it.
        let fabric = Arc::new(processors.at_engine(|| Ok(builder.build()?))?);
        let mapper = unit.map(|unit| unit.translate_all(&mut memory)).transpose()?;
        let bus = Bus::enumerate(&fabric, plan.functions, model.bars())?;
        let cable = Vec::new();
        Ok(Self { memory, fabric, epochs, way, bus, switch, cable, engine, processors, mapper })
    }

    /// What changes translations; it is given away once.
    pub(crate) fn mapper(&mut self) -> Option<Mapper> {
        self.mapper.take()
    }

    /// The domain of a VF.
    pub(crate) fn domain(&self, vf: u16) -> u64 {
        translation::domain(self.bus.vf(vf))
    }

    /// Plugs in a cable whose other end sends everything back to who sent it.
    pub(crate) fn loop_back(&mut self) -> Result<()> {
        let port = self.switch.port("uplink", PortKind::Uplink);
        let engine = self.engine.clone();
        for queue in UplinkConfig::Loopback.open(1)?.queues {
            let on_error = || Box::new(|error| eprintln!("the uplink stopped: {error}"));
            let connect = || {
                let source = engine.source(&port, 0, queue.transmit, queue.readable, on_error())?;
                Ok((source, engine.receive(&port, 0, queue.receive, on_error())))
            };
            self.cable.push(self.processors.at_engine(connect)?);
        }
        Ok(())
    }
}

fn fabric_config() -> FabricConfig {
    FabricConfig {
        ecam: Gpa(ECAM),
        buses: 256,
        mmio32: 0xc000_0000..ECAM,
        mmio64: WINDOWS..WINDOWS + (1 << 36),
        peer_to_peer: false,
    }
}

/// The address of a VF.
pub(crate) fn mac(vf: u16) -> [u8; 6] {
    let [high, low] = (vf + 2).to_be_bytes();
    [2, 0, 0, 0, high, low]
}

impl Model {
    fn bars(self) -> Bars {
        match self {
            Self::Virtio => Bars { registers: 2, msix: 4, vf_msix: 4 },
            Self::Intel => Bars { registers: 0, msix: 4, vf_msix: 3 },
        }
    }
}

/// The card and what it is connected to.
struct Card<'a> {
    engine: &'a Arc<Engine>,
    switch: &'a Arc<Switch>,
    vfs: u16,
    model: Model,
}

impl Card<'_> {
    /// Puts it below `dp0`.
    fn plug(self, builder: &mut FabricBuilder) -> Result<()> {
        let link = builder.reserve("nic0", "dp0")?;
        let device: Arc<dyn Device> = match self.model {
            Model::Virtio => self.virtio(link)?,
            Model::Intel => self.intel(link)?,
        };
        builder.fill("nic0", vec![device])?;
        Ok(())
    }

    fn virtio(&self, link: Arc<dyn Link>) -> Result<Arc<dyn Device>> {
        let config = NicConfig {
            name: "nic0".to_owned(),
            mac: MacAddress(PF),
            vfs: self.vfs.max(1),
            pf_queue_pairs: 1,
            vf_queue_pairs: 1,
            queue_size: 256,
            mtu: 9000,
            packed_rings: true,
            ..NicConfig::default()
        };
        let card = VirtioNic::new(&config, &Slot::default(), link, self.engine, self.switch)?;
        Ok(card.endpoint().clone())
    }

    fn intel(&self, link: Arc<dyn Link>) -> Result<Arc<dyn Device>> {
        let vfs = self.vfs.max(1);
        let config = pando_ixgbe::NicConfig {
            mac: MacAddress(PF),
            vfs,
            ..pando_ixgbe::NicConfig::default()
        };
        let card = IntelNic::new(&config, &Slot::default(), link, self.engine, self.switch)?;
        Ok(card.endpoint().clone())
    }
}

/// The address of the PF.
const PF: [u8; 6] = [2, 0, 0, 0, 0, 1];

/// A function of the root complex, as the IOAPIC is one.
fn way(builder: &mut FabricBuilder) -> Result<Arc<dyn Dma>> {
    let mut found: Option<Arc<dyn Link>> = None;
    builder.attach_integrated("probe", None, |link, _| {
        found = Some(link);
        Vec::new()
    })?;
    let requester = Arc::new(Requester::default());
    requester.set_id(RequesterId(0x00f8));
    requester.set_open(true);
    Ok(found.context("the root complex gives no link")?.dma(requester))
}
