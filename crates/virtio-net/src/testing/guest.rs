//! Memory, link, engine and switch.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pando_engine::{Engine, PortKind, Switch};
use pando_tlp::{
    Access, Dma, Epochs, Fault, Gpa, GuestRam, Iova, Link, Requester, RequesterId, Target,
};
use vm_memory::{Bytes, GuestAddress};

use super::Driver;
use crate::config::FunctionConfig;
use crate::function::{Function, Wiring};
use crate::shared::Interrupts;
use crate::spec::Features;

const RAM: usize = 64 << 20;

/// A guest with a card's switch and its workers.
pub(crate) struct Guest {
    pub(crate) memory: Memory,
    pub(crate) link: Arc<FlatLink>,
    pub(crate) engine: Arc<Engine>,
    pub(crate) switch: Arc<Switch>,
}

/// Guest memory and what is free of it.
#[derive(Clone)]
pub(crate) struct Memory {
    ram: GuestRam,
    free: Arc<AtomicU64>,
}

/// A link without a tree: requests go to memory, messages are noted down.
pub(crate) struct FlatLink {
    ram: GuestRam,
    epochs: Arc<Epochs>,
    pub(crate) doorbell_changes: AtomicUsize,
}

struct FlatDma {
    ram: GuestRam,
    requester: Arc<Requester>,
}

/// Interrupts by vector.
#[derive(Default)]
pub(crate) struct Signals(Mutex<BTreeMap<u16, usize>>);

impl Guest {
    pub(crate) fn new() -> Self {
        let ram = GuestRam::anonymous(&[(Gpa(0), RAM)]).unwrap();
        let epochs = Epochs::new();
        let link = FlatLink { ram, epochs: epochs.clone(), doorbell_changes: AtomicUsize::new(0) };
        Self {
            memory: Memory { ram, free: Arc::new(AtomicU64::new(0x1000)) },
            link: Arc::new(link),
            engine: Arc::new(Engine::new(2, epochs).unwrap()),
            switch: Switch::new("test"),
        }
    }

    /// A function whose gate is open, with a driver that hasn't begun.
    pub(crate) fn driver(&self, config: FunctionConfig) -> Driver {
        let requester = Arc::new(Requester::default());
        requester.set_open(true);
        let signals = Arc::new(Signals::default());
        let port = self.switch.port(&config.name, PortKind::Function);
        let wiring = Wiring {
            link: self.link.clone(),
            dma: self.link.dma(requester.clone()),
            interrupts: signals.clone(),
            engine: self.engine.clone(),
            port,
        };
        let function = Arc::new(Function::new(config, wiring));
        Driver::new(function, self.memory.clone(), signals, requester)
    }

    /// A function that is driven as Linux would with `features`.
    pub(crate) fn driven(&self, config: FunctionConfig, features: Features) -> Driver {
        let mut driver = self.driver(config);
        driver.probe(features);
        driver
    }
}

impl Memory {
    /// `len` bytes nobody else uses, on a page of their own.
    pub(crate) fn allocate(&self, len: usize) -> u64 {
        let len = (len as u64).next_multiple_of(0x1000);
        let start = self.free.fetch_add(len, SeqCst);
        assert!(start + len <= RAM as u64, "the test needs more memory");
        start
    }

    pub(crate) fn read(&self, address: u64, len: usize) -> Vec<u8> {
        let mut data = vec![0; len];
        self.ram.memory().read_slice(&mut data, GuestAddress(address)).unwrap();
        data
    }

    pub(crate) fn write(&self, address: u64, data: &[u8]) {
        self.ram.memory().write_slice(data, GuestAddress(address)).unwrap();
    }

    pub(crate) fn load(&self, address: u64) -> u16 {
        self.ram.memory().load(GuestAddress(address), SeqCst).unwrap()
    }

    pub(crate) fn store(&self, address: u64, value: u16) {
        self.ram.memory().store(value, GuestAddress(address), SeqCst).unwrap();
    }
}

impl Signals {
    pub(crate) fn count(&self, vector: u16) -> usize {
        self.0.lock().unwrap().get(&vector).copied().unwrap_or(0)
    }
}

impl Interrupts for Signals {
    fn signal(&self, vector: u16) {
        *self.0.lock().unwrap().entry(vector).or_default() += 1;
    }
}

impl Link for FlatLink {
    fn dma(&self, requester: Arc<Requester>) -> Arc<dyn Dma> {
        Arc::new(FlatDma { ram: self.ram, requester })
    }

    fn epochs(&self) -> &Arc<Epochs> {
        &self.epochs
    }

    fn doorbells_changed(&self) {
        self.doorbell_changes.fetch_add(1, SeqCst);
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

    fn read(&self, _: Iova, _: &mut [u8]) -> Result<(), Fault> {
        Err(Fault::UnsupportedRequest)
    }

    fn write(&self, _: Iova, _: &[u8]) -> Result<(), Fault> {
        Err(Fault::UnsupportedRequest)
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
