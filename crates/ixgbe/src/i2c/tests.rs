//! A driver that moves the wires.

use proptest::prelude::*;

use super::*;

/// The driver's side.
struct Wires(Memory);

impl Wires {
    fn new() -> Self {
        let bytes = std::array::from_fn(|index| (index as u8).wrapping_mul(37) ^ 0x5a);
        Self(Memory::new(bytes))
    }

    fn start(&mut self) {
        let clock = self.0.clock;
        self.0.drive(clock, true);
        self.0.drive(true, true);
        self.0.drive(true, false);
        self.0.drive(false, false);
    }

    fn stop(&mut self) {
        self.0.drive(false, false);
        self.0.drive(true, false);
        self.0.drive(true, true);
    }

    /// One clock with the data wire driven like this; what it was.
    fn bit(&mut self, data: bool) -> bool {
        self.0.drive(false, data);
        self.0.drive(true, data);
        let seen = self.0.data();
        self.0.drive(false, data);
        seen
    }

    /// Whether the byte was acknowledged.
    fn put(&mut self, byte: u8) -> bool {
        (0..8).rev().for_each(|bit| _ = self.bit(byte >> bit & 1 != 0));
        !self.bit(true)
    }

    fn get(&mut self, more: bool) -> u8 {
        let byte = (0..8).fold(0, |byte, _| byte << 1 | u8::from(self.bit(true)));
        self.bit(!more);
        byte
    }

    fn read(&mut self, address: u8, count: usize) -> Vec<u8> {
        self.start();
        assert!(self.put(ADDRESS) && self.put(address));
        self.start();
        assert!(self.put(ADDRESS | 1));
        let bytes = (1..=count).map(|index| self.get(index < count)).collect();
        self.stop();
        bytes
    }
}

#[test]
fn bytes_are_read() {
    let mut wires = Wires::new();
    let all = wires.0.bytes.clone();
    for address in 0..=255u8 {
        assert_eq!(wires.read(address, 1), [all[usize::from(address)]]);
    }
    assert_eq!(wires.read(250, 12)[..6], all[250..]);
    assert_eq!(wires.read(250, 12)[6..], all[..6]);
}

/// Another address isn't there, and a byte to be written isn't taken.
#[test]
fn what_it_refuses() {
    let mut wires = Wires::new();
    let first = wires.0.bytes[7];
    wires.start();
    assert!(!wires.put(0xa2));
    wires.stop();
    wires.start();
    assert!(wires.put(ADDRESS) && wires.put(7) && !wires.put(0x55));
    wires.stop();
    assert_eq!(wires.read(7, 1), [first]);
}

proptest! {
    /// Whatever was done to the wires before, a proper transfer works.
    #[test]
    fn any_past_is_forgotten(moves in proptest::collection::vec(any::<(bool, bool)>(), 0..300)) {
        let mut wires = Wires::new();
        moves.into_iter().for_each(|(clock, data)| wires.0.drive(clock, data));
        // Nine clocks free the bus, as drivers do.
        (0..9).for_each(|_| _ = wires.bit(true));
        wires.stop();
        let expected = wires.0.bytes[3];
        prop_assert_eq!(wires.read(3, 1), [expected]);
    }
}
