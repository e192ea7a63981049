//! The cards of a tree, and its IOMMU: one line per model.

use anyhow::Result;
use pando_fabric::FabricBuilder;

use super::tree::{IommuParts, Parts};
use crate::platform::Nic;

/// What the cards of one machine share.
pub(super) struct Cards {
    reset: Vec<Box<dyn Fn() + Send>>,
    keep: Vec<Box<dyn Send>>,
}

/// Reset hooks, and what lives as long as the machine.
type Finished = (Vec<Box<dyn Fn() + Send>>, Vec<Box<dyn Send>>);

impl Cards {
    pub(super) fn new(_parts: &Parts<'_>) -> Result<Self> {
        Ok(Self { reset: Vec::new(), keep: Vec::new() })
    }

    /// After the tree is built.
    pub(super) fn finish(self) -> Result<Finished> {
        Ok((self.reset, self.keep))
    }
}

/// The IOMMU that the platform asks for.
pub(super) fn iommu(_parts: &Parts<'_>) -> Result<IommuParts> {
    Ok(IommuParts::default())
}

/// Plugs a device into `port`: one card per function.
pub(super) fn attach(
    _fabric: &mut FabricBuilder,
    _cards: &mut Cards,
    port: &str,
    nics: &[&Nic],
    _parts: &Parts<'_>,
) -> Result<()> {
    for nic in nics {
        tracing::warn!(port, nic = nic.id.as_str(), "left out: no card model is connected yet");
    }
    Ok(())
}

/// Puts a card on the root bus.
pub(super) fn attach_integrated(
    _fabric: &mut FabricBuilder,
    _cards: &mut Cards,
    nic: &Nic,
    _parts: &Parts<'_>,
) -> Result<()> {
    tracing::warn!(nic = nic.id.as_str(), "left out: no card model is connected yet");
    Ok(())
}
