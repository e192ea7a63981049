//! The 82599 as its PF's driver sets it up for VFs, and the rings of a VF (82599 datasheet, 8.2.3; names are its registers').

use std::sync::Arc;

use anyhow::{Result, ensure};
use pando_fabric::Fabric;
use pando_tlp::Gpa;

use super::{Machine, mac};

/// Registers of the PF.
mod pf {
    pub(super) const CTRL_EXT: u64 = 0x0_0018;
    pub(super) const RXCTRL: u64 = 0x0_3000;
    pub(super) const DMATXCTL: u64 = 0x0_4a80;
    pub(super) const VT_CTL: u64 = 0x0_51b0;
    pub(super) const VFRE: u64 = 0x0_51e0;
    pub(super) const MRQC: u64 = 0x0_5818;
    pub(super) const VFTE: u64 = 0x0_8110;
    pub(super) const MTQC: u64 = 0x0_8120;
    pub(super) const PFDTXGSWC: u64 = 0x0_8220;
    pub(super) const RAL: u64 = 0x0_a200;
    pub(super) const MPSAR: u64 = 0x0_a600;
    pub(super) const VMOLR: u64 = 0x0_f000;
    pub(super) const GCR_EXT: u64 = 0x1_1050;
}

/// A queue's block in a VF's registers, and offsets in it.
mod queue {
    pub(super) const RECEIVE: u64 = 0x1000;
    pub(super) const TRANSMIT: u64 = 0x2000;
    pub(super) const BASE: u64 = 0x00;
    pub(super) const LENGTH: u64 = 0x08;
    pub(super) const SRRCTL: u64 = 0x14;
    pub(super) const TAIL: u64 = 0x18;
    pub(super) const CONTROL: u64 = 0x28;
    pub(super) const ENABLE: u32 = 1 << 25;
}

/// Advanced descriptors with one buffer of 2 KiB.
const ONE_BUFFER: u32 = 1 << 25 | 2;

/// A VF's registers.
pub(crate) struct Registers {
    fabric: Arc<Fabric>,
    base: u64,
}

impl Machine {
    /// 64 pools of two queues, each VF with its address in a pool of its own, switched on the card.
    pub(crate) fn open_pools(&self, vfs: u16) {
        let write = |register: u64, value: u32| {
            let at = Gpa(self.bus.pf_registers + register);
            self.fabric.mmio_write(at, &value.to_le_bytes());
        };
        write(pf::VT_CTL, 1 | u32::from(vfs) << 7 | 1 << 30);
        write(pf::GCR_EXT, 3);
        write(pf::PFDTXGSWC, 1);
        for half in [0, 4] {
            write(pf::VFRE + half, u32::MAX);
            write(pf::VFTE + half, u32::MAX);
        }
        for vf in 0..vfs {
            let [a, b, c, d, e, f] = mac(vf);
            let entry = 8 * (u64::from(vf) + 1);
            write(pf::RAL + entry, u32::from_le_bytes([a, b, c, d]));
            write(pf::RAL + entry + 4, u32::from_le_bytes([e, f, 0, 0x80]));
            write(pf::MPSAR + entry, 1 << vf);
            write(pf::MPSAR + entry + 4, 0);
            write(pf::VMOLR + 4 * u64::from(vf), 1 << 24); // untagged frames
        }
        write(pf::MTQC, 6);
        write(pf::MRQC, 0xb);
        write(pf::DMATXCTL, 0x8100_0001);
        write(pf::RXCTRL, 1);
        write(pf::CTRL_EXT, 1 << 28 | 1 << 14);
    }

    /// A VF's registers.
    pub(crate) fn intel_vf(&self, vf: u16) -> Registers {
        Registers { fabric: self.fabric.clone(), base: self.bus.registers(vf) }
    }
}

impl Registers {
    /// Starts the first transmit queue, with a ring of `count` descriptors at `base`.
    pub(crate) fn start_transmit(&self, base: u64, count: u16) -> Result<()> {
        self.place(queue::TRANSMIT, base, count);
        self.enable(queue::TRANSMIT)
    }

    /// The same for the first receive queue.
    pub(crate) fn start_receive(&self, base: u64, count: u16) -> Result<()> {
        self.place(queue::RECEIVE, base, count);
        self.write(queue::RECEIVE + queue::SRRCTL, ONE_BUFFER);
        self.enable(queue::RECEIVE)
    }

    /// Gives the descriptors before `tail` to the card.
    #[inline]
    pub(crate) fn transmit_tail(&self, tail: u16) {
        self.write(queue::TRANSMIT + queue::TAIL, tail.into());
    }

    /// The same for the receive queue.
    #[inline]
    pub(crate) fn receive_tail(&self, tail: u16) {
        self.write(queue::RECEIVE + queue::TAIL, tail.into());
    }

    fn place(&self, block: u64, base: u64, count: u16) {
        self.write(block + queue::BASE, base as u32);
        self.write(block + queue::BASE + 4, (base >> 32) as u32);
        self.write(block + queue::LENGTH, 16 * u32::from(count));
    }

    fn enable(&self, block: u64) -> Result<()> {
        self.write(block + queue::CONTROL, queue::ENABLE);
        let mut data = [0; 4];
        self.fabric.mmio_read(Gpa(self.base + block + queue::CONTROL), &mut data);
        ensure!(u32::from_le_bytes(data) & queue::ENABLE != 0, "the queue does not start");
        Ok(())
    }

    #[inline]
    fn write(&self, register: u64, value: u32) {
        self.fabric.mmio_write(Gpa(self.base + register), &value.to_le_bytes());
    }
}
