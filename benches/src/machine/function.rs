//! A VF as its virtio driver starts it: negotiation, queues, DRIVER_OK, MSI-X (virtio 1.3, 3.1 and 4.1).

use std::sync::Arc;

use anyhow::{Result, ensure};
use pando_fabric::Fabric;
use pando_tlp::Gpa;

use super::{Bus, Machine};
use crate::driver::{RingPlace, SIZE};

/// Offsets in the registers' BAR.
mod at {
    pub(super) const FEATURE_SELECT: u64 = 8;
    pub(super) const FEATURES: u64 = 12;
    pub(super) const STATUS: u64 = 20;
    pub(super) const QUEUE_SELECT: u64 = 22;
    pub(super) const QUEUE_SIZE: u64 = 24;
    pub(super) const QUEUE_VECTOR: u64 = 26;
    pub(super) const QUEUE_ENABLE: u64 = 28;
    pub(super) const QUEUE_DESCRIPTORS: u64 = 32;
    pub(super) const QUEUE_AVAILABLE: u64 = 40;
    pub(super) const QUEUE_USED: u64 = 48;
    pub(super) const NOTIFY: u64 = 0x1000;
}

/// CSUM, GUEST_CSUM, MTU, MAC, GUEST_TSO4, HOST_TSO4, MRG_RXBUF, INDIRECT_DESC, EVENT_IDX, VERSION_1, ACCESS_PLATFORM.
const FEATURES: u64 = 1 << 0
    | 1 << 1
    | 1 << 3
    | 1 << 5
    | 1 << 7
    | 1 << 11
    | 1 << 15
    | 1 << 28
    | 1 << 29
    | 1 << 32
    | 1 << 33;

/// How a VF's rings lie in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    Split,
    Packed,
    /// Packed, and buffers are used in order.
    PackedInOrder,
}

impl Layout {
    /// RING_PACKED and IN_ORDER.
    pub(crate) fn features(self) -> u64 {
        match self {
            Self::Split => 0,
            Self::Packed => 1 << 34,
            Self::PackedInOrder => 1 << 34 | 1 << 35,
        }
    }
}

/// Queue numbers.
const RECEIVE: u16 = 0;
const TRANSMIT: u16 = 1;

/// A VF's registers.
pub(crate) struct VirtualFunction {
    fabric: Arc<Fabric>,
    registers: u64,
}

impl VirtualFunction {
    /// Starts VF number `vf` with these split rings.
    pub(crate) fn start(
        machine: &Machine,
        vf: u16,
        receive: RingPlace,
        transmit: RingPlace,
    ) -> Result<Self> {
        Self::with(machine, vf, Layout::Split, receive, transmit)
    }

    /// Starts VF number `vf` with these rings.
    pub(crate) fn with(
        machine: &Machine,
        vf: u16,
        layout: Layout,
        receive: RingPlace,
        transmit: RingPlace,
    ) -> Result<Self> {
        let features = FEATURES | layout.features();
        let function =
            Self { fabric: machine.fabric.clone(), registers: machine.bus.registers(vf) };
        function.write(at::STATUS, 1, 3);
        for half in 0..2 {
            function.write(at::FEATURE_SELECT, 4, half);
            function.write(at::FEATURES, 4, features >> (32 * half) & 0xffff_ffff);
        }
        function.write(at::STATUS, 1, 0xb);
        ensure!(function.read(at::STATUS) == 0xb, "VF {vf} refuses the features");
        machine.enable_msix(vf)?;
        function.queue(RECEIVE, receive);
        function.queue(TRANSMIT, transmit);
        function.write(at::STATUS, 1, 0xf);
        ensure!(function.read(at::STATUS) == 0xf, "VF {vf} needs a reset");
        Ok(function)
    }

    /// Rings the sender's doorbell.
    pub(crate) fn ring_transmit(&self) {
        self.write(at::NOTIFY + 4 * u64::from(TRANSMIT), 2, TRANSMIT.into());
    }

    /// Rings the receiver's doorbell.
    pub(crate) fn ring_receive(&self) {
        self.write(at::NOTIFY + 4 * u64::from(RECEIVE), 2, RECEIVE.into());
    }

    fn queue(&self, queue: u16, place: RingPlace) {
        self.write(at::QUEUE_SELECT, 2, queue.into());
        self.write(at::QUEUE_SIZE, 2, SIZE.into());
        self.write(at::QUEUE_VECTOR, 2, u64::from(queue) + 1);
        for (register, address) in [
            (at::QUEUE_DESCRIPTORS, place.descriptors),
            (at::QUEUE_AVAILABLE, place.available),
            (at::QUEUE_USED, place.used),
        ] {
            self.write(register, 4, address & 0xffff_ffff);
            self.write(register + 4, 4, address >> 32);
        }
        self.write(at::QUEUE_ENABLE, 2, 1);
    }

    fn read(&self, offset: u64) -> u8 {
        let mut data = [0];
        self.fabric.mmio_read(Gpa(self.registers + offset), &mut data);
        data[0]
    }

    fn write(&self, offset: u64, len: usize, value: u64) {
        self.fabric.mmio_write(Gpa(self.registers + offset), &value.to_le_bytes()[..len]);
    }
}

impl Machine {
    /// Points every vector of a VF at the first processor and enables MSI-X.
    fn enable_msix(&self, vf: u16) -> Result<()> {
        let id = self.bus.vf(vf);
        let table = self.bus.msix_table(vf);
        for vector in 0..3 {
            let entry: [u32; 4] = [0xfee0_0000, 0, 0x40 + vector, 0];
            for (offset, word) in (0..).step_by(4).zip(entry) {
                let at = Gpa(table + 16 * u64::from(vector) + offset);
                self.fabric.mmio_write(at, &word.to_le_bytes());
            }
        }
        let capability = self.bus.capability(id, 0x11)?;
        self.bus.write16(id, capability + 2, 1 << 15);
        Ok(())
    }

    /// The address of VF `vf`'s status register, for accesses that change nothing.
    pub(crate) fn status_register(&self, vf: u16) -> Gpa {
        Gpa(self.bus.registers(vf) + at::STATUS)
    }

    /// The address of a register in VF `vf`'s configuration space.
    pub(crate) fn config_register(&self, vf: u16) -> Gpa {
        Bus::ecam(self.bus.vf(vf), 0)
    }
}
