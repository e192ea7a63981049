//! What the card says it is: ids, BARs and capabilities (82599 datasheet, 9.3 to 9.5).
//!
//! Drivers know three capability offsets by heart (MSI-X at 70h, PCI Express at a0h), so all lie where the chip has them. Leaves
//! out I/O BAR, expansion ROM and VPD.

use pando_pci::{
    Bar, CapabilityOffsets, EndpointConfig, Identity, MsixConfig, Resources, Slot, SriovConfig,
    VfPlacement,
};

use crate::settings::NicConfig;
use crate::spec::general::SPACE;

/// BAR of the registers.
pub(crate) const REGISTERS: u8 = 0;
/// Bytes of a VF's register space.
pub(crate) const VF_SPACE: u32 = 0x4000;
/// MSI-X vectors of a VF.
pub(crate) const VF_VECTORS: u16 = 3;

const PF_MSIX: u8 = 4;
const VF_MSIX: u8 = 3;
const PF_VECTORS: u16 = 64;
const MSIX_SPACE: u64 = 0x4000;
const PBA: u32 = 0x2000;

const VENDOR: u16 = 0x8086;
const REVISION: u8 = 1;
const CLASS: u32 = 0x02_0000;

/// Which member of the family the card is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Model {
    /// A backplane card (82599EB, 10f8h): link without module, PHY or firmware.
    #[default]
    CombinedBackplane,
    /// A card with an SFP+ cage (82599ES, 10fbh) and a passive copper cable in it.
    SfpPlus,
    /// A card with a 10GBASE-T port (X540, 1528h): a PHY, queues with a longest frame of their own, pools that see every address.
    BaseT,
}

impl Model {
    fn device(self) -> u16 {
        match self {
            Self::CombinedBackplane => 0x10f8,
            Self::SfpPlus => 0x10fb,
            Self::BaseT => 0x1528,
        }
    }

    fn vf_device(self) -> u16 {
        match self {
            Self::CombinedBackplane | Self::SfpPlus => 0x10ed,
            Self::BaseT => 0x1515,
        }
    }

    /// Bytes of the PF's registers as its BAR shows them; behind [`SPACE`] there are none.
    fn registers(self) -> u64 {
        match self {
            Self::CombinedBackplane | Self::SfpPlus => SPACE.into(),
            Self::BaseT => 0x20_0000,
        }
    }

    /// A subsystem without wake on LAN: drivers then reset the link together with the rest.
    fn subsystem(self) -> u16 {
        match self {
            Self::CombinedBackplane | Self::SfpPlus => 0x000c,
            Self::BaseT => 0x0001,
        }
    }
}

/// The configuration space of the card at `slot`.
pub(crate) fn endpoint(config: &NicConfig, slot: &Slot) -> EndpointConfig {
    let identity = Identity {
        vendor: VENDOR,
        device: config.model.device(),
        revision: REVISION,
        class: CLASS,
        subsystem_vendor: VENDOR,
        subsystem: config.model.subsystem(),
    };
    let bars = vec![bar(REGISTERS, config.model.registers()), bar(PF_MSIX, MSIX_SPACE)];
    let resources = Resources { msi: Some(1), ..resources(bars, PF_VECTORS, PF_MSIX) };
    let mut endpoint = EndpointConfig::new(identity, resources);
    endpoint.interrupt_pin = true;
    endpoint.max_payload = 2; // 512 bytes
    let [a, b, c, d, e, f] = config.mac.0;
    endpoint.serial_number = Some(u64::from_be_bytes([a, b, c, 0xff, 0xff, d, e, f]));
    endpoint.sriov = (config.vfs > 0).then(|| sriov(config));
    endpoint.place(slot);
    endpoint
}

fn sriov(config: &NicConfig) -> SriovConfig {
    let bars = vec![bar(REGISTERS, VF_SPACE.into()), bar(VF_MSIX, MSIX_SPACE)];
    let resources = resources(bars, VF_VECTORS, VF_MSIX);
    let model = config.model;
    let mut sriov = SriovConfig::new(config.vfs, model.vf_device(), model.subsystem(), resources);
    sriov.with_ari = VfPlacement { offset: 128, stride: 2 };
    sriov.without_ari = VfPlacement { offset: 384, stride: 2 };
    sriov
}

fn resources(bars: Vec<Bar>, vectors: u16, msix: u8) -> Resources {
    Resources {
        bars,
        msi: None,
        msix: Some(MsixConfig { vectors, bar: msix, table: 0, pba: PBA }),
        vendor: Vec::new(),
        offsets: CapabilityOffsets {
            power_management: Some(0x40),
            msi: Some(0x50),
            msix: Some(0x70),
            pci_express: Some(0xa0),
            aer: Some(0x100),
            serial_number: Some(0x140),
            ari: Some(0x150),
            sriov: Some(0x160),
            // Not the chip's: for platforms that want access control between functions.
            acs: Some(0x1b0),
        },
    }
}

fn bar(index: u8, size: u64) -> Bar {
    Bar { index, size, is_64bit: true, prefetchable: true }
}
