//! The machine.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use pando_engine::{Engine, Switch};
use pando_pci::{ByteEnables, ConfigKind, Device, FunctionId, Region, Slot};
use pando_tlp::{
    Access, Dma, Epochs, Fault, Gpa, GuestRam, IntxWire, Iova, Link, MSI_RANGE, Requester,
    RequesterId, Target,
};
use vm_memory::{Bytes, GuestAddress};

use crate::identity::VF_SPACE;
use crate::{IntelNic, NicConfig};

const RAM: usize = 16 << 20;
const BUS: u8 = 1;
const COMMAND: u16 = 0x04;
const MEMORY_AND_BUS_MASTER: u32 = 0b110;
const MSIX: u16 = 0x70;
const DEVICE_CONTROL: u16 = 0xa8;
const SRIOV: u16 = 0x160;
/// The address of every message.
const MESSAGE: u64 = 0xfee0_0000;

/// No messages.
pub(crate) const NONE: [u32; 0] = [];

/// A card and what it is connected to.
pub(crate) struct Machine {
    pub(crate) nic: IntelNic,
    pub(crate) switch: Arc<Switch>,
    pub(crate) engine: Arc<Engine>,
    link: Arc<FlatLink>,
}

/// A function's registers.
#[derive(Clone, Copy)]
pub(crate) struct Registers<'a> {
    machine: &'a Machine,
    function: FunctionId,
}

struct FlatLink {
    ram: GuestRam,
    epochs: Arc<Epochs>,
    /// Every change of the interrupt pin.
    pin: Mutex<Vec<bool>>,
    messages: Arc<Mutex<Vec<(RequesterId, u32)>>>,
}

struct FlatDma {
    ram: GuestRam,
    requester: Arc<Requester>,
    messages: Arc<Mutex<Vec<(RequesterId, u32)>>>,
}

impl Machine {
    pub(crate) fn new(config: &NicConfig) -> Self {
        let ram = GuestRam::anonymous(&[(Gpa(0), RAM)]).unwrap();
        let epochs = Epochs::new();
        let (pin, messages) = Default::default();
        let link = Arc::new(FlatLink { ram, epochs: epochs.clone(), pin, messages });
        let engine = Arc::new(Engine::new(2, epochs).unwrap());
        let switch = Switch::new("test");
        let nic = IntelNic::new(config, &Slot::default(), link.clone(), &engine, &switch).unwrap();
        Self { nic, switch, engine, link }
    }

    /// A card whose PF may send and has its vectors programmed: vector n sends n.
    pub(crate) fn enabled() -> Self {
        let machine = Self::new(&NicConfig::default());
        machine.enable(FunctionId::Pf);
        machine
    }

    pub(crate) fn pf(&self) -> Registers<'_> {
        Registers { machine: self, function: FunctionId::Pf }
    }

    pub(crate) fn vf(&self, vf: u16) -> Registers<'_> {
        Registers { machine: self, function: FunctionId::Vf(vf) }
    }

    /// The id of a function, with ARI.
    pub(crate) fn id(function: FunctionId) -> RequesterId {
        match function {
            FunctionId::Pf => RequesterId::new(BUS, 0),
            FunctionId::Vf(vf) => RequesterId(u16::from(BUS) << 8 | (128 + 2 * vf)),
        }
    }

    pub(crate) fn config_read(&self, function: FunctionId, register: u16) -> u32 {
        let id = Self::id(function);
        let kind = ConfigKind::Type0;
        self.nic.endpoint().config_read(kind, id, register).unwrap()
    }

    pub(crate) fn config_write(&self, function: FunctionId, register: u16, value: u32) {
        let id = Self::id(function);
        let endpoint = self.nic.endpoint();
        endpoint.config_write(ConfigKind::Type0, id, register, value, ByteEnables::ALL).unwrap();
    }

    /// Lets a function send, and programs its vectors: vector n of the PF sends n, of VF m 256 * (m + 1) + n.
    pub(crate) fn enable(&self, function: FunctionId) {
        self.config_write(function, COMMAND, MEMORY_AND_BUS_MASTER);
        let registers = Registers { machine: self, function };
        let (bar, vectors, first) = match function {
            FunctionId::Pf => (4, 64, 0),
            FunctionId::Vf(vf) => (3, 3, 256 * (u32::from(vf) + 1)),
        };
        for vector in 0..vectors {
            let entry = 16 * vector;
            registers.write_bar(bar, entry, &(MESSAGE as u32).to_le_bytes());
            registers.write_bar(bar, entry + 8, &(first + vector).to_le_bytes());
            registers.write_bar(bar, entry + 12, &0u32.to_le_bytes());
        }
        self.config_write(function, MSIX, 1 << 31);
    }

    /// NumVFs, VF Enable and VF MSE in an ARI hierarchy; 0 takes them away.
    pub(crate) fn set_vfs(&self, count: u16) {
        self.config_write(FunctionId::Pf, SRIOV + 8, 1 << 4);
        if count > 0 {
            self.config_write(FunctionId::Pf, SRIOV + 0x10, count.into());
            self.config_write(FunctionId::Pf, SRIOV + 8, 1 << 4 | 1 << 3 | 1);
        }
        (0..count).for_each(|vf| self.enable(FunctionId::Vf(vf)));
    }

    pub(crate) fn flr(&self, function: FunctionId) {
        self.config_write(function, DEVICE_CONTROL, 1 << 15);
    }

    pub(crate) fn write(&self, address: u64, bytes: &[u8]) {
        self.link.ram.memory().write_slice(bytes, GuestAddress(address)).unwrap();
    }

    pub(crate) fn memory(&self, address: u64, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        self.link.ram.memory().read_slice(&mut bytes, GuestAddress(address)).unwrap();
        bytes
    }

    /// Messages since the last call.
    pub(crate) fn messages(&self) -> Vec<u32> {
        let messages = std::mem::take(&mut *self.link.messages.lock().unwrap());
        messages.into_iter().map(|(_, data)| data).collect()
    }

    /// Changes of the interrupt pin since the last call.
    pub(crate) fn pin(&self) -> Vec<bool> {
        std::mem::take(&mut *self.link.pin.lock().unwrap())
    }

    /// Messages since the last call, with who sent them.
    pub(crate) fn messages_with_ids(&self) -> Vec<(RequesterId, u32)> {
        std::mem::take(&mut *self.link.messages.lock().unwrap())
    }
}

impl<'a> Registers<'a> {
    pub(crate) fn read(self, offset: u32) -> u32 {
        let mut data = [0; 4];
        self.read_bytes(offset, &mut data);
        u32::from_le_bytes(data)
    }

    pub(crate) fn write(self, offset: u32, value: u32) {
        self.write_bytes(offset, &value.to_le_bytes());
    }

    pub(crate) fn read_bytes(self, offset: u32, data: &mut [u8]) {
        let (region, offset) = self.place(0, offset);
        self.machine.nic.endpoint().read(region, offset, data);
    }

    pub(crate) fn write_bytes(self, offset: u32, data: &[u8]) {
        self.write_bar(0, offset, data);
    }

    pub(crate) fn write_bar(self, bar: u8, offset: u32, data: &[u8]) {
        let (region, offset) = self.place(bar, offset);
        self.machine.nic.endpoint().write(region, offset, data);
    }

    /// Sets and clears bits, as drivers do.
    pub(crate) fn modify(self, offset: u32, clear: u32, set: u32) {
        self.write(offset, self.read(offset) & !clear | set);
    }

    pub(crate) fn machine(self) -> &'a Machine {
        self.machine
    }

    fn place(self, bar: u8, offset: u32) -> (Region, u64) {
        match self.function {
            FunctionId::Pf => (Region::Bar(bar), offset.into()),
            FunctionId::Vf(vf) => {
                (Region::VfBar(bar), u64::from(vf) * u64::from(VF_SPACE) + u64::from(offset))
            }
        }
    }
}

impl Link for FlatLink {
    fn dma(&self, requester: Arc<Requester>) -> Arc<dyn Dma> {
        Arc::new(FlatDma { ram: self.ram, requester, messages: self.messages.clone() })
    }

    fn epochs(&self) -> &Arc<Epochs> {
        &self.epochs
    }

    fn doorbells_changed(&self) {}

    fn intx(&self, function: u8, wire: IntxWire, asserted: bool) {
        assert_eq!((function, wire), (0, IntxWire::new(0)));
        self.pin.lock().unwrap().push(asserted);
    }
}

impl Dma for FlatDma {
    fn requester(&self) -> RequesterId {
        self.requester.id()
    }

    fn resolve(&self, address: Iova, _: Access) -> Result<Target, Fault> {
        if !self.requester.is_open() {
            return Err(Fault::Gated);
        }
        let run = self.ram.region(Gpa(address.0)).ok_or(Fault::UnsupportedRequest)?;
        Ok(Target::Ram { start: Iova(run.gpa.0), run, read: true, write: true })
    }

    fn read(&self, address: Iova, data: &mut [u8]) -> Result<(), Fault> {
        let read = self.ram.memory().read_slice(data, GuestAddress(address.0));
        read.map_err(|_| Fault::UnsupportedRequest)
    }

    fn write(&self, address: Iova, data: &[u8]) -> Result<(), Fault> {
        if !self.requester.is_open() {
            return Err(Fault::Gated);
        }
        if !MSI_RANGE.contains(&address.0) {
            let written = self.ram.memory().write_slice(data, GuestAddress(address.0));
            return written.map_err(|_| Fault::UnsupportedRequest);
        }
        let data = u32::from_le_bytes(data.try_into().unwrap());
        self.messages.lock().unwrap().push((self.requester.id(), data));
        Ok(())
    }
}

/// How often to look at what other threads do. Looks are counted, not time, since a machine that stalls stops both.
const LOOKS: u32 = 300_000;

/// Waits for `condition`; fails when it can't be expected to come true any more.
#[track_caller]
pub(crate) fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    for _ in 0..LOOKS {
        if condition() {
            return;
        }
        std::thread::sleep(Duration::from_micros(200));
    }
    panic!("never happened: {what}");
}
