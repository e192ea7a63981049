//! For tests: guest memory with a flat tree in front of it, the driver's side of a split ring, and queues of bare frames on it.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use pando_tlp::{
    Access, Dma, DmaView, Epochs, Fault, Gpa, Guard, GuestRam, Iova, MsiMessage, RequesterId,
    Target,
};
use vm_memory::Bytes;

use crate::ring::{Chain, SplitConfig, SplitRing, Writer};
use crate::{Accepts, Batch, Offload, QueueError, Receive, Transmit};

/// Memory, identity-mapped but for the pages in `moved`, behind a gate.
pub(crate) struct Tree {
    pub(crate) ram: GuestRam,
    pub(crate) open: AtomicBool,
    pub(crate) interrupts: AtomicU32,
    pub(crate) resolved: AtomicU32,
    moved: Mutex<HashMap<u64, u64>>,
}

impl Tree {
    pub(crate) fn new(bytes: usize) -> Arc<Self> {
        Arc::new(Self {
            ram: GuestRam::anonymous(&[(Gpa(0), bytes)]).unwrap(),
            open: AtomicBool::new(true),
            interrupts: AtomicU32::new(0),
            resolved: AtomicU32::new(0),
            moved: Mutex::default(),
        })
    }

    /// Translates page by page from now on: page number `from` is at page number `to`.
    pub(crate) fn remap(&self, from: u64, to: u64) {
        self.moved.lock().unwrap().insert(from, to);
    }

    pub(crate) fn view(self: &Arc<Self>) -> DmaView {
        DmaView::new(self.clone())
    }
}

impl Dma for Tree {
    fn requester(&self) -> RequesterId {
        RequesterId(0)
    }

    fn resolve(&self, address: Iova, _: Access) -> Result<Target, Fault> {
        self.resolved.fetch_add(1, Ordering::Relaxed);
        if !self.open.load(Ordering::SeqCst) {
            return Err(Fault::Gated);
        }
        let moved = self.moved.lock().unwrap();
        if moved.is_empty() {
            let run = self.ram.region(Gpa(address.0)).ok_or(Fault::UnsupportedRequest)?;
            return Ok(Target::Ram { start: Iova(0), run, read: true, write: true });
        }
        let page = address.0 >> 12;
        let to = moved.get(&page).copied().unwrap_or(page);
        let run = self.ram.region(Gpa(to << 12)).and_then(|run| run.part(to << 12, 4096));
        let run = run.ok_or(Fault::Translation)?;
        Ok(Target::Ram { start: Iova(page << 12), run, read: true, write: true })
    }

    fn read(&self, _: Iova, _: &mut [u8]) -> Result<(), Fault> {
        Err(Fault::UnsupportedRequest)
    }

    fn write(&self, _: Iova, _: &[u8]) -> Result<(), Fault> {
        Err(Fault::UnsupportedRequest)
    }

    fn interrupt(&self, _: MsiMessage) -> Result<(), Fault> {
        self.interrupts.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

pub(crate) const NEXT: u16 = 1;
pub(crate) const WRITE: u16 = 2;
pub(crate) const INDIRECT: u16 = 4;

/// The driver's side of a split ring.
pub(crate) struct Driver {
    pub(crate) tree: Arc<Tree>,
    pub(crate) size: u16,
    pub(crate) event_index: bool,
    /// A used element may stand for those before it too.
    pub(crate) in_order: bool,
    /// Where the descriptor table is; the available and the used ring follow.
    pub(crate) base: u64,
    /// The available index.
    pub(crate) available: u16,
    /// How far used elements were taken.
    pub(crate) used: u16,
    free: Vec<u16>,
    lengths: HashMap<u16, u16>,
    /// Heads made available, oldest first, if they come back in order.
    outstanding: VecDeque<u16>,
}

impl Driver {
    pub(crate) fn new(tree: &Arc<Tree>, base: u64, size: u16, event_index: bool) -> Self {
        Self {
            tree: tree.clone(),
            size,
            event_index,
            in_order: false,
            base,
            available: 0,
            used: 0,
            free: (0..size).rev().collect(),
            lengths: HashMap::new(),
            outstanding: VecDeque::new(),
        }
    }

    /// Both rings begin at `position`.
    pub(crate) fn at(mut self, position: u16) -> Self {
        (self.available, self.used) = (position, position);
        self.set(self.available_ring() + 2, position);
        self.set(self.used_ring() + 2, position);
        self
    }

    /// A ring that goes on where the last one on this memory stopped.
    pub(crate) fn config(&self) -> SplitConfig {
        SplitConfig {
            size: self.size,
            descriptors: Iova(self.base),
            available: Iova(self.available_ring()),
            used: Iova(self.used_ring()),
            event_index: self.event_index,
            indirect: true,
            in_order: self.in_order,
            position: self.get(self.used_ring() + 2),
        }
    }

    pub(crate) fn ring(&self) -> SplitRing {
        SplitRing::new(self.config(), self.tree.view()).unwrap()
    }

    pub(crate) fn available_ring(&self) -> u64 {
        self.base + u64::from(self.size) * 16
    }

    pub(crate) fn used_ring(&self) -> u64 {
        (self.available_ring() + 6 + u64::from(self.size) * 2).next_multiple_of(4)
    }

    pub(crate) fn set(&self, address: u64, value: u16) {
        let slice = self.tree.ram.region(Gpa(0)).unwrap().slice();
        slice.store(value, address as usize, Ordering::SeqCst).unwrap();
    }

    pub(crate) fn get(&self, address: u64) -> u16 {
        let slice = self.tree.ram.region(Gpa(0)).unwrap().slice();
        slice.load(address as usize, Ordering::SeqCst).unwrap()
    }

    pub(crate) fn write(&self, address: u64, bytes: &[u8]) {
        self.tree.ram.region(Gpa(0)).unwrap().slice().write_slice(bytes, address as usize).unwrap();
    }

    pub(crate) fn read(&self, address: u64, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        let slice = self.tree.ram.region(Gpa(0)).unwrap().slice();
        slice.read_slice(&mut bytes, address as usize).unwrap();
        bytes
    }

    /// Writes a descriptor at `address`.
    pub(crate) fn descriptor(&self, address: u64, to: u64, len: u32, flags: u16, next: u16) {
        let mut bytes = to.to_le_bytes().to_vec();
        bytes.extend(len.to_le_bytes());
        bytes.extend(flags.to_le_bytes());
        bytes.extend(next.to_le_bytes());
        self.write(address, &bytes);
    }

    pub(crate) fn table_entry(&self, index: u16) -> u64 {
        self.base + u64::from(index) * 16
    }

    /// Free descriptors.
    pub(crate) fn room(&self) -> usize {
        self.free.len()
    }

    /// Adds a chain of (address, length, flags) without publishing it; returns its head.
    pub(crate) fn add(&mut self, buffers: &[(u64, u32, u16)]) -> u16 {
        let indices: Vec<u16> = buffers.iter().map(|_| self.free.pop().unwrap()).collect();
        for (at, (address, len, flags)) in buffers.iter().enumerate() {
            let next = indices.get(at + 1).copied();
            let flags = flags | if next.is_some() { NEXT } else { 0 };
            let entry = self.table_entry(indices[at]);
            self.descriptor(entry, *address, *len, flags, next.unwrap_or(0));
        }
        self.lengths.insert(indices[0], indices.len() as u16);
        self.offer(indices[0]);
        indices[0]
    }

    /// Puts `head` into the available ring without publishing it.
    pub(crate) fn offer(&mut self, head: u16) {
        let slot = u64::from(self.available % self.size);
        self.set(self.available_ring() + 4 + slot * 2, head);
        self.available = self.available.wrapping_add(1);
        if self.in_order {
            self.outstanding.push_back(head);
        }
    }

    /// Publishes what was added; `true` if the device wants a notification.
    pub(crate) fn publish(&mut self) -> bool {
        let before = self.get(self.available_ring() + 2);
        self.set(self.available_ring() + 2, self.available);
        std::sync::atomic::fence(Ordering::SeqCst);
        if self.event_index {
            let event = self.get(self.used_ring() + 4 + u64::from(self.size) * 8);
            let (now, new) = (self.available, self.available.wrapping_sub(before));
            return now.wrapping_sub(event).wrapping_sub(1) < new;
        }
        self.get(self.used_ring()) & 1 == 0
    }

    /// Where the driver says what it wants to be interrupted for.
    pub(crate) fn used_event(&self) -> u64 {
        self.available_ring() + 4 + u64::from(self.size) * 2
    }

    /// Takes the used elements that are new; for those skipped in a batch, which nothing was written into, one each too.
    pub(crate) fn take_used(&mut self) -> Vec<(u32, u32)> {
        let index = self.get(self.used_ring() + 2);
        let mut elements = Vec::new();
        while self.used != index {
            let element = self.read(self.used_ring() + 4 + u64::from(self.used % self.size) * 8, 8);
            let word = |at: usize| u32::from_le_bytes(element[at..at + 4].try_into().unwrap());
            while let Some(head) = self.outstanding.pop_front()
                && u32::from(head) != word(0)
            {
                elements.push((head.into(), 0));
                self.give_back(head);
            }
            elements.push((word(0), word(4)));
            self.give_back(word(0) as u16);
        }
        elements
    }

    /// One more chain came back.
    fn give_back(&mut self, head: u16) {
        self.used = self.used.wrapping_add(1);
        let mut index = head;
        for _ in 0..self.lengths.remove(&head).unwrap_or(0) {
            self.free.push(index);
            let entry = self.read(self.table_entry(index), 16);
            index = u16::from_le_bytes([entry[14], entry[15]]);
        }
    }
}

/// New epochs.
pub(crate) fn epochs() -> Arc<Epochs> {
    Epochs::new()
}

/// Bare frames from a ring, without any header.
pub(crate) struct RawTransmit {
    pub(crate) ring: SplitRing,
    /// For each frame of the last fetch, how many chains end with it.
    ends: Vec<u16>,
    taken: u16,
}

impl RawTransmit {
    pub(crate) fn new(driver: &Driver) -> Self {
        Self::on(driver.ring())
    }

    pub(crate) fn on(ring: SplitRing) -> Self {
        Self { ring, ends: Vec::with_capacity(64), taken: 0 }
    }
}

impl Transmit for RawTransmit {
    fn fetch<'g>(
        &'g mut self,
        guard: &'g Guard<'_>,
        batch: &mut Batch<'g>,
    ) -> Result<(), QueueError> {
        self.ends.clear();
        self.taken = 0;
        self.ring.begin(guard)?;
        let mut chain = Chain::new();
        while batch.has_room(16) && self.taken < 128 && self.ring.next(guard, &mut chain)? {
            self.taken += 1;
            if batch.push(chain.readable(), Offload::default()) {
                self.ends.push(self.taken);
            }
        }
        Ok(())
    }

    fn complete(&mut self, guard: &Guard<'_>, frames: usize) -> Result<(), QueueError> {
        let chains = match frames {
            _ if frames == self.ends.len() => self.taken,
            0 => 0,
            _ => self.ends[frames - 1],
        };
        for _ in 0..chains {
            self.ring.put(guard, 0)?;
        }
        if self.ring.publish(guard)? {
            let _ = self.ring.dma().interrupt(MsiMessage::default());
        }
        Ok(())
    }

    fn arm(&mut self, guard: &Guard<'_>) -> Result<bool, QueueError> {
        self.ring.arm(guard)
    }

    fn disarm(&mut self, guard: &Guard<'_>) -> Result<(), QueueError> {
        self.ring.disarm(guard)
    }
}

/// One frame per chain, without any header.
pub(crate) struct RawReceive {
    pub(crate) ring: SplitRing,
    pub(crate) accepts: Accepts,
}

impl RawReceive {
    pub(crate) fn new(driver: &Driver) -> Self {
        Self { ring: driver.ring(), accepts: Accepts::empty() }
    }
}

impl Receive for RawReceive {
    fn accepts(&self) -> Accepts {
        self.accepts
    }

    fn deliver(
        &mut self,
        guard: &Guard<'_>,
        batch: &Batch<'_>,
        frames: &[u16],
    ) -> Result<usize, QueueError> {
        self.ring.begin(guard)?;
        let mut chain = Chain::new();
        let mut taken = 0;
        for index in frames {
            if !self.ring.next(guard, &mut chain)? {
                break;
            }
            let frame = batch.frame(usize::from(*index));
            let mut writer = Writer::new(chain.writable());
            writer.write(frame.head());
            for piece in frame.rest {
                writer.copy(*piece);
            }
            self.ring.put(guard, writer.written() as u32)?;
            taken += 1;
        }
        if self.ring.publish(guard)? {
            let _ = self.ring.dma().interrupt(MsiMessage::default());
        }
        Ok(taken)
    }

    fn arm(&mut self, guard: &Guard<'_>) -> Result<bool, QueueError> {
        self.ring.arm_for_more(guard)
    }
}

/// Counts what each thread allocates.
struct Allocations;

thread_local! {
    static COUNT: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

/// Allocations of this thread so far.
pub(crate) fn allocations() -> u64 {
    COUNT.get()
}

#[expect(unsafe_code, reason = "an allocator is unsafe by nature; this one passes everything on")]
// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl std::alloc::GlobalAlloc for Allocations {
    unsafe fn alloc(&self, layout: std::alloc::Layout) -> *mut u8 {
        let _ = COUNT.try_with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promise is passed on.
        unsafe { std::alloc::System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: std::alloc::Layout) {
        // SAFETY: the caller's promise is passed on.
        unsafe { std::alloc::System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATIONS: Allocations = Allocations;
