//! VT-d as a guest sets it up once: every page of memory at its own address, in pages of 4 KiB (VT-d 4.1, 9.1, 9.3 and 9.8).

use std::sync::Arc;

use anyhow::Result;
use pando_tlp::{Epochs, Mmio};
use pando_vtd::{Config, RemappingUnit};

use super::Interrupts;
use crate::memory::Memory;

const PAGE: u64 = 4096;
/// Entries of a table.
const ENTRIES: u64 = 512;
/// Permission to read and write.
const READ_WRITE: u64 = 3;
const PRESENT: u64 = 1;

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
    pub(super) fn translate_all(&self, memory: &mut Memory) -> Result<()> {
        let size = memory.whole().len() as u64;
        let [top, third, second] = [0; 3].map(|_: u8| memory.allocate(PAGE));
        let (top, third, second) = (top?, third?, second?);
        memory.store64(top, third | READ_WRITE)?;
        memory.store64(third, second | READ_WRITE)?;
        for index in 0..size.div_ceil(PAGE * ENTRIES) {
            let first = memory.allocate(PAGE)?;
            memory.store64(second + 8 * index, first | READ_WRITE)?;
            for entry in 0..ENTRIES {
                let page = (index * ENTRIES + entry) * PAGE;
                memory.store64(first + 8 * entry, page | READ_WRITE)?;
            }
        }
        self.enable(memory, top)
    }

    /// The same tables for every function there can be, each in a domain of its own.
    fn enable(&self, memory: &mut Memory, top: u64) -> Result<()> {
        let (root, contexts) = (memory.allocate(PAGE)?, memory.allocate(PAGE)?);
        for bus in 0..256 {
            memory.store64(root + 16 * bus, contexts | PRESENT)?;
        }
        for function in 0..256 {
            memory.store64(contexts + 16 * function, top | PRESENT)?;
            memory.store64(contexts + 16 * function + 8, (function + 1) << 8 | 2)?;
        }
        self.0.write(0x20, &root.to_le_bytes());
        for command in [1u32 << 30, 1 << 31] {
            self.0.write(0x18, &command.to_le_bytes());
        }
        Ok(())
    }
}
