//! The fixed part of an endpoint, made once from its configuration.

use pando_tlp::IntxWire;

use super::config::{AriHierarchy, EndpointConfig, VfPlacement};
use super::shape::Shape;
use crate::FunctionId;
use crate::error::ConfigError;

/// What a card is, whatever its registers say.
#[derive(Debug)]
pub(super) struct Card {
    /// The PF's device and function number.
    pub(super) function: u8,
    /// The wire of its interrupt pin.
    pub(super) wire: Option<IntxWire>,
    pub(super) pf: Shape,
    pub(super) vf: Option<VfCard>,
}

/// What its VFs are.
#[derive(Debug)]
pub(super) struct VfCard {
    pub(super) shape: Shape,
    pub(super) total: u16,
    /// Whether ARI Capable Hierarchy is written through this PF.
    pub(super) lowest: bool,
    pub(super) ari: AriHierarchy,
    with_ari: VfPlacement,
    without_ari: VfPlacement,
}

impl Card {
    pub(super) fn new(config: &EndpointConfig) -> Result<Self, ConfigError> {
        let vf = config.sriov.as_ref().filter(|_| !config.conventional).map(|sriov| {
            Ok::<_, ConfigError>(VfCard {
                shape: Shape::virtual_function(config, sriov)?,
                total: sriov.total_vfs,
                lowest: sriov.lowest,
                ari: sriov.ari.clone(),
                with_ari: sriov.with_ari,
                without_ari: sriov.without_ari,
            })
        });
        let (function, wire) = (config.function, config.wire());
        Ok(Self { function, wire, pf: Shape::physical(config)?, vf: vf.transpose()? })
    }

    pub(super) fn shape(&self, function: FunctionId) -> Option<&Shape> {
        match function {
            FunctionId::Pf => Some(&self.pf),
            FunctionId::Vf(_) => self.vf.as_ref().map(|vf| &vf.shape),
        }
    }
}

impl VfCard {
    /// First VF Offset and VF Stride now.
    pub(super) fn placement(&self) -> VfPlacement {
        if self.ari.get() { self.with_ari } else { self.without_ari }
    }
}
