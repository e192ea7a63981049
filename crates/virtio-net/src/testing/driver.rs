//! A driver: registers in Linux's order, rings in memory.

mod packed;

use std::collections::VecDeque;
use std::sync::Arc;

use pando_tlp::Requester;

use self::packed::Packed;
use super::Memory;
use super::guest::{Signals, eventually};
use crate::function::Function;
use crate::layout;
use crate::spec::{Features, common as reg, config};

const NEXT: u16 = 1;
const WRITE: u16 = 2;
const INDIRECT: u16 = 4;

/// `struct virtio_net_hdr_v1` as a driver writes and reads it, and what `struct virtio_net_hdr_v1_hash` has more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) flags: u8,
    pub(crate) gso_type: u8,
    pub(crate) hdr_len: u16,
    pub(crate) gso_size: u16,
    pub(crate) csum_start: u16,
    pub(crate) csum_offset: u16,
    pub(crate) num_buffers: u16,
    /// `hash_value` and `hash_report` of a frame received, if negotiated.
    pub(crate) report: Option<(u32, u16)>,
}

/// A function and whoever drives it.
pub(crate) struct Driver {
    pub(crate) function: Arc<Function>,
    pub(crate) memory: Memory,
    pub(crate) signals: Arc<Signals>,
    pub(crate) requester: Arc<Requester>,
    pub(crate) features: Features,
    pub(crate) rings: Vec<Ring>,
}

/// The driver's side of a queue.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ring {
    pub(crate) size: u16,
    pub(crate) desc: u64,
    pub(crate) avail: u64,
    pub(crate) used: u64,
    pub(crate) free: u16,
    pub(crate) added: u16,
    pub(crate) seen: u16,
    /// What a packed ring has instead; its three areas are `desc`, `avail` and `used` too.
    packed: Option<Packed>,
    /// Where order is promised: heads made available, oldest first, and the used element of the batch in hand.
    outstanding: Option<VecDeque<u16>>,
    batch: Option<(u16, u32)>,
    /// Buffer (address, length) by head.
    buffers: std::collections::BTreeMap<u16, (u64, usize)>,
}

impl Driver {
    pub(crate) fn new(
        function: Arc<Function>,
        memory: Memory,
        signals: Arc<Signals>,
        requester: Arc<Requester>,
    ) -> Self {
        let (features, rings) = (Features::empty(), Vec::new());
        Self { function, memory, signals, requester, features, rings }
    }

    pub(crate) fn read(&self, offset: usize, width: usize) -> u64 {
        let mut data = [0; 8];
        self.function.read(offset as u64, &mut data[..width]);
        u64::from_le_bytes(data)
    }

    pub(crate) fn write(&self, offset: usize, width: usize, value: u64) {
        self.function.write(offset as u64, &value.to_le_bytes()[..width]);
    }

    pub(crate) fn status(&self) -> u64 {
        self.read(reg::DEVICE_STATUS, 1)
    }

    pub(crate) fn add_status(&self, bits: u64) {
        let status = self.status();
        self.write(reg::DEVICE_STATUS, 1, status | bits);
    }

    /// `vp_reset`.
    pub(crate) fn reset(&mut self) {
        self.write(reg::DEVICE_STATUS, 1, 0);
        assert_eq!(self.status(), 0);
        self.rings.clear();
    }

    /// `virtio_dev_probe` to FEATURES_OK with what of `wanted` is offered.
    pub(crate) fn negotiate(&mut self, wanted: Features) {
        self.reset();
        self.add_status(1);
        self.add_status(2);
        let word = |select| {
            self.write(reg::DEVICE_FEATURE_SELECT, 4, select);
            self.read(reg::DEVICE_FEATURE, 4)
        };
        let offered = word(0) | word(1) << 32;
        self.features = Features::from_bits_retain(offered) & wanted;
        for (select, word) in [(0, self.features.bits()), (1, self.features.bits() >> 32)] {
            self.write(reg::DRIVER_FEATURE_SELECT, 4, select);
            self.write(reg::DRIVER_FEATURE, 4, word & 0xffff_ffff);
        }
        self.add_status(8);
        assert_ne!(self.status() & 8, 0, "features refused");
    }

    /// `vp_modern_find_vqs`: every queue but the enables, then the enables.
    pub(crate) fn find_queues(&mut self) {
        let pairs = self.pairs();
        let control = self.features.contains(Features::CTRL_VQ);
        let queues = 2 * pairs + u16::from(control);
        self.write(reg::CONFIG_MSIX_VECTOR, 2, 0);
        assert_eq!(self.read(reg::CONFIG_MSIX_VECTOR, 2), 0);
        assert!(u64::from(queues) <= self.read(reg::NUM_QUEUES, 2));
        self.rings = (0..queues).map(|queue| self.set_up(queue, 2 * pairs)).collect();
        for queue in 0..queues {
            self.write(reg::QUEUE_SELECT, 2, queue.into());
            self.write(reg::QUEUE_ENABLE, 2, 1);
        }
    }

    /// `setup_vq` without the enable; the control queue has no vector.
    pub(crate) fn set_up(&self, queue: u16, control: u16) -> Ring {
        self.write(reg::QUEUE_SELECT, 2, queue.into());
        let size = self.read(reg::QUEUE_SIZE, 2) as u16;
        assert_ne!(size, 0);
        assert_eq!(self.read(reg::QUEUE_ENABLE, 2), 0);
        self.write(reg::QUEUE_SIZE, 2, size.into());
        let mut ring = Ring::new(&self.memory, size);
        if self.features.contains(Features::RING_PACKED) {
            ring.packed = Some(Packed::new(self.features.contains(Features::EVENT_IDX)));
        }
        ring.outstanding = self.features.contains(Features::IN_ORDER).then(VecDeque::new);
        for (register, address) in [
            (reg::QUEUE_DESC, ring.desc),
            (reg::QUEUE_DRIVER, ring.avail),
            (reg::QUEUE_DEVICE, ring.used),
        ] {
            self.write(register, 4, address & 0xffff_ffff);
            self.write(register + 4, 4, address >> 32);
        }
        if queue != control {
            self.write(reg::QUEUE_MSIX_VECTOR, 2, u64::from(queue) + 1);
            assert_eq!(self.read(reg::QUEUE_MSIX_VECTOR, 2), u64::from(queue) + 1);
        }
        assert_eq!(self.read(reg::QUEUE_NOTIFY_OFF, 2), u64::from(queue));
        ring
    }

    /// From reset to DRIVER_OK.
    pub(crate) fn probe(&mut self, wanted: Features) {
        self.negotiate(wanted);
        self.find_queues();
        self.add_status(4);
    }

    /// `max_virtqueue_pairs` as the driver uses it.
    pub(crate) fn pairs(&self) -> u16 {
        if self.features.contains(Features::MQ) {
            self.read(layout::DEVICE + config::MAX_VIRTQUEUE_PAIRS, 2) as u16
        } else {
            1
        }
    }

    pub(crate) fn control_queue(&self) -> u16 {
        2 * self.pairs()
    }

    pub(crate) fn kick(&self, queue: u16) {
        self.write(layout::NOTIFY + 4 * usize::from(queue), 2, queue.into());
    }

    /// Adds a chain of (address, length, writable); returns its head.
    pub(crate) fn add(&mut self, queue: u16, pieces: &[(u64, u32, bool)]) -> u16 {
        let memory = self.memory.clone();
        self.rings[usize::from(queue)].add(&memory, pieces)
    }

    /// Adds a chain in an indirect table.
    pub(crate) fn add_indirect(&mut self, queue: u16, pieces: &[(u64, u32, bool)]) -> u16 {
        let memory = self.memory.clone();
        let ring = &mut self.rings[usize::from(queue)];
        let table = memory.allocate(16 * pieces.len());
        if let Some(packed) = &mut ring.packed {
            let head = packed.add_indirect(&memory, ring.desc, ring.size, table, pieces);
            return ring.note(head);
        }
        write_chain(&memory, table, 0, pieces, u16::MAX);
        let head = ring.free % ring.size;
        ring.free = ring.free.wrapping_add(1);
        let len = 16 * pieces.len() as u32;
        memory.write(ring.desc + 16 * u64::from(head), &descriptor(table, len, INDIRECT, 0));
        ring.publish(&memory, head);
        head
    }

    /// Gives `count` receive buffers of `len` bytes each.
    pub(crate) fn post(&mut self, queue: u16, count: u16, len: usize) {
        for _ in 0..count {
            let buffer = self.memory.allocate(len);
            let head = self.add(queue, &[(buffer, len as u32, true)]);
            self.rings[usize::from(queue)].buffers.insert(head, (buffer, len));
        }
        self.kick(queue);
    }

    /// Sends `frame` behind `header`, its parts of the given lengths in pieces of their own.
    pub(crate) fn send(&mut self, queue: u16, header: Header, frame: &[u8], pieces: usize) {
        let more = &[0; 8][..self.features.header_len() - 12];
        let bytes = [&header.bytes()[..], more, frame].concat();
        let buffer = self.memory.allocate(bytes.len());
        self.memory.write(buffer, &bytes);
        let step = bytes.len().div_ceil(pieces);
        let parts: Vec<_> = (0..bytes.len())
            .step_by(step)
            .map(|at| (buffer + at as u64, step.min(bytes.len() - at) as u32, false))
            .collect();
        if parts.len() > 1 && self.features.contains(Features::INDIRECT_DESC) {
            self.add_indirect(queue, &parts);
        } else {
            self.add(queue, &parts);
        }
        self.kick(queue);
    }

    /// The next used element, if there is one.
    pub(crate) fn used(&mut self, queue: u16) -> Option<(u16, u32)> {
        self.rings[usize::from(queue)].used(&self.memory)
    }

    /// The next used element.
    #[track_caller]
    pub(crate) fn wait_used(&mut self, queue: u16) -> (u16, u32) {
        let mut used = None;
        eventually("a used buffer", || {
            used = self.used(queue);
            used.is_some()
        });
        used.unwrap()
    }

    /// The next frame in `queue`, put together from its buffers, with the bytes used of each.
    #[track_caller]
    pub(crate) fn receive(&mut self, queue: u16) -> (Header, Vec<u8>, Vec<u32>) {
        let mut bytes = Vec::new();
        let mut lens = Vec::new();
        let mut left = 1;
        let mut header = Header::default();
        while left > 0 {
            let (head, len) = self.wait_used(queue);
            let (buffer, size) = self.rings[usize::from(queue)].buffers.remove(&head).unwrap();
            assert!(len as usize <= size);
            bytes.extend(self.memory.read(buffer, len as usize));
            if lens.is_empty() {
                header = Header::of(&bytes);
                left = usize::from(header.num_buffers);
            }
            lens.push(len);
            left -= 1;
        }
        if self.features.contains(Features::HASH_REPORT) {
            let value = u32::from_le_bytes([bytes[12], bytes[13], bytes[14], bytes[15]]);
            header.report = Some((value, u16::from_le_bytes([bytes[16], bytes[17]])));
            assert_eq!(bytes[18..20], [0, 0], "padding");
        }
        (header, bytes.split_off(self.features.header_len()), lens)
    }

    /// Sends a command; its answer.
    #[track_caller]
    pub(crate) fn command(&mut self, which: (u8, u8), data: &[u8]) -> u8 {
        let command = [&[which.0, which.1], data].concat();
        self.raw_command(&command, command.len().max(1))
    }

    /// Sends a command in pieces of `step` bytes.
    #[track_caller]
    pub(crate) fn raw_command(&mut self, command: &[u8], step: usize) -> u8 {
        let queue = self.control_queue();
        let buffer = self.memory.allocate(command.len() + 1);
        let answer = buffer + command.len() as u64;
        self.memory.write(buffer, command);
        self.memory.write(answer, &[0xee]);
        let mut pieces: Vec<_> = (0..command.len())
            .step_by(step)
            .map(|at| (buffer + at as u64, step.min(command.len() - at) as u32, false))
            .collect();
        pieces.push((answer, 1, true));
        self.add(queue, &pieces);
        self.kick(queue);
        assert_eq!(self.wait_used(queue).1, 1);
        self.memory.read(answer, 1)[0]
    }
}

impl Driver {
    /// Sends a command that has a result of eight bytes; its answer and the result.
    #[track_caller]
    pub(crate) fn ask(&mut self, which: (u8, u8), data: &[u8]) -> (u8, [u8; 8]) {
        let queue = self.control_queue();
        let command = [&[which.0, which.1], data].concat();
        let buffer = self.memory.allocate(command.len() + 9);
        let answer = buffer + command.len() as u64;
        self.memory.write(buffer, &command);
        self.add(queue, &[(buffer, command.len() as u32, false), (answer, 9, true)]);
        self.kick(queue);
        self.wait_used(queue);
        let bytes = self.memory.read(answer, 9);
        (bytes[0], bytes[1..].try_into().unwrap())
    }
}

impl Ring {
    pub(crate) fn new(memory: &Memory, size: u16) -> Self {
        let entries = usize::from(size);
        Self {
            size,
            desc: memory.allocate(16 * entries),
            avail: memory.allocate(6 + 2 * entries),
            used: memory.allocate(6 + 8 * entries),
            ..Self::default()
        }
    }

    fn add(&mut self, memory: &Memory, pieces: &[(u64, u32, bool)]) -> u16 {
        if let Some(packed) = &mut self.packed {
            let head = packed.add(memory, self.desc, self.size, pieces);
            return self.note(head);
        }
        let head = self.free % self.size;
        write_chain(memory, self.desc, head, pieces, self.size);
        self.free = self.free.wrapping_add(pieces.len() as u16);
        self.publish(memory, head);
        head
    }

    /// Makes `head` available.
    pub(crate) fn publish(&mut self, memory: &Memory, head: u16) {
        memory.store(self.avail + 4 + 2 * u64::from(self.added % self.size), head);
        self.added = self.added.wrapping_add(1);
        memory.store(self.avail + 2, self.added);
        self.note(head);
    }

    /// A chain was made available.
    fn note(&mut self, head: u16) -> u16 {
        if let Some(outstanding) = &mut self.outstanding {
            outstanding.push_back(head);
        }
        head
    }

    /// The next used chain. Of a batch that one element tells of, all but the last have no length.
    fn used(&mut self, memory: &Memory) -> Option<(u16, u32)> {
        if self.packed.is_none() && memory.load(self.used + 2) == self.seen {
            return None; // whatever was written into used elements, there are no more than this
        }
        let told = self.batch.take().or_else(|| self.element(memory))?;
        let oldest = self.outstanding.as_mut().and_then(VecDeque::pop_front);
        let used = match oldest {
            Some(head) if head != told.0 => {
                self.batch = Some(told);
                (head, 0)
            }
            _ => told,
        };
        if let Some(packed) = &mut self.packed {
            packed.pass(memory, self.size, self.avail, used.0);
            return Some(used);
        }
        self.seen = self.seen.wrapping_add(1);
        // Interrupt at the next one, for those who negotiated EVENT_IDX.
        memory.store(self.avail + 4 + 2 * u64::from(self.size), self.seen);
        Some(used)
    }

    /// The used element that comes next, if it is there.
    fn element(&self, memory: &Memory) -> Option<(u16, u32)> {
        if let Some(packed) = &self.packed {
            return packed.used(memory, self.desc);
        }
        let element = memory.read(self.used + 4 + 8 * u64::from(self.seen % self.size), 8);
        let word = |at| {
            u32::from_le_bytes([element[at], element[at + 1], element[at + 2], element[at + 3]])
        };
        Some((word(0) as u16, word(4)))
    }
}

fn write_chain(memory: &Memory, table: u64, first: u16, pieces: &[(u64, u32, bool)], size: u16) {
    for (index, (address, len, writable)) in (0..).zip(pieces) {
        let next = if usize::from(index) + 1 < pieces.len() { NEXT } else { 0 };
        let flags = next | if *writable { WRITE } else { 0 };
        let slot = u64::from((first + index) % size);
        let after = (first + index + 1) % size;
        memory.write(table + 16 * slot, &descriptor(*address, *len, flags, after));
    }
}

/// A descriptor's bytes.
pub(crate) fn descriptor(address: u64, len: u32, flags: u16, next: u16) -> Vec<u8> {
    let parts: [&[u8]; 4] =
        [&address.to_le_bytes(), &len.to_le_bytes(), &flags.to_le_bytes(), &next.to_le_bytes()];
    parts.concat()
}

impl Header {
    pub(crate) fn bytes(self) -> [u8; 12] {
        let mut bytes = [0; 12];
        (bytes[0], bytes[1]) = (self.flags, self.gso_type);
        let words =
            [self.hdr_len, self.gso_size, self.csum_start, self.csum_offset, self.num_buffers];
        for (chunk, word) in bytes[2..].chunks_exact_mut(2).zip(words) {
            chunk.copy_from_slice(&word.to_le_bytes());
        }
        bytes
    }

    pub(crate) fn of(bytes: &[u8]) -> Self {
        let word = |at: usize| u16::from_le_bytes([bytes[at], bytes[at + 1]]);
        Self {
            flags: bytes[0],
            gso_type: bytes[1],
            hdr_len: word(2),
            gso_size: word(4),
            csum_start: word(6),
            csum_offset: word(8),
            num_buffers: word(10),
            report: None,
        }
    }
}
