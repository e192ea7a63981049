//! Legacy interrupts: the four virtual wires that Assert_INTx and Deassert_INTx messages drive (PCI Express base 6.0, 2.2.8.1).

/// One of the wires INTA to INTD.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IntxWire(u8);

impl IntxWire {
    /// How many there are.
    pub const COUNT: usize = 4;

    /// The wire of this number, 0 for INTA; larger numbers begin at INTA again.
    pub fn new(number: u8) -> Self {
        Self(number % Self::COUNT as u8)
    }

    /// 0 for INTA to 3 for INTD.
    pub fn number(self) -> u8 {
        self.0
    }

    /// The Interrupt Pin register of a function that drives it: 1 to 4 (7.5.1.1.13).
    pub fn pin(self) -> u8 {
        self.0 + 1
    }

    /// What it becomes on the other side of a bridge, for a message of the device number `device` (table 2-20).
    pub fn swizzled(self, device: u8) -> Self {
        Self::new(self.0 + device % Self::COUNT as u8)
    }
}

/// What stands at the root complex' end of the wires.
pub trait IntxSink: Send + Sync {
    /// The wire is asserted, or no longer. Called in the order of the changes, with a lock of the tree held: it may send messages
    /// of its own upwards, but never calls a device.
    fn set(&self, wire: IntxWire, asserted: bool);
}

#[cfg(test)]
mod tests;
