//! One remapping hardware unit: its register page, and the answers it gives the root complex (VT-d 4.1, chapters 3 and 5).

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use pando_tlp::{
    Access, Epochs, Fault, Gpa, GuestRam, Iommu, Iova, MSI_RANGE, Mmio, MsiMessage, MsiSink,
    RequesterId, Translation,
};

use crate::context::{self, Context, Kind, Limits};
use crate::fault::{self, Faults};
use crate::interrupt::{self, Table};
use crate::iotlb::{Iotlb, Scope};
use crate::registers::Registers;
use crate::report::Report;
use crate::spec::{
    Capability, ExtendedCapability, FAULT_RECORDS, MAX_ADDRESS_MASK, Reason, offset,
};
use crate::walk::walk;

/// What a unit can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// The widest address functions may use, in bits: 39, 48 or 57. It decides the deepest table: 3, 4 or 5 levels.
    pub address_width: u32,
    /// Bits of a guest physical address, as the DMAR table says (host address width).
    pub host_width: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self { address_width: 48, host_width: 46 }
    }
}

/// A configuration no unit can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The address width isn't one of the three.
    #[error("IOMMU address width {0}: it is 39, 48 or 57 bits")]
    AddressWidth(u32),
    /// The host width is out of range.
    #[error("host address width {0}: it is 32 to 52 bits")]
    HostWidth(u32),
}

/// The tables in force. Read by every miss; replaced as a whole.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tables {
    /// The root table, with translation on.
    pub(crate) root: Option<Gpa>,
    /// The interrupt remapping table, with remapping on.
    pub(crate) interrupts: Option<Table>,
}

/// What the register file and the answering side share.
pub(crate) struct Shared {
    pub(crate) ram: GuestRam,
    pub(crate) epochs: Arc<Epochs>,
    pub(crate) faults: Faults,
    pub(crate) iotlb: Iotlb,
    pub(crate) capability: u64,
    pub(crate) extended_capability: u64,
    tables: ArcSwap<Tables>,
}

impl Shared {
    /// Puts new tables in force; when it returns, nobody uses what the old ones said.
    pub(crate) fn publish(&self, tables: Tables) {
        self.tables.store(Arc::new(tables));
        self.iotlb.invalidate(&[Scope::Global], &self.epochs);
    }
}

/// The unit.
pub struct RemappingUnit {
    limits: Limits,
    shared: Shared,
    sink: Arc<dyn MsiSink>,
    registers: Mutex<Registers>,
}

impl RemappingUnit {
    /// Bytes of its register page.
    pub const PAGE: u64 = 0x1000;

    /// A unit in its power-on state: nothing is translated, nothing remapped.
    pub fn new(
        config: Config,
        ram: GuestRam,
        epochs: Arc<Epochs>,
        sink: Arc<dyn MsiSink>,
    ) -> Result<Arc<Self>, ConfigError> {
        let levels = match config.address_width {
            39 => 3,
            48 => 4,
            57 => 5,
            other => return Err(ConfigError::AddressWidth(other)),
        };
        if !(32..=52).contains(&config.host_width) {
            return Err(ConfigError::HostWidth(config.host_width));
        }
        let shared = Shared {
            ram,
            epochs,
            faults: Faults::new(sink.clone()),
            iotlb: Iotlb::new(),
            capability: capability(config).into_bits(),
            extended_capability: extended_capability().into_bits(),
            tables: ArcSwap::default(),
        };
        let limits = Limits { levels, host_width: config.host_width };
        Ok(Arc::new(Self { limits, shared, sink, registers: Mutex::default() }))
    }

    /// Power-on state.
    pub fn reset(&self) {
        let mut registers = self.registers();
        *registers = Registers::default();
        self.shared.faults.reset();
        self.shared.publish(Tables::default());
    }

    /// State and counters.
    pub fn report(&self) -> Report {
        Report::new(&self.shared, **self.shared.tables.load(), self.limits)
    }

    fn registers(&self) -> MutexGuard<'_, Registers> {
        self.registers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Translates below the root table; the fault to record, if it is to be.
    fn find(
        &self,
        root: Gpa,
        source: RequesterId,
        address: Iova,
        access: Access,
    ) -> Result<Translation, Option<fault::Fault>> {
        let fault = |reason, no_recording: bool| {
            let read = access == Access::Read;
            (!no_recording).then_some(fault::Fault {
                source,
                reason,
                info: address.0 & !0xfff,
                read,
            })
        };
        let context = context::find(self.shared.ram, root, source, self.limits)
            .map_err(|found| fault(found.reason, found.no_recording))?;
        self.translate_in(&context, address, access)
            .map_err(|reason| fault(reason, context.no_recording))
    }

    fn translate_in(
        &self,
        context: &Context,
        address: Iova,
        access: Access,
    ) -> Result<Translation, Reason> {
        let Kind::SecondStage { table, levels } = context.kind else {
            return self.pass_through(address);
        };
        let permits = |found: &Translation| match access {
            Access::Read => found.read,
            Access::Write => found.write,
        };
        // A cached entry that denies may be out of date: tables decide about faults, never the cache.
        if let Some(cached) = self.shared.iotlb.lookup(context.domain, address).filter(permits) {
            return outside_interrupts(cached, address);
        }
        let found = walk(self.shared.ram, table, levels, self.limits.host_width, address, access)?;
        let found = outside_interrupts(found, address)?;
        self.shared.iotlb.insert(context.domain, &found);
        Ok(found)
    }

    fn pass_through(&self, address: Iova) -> Result<Translation, Reason> {
        if address.0 >> self.limits.host_width != 0 {
            return Err(Reason::BEYOND_WIDTH);
        }
        Ok(identity(1 << self.limits.host_width))
    }
}

/// No translation leads to where interrupts are, not even out of the middle of a large page (3.14).
fn outside_interrupts(found: Translation, address: Iova) -> Result<Translation, Reason> {
    let result = found.target.0 + (address.0 - found.start.0);
    if MSI_RANGE.contains(&result) { Err(Reason::RESULT_IS_INTERRUPT) } else { Ok(found) }
}

fn identity(len: u64) -> Translation {
    Translation { start: Iova(0), target: Gpa(0), len, read: true, write: true }
}

impl Iommu for RemappingUnit {
    fn translate(
        &self,
        source: RequesterId,
        address: Iova,
        access: Access,
    ) -> Result<Translation, Fault> {
        let Some(root) = self.shared.tables.load().root else { return Ok(identity(u64::MAX)) };
        self.find(root, source, address, access).map_err(|fault| {
            if let Some(fault) = fault {
                self.shared.faults.record(fault);
            }
            Fault::Translation
        })
    }

    fn remap(&self, source: RequesterId, message: MsiMessage) -> Result<MsiMessage, Fault> {
        let Some(table) = self.shared.tables.load().interrupts else { return Ok(message) };
        interrupt::remap(self.shared.ram, &table, source, message).map_err(|blocked| {
            if !blocked.no_recording {
                let info = u64::from(blocked.index) << 48;
                self.shared.faults.record(fault::Fault {
                    source,
                    reason: blocked.reason,
                    info,
                    read: false,
                });
            }
            Fault::Translation
        })
    }
}

impl Mmio for RemappingUnit {
    fn read(&self, at: u64, data: &mut [u8]) {
        let bytes = self.registers().read(&self.shared, at & !7).to_le_bytes();
        let start = (at & 7) as usize;
        for (byte, value) in
            data.iter_mut().zip(bytes[start..].iter().chain(std::iter::repeat(&0xff)))
        {
            *byte = *value;
        }
    }

    /// Registers are written by whole, aligned dwords or quadwords (11.2); anything else is dropped.
    fn write(&self, at: u64, data: &[u8]) {
        let (value, mask) = match (data.len(), at & 7) {
            (8, 0) => (u64::from_le_bytes(data.try_into().unwrap_or_default()), u64::MAX),
            (4, shift @ (0 | 4)) => {
                let value = u64::from(u32::from_le_bytes(data.try_into().unwrap_or_default()));
                (value << (8 * shift), u64::from(u32::MAX) << (8 * shift))
            }
            _ => return,
        };
        let message = self.registers().write(&self.shared, at & !7, value, mask);
        if let Some(message) = message {
            self.sink.signal(message);
        }
    }
}

fn capability(config: Config) -> Capability {
    let widths = match config.address_width {
        39 => 0b010,
        48 => 0b110,
        _ => 0b1110,
    };
    Capability::new()
        .with_domains(6)
        .with_widths(widths)
        .with_max_width((config.address_width - 1) as u8)
        .with_zero_length_read(true)
        .with_fault_offset((offset::FRCD / 16) as u16)
        .with_large_pages(0b11)
        .with_page_selective(true)
        .with_fault_records(FAULT_RECORDS as u8 - 1)
        .with_max_address_mask(MAX_ADDRESS_MASK as u8)
        .with_write_draining(true)
        .with_read_draining(true)
}

fn extended_capability() -> ExtendedCapability {
    ExtendedCapability::new()
        .with_coherent(true)
        .with_queued_invalidation(true)
        .with_interrupt_remapping(true)
        .with_extended_interrupt(true)
        .with_pass_through(true)
        .with_snoop_control(true)
        .with_iotlb_offset((offset::IVA / 16) as u16)
        .with_max_handle_mask(15)
}

#[cfg(test)]
mod tests;
