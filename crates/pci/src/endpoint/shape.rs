//! What a PF's and a VF's configuration space look like and where its parts lie: fixed once an endpoint is built.

use std::ops::Range;
use std::sync::Arc;

use super::config::{EndpointConfig, MsixConfig, Resources, SriovConfig};
use crate::bar::Bars;
use crate::capability::extended;
use crate::capability::pcie::{self, EndpointFunction};
use crate::capability::{self, sriov};
use crate::error::ConfigError;
use crate::header::{self, Identity};
use crate::layout::{Capability, ExtendedCapability, Layout, LayoutBuilder};
use crate::spec::header::END;
use crate::spec::msi::LARGEST;
use crate::spec::sriov::PAGE_SHIFT;

/// The smallest memory BAR that is any use (7.5.1.2.1), in bytes.
const SMALLEST_BAR: u64 = 128;

/// One kind of function.
#[derive(Clone, Debug)]
pub(super) struct Shape {
    pub(super) layout: Arc<Layout>,
    pub(super) bars: Bars,
    pub(super) msix: Option<MsixConfig>,
    /// Offset of the MSI capability, and its vectors.
    pub(super) msi: Option<(u16, u16)>,
    pub(super) pm: u16,
    /// Behind the end, as AER, where the function is a conventional one.
    pub(super) pcie: u16,
    pub(super) aer: u16,
    /// Offset of the MSI-X capability.
    pub(super) msix_offset: Option<u16>,
    /// Where the vendor capabilities lie.
    pub(super) vendor: Vec<Range<u16>>,
    /// Offset of the SR-IOV capability.
    pub(super) sriov: Option<u16>,
}

impl Shape {
    /// Whether it is a conventional PCI function.
    pub(super) fn is_conventional(&self) -> bool {
        self.pcie == END
    }

    /// The physical function.
    pub(super) fn physical(config: &EndpointConfig) -> Result<Self, ConfigError> {
        let link = config.link;
        if !config.integrated && !link.is_valid() {
            return Err(ConfigError::Link { speed: link.speed, lanes: link.lanes });
        }
        config.acs.map_or(Ok(()), |acs| acs.check())?;
        let resources = &config.resources;
        let bars = Bars::new(&resources.bars, SMALLEST_BAR)?;
        let (multi, wire) = (config.multi_function, config.wire());
        let mut header = header::type0(&config.identity, multi, wire, bars.registers());
        if config.conventional {
            header::conventional(&mut header);
            return Ok(Parts::new(header, bars, resources, None)?.finish(END, None));
        }
        let pcie = pcie::endpoint(&pcie_function(config));
        let mut parts = Parts::new(header, bars, resources, Some(pcie))?;
        let aer =
            parts.extended(resources.offsets.aer, extended::aer(config.acs.is_some(), false))?;
        if !config.integrated {
            parts.extended(resources.offsets.ari, extended::ari(config.next_function))?;
        }
        if let Some(acs) = &config.acs {
            parts.extended(resources.offsets.acs, extended::acs(acs))?;
        }
        if let Some(serial) = config.serial_number {
            parts.extended(resources.offsets.serial_number, extended::serial_number(serial))?;
        }
        let sriov = match &config.sriov {
            Some(sriov) => {
                sriov.check(config.function)?;
                Some(parts.extended(resources.offsets.sriov, sriov_capability(sriov)?)?)
            }
            None => None,
        };
        Ok(parts.finish(aer, sriov))
    }

    /// Each virtual function (9.3.4).
    pub(super) fn virtual_function(
        config: &EndpointConfig,
        sriov: &SriovConfig,
    ) -> Result<Self, ConfigError> {
        let resources = &sriov.resources;
        let bars = vf_bars(sriov)?;
        let identity = Identity { subsystem: sriov.subsystem, ..config.identity };
        let header = header::virtual_function(&identity);
        let pcie = pcie::virtual_function(&pcie_function(config));
        let mut parts = Parts::new(header, bars, resources, Some(pcie))?;
        let aer = extended::aer_of_vf(config.acs.is_some());
        let aer = parts.extended(resources.offsets.aer, aer)?;
        if !config.integrated {
            parts.extended(resources.offsets.ari, extended::ari(0))?;
        }
        if let Some(acs) = &config.acs {
            parts.extended(resources.offsets.acs, extended::acs(acs))?;
        }
        Ok(parts.finish(aer, None))
    }
}

/// A shape being put together.
struct Parts {
    list: LayoutBuilder,
    bars: Bars,
    msi: Option<(u16, u16)>,
    msix: Option<MsixConfig>,
    pm: u16,
    pcie: u16,
    msix_offset: Option<u16>,
    vendor: Vec<Range<u16>>,
}

impl Parts {
    fn new(
        header: [crate::layout::Register; 16],
        bars: Bars,
        resources: &Resources,
        pcie: Option<Capability>,
    ) -> Result<Self, ConfigError> {
        let offsets = &resources.offsets;
        let mut list = LayoutBuilder::new(header);
        let pm = list.capability(offsets.power_management, capability::power_management())?;
        let pcie = match pcie {
            Some(pcie) => list.capability(offsets.pci_express, pcie)?,
            None => END,
        };
        let msi = match resources.msi {
            Some(vectors) => {
                Some((list.capability(offsets.msi, msi_capability(vectors)?)?, vectors))
            }
            None => None,
        };
        let msix_offset = match &resources.msix {
            Some(msix) => Some(list.capability(offsets.msix, msix_capability(msix, &bars)?)?),
            None => None,
        };
        let mut vendor = Vec::new();
        for wanted in &resources.vendor {
            let capability = capability::vendor(&wanted.bytes, &wanted.writable);
            let len = 4 * capability.registers.len() as u16;
            let offset = list.capability(wanted.offset, capability)?;
            vendor.push(offset..offset + len);
        }
        Ok(Self { list, bars, msi, msix: resources.msix, pm, pcie, msix_offset, vendor })
    }

    fn extended(
        &mut self,
        fixed: Option<u16>,
        capability: ExtendedCapability,
    ) -> Result<u16, ConfigError> {
        Ok(self.list.extended(fixed, capability)?)
    }

    fn finish(self, aer: u16, sriov: Option<u16>) -> Shape {
        Shape {
            layout: self.list.build(),
            bars: self.bars,
            msi: self.msi,
            msix: self.msix,
            pm: self.pm,
            pcie: self.pcie,
            aer,
            msix_offset: self.msix_offset,
            vendor: self.vendor,
            sriov,
        }
    }
}

fn pcie_function(config: &EndpointConfig) -> EndpointFunction {
    EndpointFunction {
        integrated: config.integrated,
        link: config.link,
        max_payload: config.max_payload.min(5),
    }
}

fn msi_capability(vectors: u16) -> Result<Capability, ConfigError> {
    let exists = vectors.is_power_of_two() && vectors <= 1 << LARGEST;
    if exists { Ok(capability::msi(vectors)) } else { Err(ConfigError::Msi(vectors)) }
}

fn msix_capability(msix: &MsixConfig, bars: &Bars) -> Result<Capability, ConfigError> {
    msix.check(bars)?;
    let bir = u32::from(msix.bar);
    Ok(capability::msix(msix.vectors, msix.table | bir, msix.pba | bir))
}

fn vf_bars(config: &SriovConfig) -> Result<Bars, ConfigError> {
    Bars::new(&config.resources.bars, 1 << PAGE_SHIFT)
}

fn sriov_capability(config: &SriovConfig) -> Result<ExtendedCapability, ConfigError> {
    Ok(sriov::sriov(&sriov::Registers {
        total: config.total_vfs,
        dependency: config.dependency,
        device: config.device,
        lowest: config.lowest,
        offset_stride: (config.without_ari.offset, config.without_ari.stride),
        bars: vf_bars(config)?.registers(),
    }))
}
