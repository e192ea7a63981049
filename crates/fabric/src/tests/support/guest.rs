//! What a guest does to a tree, through the ECAM window and nothing else, in the order of Linux' PCI core.

use pando_tlp::{Gpa, RequesterId};

use super::{BAR0_SIZE, ECAM, MMIO64};
use crate::Fabric;

const MIB: u64 = 1 << 20;

#[derive(Clone, Copy)]
pub(in crate::tests) struct Guest<'a>(pub(in crate::tests) &'a Fabric);

impl Guest<'_> {
    fn address(target: RequesterId, register: u16) -> Gpa {
        Gpa(ECAM + (u64::from(target.0) << 12) + u64::from(register))
    }

    pub(in crate::tests) fn read(&self, target: RequesterId, register: u16) -> u32 {
        let mut data = [0; 4];
        self.0.mmio_read(Self::address(target, register), &mut data);
        u32::from_le_bytes(data)
    }

    pub(in crate::tests) fn write(&self, target: RequesterId, register: u16, value: u32) {
        self.0.mmio_write(Self::address(target, register), &value.to_le_bytes());
    }

    pub(in crate::tests) fn write16(&self, target: RequesterId, register: u16, value: u16) {
        self.0.mmio_write(Self::address(target, register), &value.to_le_bytes());
    }

    pub(in crate::tests) fn write8(&self, target: RequesterId, register: u16, value: u8) {
        self.0.mmio_write(Self::address(target, register), &[value]);
    }

    pub(in crate::tests) fn is_there(&self, target: RequesterId) -> bool {
        self.read(target, 0) != u32::MAX
    }

    fn is_bridge(&self, target: RequesterId) -> bool {
        self.read(target, 0x0c) >> 16 & 0x7f == 1
    }

    /// The functions of a bus, as a scan finds them: below a port only device 0 is asked.
    fn functions(&self, bus: u8) -> Vec<RequesterId> {
        let mut found = Vec::new();
        for device in 0..32 {
            let first = RequesterId::new(bus, device << 3);
            let multi = self.is_there(first) && self.read(first, 0x0c) >> 23 & 1 != 0;
            let functions = 0..if multi { 8 } else { 1 };
            let ids = functions.map(|function| RequesterId::new(bus, device << 3 | function));
            found.extend(ids.filter(|id| self.is_there(*id)));
        }
        found
    }

    /// `pci_scan_bridge_extend`: depth first, subordinate 0xff while what is below is scanned. Returns the last bus used.
    pub(in crate::tests) fn scan(&self, bus: u8, mut last: u8) -> u8 {
        for bridge in self.functions(bus).into_iter().filter(|id| self.is_bridge(*id)) {
            let next = last + 1;
            self.write(bridge, 0x18, u32::from_le_bytes([bus, next, 0xff, 0]));
            last = self.scan(next, next);
            self.write8(bridge, 0x1a, last);
        }
        last
    }

    /// Gives every BAR and every prefetchable window its place, from `next` on; returns what comes after.
    fn assign(&self, bus: u8, mut next: u64) -> u64 {
        for id in self.functions(bus) {
            if self.is_bridge(id) {
                // A window register of zero is an open window at address 0.
                self.write(id, 0x20, 0x0000_fff0);
                let start = next.next_multiple_of(MIB);
                next = self.assign(self.read(id, 0x18).to_le_bytes()[1], start);
                next = next.next_multiple_of(MIB);
                self.set_window(id, start, next);
            } else {
                let size = self.size_bar(id);
                assert_eq!(size, BAR0_SIZE);
                next = next.next_multiple_of(size);
                self.set_bar(id, next);
                next += size;
            }
            self.write16(id, 0x04, 0x0406);
        }
        next
    }

    /// `__pci_read_base` with decoding off.
    fn size_bar(&self, id: RequesterId) -> u64 {
        let old = [self.read(id, 0x10), self.read(id, 0x14)];
        let mut mask = 0;
        for (register, old) in [0x10, 0x14].into_iter().zip(old) {
            self.write(id, register, u32::MAX);
            mask |= u64::from(self.read(id, register)) << (8 * (register - 0x10));
            self.write(id, register, old);
        }
        !(mask & !0xf) + 1
    }

    pub(in crate::tests) fn set_bar(&self, id: RequesterId, address: u64) {
        self.write(id, 0x10, address as u32);
        self.write(id, 0x14, (address >> 32) as u32);
    }

    /// `pci_setup_bridge_mmio_pref`: the upper limit first to zero, so that only the last write opens the window.
    pub(in crate::tests) fn set_window(&self, bridge: RequesterId, start: u64, end: u64) {
        self.write(bridge, 0x2c, 0);
        if start == end {
            self.write(bridge, 0x24, 0x0000_fff0);
            self.write(bridge, 0x28, 0);
            return;
        }
        let last = end - 1;
        let base = (start >> 16) as u32 & 0xfff0;
        let limit = (last >> 16) as u32 & 0xfff0;
        self.write(bridge, 0x24, base | limit << 16);
        self.write(bridge, 0x28, (start >> 32) as u32);
        self.write(bridge, 0x2c, (last >> 32) as u32);
    }

    /// Numbers every bus, sizes and places everything, switches everything on.
    pub(in crate::tests) fn enumerate(&self) {
        self.scan(0, 0);
        self.assign(0, MMIO64);
    }

    /// The address of a port by its name in the description.
    pub(in crate::tests) fn find_port(&self, id: &str) -> RequesterId {
        let topology = &self.0.tree.topology;
        let index = topology.ports.iter().position(|port| port.id == id).unwrap();
        self.0.tree.bridges[index].id()
    }

    /// The offset of an extended capability.
    pub(in crate::tests) fn extended(&self, target: RequesterId, capability: u16) -> u16 {
        let mut offset = 0x100;
        loop {
            let header = self.read(target, offset);
            if header as u16 == capability {
                return offset;
            }
            offset = (header >> 20) as u16;
            assert_ne!(offset, 0, "{target} has no capability {capability:#x}");
        }
    }

    pub(in crate::tests) fn set_acs(&self, port: RequesterId, bits: u16) {
        let offset = self.extended(port, 0x0d);
        self.write16(port, offset + 6, bits);
    }

    pub(in crate::tests) fn set_egress(&self, port: RequesterId, vector: u32) {
        let offset = self.extended(port, 0x0d);
        self.write(port, offset + 8, vector);
    }

    pub(in crate::tests) fn set_ari(&self, port: RequesterId, on: bool) {
        let mut offset = self.read(port, 0x34) as u16 & 0xfc;
        while self.read(port, offset) as u8 != 0x10 {
            offset = (self.read(port, offset) >> 8) as u16 & 0xfc;
        }
        self.write16(port, offset + 0x28, if on { 1 << 5 } else { 0 });
    }

    pub(in crate::tests) fn read_memory(&self, address: u64) -> u64 {
        let mut data = [0; 8];
        self.0.mmio_read(Gpa(address), &mut data);
        u64::from_le_bytes(data)
    }
}
