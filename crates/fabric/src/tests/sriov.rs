//! A real endpoint with 255 VFs two levels down, driven in the order of Linux' SR-IOV core.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use pando_pci::{
    Bar, Device, Endpoint, EndpointConfig, FunctionId, Identity, Model, Resources, SriovConfig,
};
use pando_tlp::{Dma, Fault, Iova, Link, MsiMessage, RequesterId};

use super::support::{Guest, MMIO64, Machine, config};
use crate::Fabric;

const VF_SIZE: u64 = 0x4000;
const VFS: u16 = 255;
const PF: RequesterId = RequesterId(0x0300);
const VF_BAR: u64 = MMIO64 + (1 << 20);

struct Card;

impl Model for Card {
    fn read(&self, function: FunctionId, bar: u8, offset: u64, data: &mut [u8]) {
        let function = match function {
            FunctionId::Pf => 0xffff,
            FunctionId::Vf(index) => u64::from(index),
        };
        let value = function << 48 | u64::from(bar) << 32 | offset;
        data.copy_from_slice(&value.to_le_bytes()[..data.len()]);
    }

    fn write(&self, _: FunctionId, _: u8, _: u64, _: &[u8]) {}
    fn reset(&self, _: FunctionId) {}
    fn bus_master(&self, _: FunctionId, _: bool) {}
    fn virtual_functions(&self, _: u16) {}
    fn doorbells(&self, _: FunctionId, _: &mut Vec<(u8, u64, Arc<OwnedFd>)>) {}
}

fn bar(size: u64) -> Resources {
    let bar = Bar { index: 0, size, is_64bit: true, prefetchable: true };
    Resources { bars: vec![bar], ..Resources::default() }
}

/// A function with one BAR of 4 KiB.
pub(super) fn plain() -> EndpointConfig {
    let identity = Identity { vendor: 0x1234, device: 1, class: 0x02_0000, ..Default::default() };
    EndpointConfig::new(identity, bar(0x1000))
}

/// A function of such a card; its way into the tree is appended to `ways`.
pub(super) fn endpoint(
    config: EndpointConfig,
    link: Arc<dyn Link>,
    ways: &mut Vec<Arc<dyn Dma>>,
) -> Endpoint {
    Endpoint::new(config, link, |functions| {
        ways.push(functions.pf().dma.clone());
        Arc::new(Card)
    })
    .unwrap()
}

struct Wood {
    fabric: Fabric,
    outside: Arc<super::support::Outside>,
    vfs: Vec<Arc<dyn Dma>>,
    sriov: u16,
}

impl Wood {
    /// rp - sw - dp - card; numbered with room for VFs on the next bus, BARs placed.
    fn new(ari: bool) -> Self {
        let mut machine = Machine::new(config(), true);
        machine.root_port("rp").switch("sw", "rp", &["dp"]);
        let mut vfs = Vec::new();
        let sriov = Some(SriovConfig::new(VFS, 2, 0, bar(VF_SIZE)));
        let config = EndpointConfig { sriov, ..plain() };
        machine
            .builder
            .attach("card", "dp", |link| {
                let endpoint = Endpoint::new(config, link, |functions| {
                    vfs = functions.vfs().iter().map(|vf| vf.dma.clone()).collect();
                    Arc::new(Card)
                });
                vec![Arc::new(endpoint.unwrap()) as Arc<dyn Device>]
            })
            .unwrap();
        let (fabric, outside) = machine.build();
        let guest = Guest(&fabric);
        assert_eq!(guest.scan(0, 0), 3);
        for port in ["rp", "sw", "dp"] {
            let id = guest.find_port(port);
            guest.write8(id, 0x1a, 4);
            guest.write(id, 0x20, 0x0000_fff0);
            guest.set_window(id, MMIO64, MMIO64 + (8 << 20));
            guest.write16(id, 0x04, 0x0406);
        }
        guest.set_ari(guest.find_port("dp"), ari);
        guest.set_bar(PF, MMIO64);
        guest.write16(PF, 0x04, 0x0406);
        let sriov = guest.extended(PF, 0x10);
        // `sriov_init`: the ARI bit, the page size, the BAR, then every number of VFs.
        guest.write16(PF, sriov + 0x08, if ari { 0x10 } else { 0 });
        guest.write(PF, sriov + 0x20, 1);
        guest.write(PF, sriov + 0x24, VF_BAR as u32);
        guest.write(PF, sriov + 0x28, (VF_BAR >> 32) as u32);
        for number in (0..=VFS).rev() {
            guest.write16(PF, sriov + 0x10, number);
        }
        Self { fabric, outside, vfs, sriov }
    }

    fn enable(&self, number: u16) {
        let guest = Guest(&self.fabric);
        guest.write16(PF, self.sriov + 0x10, number);
        let control = guest.read(PF, self.sriov + 0x08) as u16;
        guest.write16(PF, self.sriov + 0x08, control | 0x09);
    }

    fn disable(&self) {
        let guest = Guest(&self.fabric);
        let control = guest.read(PF, self.sriov + 0x08) as u16;
        guest.write16(PF, self.sriov + 0x08, control & !0x09);
        guest.write16(PF, self.sriov + 0x10, 0);
    }

    /// The id of a VF, by the capability's own registers.
    fn id(&self, index: u16) -> RequesterId {
        let placement = Guest(&self.fabric).read(PF, self.sriov + 0x14);
        RequesterId(PF.0 + placement as u16 + index * (placement >> 16) as u16)
    }
}

#[test]
fn every_vf_has_its_own_id_window_and_interrupts() {
    for ari in [true, false] {
        let wood = Wood::new(ari);
        let guest = Guest(&wood.fabric);
        let generation = wood.fabric.report().generation;
        wood.enable(VFS);
        assert_eq!(wood.fabric.report().generation - generation, 1, "one new map for all VFs");
        for index in 0..VFS {
            let id = wood.id(index);
            assert_eq!(id.bus(), if ari { 3 } else { 4 });
            assert_ne!(guest.read(id, 0x08), u32::MAX, "{id} has a class code");
            let read = guest.read_memory(VF_BAR + u64::from(index) * VF_SIZE + 0x123c);
            assert_eq!(read, u64::from(index) << 48 | 0x123c);
            let dma = &wood.vfs[usize::from(index)];
            let message = MsiMessage { address: 0xfee0_0000, data: u32::from(index) };
            assert_eq!(dma.interrupt(message), Err(Fault::Gated));
            guest.write16(id, 0x04, 4);
            dma.interrupt(message).unwrap();
            assert_eq!(dma.write(Iova(0), &[0]), Err(Fault::Translation));
            let asked = std::mem::take(&mut *wood.outside.asked.lock().unwrap());
            assert_eq!(asked, [(id, 0xfee0_0000), (id, 0)]);
        }
        assert_eq!(wood.fabric.report().generation - generation, 1);
        let pf = wood.fabric.report().root.ports[0].below.ports[0].below.ports[0].below.devices[0]
            .clone();
        assert_eq!(pf.functions.len(), usize::from(VFS) + 1);
        wood.disable();
        assert_eq!(guest.read(wood.id(7), 0x08), u32::MAX);
        assert_eq!(guest.read_memory(VF_BAR + VF_SIZE), u64::MAX);
        assert_eq!(wood.vfs[7].interrupt(MsiMessage::default()), Err(Fault::Gated));
    }
}

#[test]
fn hot_reset_takes_the_vfs_away() {
    let wood = Wood::new(true);
    wood.enable(63);
    let guest = Guest(&wood.fabric);
    let (first, port) = (wood.id(0), guest.find_port("sw"));
    guest.write16(first, 0x04, 4);
    guest.write8(port, 0x3e, 0x40);
    guest.write8(port, 0x3e, 0);
    assert!(!guest.is_there(first));
    assert_eq!(wood.vfs[0].interrupt(MsiMessage::default()), Err(Fault::Gated));
    assert_eq!(guest.read_memory(VF_BAR), u64::MAX);
}

/// Accesses of every kind from several CPUs while windows, bus numbers and VFs come and go: whatever is read is right or absent.
#[test]
fn nothing_is_read_that_never_was_there() {
    let wood = Wood::new(true);
    wood.enable(VFS);
    let mut wrong = Vec::new();
    std::thread::scope(|scope| {
        let changes = scope.spawn(|| {
            let guest = Guest(&wood.fabric);
            for round in 0..300_u64 {
                let port = guest.find_port(["rp", "sw", "dp"][round as usize % 3]);
                guest.set_window(port, MMIO64 + (4 << 20), MMIO64 + (8 << 20));
                guest.write8(port, 0x1a, 3);
                if round % 10 == 0 {
                    wood.disable();
                    wood.enable(VFS);
                }
                guest.write8(port, 0x1a, 4);
                guest.set_window(port, MMIO64, MMIO64 + (8 << 20));
            }
        });
        while !changes.is_finished() {
            for index in 0..u64::from(VFS) {
                let read = Guest(&wood.fabric).read_memory(VF_BAR + index * VF_SIZE + 0x1238);
                if read != u64::MAX && read != index << 48 | 0x1238 {
                    wrong.push((index, read));
                }
            }
        }
    });
    assert_eq!(wrong, []);
}
