//! A memory on a two-wire bus, as a driver sees it that moves the wires itself (SFF-8472, 4; NXP UM10204, 3.1).
//!
//! Whoever pulls a wire low wins. A byte is read by writing its address and turning round. Leaves out writing, clock stretching and
//! other addresses.

/// The memory's address, in the upper seven bits.
const ADDRESS: u8 = 0xa0;

/// The memory and what it makes of the wires so far.
#[derive(Debug)]
pub(crate) struct Memory {
    bytes: Box<[u8; 256]>,
    clock: bool,
    data: bool,
    pointer: u8,
    phase: Phase,
    /// The memory pulls the data wire low.
    pulls: bool,
}

/// Where in a transfer the memory is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Nobody talks to it.
    Idle,
    /// Takes bits of a byte.
    Takes { what: Byte, value: u8, bits: u8 },
    /// Acknowledges, then goes on.
    Acknowledges(After),
    /// Gives bits of a byte.
    Gives { value: u8, bits: u8 },
    /// Waits for the driver's acknowledgement.
    Waits { more: bool },
}

/// What a byte means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Byte {
    Device,
    Pointer,
    Data,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum After {
    Take(Byte),
    Give,
}

impl Memory {
    pub(crate) fn new(bytes: [u8; 256]) -> Self {
        Self {
            bytes: Box::new(bytes),
            clock: false,
            data: false,
            pointer: 0,
            phase: Phase::Idle,
            pulls: false,
        }
    }

    /// Whether the data wire is high.
    pub(crate) fn data(&self) -> bool {
        self.data && !self.pulls
    }

    /// The driver drives the wires like this now.
    pub(crate) fn drive(&mut self, clock: bool, data: bool) {
        let (was_clock, was_data) = (self.clock, self.data);
        (self.clock, self.data) = (clock, data);
        match (was_clock, clock) {
            (true, true) if was_data != data => self.mark(data),
            (false, true) => self.rise(data),
            (true, false) => self.fall(),
            _ => {}
        }
    }

    /// The data wire changed while the clock was high: stop, or start.
    fn mark(&mut self, stop: bool) {
        let device = Phase::Takes { what: Byte::Device, value: 0, bits: 0 };
        self.enter(if stop { Phase::Idle } else { device });
    }

    fn rise(&mut self, data: bool) {
        match &mut self.phase {
            Phase::Takes { value, bits, .. } => {
                *value = *value << 1 | u8::from(data);
                *bits += 1;
            }
            Phase::Waits { more } => *more = !data,
            _ => {}
        }
    }

    fn fall(&mut self) {
        let next = match self.phase {
            Phase::Takes { what, value, bits: 8 } => self.taken(what, value),
            Phase::Acknowledges(After::Take(what)) => Phase::Takes { what, value: 0, bits: 0 },
            Phase::Acknowledges(After::Give) | Phase::Waits { more: true } => self.give(),
            Phase::Gives { bits: 7, .. } => Phase::Waits { more: false },
            Phase::Gives { value, bits } => Phase::Gives { value: value << 1, bits: bits + 1 },
            Phase::Waits { more: false } => Phase::Idle,
            other @ (Phase::Idle | Phase::Takes { .. }) => other,
        };
        self.enter(next);
    }

    /// A whole byte has come.
    fn taken(&mut self, what: Byte, value: u8) -> Phase {
        match what {
            Byte::Device if value == ADDRESS => Phase::Acknowledges(After::Take(Byte::Pointer)),
            Byte::Device if value == ADDRESS | 1 => Phase::Acknowledges(After::Give),
            Byte::Device => Phase::Idle,
            Byte::Pointer => {
                self.pointer = value;
                Phase::Acknowledges(After::Take(Byte::Data))
            }
            Byte::Data => Phase::Idle,
        }
    }

    fn give(&mut self) -> Phase {
        let value = self.bytes[usize::from(self.pointer)];
        self.pointer = self.pointer.wrapping_add(1);
        Phase::Gives { value, bits: 0 }
    }

    fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        self.pulls = match phase {
            Phase::Acknowledges(_) => true,
            Phase::Gives { value, .. } => value & 0x80 == 0,
            _ => false,
        };
    }
}

#[cfg(test)]
mod tests;
