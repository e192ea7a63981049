//! The driver's side of descriptor rings: set up in Linux's order, filled as Linux, DPDK or iPXE do.

use super::{Registers, eventually};
use crate::spec::descriptor::*;
use crate::spec::queue::*;

/// Bytes that a ring and its buffers take.
const SPACE: u64 = 0x4_0000;
/// Where buffers begin in it, and how far they are apart.
const BUFFERS: u64 = 0x1_0000;
const BUFFER: u64 = 2048;
/// Descriptors.
const COUNT: u32 = 64;

/// A transmit ring.
pub(crate) struct TransmitRing<'a> {
    pub(crate) registers: Registers<'a>,
    /// Its block.
    pub(crate) block: u32,
    pub(crate) base: u64,
    pub(crate) tail: u32,
    buffers: u64,
}

/// A receive ring.
pub(crate) struct ReceiveRing<'a> {
    pub(crate) registers: Registers<'a>,
    pub(crate) block: u32,
    pub(crate) base: u64,
    next: u32,
}

/// A descriptor written back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Received {
    pub(crate) descriptor: [u32; 4],
    /// What is in the packet buffer.
    pub(crate) bytes: Vec<u8>,
}

impl<'a> TransmitRing<'a> {
    /// A running ring at `block` of `registers`, in piece of memory number `place`.
    pub(crate) fn new(registers: Registers<'a>, block: u32, place: u64) -> Self {
        let base = place * SPACE;
        let ring = Self { registers, block, base, tail: 0, buffers: 0 };
        ring.write(CONTROL, FLUSH);
        ring.write(BASE_LOW, base as u32);
        ring.write(BASE_HIGH, (base >> 32) as u32);
        ring.write(LENGTH, COUNT * DESCRIPTOR);
        ring.write(HEAD, 0);
        ring.write(TAIL, 0);
        ring.write(CONTROL, ENABLE | 8 << 16 | 1 << 8 | 32);
        assert_ne!(ring.read(CONTROL) & ENABLE, 0);
        ring
    }

    pub(crate) fn write(&self, register: u32, value: u32) {
        self.registers.write(self.block + register, value);
    }

    pub(crate) fn read(&self, register: u32) -> u32 {
        self.registers.read(self.block + register)
    }

    /// Writes the next descriptor, without telling.
    pub(crate) fn descriptor(&mut self, dwords: [u32; 4]) -> u32 {
        let index = self.tail;
        let bytes: Vec<u8> = dwords.iter().flat_map(|dword| dword.to_le_bytes()).collect();
        self.registers.machine().write(self.base + 16 * u64::from(index), &bytes);
        self.tail = (self.tail + 1) % COUNT;
        index
    }

    /// Puts `bytes` into memory.
    pub(crate) fn buffer(&mut self, bytes: &[u8]) -> u64 {
        let slots = (SPACE - BUFFERS) / BUFFER;
        let needed = (bytes.len() as u64).div_ceil(BUFFER).max(1);
        if self.buffers + needed > slots {
            self.buffers = 0;
        }
        let address = self.base + BUFFERS + self.buffers * BUFFER;
        self.buffers += needed;
        self.registers.machine().write(address, bytes);
        address
    }

    /// A frame in advanced descriptors, `pieces` of them; returns the last one's index.
    pub(crate) fn frame(&mut self, frame: &[u8], command: u32, options: u32, pieces: usize) -> u32 {
        let size = frame.len().div_ceil(pieces).max(1);
        let chunks: Vec<_> =
            if frame.is_empty() { vec![frame] } else { frame.chunks(size).collect() };
        let mut last = 0;
        for (number, chunk) in chunks.iter().enumerate() {
            let address = self.buffer(chunk);
            let end = if number + 1 == chunks.len() { TX_EOP | TX_RS } else { 0 };
            let kind = TX_DEXT | TX_TYPE_DATA << TX_TYPE_SHIFT | 1 << 25;
            let command = kind | command | end | chunk.len() as u32;
            let options = options | (frame.len() as u32) << 14;
            last = self.descriptor([address as u32, (address >> 32) as u32, command, options]);
        }
        last
    }

    /// A context: lengths of the Ethernet, IP and transport header, segment size, tag, and `command` bits.
    pub(crate) fn context(&mut self, lens: [u32; 3], mss: u32, vlan: u32, command: u32) {
        let [mac, ip, l4] = lens;
        let kind = TX_DEXT | TX_TYPE_CONTEXT << TX_TYPE_SHIFT;
        self.descriptor([ip | mac << 9 | vlan << 16, 0, kind | command, l4 << 8 | mss << 16]);
    }

    /// Rings the doorbell.
    pub(crate) fn ring(&self) {
        self.write(TAIL, self.tail);
    }

    pub(crate) fn status(&self, index: u32) -> u32 {
        let bytes = self.registers.machine().memory(self.base + 16 * u64::from(index) + 12, 4);
        u32::from_le_bytes(bytes.try_into().unwrap())
    }

    /// Sends a frame and waits until it is done.
    #[track_caller]
    pub(crate) fn send(&mut self, frame: &[u8]) {
        let last = self.frame(frame, 0, 0, 1);
        self.ring();
        self.wait(last);
    }

    #[track_caller]
    pub(crate) fn wait(&self, index: u32) {
        eventually("a descriptor is done", || self.status(index) & TX_DD != 0);
        eventually("the head follows", || self.read(HEAD) == self.tail);
    }
}

impl<'a> ReceiveRing<'a> {
    /// A running ring with `buffers` buffers, with SRRCTL and RXDCTL bits as given.
    pub(crate) fn new(
        registers: Registers<'a>,
        block: u32,
        place: u64,
        buffers: u32,
        srrctl: u32,
        control: u32,
    ) -> Self {
        let base = place * SPACE;
        let mut ring = Self { registers, block, base, next: 0 };
        let write = |register, value| registers.write(block + register, value);
        write(BASE_LOW, base as u32);
        write(BASE_HIGH, (base >> 32) as u32);
        write(LENGTH, COUNT * DESCRIPTOR);
        write(HEAD, 0);
        write(TAIL, 0);
        write(SRRCTL, srrctl);
        write(CONTROL, ENABLE | control);
        ring.refill(0, buffers);
        ring.next = 0;
        ring
    }

    /// Gives the buffers of `count` descriptors from `first` on to the card.
    pub(crate) fn refill(&mut self, first: u32, count: u32) {
        for index in (first..first + count).map(|index| index % COUNT) {
            let packet = (self.packet(index) as u32).to_le_bytes();
            let header = (self.header(index) as u32).to_le_bytes();
            let descriptor = [packet, [0; 4], header, [0; 4]].concat();
            let machine = self.registers.machine();
            machine.write(self.base + 16 * u64::from(index), &descriptor);
        }
        self.registers.write(self.block + TAIL, (first + count) % COUNT);
    }

    fn packet(&self, index: u32) -> u64 {
        self.base + BUFFERS + u64::from(index) * BUFFER
    }

    /// Where the header buffer of a descriptor is.
    pub(crate) fn header(&self, index: u32) -> u64 {
        self.base + BUFFERS + u64::from(COUNT + index / 4) * BUFFER + u64::from(index % 4) * 512
    }

    /// The next descriptor, once it is done.
    #[track_caller]
    pub(crate) fn next(&mut self) -> Received {
        let index = self.next;
        eventually("a frame is received", || self.peek(index)[2] & status::DD != 0);
        self.next = (self.next + 1) % COUNT;
        let descriptor = self.peek(index);
        let bytes =
            self.registers.machine().memory(self.packet(index), (descriptor[3] & 0xffff) as usize);
        Received { descriptor, bytes }
    }

    /// The next descriptor in legacy form.
    #[track_caller]
    pub(crate) fn next_legacy(&mut self) -> Received {
        let index = self.next;
        eventually("a frame is received", || self.peek(index)[3] & legacy::DD != 0);
        self.next = (self.next + 1) % COUNT;
        let descriptor = self.peek(index);
        let bytes =
            self.registers.machine().memory(self.packet(index), (descriptor[2] & 0xffff) as usize);
        Received { descriptor, bytes }
    }

    /// A descriptor as it is now.
    pub(crate) fn peek(&self, index: u32) -> [u32; 4] {
        let bytes = self.registers.machine().memory(self.base + 16 * u64::from(index), 16);
        std::array::from_fn(|dword| {
            u32::from_le_bytes(bytes[4 * dword..4 * dword + 4].try_into().unwrap())
        })
    }

    /// Whether nothing more has been received.
    pub(crate) fn is_quiet(&self) -> bool {
        self.peek(self.next)[2] & status::DD == 0
    }
}
