//! The MMIO path: a guest physical address finds its claimant in the flat map, with no lock but the load of the map.

use pando_pci::Region;
use pando_tlp::{Access, Gpa, Marks, RequesterId, TlpHeader};

use super::Fabric;
use crate::map::Claimant;
use crate::pieces::piece;
use crate::topology::DeviceIndex;

/// A part of an access that one claimant takes.
struct Part {
    to: To,
    at: u64,
    offset: u64,
    len: usize,
}

enum To {
    Nobody,
    Ecam,
    Fixed(usize),
    Device(DeviceIndex, Region),
}

impl Fabric {
    /// A guest's read of anything that isn't RAM. What nobody claims reads all ones.
    pub fn mmio_read(&self, address: Gpa, data: &mut [u8]) {
        let mut done = 0;
        while done < data.len() {
            let part = self.part(address, done, data.len());
            let bytes = &mut data[done..done + part.len];
            done += part.len;
            match part.to {
                To::Ecam => self.ecam_read(part.offset, bytes),
                To::Fixed(index) => self.tree.fixed[index].read(part.offset, bytes),
                To::Device(device, region) => {
                    let place = (region, part.offset, part.at, part.len);
                    if self.is_refused(device, place, Access::Read) {
                        bytes.fill(0xff);
                    } else {
                        self.tree.devices[device.0].read(region, part.offset, bytes);
                    }
                }
                To::Nobody => {
                    bytes.fill(0xff);
                    self.hub.counters.unclaimed_reads.add();
                }
            }
        }
    }

    /// A guest's write to anything that isn't RAM. What nobody claims is dropped. What the write asks for is done when this
    /// returns.
    pub fn mmio_write(&self, address: Gpa, data: &[u8]) {
        let mut done = 0;
        while done < data.len() {
            let part = self.part(address, done, data.len());
            let bytes = &data[done..done + part.len];
            done += part.len;
            match part.to {
                To::Ecam => self.ecam_write(part.offset, bytes),
                To::Fixed(index) => self.tree.fixed[index].write(part.offset, bytes),
                To::Device(device, region) => {
                    let place = (region, part.offset, part.at, part.len);
                    if !self.is_refused(device, place, Access::Write) {
                        self.tree.devices[device.0].write(region, part.offset, bytes);
                    }
                }
                To::Nobody => self.hub.counters.unclaimed_writes.add(),
            }
        }
    }

    /// Whether the device refuses a CPU's access; then it knows. The requester id is that of the root complex.
    fn is_refused(
        &self,
        device: DeviceIndex,
        (region, offset, address, len): (Region, u64, u64, usize),
        access: Access,
    ) -> bool {
        let device = &self.tree.devices[device.0];
        let refused = device.refuses(region, offset, len, access);
        if refused {
            let root = RequesterId::default();
            let header = TlpHeader::memory(root, access, address, len as u64, Marks::default());
            self.hub.aborted(&**device, (region, offset), header);
        }
        refused
    }

    /// The next part of an access of `len` bytes at `start`, of which `done` are done. Asked anew each time: the part before may
    /// have moved everything.
    fn part(&self, start: Gpa, done: usize, len: usize) -> Part {
        let left = len - done;
        let Some(address) = start.checked_add(done as u64) else {
            return Part { to: To::Nobody, at: 0, offset: 0, len: left };
        };
        let routes = self.hub.routes.load();
        let Some(entry) = routes.map.find(address.0) else {
            let len = routes.map.gap(address.0, left as u64) as usize;
            return Part { to: To::Nobody, at: address.0, offset: 0, len };
        };
        let offset = entry.offset(address.0);
        let rest = (entry.span.last - address.0).saturating_add(1).min(left as u64);
        let to = match entry.claimant {
            Claimant::Ecam => {
                return Part { to: To::Ecam, at: address.0, offset, len: rest as usize };
            }
            Claimant::Fixed(index) => To::Fixed(index),
            Claimant::Device(device, region) => To::Device(device, region),
        };
        Part { to, at: address.0, offset, len: piece(offset, rest) as usize }
    }
}
