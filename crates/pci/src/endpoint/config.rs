//! What an endpoint is built from.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use pando_tlp::IntxWire;

use crate::bar::Bar;
use crate::bar::Bars;
use crate::capability::extended::Acs;
use crate::capability::pcie::LinkWidth;
use crate::error::ConfigError;
use crate::header::Identity;
use crate::spec::msi::{MSIX_ENTRY, MSIX_VECTORS};

/// A physical function, and its virtual functions if it has any.
#[derive(Clone, Debug)]
pub struct EndpointConfig {
    /// Device and function number, the low eight bits of its id. Below a port: the function number alone.
    pub function: u8,
    /// Whether its device has several physical functions (Header Type bit 7).
    pub multi_function: bool,
    /// The next physical function of the device in its ARI capability; 0 at the last.
    pub next_function: u8,
    /// Who it is.
    pub identity: Identity,
    /// On the root bus, without a link and without ARI.
    pub integrated: bool,
    /// A conventional PCI function: no PCI Express capability, no extended configuration space, so neither ACS nor VFs.
    pub conventional: bool,
    /// Its link.
    pub link: LinkWidth,
    /// Max_Payload_Size Supported: 128 bytes times 2 to the power of this, at most 5.
    pub max_payload: u8,
    /// Access control between the functions of a device, if it has any.
    pub acs: Option<Acs>,
    /// Whether it has an interrupt pin: INTA for function 0, INTB for function 1, and so on in turn.
    pub interrupt_pin: bool,
    /// Device Serial Number, if it has one: an EUI-64.
    pub serial_number: Option<u64>,
    /// BARs, MSI, MSI-X, vendor capabilities and their places.
    pub resources: Resources,
    /// The SR-IOV capability, if it has one.
    pub sriov: Option<SriovConfig>,
}

impl EndpointConfig {
    /// Function 0 below a port, with nothing but what every function has.
    pub fn new(identity: Identity, resources: Resources) -> Self {
        Self {
            function: 0,
            multi_function: false,
            next_function: 0,
            identity,
            integrated: false,
            conventional: false,
            link: LinkWidth::default(),
            max_payload: 0,
            acs: None,
            interrupt_pin: false,
            serial_number: None,
            resources,
            sriov: None,
        }
    }

    /// The wire of its interrupt pin. Function numbers of an ARI device go on beyond 7.
    pub(super) fn wire(&self) -> Option<IntxWire> {
        self.interrupt_pin.then(|| IntxWire::new(self.function))
    }
}

/// What one kind of function (PF or VF) has for its driver.
#[derive(Clone, Debug, Default)]
pub struct Resources {
    /// Memory BARs; of a VF: its VF BARs, each of the size of one VF.
    pub bars: Vec<Bar>,
    /// MSI vectors: none, or 1, 2, 4, 8, 16 or 32 of them.
    pub msi: Option<u16>,
    /// MSI-X, if it has any.
    pub msix: Option<MsixConfig>,
    /// Vendor-specific capabilities, in the order of their list. Their place in it is the `index` of the model's calls.
    pub vendor: Vec<VendorCapability>,
    /// Fixed offsets of capabilities; what isn't fixed is placed behind the header in the order PM, PCI Express, MSI, MSI-X, vendor,
    /// and from 0x100 in the order AER, ARI, ACS, Device Serial Number, SR-IOV.
    pub offsets: CapabilityOffsets,
}

/// Where the MSI-X table and pending bits lie, and how many vectors there are (7.7.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MsixConfig {
    /// Number of vectors, 1 to 2048.
    pub vectors: u16,
    /// The BAR that holds both.
    pub bar: u8,
    /// Offset of the table in it, in bytes, a multiple of 8.
    pub table: u32,
    /// Offset of the pending bits in it, in bytes, a multiple of 8.
    pub pba: u32,
}

/// A vendor-specific capability (7.9.4).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VendorCapability {
    /// Its bytes; the first two (id and next pointer) are ignored.
    pub bytes: Vec<u8>,
    /// A one for every bit that a guest may write; shorter than `bytes` where the rest is read-only.
    pub writable: Vec<u8>,
    /// A fixed place.
    pub offset: Option<u16>,
}

/// Fixed places of capabilities.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "each field is the capability of its name")]
pub struct CapabilityOffsets {
    pub power_management: Option<u16>,
    pub pci_express: Option<u16>,
    pub msi: Option<u16>,
    pub msix: Option<u16>,
    pub aer: Option<u16>,
    pub ari: Option<u16>,
    pub acs: Option<u16>,
    pub serial_number: Option<u16>,
    pub sriov: Option<u16>,
}

/// The virtual functions of a PF (9.3.3).
#[derive(Clone, Debug)]
pub struct SriovConfig {
    /// TotalVFs, not zero.
    pub total_vfs: u16,
    /// VF Device ID.
    pub device: u16,
    /// Subsystem ID of every VF; the rest of the identity is the PF's.
    pub subsystem: u16,
    /// First VF Offset and VF Stride while ARI Capable Hierarchy is set.
    pub with_ari: VfPlacement,
    /// First VF Offset and VF Stride while it is clear.
    pub without_ari: VfPlacement,
    /// ARI Capable Hierarchy of the device: one value for all its PFs, writable in the lowest-numbered.
    pub ari: AriHierarchy,
    /// Whether this PF is the lowest-numbered of its device.
    pub lowest: bool,
    /// Function Dependency Link; without dependency its own function number.
    pub dependency: u8,
    /// What each VF has for its driver.
    pub resources: Resources,
}

impl SriovConfig {
    /// The VFs of function 0, the device's only PF: on the functions after it with ARI, from the next bus on without.
    pub fn new(total_vfs: u16, device: u16, subsystem: u16, resources: Resources) -> Self {
        Self {
            total_vfs,
            device,
            subsystem,
            with_ari: VfPlacement { offset: 1, stride: 1 },
            without_ari: VfPlacement { offset: 0x100, stride: 1 },
            ari: AriHierarchy::default(),
            lowest: true,
            dependency: 0,
            resources,
        }
    }
}

/// The ids of VFs: the PF's plus `offset` plus VF number times `stride` (9.3.3.9, 9.3.3.10).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VfPlacement {
    /// First VF Offset, not zero.
    pub offset: u16,
    /// VF Stride, not zero.
    pub stride: u16,
}

impl VfPlacement {
    /// VF `index`'s distance from its PF.
    pub(crate) fn distance(&self, index: u16) -> u16 {
        self.offset.wrapping_add(self.stride.wrapping_mul(index))
    }

    fn check(&self, function: u8, total: u16, ari: bool) -> Result<(), ConfigError> {
        if self.offset == 0 || self.stride == 0 {
            return Err(ConfigError::Sriov("First VF Offset and VF Stride must not be zero"));
        }
        let distance =
            |index: u16| u32::from(self.offset) + u32::from(self.stride) * u32::from(index);
        let last = u32::from(function) + distance(total - 1);
        if last > u32::from(u16::MAX) {
            return Err(ConfigError::Sriov("the last VF would lie behind the last bus"));
        }
        let reachable = |index: u16| {
            let id = u32::from(function) + distance(index);
            id > 0xff || id >> 3 == u32::from(function) >> 3
        };
        if !ari && !(0..total).all(reachable) {
            return Err(ConfigError::Sriov(
                "without ARI a VF on its PF's bus must have its PF's device number",
            ));
        }
        Ok(())
    }
}

/// ARI Capable Hierarchy (9.3.3.3.5), shared by the PFs of one device.
#[derive(Clone, Debug, Default)]
pub struct AriHierarchy(Arc<AtomicBool>);

impl AriHierarchy {
    pub(crate) fn get(&self) -> bool {
        self.0.load(SeqCst)
    }

    pub(crate) fn set(&self, set: bool) {
        self.0.store(set, SeqCst);
    }
}

impl MsixConfig {
    /// Length of the table in bytes.
    pub(crate) fn table_len(&self) -> u64 {
        u64::from(self.vectors) * MSIX_ENTRY
    }

    /// Length of the pending bits in bytes: 64 in each qword.
    pub(crate) fn pba_len(&self) -> u64 {
        u64::from(self.vectors).div_ceil(64) * 8
    }

    /// Whether table and pending bits can lie there.
    pub(crate) fn check(&self, bars: &Bars) -> Result<(), ConfigError> {
        let wrong = |reason| Err(ConfigError::Msix(reason));
        let Some(bar) = bars.get(self.bar) else { return wrong("its BAR isn't there") };
        if !(1..=MSIX_VECTORS).contains(&self.vectors) {
            return wrong("there must be 1 to 2048 vectors");
        }
        if !self.table.is_multiple_of(8) || !self.pba.is_multiple_of(8) {
            return wrong("table and pending bits must lie at multiples of 8");
        }
        let (table, pba) = (u64::from(self.table), u64::from(self.pba));
        let (table_end, pba_end) = (table + self.table_len(), pba + self.pba_len());
        if table_end > bar.size || pba_end > bar.size {
            return wrong("table and pending bits must lie inside the BAR");
        }
        if table < pba_end && pba < table_end {
            return wrong("table and pending bits overlap");
        }
        Ok(())
    }
}

impl SriovConfig {
    pub(crate) fn check(&self, function: u8) -> Result<(), ConfigError> {
        if self.total_vfs == 0 {
            return Err(ConfigError::Sriov("TotalVFs must not be zero"));
        }
        self.with_ari.check(function, self.total_vfs, true)?;
        self.without_ari.check(function, self.total_vfs, false)
    }
}
