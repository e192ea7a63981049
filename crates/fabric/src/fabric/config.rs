//! The config path: an ECAM access becomes dwords with byte enables, goes to one function, and its effects are carried out.
//!
//! PCI Express base 6.0, 7.2.2 (ECAM), 7.3 (requests), 2.3.1 (a request nobody takes ends as Unsupported Request: all ones).

use pando_pci::{ByteEnables, ConfigKind, Effects};
use pando_tlp::RequesterId;

use super::Fabric;
use crate::routes::Addressee;
use crate::topology::{BusIndex, DeviceIndex};

/// What a read that nobody answers gives.
const ABSENT: u32 = u32::MAX;

/// An ECAM offset: bus 27:20, device and function 19:12, register 11:0.
fn split(offset: u64) -> (RequesterId, u16) {
    (RequesterId((offset >> 12) as u16), (offset & 0xfff) as u16)
}

impl Fabric {
    /// Reads configuration space at an offset of the ECAM window, any length.
    pub(super) fn ecam_read(&self, offset: u64, data: &mut [u8]) {
        for (at, bytes) in dwords(offset, data.len()) {
            let (target, register) = split(at & !3);
            let value = self.config_read(target, register).to_le_bytes();
            let lane = (at & 3) as usize;
            let size = bytes.len();
            data[bytes].copy_from_slice(&value[lane..lane + size]);
        }
    }

    /// Writes configuration space at an offset of the ECAM window, any length.
    pub(super) fn ecam_write(&self, offset: u64, data: &[u8]) {
        for (at, bytes) in dwords(offset, data.len()) {
            let (target, register) = split(at & !3);
            let lane = (at & 3) as usize;
            let mut value = [0; 4];
            let enables = ((1 << bytes.len()) - 1) << lane;
            value[lane..lane + bytes.len()].copy_from_slice(&data[bytes]);
            self.config_write(target, register, u32::from_le_bytes(value), ByteEnables(enables));
        }
    }

    /// Reads the dword at `register` of the function that `target` reaches now; all ones if there is none.
    pub fn config_read(&self, target: RequesterId, register: u16) -> u32 {
        let addressee = self.hub.routes.load().addressee(target);
        let value = match addressee {
            Some(Addressee::Port(port)) => Some(self.tree.bridges[port.0].read(register)),
            Some(Addressee::Devices(bus, kind)) => self.read_devices(bus, kind, target, register),
            None => None,
        };
        value.unwrap_or_else(|| {
            self.hub.counters.absent_config_reads.add();
            ABSENT
        })
    }

    /// Writes bytes of the dword at `register` of the function that `target` reaches now. What the write asks for is done
    /// when this returns.
    pub fn config_write(
        &self,
        target: RequesterId,
        register: u16,
        value: u32,
        enables: ByteEnables,
    ) {
        let addressee = self.hub.routes.load().addressee(target);
        match addressee {
            Some(Addressee::Port(port)) => {
                let bridge = &self.tree.bridges[port.0];
                bridge.capture(target);
                let effects = bridge.write(register, value, enables);
                self.perform_for_port(port, effects);
            }
            Some(Addressee::Devices(bus, kind)) => {
                match self.write_devices(bus, kind, target, (register, value, enables)) {
                    Some((device, effects)) => self.perform_for_device(device, target, effects),
                    None => self.hub.counters.absent_config_writes.add(),
                }
            }
            None => self.hub.counters.absent_config_writes.add(),
        }
    }

    fn read_devices(
        &self,
        bus: BusIndex,
        kind: ConfigKind,
        target: RequesterId,
        register: u16,
    ) -> Option<u32> {
        let devices = &self.tree.topology.bus(bus).devices;
        devices
            .iter()
            .find_map(|device| self.tree.devices[device.0].config_read(kind, target, register))
    }

    fn write_devices(
        &self,
        bus: BusIndex,
        kind: ConfigKind,
        target: RequesterId,
        (register, value, enables): (u16, u32, ByteEnables),
    ) -> Option<(DeviceIndex, Effects)> {
        let devices = &self.tree.topology.bus(bus).devices;
        devices.iter().find_map(|&device| {
            let function = &self.tree.devices[device.0];
            let effects = function.config_write(kind, target, register, value, enables)?;
            Some((device, effects))
        })
    }
}

/// The parts of an access of `len` bytes at `offset` that lie in one dword each: (offset, bytes of the access).
fn dwords(offset: u64, len: usize) -> impl Iterator<Item = (u64, std::ops::Range<usize>)> {
    let mut done = 0;
    std::iter::from_fn(move || {
        let at = offset + done as u64;
        let size = (4 - (at & 3) as usize).min(len - done);
        let bytes = done..done + size;
        done += size;
        (size > 0).then_some((at, bytes))
    })
}
