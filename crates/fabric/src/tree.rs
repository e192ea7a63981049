//! What hangs in the tree: the bridges, the devices, and the root complex' own register windows.

use std::sync::Arc;

use pando_pci::{Bridge, Device};
use pando_tlp::Mmio;

use crate::counters::PortErrors;
use crate::topology::Topology;

/// The parts by their index in the [`Topology`]; never changes.
pub(crate) struct Tree {
    pub(crate) topology: Arc<Topology>,
    pub(crate) bridges: Vec<Bridge>,
    /// What each bridge has found wrong.
    pub(crate) errors: Vec<PortErrors>,
    pub(crate) devices: Vec<Arc<dyn Device>>,
    /// What the devices are called.
    pub(crate) names: Vec<String>,
    pub(crate) fixed: Vec<Arc<dyn Mmio>>,
}
