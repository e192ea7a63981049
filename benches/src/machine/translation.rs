//! VT-d as a guest sets it up once: every page of memory at its own address, in pages of 4 KiB (VT-d 4.1, 9.1, 9.3 and 9.8).

use std::cell::Cell;
use std::hint::spin_loop;
use std::sync::Arc;
use std::sync::atomic::Ordering::{Acquire, Release};
use std::time::{Duration, Instant};

use anyhow::Result;
use pando_tlp::{Epochs, Mmio, RequesterId};
use pando_vtd::{Config, RemappingUnit};
use vm_memory::{Bytes, VolatileSlice};

use super::Interrupts;
use crate::memory::Memory;

const PAGE: u64 = 4096;
/// Entries of a table.
const ENTRIES: u64 = 512;
/// Permission to read and write.
const READ_WRITE: u64 = 3;
const PRESENT: u64 = 1;

/// Registers.
const COMMAND: u64 = 0x18;
const ROOT_TABLE: u64 = 0x20;
const QUEUE_TAIL: u64 = 0x88;
const QUEUE_ADDRESS: u64 = 0x90;

/// An invalidation takes no longer.
const HANGS: Duration = Duration::from_millis(500);

/// The remapping unit.
pub(super) struct Unit(pub(super) Arc<RemappingUnit>);

impl Unit {
    pub(super) fn new(
        memory: &Memory,
        epochs: &Arc<Epochs>,
        interrupts: &Arc<Interrupts>,
    ) -> Result<Self> {
        let unit =
            RemappingUnit::new(Config::default(), memory.ram, epochs.clone(), interrupts.clone())?;
        Ok(Self(unit))
    }

    /// Makes the tables and switches translation on.
    pub(super) fn translate_all(&self, memory: &mut Memory) -> Result<Mapper> {
        let size = memory.whole().len() as u64;
        let [top, third, second] = [0; 3].map(|_: u8| memory.allocate(PAGE));
        let (top, third, second) = (top?, third?, second?);
        memory.store64(top, third | READ_WRITE)?;
        memory.store64(third, second | READ_WRITE)?;
        let mut leaves = Vec::new();
        for index in 0..size.div_ceil(PAGE * ENTRIES) {
            let first = memory.allocate(PAGE)?;
            memory.store64(second + 8 * index, first | READ_WRITE)?;
            leaves.push(first);
            for entry in 0..ENTRIES {
                let page = (index * ENTRIES + entry) * PAGE;
                memory.store64(first + 8 * entry, page | READ_WRITE)?;
            }
        }
        self.enable(memory, top)?;
        self.mapper(memory, leaves)
    }

    /// Enables the invalidation queue, of one page.
    fn mapper(&self, memory: &mut Memory, leaves: Vec<u64>) -> Result<Mapper> {
        let (queue, status) = (memory.allocate(PAGE)?, memory.allocate(PAGE)?);
        self.0.write(QUEUE_TAIL, &[0; 8]);
        self.0.write(QUEUE_ADDRESS, &queue.to_le_bytes());
        self.0.write(COMMAND, &(1u32 << 31 | 1 << 26).to_le_bytes());
        Ok(Mapper {
            unit: self.0.clone(),
            memory: memory.whole(),
            leaves,
            queue,
            status,
            tail: Cell::new(0),
            waits: Cell::new(0),
            sound: Cell::new(true),
        })
    }

    /// The same tables for every function there can be, each in a domain of its own.
    fn enable(&self, memory: &mut Memory, top: u64) -> Result<()> {
        let (root, contexts) = (memory.allocate(PAGE)?, memory.allocate(PAGE)?);
        for bus in 0..256 {
            memory.store64(root + 16 * bus, contexts | PRESENT)?;
        }
        for function in 0..256 {
            memory.store64(contexts + 16 * function, top | PRESENT)?;
            let domain = domain(RequesterId(function as u16));
            memory.store64(contexts + 16 * function + 8, domain << 8 | 2)?;
        }
        self.0.write(ROOT_TABLE, &root.to_le_bytes());
        for command in [1u32 << 30, 1 << 31] {
            self.0.write(COMMAND, &command.to_le_bytes());
        }
        Ok(())
    }
}

/// The domain of a function.
pub(super) fn domain(function: RequesterId) -> u64 {
    u64::from(function.0 & 0xff) + 1
}

/// What a strict driver does with a buffer that it takes back: writes its table entries, invalidates them, waits for that (VT-d 4.1,
/// 6.5.2.2 and 6.5.2.8). The entries stay what they were, for buffers share pages here.
pub(crate) struct Mapper {
    unit: Arc<RemappingUnit>,
    memory: VolatileSlice<'static>,
    /// The tables of pages, one for each 2 MiB.
    leaves: Vec<u64>,
    queue: u64,
    status: u64,
    /// Bytes into the queue.
    tail: Cell<u64>,
    waits: Cell<u32>,
    sound: Cell<bool>,
}

impl Mapper {
    /// Maps the pages of `len` bytes at `address` anew in `domain`.
    pub(crate) fn remap(&self, domain: u64, address: u64, len: u32) {
        let pages = address / PAGE..(address + u64::from(len)).div_ceil(PAGE);
        pages.clone().for_each(|page| self.set(page, (page * PAGE) | READ_WRITE));
        let count = (pages.end - pages.start).next_power_of_two();
        // The range is aligned to its size: twice as many where that falls between.
        let mask = (pages.start ^ (pages.end - 1)).checked_ilog2().map_or(0, |bit| bit + 1);
        let mask = u64::from(mask.max(count.ilog2()));
        self.submit(
            2 | 3 << 4 | domain << 16,
            (pages.start * PAGE) >> (12 + mask) << (12 + mask) | mask,
        );
        self.wait();
    }

    /// Whether every invalidation has ended.
    pub(crate) fn is_sound(&self) -> bool {
        self.sound.get()
    }

    fn set(&self, page: u64, entry: u64) {
        let leaf = self.leaves[(page / ENTRIES) as usize];
        self.store(leaf + 8 * (page % ENTRIES), entry);
    }

    /// A descriptor that writes a number when all before it are through, and waits for that.
    fn wait(&self) {
        let number = self.waits.get().wrapping_add(1);
        self.waits.set(number);
        self.submit(5 | 1 << 5 | u64::from(number) << 32, self.status);
        self.unit.write(QUEUE_TAIL, &self.tail.get().to_le_bytes());
        let start = Instant::now();
        while self.memory.load::<u32>(self.status as usize, Acquire).unwrap_or_default() != number {
            if start.elapsed() > HANGS {
                return self.sound.set(false);
            }
            spin_loop();
        }
    }

    fn submit(&self, low: u64, high: u64) {
        let at = self.queue + self.tail.get();
        self.store(at, low);
        self.store(at + 8, high);
        self.tail.set((self.tail.get() + 16) % PAGE);
    }

    fn store(&self, at: u64, value: u64) {
        let _ = self.memory.store(value, at as usize, Release); // all of it lies inside
    }
}
