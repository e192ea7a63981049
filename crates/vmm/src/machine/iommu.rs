//! The IOMMU that the platform asks for.

use anyhow::{Context, Result};
use pando_vtd::{Config, RemappingUnit};

use super::tree::{IommuParts, Parts};
use crate::platform::IommuModel;

/// Makes it; nothing for a machine without one.
pub(super) fn build(parts: &Parts<'_>) -> Result<IommuParts> {
    let (IommuModel::Vtd, Some(dmar)) = (parts.platform.iommu, &parts.layout.dmar) else {
        return Ok(IommuParts::default());
    };
    let config = Config { host_width: dmar.address_width.into(), ..Config::default() };
    let unit = RemappingUnit::new(config, parts.ram, parts.epochs.clone(), parts.msi.clone())
        .context("making the IOMMU")?;
    let (reset, told) = (unit.clone(), unit.clone());
    Ok(IommuParts {
        iommu: Some(unit.clone()),
        registers: Some(unit),
        reset: Some(Box::new(move || reset.reset())),
        report: Some(Box::new(move || serde_json::to_value(told.report()))),
    })
}
