//! A machine around the tree, a fake device, and a guest that speaks ECAM.

mod device;
mod guest;

use std::os::fd::{AsRawFd, BorrowedFd};
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use pando_pci::Device;
use pando_tlp::{
    Access, Epochs, Fault, Gpa, GuestRam, IntxSink, IntxWire, Iommu, Iova, Link, MsiMessage,
    MsiSink, RequesterId, Translation,
};

pub(super) use device::{BAR0_SIZE, Fake, VF_BAR_SIZE};
pub(super) use guest::Guest;

use crate::{BuildError, Fabric, FabricBuilder, FabricConfig, Host, IoEvents, PortOptions};

pub(super) const ECAM: u64 = 0xe000_0000;
pub(super) const MMIO64: u64 = 0x80_0000_0000;
pub(super) const MMIO32: u64 = 0xc000_0000;
pub(super) const RAM_SIZE: u64 = 0x10_0000;

/// Everything around the tree, recording what reaches it.
#[derive(Default)]
pub(super) struct Outside {
    pub(super) messages: Mutex<Vec<MsiMessage>>,
    /// Wires of interrupt pins that are asserted, and every change.
    pub(super) wires: Mutex<[bool; IntxWire::COUNT]>,
    pub(super) changes: Mutex<Vec<(IntxWire, bool)>>,
    pub(super) armed: Mutex<Vec<(u64, i32)>>,
    pub(super) disarmed: Mutex<Vec<(u64, i32)>>,
    pub(super) woken: AtomicU32,
    /// What the IOMMU was asked: who, where.
    pub(super) asked: Mutex<Vec<(RequesterId, u64)>>,
    /// What it translates by page; anything else faults.
    pub(super) pages: Mutex<Vec<(u64, u64)>>,
}

impl MsiSink for Outside {
    fn signal(&self, message: MsiMessage) {
        self.messages.lock().unwrap().push(message);
    }
}

impl IntxSink for Outside {
    fn set(&self, wire: IntxWire, asserted: bool) {
        self.wires.lock().unwrap()[usize::from(wire.number())] = asserted;
        self.changes.lock().unwrap().push((wire, asserted));
    }
}

impl IoEvents for Outside {
    fn assign(&self, address: Gpa, event: BorrowedFd<'_>) {
        self.armed.lock().unwrap().push((address.0, event.as_raw_fd()));
    }

    fn deassign(&self, address: Gpa, event: BorrowedFd<'_>) {
        let key = (address.0, event.as_raw_fd());
        let mut armed = self.armed.lock().unwrap();
        let position = armed.iter().position(|each| *each == key).expect("only what was armed");
        armed.remove(position);
        self.disarmed.lock().unwrap().push(key);
    }
}

impl Iommu for Outside {
    fn translate(
        &self,
        source: RequesterId,
        address: Iova,
        _: Access,
    ) -> Result<Translation, Fault> {
        self.asked.lock().unwrap().push((source, address.0));
        let pages = self.pages.lock().unwrap();
        let page = pages.iter().find(|(from, _)| *from == address.0 & !0xfff);
        let &(from, to) = page.ok_or(Fault::Translation)?;
        let (start, target) = (Iova(from), Gpa(to));
        Ok(Translation { start, target, len: 0x1000, read: true, write: true })
    }

    fn remap(&self, source: RequesterId, message: MsiMessage) -> Result<MsiMessage, Fault> {
        self.asked.lock().unwrap().push((source, message.address));
        Ok(MsiMessage { data: message.data | 0x1_0000, ..message })
    }
}

pub(super) struct Machine {
    pub(super) outside: Arc<Outside>,
    pub(super) epochs: Arc<Epochs>,
    pub(super) ram: GuestRam,
    pub(super) builder: FabricBuilder,
}

pub(super) fn config() -> FabricConfig {
    FabricConfig {
        ecam: Gpa(ECAM),
        buses: 256,
        mmio32: MMIO32..ECAM,
        mmio64: MMIO64..MMIO64 + (1 << 36),
        peer_to_peer: false,
    }
}

fn host(outside: &Arc<Outside>, epochs: &Arc<Epochs>, ram: GuestRam, iommu: bool) -> Host {
    let woken = outside.clone();
    Host {
        ram,
        iommu: iommu.then(|| outside.clone() as Arc<dyn Iommu>),
        msi: outside.clone(),
        epochs: epochs.clone(),
        io_events: outside.clone(),
        wake: Box::new(move || {
            woken.woken.fetch_add(1, SeqCst);
        }),
    }
}

impl Machine {
    pub(super) fn new(config: FabricConfig, iommu: bool) -> Self {
        let outside = Arc::new(Outside::default());
        let epochs = Epochs::new();
        let ram = GuestRam::anonymous(&[(Gpa(0), RAM_SIZE as usize)]).unwrap();
        let host = host(&outside, &epochs, ram, iommu);
        let builder = FabricBuilder::new(config, host).unwrap();
        Self { outside, epochs, ram, builder }
    }

    pub(super) fn builder(config: FabricConfig) -> Result<FabricBuilder, BuildError> {
        let ram = GuestRam::anonymous(&[(Gpa(0), RAM_SIZE as usize)]).unwrap();
        FabricBuilder::new(config, host(&Arc::default(), &Epochs::new(), ram, false))
    }

    pub(super) fn plain() -> Self {
        Self::new(config(), false)
    }

    pub(super) fn root_port(&mut self, id: &str) -> &mut Self {
        self.builder.root_port(id, PortOptions::default()).unwrap();
        self
    }

    pub(super) fn switch(&mut self, id: &str, upstream: &str, downstream: &[&str]) -> &mut Self {
        let ports: Vec<_> = downstream.iter().map(|id| (*id, PortOptions::default())).collect();
        self.builder.switch(id, upstream, &ports).unwrap();
        self
    }

    /// A fake device of one function below `port`, named after the port.
    pub(super) fn device(&mut self, port: &str) -> Arc<Fake> {
        self.functions(port, &[0]).remove(0)
    }

    /// A fake device with these function numbers.
    pub(super) fn functions(&mut self, port: &str, numbers: &[u8]) -> Vec<Arc<Fake>> {
        let mut fakes = Vec::new();
        let build = |link: Arc<dyn Link>| {
            fakes.extend(numbers.iter().map(|number| Fake::new(link.clone(), *number)));
            fakes.iter().map(|fake| fake.clone() as Arc<dyn Device>).collect()
        };
        self.builder.attach(&format!("at-{port}"), port, build).unwrap();
        fakes
    }

    pub(super) fn build(self) -> (Fabric, Arc<Outside>) {
        (self.builder.build().unwrap(), self.outside)
    }
}

/// Two switches deep on one side, a device right below the other: rp0 - sw0 - {dp0 - d0, dp1 - sw1 - {dp2 - d1, dp3 - d2}},
/// rp1 - d3; enumerated, with every decode and bus master bit on. Access control bits as given, everywhere.
pub(super) struct Woods {
    pub(super) fabric: Fabric,
    pub(super) outside: Arc<Outside>,
    pub(super) epochs: Arc<Epochs>,
    pub(super) ram: GuestRam,
    pub(super) devices: [Arc<Fake>; 4],
}

impl Woods {
    pub(super) fn new(config: FabricConfig, iommu: bool) -> Self {
        let mut machine = Machine::new(config, iommu);
        machine.root_port("rp0").root_port("rp1");
        machine.switch("sw0", "rp0", &["dp0", "dp1"]).switch("sw1", "dp1", &["dp2", "dp3"]);
        let devices = ["dp0", "dp2", "dp3", "rp1"].map(|port| machine.device(port));
        let (epochs, ram) = (machine.epochs.clone(), machine.ram);
        let (fabric, outside) = machine.build();
        Guest(&fabric).enumerate();
        Self { fabric, outside, epochs, ram, devices }
    }

    pub(super) fn guest(&self) -> Guest<'_> {
        Guest(&self.fabric)
    }

    /// Sets the ACS control word of a port.
    pub(super) fn control(&self, port: &str, bits: u16) {
        self.guest().set_acs(self.guest().find_port(port), bits);
    }
}

/// Waits until deferred writes have arrived, or what follows from them.
pub(super) fn eventually(mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < Duration::from_secs(60), "never happened");
        std::thread::yield_now();
    }
}
