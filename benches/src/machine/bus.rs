//! What a guest's PCI core does: numbers the buses, opens the windows, places the BARs, enables every VF (PCI Express base 6.0, 9.3).

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use pando_fabric::Fabric;
use pando_tlp::{Gpa, RequesterId};

use super::{ECAM, WINDOWS};

const COMMAND: u16 = 0x04;
/// Memory space and bus master.
const ENABLE: u16 = 0x0006;
const BAR0: u16 = 0x10;
const BUS_NUMBERS: u16 = 0x18;
/// Where a card has its registers and its MSI-X tables: numbers of BARs, all of 64 bits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bars {
    pub(super) registers: u16,
    /// The PF's.
    pub(super) msix: u16,
    /// A VF's.
    pub(super) vf_msix: u16,
}

/// Bytes of the windows to the card.
const WINDOW: u64 = 64 << 20;

/// The card's buses, numbered and placed.
pub(crate) struct Bus {
    fabric: Arc<Fabric>,
    sriov: u16,
    /// Where the PF's registers lie.
    pub(crate) pf_registers: u64,
    registers: (u64, u64),
    msix: (u64, u64),
}

impl Bus {
    /// From power-on to `vfs` enabled VFs.
    pub(super) fn enumerate(fabric: &Arc<Fabric>, vfs: u16, bars: Bars) -> Result<Self> {
        let mut bus = Self {
            fabric: fabric.clone(),
            sriov: 0,
            pf_registers: 0,
            registers: (0, 0),
            msix: (0, 0),
        };
        let root = (0..32).map(|device| RequesterId::new(0, device << 3));
        let mut roots = root.filter(|id| bus.read(*id, 0x0c) >> 16 & 0x7f == 1);
        let root = roots.next().context("the tree has no root port")?;
        let ports = [root, RequesterId::new(1, 0), RequesterId::new(2, 0)];
        for (port, next) in ports.into_iter().zip(1..) {
            bus.open(port, next);
        }
        bus.write16(ports[2], bus.capability(ports[2], 0x10)? + 0x28, 1 << 5); // ARI forwarding
        let pf = Self::pf();
        ensure!(bus.read(pf, 0) != u32::MAX, "the card is not there");
        let (registers, next) = bus.place(pf, BAR0 + 4 * bars.registers, WINDOWS, 1);
        bus.pf_registers = registers.0;
        let next = bus.place(pf, BAR0 + 4 * bars.msix, next, 1).1;
        bus.write16(pf, COMMAND, ENABLE);
        bus.sriov = bus.extended(pf, 0x10)?;
        bus.write16(pf, bus.sriov + 0x08, 0x10); // ARI capable hierarchy
        bus.write(pf, bus.sriov + 0x20, 1); // pages of 4 KiB
        let place = bus.sriov + 0x24;
        let (registers, next) = bus.place(pf, place + 4 * bars.registers, next, vfs);
        let (msix, _) = bus.place(pf, place + 4 * bars.vf_msix, next, vfs);
        (bus.registers, bus.msix) = (registers, msix);
        bus.write16(pf, bus.sriov + 0x10, vfs);
        bus.write16(pf, bus.sriov + 0x08, 0x19); // VF Enable, VF MSE, ARI
        (0..vfs).for_each(|vf| bus.write16(bus.vf(vf), COMMAND, ENABLE));
        Ok(bus)
    }

    /// The card's PF.
    pub(crate) fn pf() -> RequesterId {
        RequesterId::new(3, 0)
    }

    /// The id of a VF, as the capability's registers say.
    pub(crate) fn vf(&self, vf: u16) -> RequesterId {
        let placement = self.read(Self::pf(), self.sriov + 0x14);
        RequesterId(Self::pf().0 + placement as u16 + vf * (placement >> 16) as u16)
    }

    /// Where a VF's registers lie.
    pub(crate) fn registers(&self, vf: u16) -> u64 {
        self.registers.0 + u64::from(vf) * self.registers.1
    }

    /// Where a VF's MSI-X table lies.
    pub(crate) fn msix_table(&self, vf: u16) -> u64 {
        self.msix.0 + u64::from(vf) * self.msix.1
    }

    /// The address of a register of configuration space.
    pub(crate) fn ecam(id: RequesterId, register: u16) -> Gpa {
        Gpa(ECAM + (u64::from(id.0) << 12) + u64::from(register))
    }

    pub(crate) fn read(&self, id: RequesterId, register: u16) -> u32 {
        let mut data = [0; 4];
        self.fabric.mmio_read(Self::ecam(id, register), &mut data);
        u32::from_le_bytes(data)
    }

    fn write(&self, id: RequesterId, register: u16, value: u32) {
        self.fabric.mmio_write(Self::ecam(id, register), &value.to_le_bytes());
    }

    pub(super) fn write16(&self, id: RequesterId, register: u16, value: u16) {
        self.fabric.mmio_write(Self::ecam(id, register), &value.to_le_bytes());
    }

    /// A port: its bus numbers, its prefetchable window, no other, everything on.
    fn open(&self, port: RequesterId, next: u8) {
        self.write(port, BUS_NUMBERS, u32::from_le_bytes([port.bus(), next, 3, 0]));
        self.write(port, 0x20, 0x0000_fff0);
        let last = WINDOWS + WINDOW - 1;
        self.write(port, 0x24, (WINDOWS >> 16) as u32 & 0xfff0 | last as u32 & 0xfff0_0000);
        self.write(port, 0x28, (WINDOWS >> 32) as u32);
        self.write(port, 0x2c, (last >> 32) as u32);
        self.write16(port, COMMAND, ENABLE);
    }

    /// Sizes a 64-bit BAR of `count` functions and puts it behind `next`: its place and size, and what comes after.
    fn place(&self, id: RequesterId, bar: u16, next: u64, count: u16) -> ((u64, u64), u64) {
        self.write(id, bar, u32::MAX);
        self.write(id, bar + 4, u32::MAX);
        let mask = u64::from(self.read(id, bar)) | u64::from(self.read(id, bar + 4)) << 32;
        let size = !(mask & !0xf) + 1;
        let base = next.next_multiple_of(size);
        self.write(id, bar, base as u32);
        self.write(id, bar + 4, (base >> 32) as u32);
        ((base, size), base + size * u64::from(count))
    }

    /// The offset of a capability.
    pub(super) fn capability(&self, id: RequesterId, wanted: u8) -> Result<u16> {
        let mut at = self.read(id, 0x34) as u16 & 0xfc;
        while at != 0 && self.read(id, at) as u8 != wanted {
            at = (self.read(id, at) >> 8) as u16 & 0xfc;
        }
        ensure!(at != 0, "{id} has no capability {wanted:#x}");
        Ok(at)
    }

    fn extended(&self, id: RequesterId, wanted: u16) -> Result<u16> {
        let mut at = 0x100;
        while at != 0 && self.read(id, at) as u16 != wanted {
            at = (self.read(id, at) >> 20) as u16;
        }
        ensure!(at != 0, "{id} has no extended capability {wanted:#x}");
        Ok(at)
    }
}
