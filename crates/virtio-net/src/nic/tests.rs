use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use pando_pci::{ByteEnables, ConfigKind, Device};
use pando_tlp::{Access, Dma, Epochs, Fault, Iova, MSI_RANGE, Requester, RequesterId, Target};

use super::*;
use crate::spec::{Features, Status, common as reg};

/// Where messages go that aren't interrupts: registers of the card itself, at [`CARD`].
type Peer = Arc<OnceLock<std::sync::Weak<Card>>>;

/// Where a message finds the PF's structures, and behind them each VF's.
const CARD: u64 = 0x1_0000_0000;

/// A link to nothing but an interrupt controller that notes down who sent what.
struct Wire {
    epochs: Arc<Epochs>,
    messages: Arc<Mutex<Vec<(RequesterId, u64, u32)>>>,
    changes: AtomicUsize,
    peer: Peer,
}

struct WireDma {
    requester: Arc<Requester>,
    peer: Peer,
    messages: Arc<Mutex<Vec<(RequesterId, u64, u32)>>>,
}

impl Link for Wire {
    fn dma(&self, requester: Arc<Requester>) -> Arc<dyn Dma> {
        Arc::new(WireDma { requester, messages: self.messages.clone(), peer: self.peer.clone() })
    }

    fn epochs(&self) -> &Arc<Epochs> {
        &self.epochs
    }

    fn doorbells_changed(&self) {
        self.changes.fetch_add(1, SeqCst);
    }
}

impl Dma for WireDma {
    fn requester(&self) -> RequesterId {
        self.requester.id()
    }

    fn resolve(&self, _: Iova, _: Access) -> Result<Target, Fault> {
        Err(if self.requester.is_open() { Fault::UnsupportedRequest } else { Fault::Gated })
    }

    fn read(&self, _: Iova, _: &mut [u8]) -> Result<(), Fault> {
        Err(Fault::UnsupportedRequest)
    }

    fn write(&self, address: Iova, data: &[u8]) -> Result<(), Fault> {
        if let Some(offset) = address.0.checked_sub(CARD) {
            let function = match (offset / 0x2000) as u16 {
                0 => FunctionId::Pf,
                vf => FunctionId::Vf(vf - 1),
            };
            if let Some(card) = self.peer.get().and_then(std::sync::Weak::upgrade) {
                let model: &dyn Model = &*card;
                model.write(function, REGISTERS, offset % 0x2000, data);
                model.read(function, REGISTERS, offset % 0x2000, &mut [0; 4]);
            }
            return Ok(());
        }
        let data = u32::from_le_bytes(data.try_into().map_err(|_| Fault::UnsupportedRequest)?);
        if !self.requester.is_open() || !MSI_RANGE.contains(&address.0) {
            return Err(Fault::UnsupportedRequest);
        }
        self.messages.lock().unwrap().push((self.requester.id(), address.0, data));
        Ok(())
    }
}

struct Plugged {
    nic: VirtioNic,
    wire: Arc<Wire>,
}

const PF: RequesterId = RequesterId(0x0100);

impl Plugged {
    fn new(config: &NicConfig) -> Self {
        let epochs = Epochs::new();
        let wire = Arc::new(Wire {
            epochs: epochs.clone(),
            messages: Arc::default(),
            changes: AtomicUsize::new(0),
            peer: Peer::default(),
        });
        let engine = Arc::new(Engine::new(1, epochs).unwrap());
        let nic =
            VirtioNic::new(config, &Slot::default(), wire.clone(), &engine, &Switch::new("test"))
                .unwrap();
        wire.peer.set(Arc::downgrade(&nic.card)).unwrap();
        let slot = Self { nic, wire };
        slot.write(PF, 0, 0); // captures the bus number
        slot
    }

    fn read(&self, target: RequesterId, register: u16) -> u32 {
        self.nic.endpoint.config_read(ConfigKind::Type0, target, register).unwrap_or(u32::MAX)
    }

    fn write(&self, target: RequesterId, register: u16, value: u32) {
        let (kind, enables) = (ConfigKind::Type0, ByteEnables::ALL);
        self.nic.endpoint.config_write(kind, target, register, value, enables);
    }

    /// Capabilities of this id, in the order of the list.
    fn capabilities(&self, target: RequesterId, id: u8) -> Vec<u16> {
        let mut found = Vec::new();
        let mut at = self.read(target, 0x34) as u16 & 0xfc;
        while at != 0 {
            let header = self.read(target, at);
            if header as u8 == id {
                found.push(at);
            }
            at = (header >> 8) as u16 & 0xfc;
        }
        found
    }

    fn extended(&self, target: RequesterId, id: u16) -> Option<u16> {
        let mut at = 0x100;
        loop {
            let header = self.read(target, at);
            if header as u16 == id {
                return Some(at);
            }
            at = (header >> 20) as u16;
            if at == 0 {
                return None;
            }
        }
    }

    fn enable_vfs(&self, count: u32) {
        let sriov = self.extended(PF, 0x10).unwrap();
        let enables = ByteEnables(3);
        let write = |register, value| {
            self.nic.endpoint.config_write(ConfigKind::Type0, PF, register, value, enables);
        };
        write(sriov + 0x10, count);
        write(sriov + 0x08, 9);
    }
}

fn config() -> NicConfig {
    NicConfig { vfs: 3, ..NicConfig::default() }
}

#[test]
fn pf_and_vfs_are_modern_network_devices() {
    let slot = Plugged::new(&config());
    assert_eq!(slot.read(PF, 0), 0x1041_1af4);
    assert_eq!(slot.read(PF, 8), 0x0200_0001);
    assert_eq!(slot.read(PF, 0x2c), 0x0041_1af4);
    let sriov = slot.extended(PF, 0x10).unwrap();
    assert_eq!(slot.read(PF, sriov + 0x18) >> 16, 0x1041);
    slot.enable_vfs(3);
    for vf in 1..=3 {
        let vf = RequesterId(PF.0 + 0x100 * (vf > 0xff) as u16 + offset(&slot, sriov) + vf - 1);
        let kind = if vf.bus() == PF.bus() { ConfigKind::Type0 } else { ConfigKind::Type1 };
        let read = |register| slot.nic.endpoint.config_read(kind, vf, register).unwrap();
        assert_eq!(read(0), 0xffff_ffff);
        assert_eq!(read(8), 0x0200_0001);
        assert_eq!(read(0x2c), 0x0041_1af4);
        assert_eq!(read(0x3c) >> 8 & 0xff, 0, "no INTx");
    }
}

fn offset(slot: &Plugged, sriov: u16) -> u16 {
    slot.read(PF, sriov + 0x14) as u16
}

#[test]
fn there_is_one_capability_of_each_kind_inside_its_bar() {
    let slot = Plugged::new(&config());
    let mut kinds: Vec<_> = slot
        .capabilities(PF, 9)
        .into_iter()
        .map(|at| {
            let (bar, offset) = (slot.read(PF, at + 4) as u8, slot.read(PF, at + 8));
            (slot.read(PF, at).to_be_bytes()[0], bar, offset, slot.read(PF, at + 12))
        })
        .collect();
    kinds.sort_unstable();
    let expected =
        [(1, 2, 0, 64), (2, 2, 0x1000, 0x1000), (3, 2, 0x100, 4), (4, 2, 0x200, 24), (5, 0, 0, 0)];
    assert_eq!(kinds, expected);
    let notify = slot.capabilities(PF, 9)[1];
    assert_eq!(slot.read(PF, notify + 16), 4, "multiplier");
    let msix = slot.capabilities(PF, 0x11)[0];
    assert_eq!(slot.read(PF, msix) >> 16 & 0x7ff, 9, "two per pair, two more");
    assert_eq!((slot.read(PF, msix + 4), slot.read(PF, msix + 8)), (4, 0x1004));
    // BAR 2 and BAR 4: 64 bits, prefetchable; the others aren't there.
    for (register, all_ones) in [(0x10, 0), (0x14, 0), (0x18, 0xffff_e00c), (0x20, 0xffff_e00c)] {
        slot.write(PF, register, u32::MAX);
        assert_eq!(slot.read(PF, register), all_ones, "{register:#x}");
    }
}

#[test]
fn the_window_reaches_the_structures() {
    let slot = Plugged::new(&config());
    let window = slot.capabilities(PF, 9)[4];
    let access = |offset: u32, length: u32| {
        slot.write(PF, window + 4, 2);
        slot.write(PF, window + 8, offset);
        slot.write(PF, window + 12, length);
    };
    access(18, 2);
    assert_eq!(slot.read(PF, window + 16), 9, "num_queues");
    access(20, 1);
    slot.write(PF, window + 16, 0xffff_ff03);
    assert_eq!(slot.read(PF, window + 16), 3);
    access(20, 1);
    slot.write(PF, window + 16, 0);
    assert_eq!(slot.read(PF, window + 16), 0);
    access(0x200, 4);
    assert_eq!(slot.read(PF, window + 16), 2);
    // What isn't an access is plain storage.
    for (offset, length) in [(0, 3), (1, 2), (0, 8), (0, 0)] {
        access(offset, length);
        slot.write(PF, window + 16, 0x1234_5678);
        assert_eq!(slot.read(PF, window + 16), 0x1234_5678);
    }
    access(u32::MAX - 3, 4);
    slot.write(PF, window + 16, 1);
    assert_eq!(slot.read(PF, window + 16), 0);
}

/// Negotiates with nothing but VERSION_1 and sets DRIVER_OK.
fn drive(slot: &Plugged, function: FunctionId) {
    let write = |offset: usize, width: usize, value: u32| {
        let model: &dyn Model = &*slot.nic.card;
        model.write(function, REGISTERS, offset as u64, &value.to_le_bytes()[..width]);
    };
    write(reg::DRIVER_FEATURE_SELECT, 4, 1);
    write(reg::DRIVER_FEATURE, 4, (Features::VERSION_1.bits() >> 32) as u32);
    write(reg::DEVICE_STATUS, 1, 0xb);
    write(reg::CONFIG_MSIX_VECTOR, 2, 0);
    write(reg::QUEUE_SELECT, 2, 1);
    write(reg::QUEUE_DESC, 4, 0x1000);
    write(reg::QUEUE_DRIVER, 4, 0x2000);
    write(reg::QUEUE_DEVICE, 4, 0x3000);
    write(reg::QUEUE_ENABLE, 2, 1);
    write(reg::DEVICE_STATUS, 1, 0xf);
}

fn status(slot: &Plugged, function: FunctionId) -> u8 {
    let mut data = [0];
    let model: &dyn Model = &*slot.nic.card;
    model.read(function, REGISTERS, reg::DEVICE_STATUS as u64, &mut data);
    data[0]
}

#[test]
fn a_failing_queue_sends_the_configuration_interrupt_as_its_function() {
    let slot = Plugged::new(&config());
    let msix = slot.capabilities(PF, 0x11)[0];
    slot.write(PF, 4, 6);
    slot.write(PF, msix, 1 << 31);
    let table = pando_pci::Region::Bar(4);
    for (offset, value) in [(0, 0xfee0_0000_u32), (4, 0), (8, 0x41), (12, 0)] {
        slot.nic.endpoint.write(table, offset, &value.to_le_bytes());
    }
    drive(&slot, FunctionId::Pf);
    crate::testing::eventually("needs reset", || {
        status(&slot, FunctionId::Pf) & Status::NEEDS_RESET.bits() != 0
    });
    crate::testing::eventually("the message", || !slot.wire.messages.lock().unwrap().is_empty());
    assert_eq!(*slot.wire.messages.lock().unwrap(), [(PF, 0xfee0_0000, 0x41)]);
}

/// Workers whose messages reset each other's functions would wait for each other for ever.
#[test]
fn messages_aimed_at_registers_of_the_card_ring_doorbells_at_most() {
    let slot = Plugged::new(&config());
    let msix = slot.capabilities(PF, 0x11)[0];
    slot.write(PF, 4, 6);
    slot.write(PF, msix, 1 << 31);
    let table = pando_pci::Region::Bar(4);
    for offset in [reg::DEVICE_STATUS as u64, 0x1004, reg::QUEUE_RESET as u64, 0x100] {
        let address = CARD + offset;
        for (at, value) in [(0, address as u32), (4, (address >> 32) as u32), (8, 0), (12, 0)] {
            slot.nic.endpoint.write(table, at, &value.to_le_bytes());
        }
        drive(&slot, FunctionId::Pf);
        crate::testing::eventually("needs reset", || {
            status(&slot, FunctionId::Pf) & Status::NEEDS_RESET.bits() != 0
        });
        std::thread::sleep(std::time::Duration::from_millis(1));
        assert_eq!(status(&slot, FunctionId::Pf), 0x4f, "a message resets nothing");
        let model: &dyn Model = &*slot.nic.card;
        model.write(FunctionId::Pf, REGISTERS, reg::DEVICE_STATUS as u64, &[0]);
        assert_eq!(status(&slot, FunctionId::Pf), 0);
    }
}

#[test]
fn functions_are_reset_each_on_its_own() {
    let slot = Plugged::new(&config());
    slot.enable_vfs(2);
    let all = [FunctionId::Pf, FunctionId::Vf(0), FunctionId::Vf(1)];
    all.into_iter().for_each(|function| drive(&slot, function));
    let model: &dyn Model = &*slot.nic.card;
    model.write(FunctionId::Pf, REGISTERS, reg::DEVICE_STATUS as u64, &[0]);
    assert_eq!(all.map(|function| status(&slot, function) & 0xf), [0, 0xf, 0xf]);
    model.reset(FunctionId::Vf(0));
    assert_eq!(all.map(|function| status(&slot, function) & 0xf), [0, 0, 0xf]);
    assert_eq!(slot.nic.report().vfs.len(), 1);
    slot.nic.endpoint.reset();
    assert_eq!(all.map(|function| status(&slot, function)), [0, 0, 0]);
    assert!(slot.wire.changes.load(SeqCst) > 0);
}

#[test]
fn the_largest_card_can_be_built_and_the_impossible_one_says_why() {
    let largest =
        NicConfig { vfs: 255, pf_queue_pairs: 256, vf_queue_pairs: 4, ..NicConfig::default() };
    let slot = Plugged::new(&largest);
    slot.enable_vfs(255);
    drive(&slot, FunctionId::Vf(254));
    assert_eq!(slot.nic.report().vfs[0].name, "nic0.vf254");
    let epochs = Epochs::new();
    let wire = Wire {
        epochs: epochs.clone(),
        messages: Arc::default(),
        changes: AtomicUsize::new(0),
        peer: Peer::default(),
    };
    let engine = Arc::new(Engine::new(1, epochs).unwrap());
    let config = NicConfig { vfs: 256, ..largest };
    let error =
        VirtioNic::new(&config, &Slot::default(), Arc::new(wire), &engine, &Switch::new("test"))
            .err();
    assert!(error.unwrap().to_string().contains("at most 255"));
}
