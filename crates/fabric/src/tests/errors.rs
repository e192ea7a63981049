//! Errors end to end: which port or function logs what, and what the root port tells the guest.

mod rows;
mod way;

use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex};

use pando_pci::{Acs, AcsServices, Device, Endpoint, FunctionId, Model};
use pando_tlp::{Access, Dma, RequesterId};

use super::sriov::plain;
use super::support::{Guest, MMIO64, Machine, Outside, config, eventually};
use crate::{Fabric, FabricConfig, PortOptions};

const AER: u16 = 0x100;
/// A register that is refused.
const REFUSED: u64 = 0x800;

const SENDER: RequesterId = RequesterId(0x0300);
const TARGET: RequesterId = RequesterId(0x0400);
const SENDER_BAR: u64 = MMIO64;
const TARGET_BAR: u64 = MMIO64 + (1 << 20);

/// Registers that are all 0x11, and a list of what was written.
#[derive(Default)]
struct Registers(Mutex<Vec<(u64, Vec<u8>)>>);

impl Model for Registers {
    fn read(&self, _: FunctionId, _: u8, _: u64, data: &mut [u8]) {
        data.fill(0x11);
    }

    fn write(&self, _: FunctionId, _: u8, offset: u64, data: &[u8]) {
        self.0.lock().unwrap().push((offset, data.to_vec()));
    }

    fn refuses(&self, _: FunctionId, _: u8, offset: u64, _: usize, _: Access) -> bool {
        offset == REFUSED
    }

    fn reset(&self, _: FunctionId) {}
    fn bus_master(&self, _: FunctionId, _: bool) {}
    fn virtual_functions(&self, _: u16) {}
    fn doorbells(&self, _: FunctionId, _: &mut Vec<(u8, u64, Arc<OwnedFd>)>) {}
}

/// rp - sw - {a: the sender, 03:00.0; b: the target, 04:00.0}, every port with every service and all reporting on.
struct Tree {
    fabric: Fabric,
    outside: Arc<Outside>,
    machine_ram: pando_tlp::GuestRam,
    sender: Arc<dyn Dma>,
    target: Arc<Registers>,
}

/// What a port or function has logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Log {
    uncorrectable: u32,
    correctable: u32,
    first: u32,
    header: [u32; 4],
}

impl Tree {
    fn new(iommu: bool) -> Self {
        Self::with(config(), iommu)
    }

    fn with(config: FabricConfig, iommu: bool) -> Self {
        let mut machine = Machine::new(config, iommu);
        let acs = Acs { services: AcsServices::all(), egress_ports: 0 };
        let options = PortOptions { acs: Some(acs), ..Default::default() };
        machine.builder.root_port("rp", options.clone()).unwrap();
        machine.builder.switch("sw", "rp", &[("a", options.clone()), ("b", options)]).unwrap();
        let (mut sender, mut target) = (None, None);
        for port in ["a", "b"] {
            let build = |link| {
                let endpoint = Endpoint::new(plain(), link, |functions| {
                    let model = Arc::new(Registers::default());
                    sender = sender.take().or_else(|| Some(functions.pf().dma.clone()));
                    target = Some(model.clone());
                    model
                });
                vec![Arc::new(endpoint.unwrap()) as Arc<dyn Device>]
            };
            machine.builder.attach(&format!("at-{port}"), port, build).unwrap();
        }
        let machine_ram = machine.ram;
        let (fabric, outside) = machine.build();
        let (sender, target) = (sender.unwrap(), target.unwrap());
        let tree = Self { fabric, outside, machine_ram, sender, target };
        tree.enumerate();
        tree
    }

    fn guest(&self) -> Guest<'_> {
        Guest(&self.fabric)
    }

    fn enumerate(&self) {
        let guest = self.guest();
        guest.scan(0, 0);
        for (port, start, end) in [
            ("rp", SENDER_BAR, TARGET_BAR + (1 << 20)),
            ("sw", SENDER_BAR, TARGET_BAR + (1 << 20)),
            ("a", SENDER_BAR, TARGET_BAR),
            ("b", TARGET_BAR, TARGET_BAR + (1 << 20)),
        ] {
            let id = guest.find_port(port);
            guest.write(id, 0x20, 0x0000_fff0);
            guest.set_window(id, start, end);
            guest.write16(id, 0x04, 0x0406);
            guest.write16(id, 0x3e, 0x2);
            self.report(id, 0xf);
        }
        for (id, bar) in [(SENDER, SENDER_BAR), (TARGET, TARGET_BAR)] {
            guest.set_bar(id, bar);
            guest.write16(id, 0x04, 0x0446);
            self.report(id, 0xf);
        }
        self.interrupt();
    }

    /// Device Control.
    fn report(&self, id: RequesterId, control: u16) {
        let pcie = self.capability(id, 0x10);
        self.guest().write16(id, pcie + 8, control);
    }

    fn capability(&self, id: RequesterId, capability: u8) -> u16 {
        let mut offset = self.guest().read(id, 0x34) as u16 & 0xfc;
        while self.guest().read(id, offset) as u8 != capability {
            offset = (self.guest().read(id, offset) >> 8) as u16 & 0xfc;
        }
        offset
    }

    /// The root port's MSI, as Linux' port service driver sets it, and all of Root Error Command.
    fn interrupt(&self) {
        let (guest, port) = (self.guest(), self.guest().find_port("rp"));
        let msi = self.capability(port, 0x05);
        guest.write(port, msi + 4, 0xfee0_1000);
        guest.write(port, msi + 0xc, 0x41);
        guest.write(port, msi, 1 << 16);
        guest.write(port, AER + 0x2c, 7);
    }

    /// How many interrupts have come since the last call.
    fn interrupts(&self) -> usize {
        std::mem::take(&mut *self.outside.messages.lock().unwrap()).len()
    }

    fn id(&self, name: &str) -> RequesterId {
        match name {
            "sender" => SENDER,
            "target" => TARGET,
            port => self.guest().find_port(port),
        }
    }

    fn log(&self, name: &str) -> Log {
        let id = self.id(name);
        let read = |register| self.guest().read(id, AER + register);
        Log {
            uncorrectable: read(0x04),
            correctable: read(0x10),
            first: read(0x18) & 0x1f,
            header: [0x1c, 0x20, 0x24, 0x28].map(read),
        }
    }

    /// The names of everyone who has logged something.
    fn loggers(&self) -> Vec<&'static str> {
        let logged = |name: &&str| self.log(name) != Log::default();
        ["rp", "sw", "a", "b", "sender", "target"].into_iter().filter(logged).collect()
    }

    /// Root Error Status and Error Source Identification.
    fn root(&self) -> (u32, u32) {
        let read = |register| self.guest().read(self.id("rp"), AER + register);
        (read(0x30), read(0x34))
    }

    /// Lets advisory errors be reported too.
    fn unmask_advisory(&self) {
        for name in ["rp", "sw", "a", "b", "sender", "target"] {
            self.guest().write(self.id(name), AER + 0x14, 0);
        }
    }
}
