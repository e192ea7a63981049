//! What the root complex asks an IOMMU: where does this request go?

use crate::{Access, Fault, Gpa, Iova, MsiMessage, RequesterId};

/// Where a request's address leads, and how far that holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Translation {
    /// First byte of the untranslated run that contains the asked address.
    pub start: Iova,
    /// What `start` translates to.
    pub target: Gpa,
    /// Length of the run in bytes; it contains the asked address.
    pub len: u64,
    /// Whether reads are permitted in the run.
    pub read: bool,
    /// Whether writes are permitted in the run.
    pub write: bool,
}

/// An IOMMU between the tree and memory. Faults are recorded by the IOMMU itself; the caller only learns that there was one.
pub trait Iommu: Send + Sync {
    /// Translates a memory request.
    fn translate(
        &self,
        source: RequesterId,
        address: Iova,
        access: Access,
    ) -> Result<Translation, Fault>;

    /// Remaps an interrupt request.
    fn remap(&self, source: RequesterId, message: MsiMessage) -> Result<MsiMessage, Fault>;
}
