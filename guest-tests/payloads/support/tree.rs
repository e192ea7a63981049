//! A walk down the tree from its power-on state: every bus gets its number, every port its window, as a kernel would do it.
//!
//! The endpoints keep their BARs for the payload to place. It walks first functions only.

use super::ecam::{BUS_NUMBERS, Function};
use super::pci::{BUS_MASTER, MEMORY};

/// Addresses that each endpoint's link gets, in bytes.
pub const LINK: u64 = 16 << 20;
/// Where the first link's begin.
const FIRST: u64 = 0x9000_0000;

/// The end of a branch.
#[derive(Clone, Copy)]
pub struct Leaf {
    /// Function 0 of the endpoint.
    pub function: Function,
    /// The port above it.
    pub port: Function,
    /// Its bus; the next one is its too.
    pub bus: u8,
    /// The first address of its link.
    pub base: u64,
}

/// What the walk found.
pub struct Tree {
    ecam: u64,
    bus: u8,
    next: u64,
    leaves: [Option<Leaf>; 4],
}

impl Tree {
    /// Walks; all ports pass what is meant for the links below them.
    pub fn walk(ecam: u64) -> Self {
        let mut tree = Self { ecam, bus: 0, next: FIRST, leaves: [None; 4] };
        tree.visit(0);
        tree
    }

    /// An endpoint, in the order of the walk.
    pub fn leaf(&self, number: usize) -> Option<Leaf> {
        self.leaves.get(number).copied().flatten()
    }

    fn visit(&mut self, bus: u8) {
        for device in 0..32 {
            let function = Function::at(self.ecam, bus, device, 0);
            if function.is_there() && function.is_port() {
                self.descend(function, bus);
            }
        }
    }

    fn descend(&mut self, port: Function, primary: u8) {
        let base = self.next;
        self.bus += 1;
        let bus = self.bus;
        port.write(BUS_NUMBERS, u32::from_le_bytes([primary, bus, 0xff, 0]));
        let function = Function::at(self.ecam, bus, 0, 0);
        if function.is_there() && !function.is_port() {
            self.bus += 1;
            self.next += LINK;
            let free = self.leaves.iter_mut().find(|leaf| leaf.is_none());
            free.map(|free| free.replace(Leaf { function, port, bus, base }));
        } else {
            self.visit(bus);
        }
        port.write_byte(BUS_NUMBERS + 2, self.bus);
        port.set_window(base, self.next - base);
        port.command(MEMORY | BUS_MASTER);
    }
}
