//! PVH start info: what a PVH kernel or a bare-metal payload finds in EBX (Xen public/arch-x86/hvm/start_info.h, version 1).
//!
//! The info, its one module and its memory map lie in one page; the command line lies at its own address.

use super::Initrd;
use crate::{Blob, E820Entry, layout};

const MAGIC: u32 = 0x336e_c578;
const VERSION: u32 = 1;
const INFO_SIZE: u64 = 56;
const MODULE_SIZE: u64 = 32;
/// Entries that the page has room for.
const MAP_MAX: usize = 128;

/// What goes into the start info.
#[derive(Clone, Copy, Debug)]
pub struct StartInfo<'a> {
    /// The memory map; entries past the 128th are dropped.
    pub memory_map: &'a [E820Entry],
    /// Where the RSDP lies.
    pub rsdp: u64,
    /// The initial RAM disk: the first module.
    pub initrd: Option<Initrd>,
}

impl StartInfo<'_> {
    /// Start info, module list and memory map; the entry code gets the blob's address.
    pub fn build(&self) -> Blob {
        let address = layout::PVH_START_INFO;
        let (modules, map) = (address + INFO_SIZE, address + INFO_SIZE + MODULE_SIZE);
        let entries = self.memory_map.len().min(MAP_MAX);
        let mut info = Writer(Vec::new());
        info.u32(MAGIC);
        info.u32(VERSION);
        info.u32(0); // flags
        info.u32(self.initrd.is_some().into());
        info.u64(if self.initrd.is_some() { modules } else { 0 });
        info.u64(layout::COMMAND_LINE);
        info.u64(self.rsdp);
        info.u64(map);
        info.u32(entries as u32);
        info.u32(0); // reserved
        info.module(self.initrd.unwrap_or(Initrd { address: 0, size: 0 }));
        self.memory_map.iter().take(entries).for_each(|entry| info.entry(entry));
        Blob { address, bytes: info.0 }
    }
}

struct Writer(Vec<u8>);

impl Writer {
    fn u32(&mut self, value: u32) {
        self.0.extend(value.to_le_bytes());
    }

    fn u64(&mut self, value: u64) {
        self.0.extend(value.to_le_bytes());
    }

    fn module(&mut self, module: Initrd) {
        self.u64(module.address);
        self.u64(module.size);
        self.u64(0); // command line
        self.u64(0); // reserved
    }

    fn entry(&mut self, entry: &E820Entry) {
        self.u64(entry.range.base);
        self.u64(entry.range.size);
        self.u32(entry.kind as u32);
        self.u32(0); // reserved
    }
}

#[cfg(test)]
mod tests;
