//! The plain description of a platform that the firmware tables are made from.

/// A range of guest physical addresses, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// First address.
    pub base: u64,
    /// Length in bytes, never zero.
    pub size: u64,
}

impl Range {
    /// The first address behind the range.
    pub fn end(self) -> u64 {
        self.base + self.size
    }
}

/// The enhanced configuration access mechanism: 1 MiB of addresses per bus, of segment 0, from bus 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ecam {
    /// Address of bus 0.
    pub base: u64,
    /// Number of buses, 1 to 256.
    pub buses: u16,
}

impl Ecam {
    /// The addresses it takes.
    pub fn range(self) -> Range {
        Range { base: self.base, size: u64::from(self.buses) << 20 }
    }

    /// The number of the last bus.
    pub fn last_bus(self) -> u8 {
        self.buses.saturating_sub(1).min(255) as u8
    }
}

/// A memory window of the host bridge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// The addresses.
    pub range: Range,
    /// Whether BARs that want prefetchable memory belong here.
    pub prefetchable: bool,
}

/// The I/O interrupt controller; its pins are GSIs 0 to 23.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IoApic {
    /// Its id, named by MADT and DMAR alike.
    pub id: u8,
    /// Address of its registers.
    pub base: u32,
}

/// A DMA remapping unit that covers every function of segment 0 and the IOAPIC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dmar {
    /// Address of its 4 KiB of registers.
    pub base: u64,
    /// Host address width in bits, 12 to 64.
    pub address_width: u8,
    /// The requester id (bus 15:8, device 7:3, function 2:0) that the IOAPIC's interrupts carry; not 0.
    pub ioapic_source: u16,
}

/// All that the guest's firmware tables tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Platform {
    /// Number of CPUs; their APIC ids are 0 to `cpus` - 1, CPU 0 boots.
    pub cpus: u8,
    /// Guest RAM, ascending, the first range from address 0.
    pub ram: Vec<Range>,
    /// Configuration space.
    pub ecam: Ecam,
    /// The host bridge's memory windows.
    pub windows: Vec<Window>,
    /// The I/O interrupt controller.
    pub ioapic: IoApic,
    /// The DMA remapping unit, if there is one.
    pub dmar: Option<Dmar>,
}
