//! Device and function numbers on a bus: the next free device, or the wanted place.

use pando_pci::PortKind;

use super::FabricBuilder;
use crate::error::BuildError;
use crate::options::Place;
use crate::topology::{BusIndex, ROOT_BUS};

const DEVICES: u8 = 32;
const FUNCTIONS: u8 = 8;

impl FabricBuilder {
    /// The function byte for a new port on `bus`.
    pub(super) fn place(
        &self,
        id: &str,
        kind: PortKind,
        bus: BusIndex,
        wanted: Option<Place>,
    ) -> Result<u8, BuildError> {
        match wanted {
            Some(place) => self.wanted(id, kind, bus, place),
            None => Ok(self.free_device(id, bus, kind)? << 3),
        }
    }

    /// The first device number on `bus` of which no function is taken. Device 0 of the root bus stays free.
    pub(super) fn free_device(
        &self,
        id: &str,
        bus: BusIndex,
        kind: PortKind,
    ) -> Result<u8, BuildError> {
        let first = first_device(kind);
        (first..DEVICES).find(|&device| !self.has_device(bus, device)).ok_or_else(|| {
            let above = self.topology.bus(bus).above;
            let place = above.map_or_else(
                || "on the root bus".to_owned(),
                |port| format!("in the switch `{}`", self.topology.port(port).id),
            );
            BuildError::NoDeviceNumber {
                id: id.to_owned(),
                place,
                most: usize::from(DEVICES - first),
            }
        })
    }

    /// The device number `device` of the root bus, if nobody has it.
    pub(super) fn free_place(&self, id: &str, device: u8) -> Result<u8, BuildError> {
        let place = Place { device, function: 0 };
        self.wanted(id, PortKind::RootPort, ROOT_BUS, place)?;
        Ok(device)
    }

    fn wanted(
        &self,
        id: &str,
        kind: PortKind,
        bus: BusIndex,
        place: Place,
    ) -> Result<u8, BuildError> {
        let Place { device, function } = place;
        let refuse =
            |reason| Err(BuildError::Place { id: id.to_owned(), device, function, reason });
        if device >= DEVICES || function >= FUNCTIONS {
            return refuse("device numbers are 0 to 31, function numbers 0 to 7");
        }
        if device < first_device(kind) {
            return refuse("device 0 of the root bus is the root complex itself");
        }
        // Function 0 of an upstream port's device may be an endpoint.
        let may_be_port = kind != PortKind::Upstream;
        if function > 0 && may_be_port && !self.has_function(bus, device << 3) {
            return refuse("function 0 of that device must be there first");
        }
        if self.has_function(bus, device << 3 | function) || self.is_integrated(bus, device) {
            return refuse("another port or device has that number");
        }
        Ok(device << 3 | function)
    }

    fn has_function(&self, bus: BusIndex, function: u8) -> bool {
        let ports = &self.topology.bus(bus).ports;
        ports.iter().any(|&port| self.topology.port(port).function == function)
    }

    fn has_device(&self, bus: BusIndex, device: u8) -> bool {
        let ports = &self.topology.bus(bus).ports;
        ports.iter().any(|&port| self.topology.port(port).device() == device)
            || self.is_integrated(bus, device)
    }

    fn is_integrated(&self, bus: BusIndex, device: u8) -> bool {
        self.topology.bus(bus).above.is_none() && self.topology.integrated.contains(&device)
    }
}

fn first_device(kind: PortKind) -> u8 {
    u8::from(kind == PortKind::RootPort)
}
