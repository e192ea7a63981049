//! The one way out of a function: memory requests and interrupts that carry its requester id.

use crate::{Iova, MsiMessage, RequesterId, Run};

/// What a request wants to do at its address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// A memory read request (non-posted).
    Read,
    /// A memory write request (posted).
    Write,
}

/// What a request can say beside where it goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    /// A write whose data is known to be wrong (error forwarding, 2.7.2): whoever receives it throws it away and reports the
    /// error; the sender learns nothing of that.
    pub poisoned: bool,
    /// Its address is said to be translated already (AT = 10b, 10.2.1).
    pub translated: bool,
}

/// Why a request did not reach its target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The function may not send now: bus mastering off, not in D0, in reset, or not there. The request vanishes.
    #[error("the function may not send requests now")]
    Gated,
    /// Nobody claims the address (Unsupported Request).
    #[error("unsupported request: nobody claims the address")]
    UnsupportedRequest,
    /// An access control or a device refused (Completer Abort).
    #[error("completer abort")]
    CompleterAbort,
    /// The IOMMU did not let the address or the interrupt through; it has recorded why.
    #[error("blocked by the IOMMU")]
    Translation,
}

/// Where requests to an address go.
#[derive(Clone, Copy, Debug)]
pub enum Target {
    /// Guest RAM: `run` starts at `start` and contains the asked address.
    Ram {
        /// The first address of the run as the function sees it.
        start: Iova,
        /// The memory.
        run: Run,
        /// Whether the function may read it.
        read: bool,
        /// Whether the function may write it.
        write: bool,
    },
    /// Another function's registers, or an interrupt: use [`Dma::read`] and [`Dma::write`] for each access.
    Device,
}

/// A function's access to the tree above it. Every request is stamped with the function's current requester id, checked
/// against its gate, and routed by the tree.
///
/// Call it while holding a [`Guard`](crate::Guard), so that whoever stops or redirects the function can wait for you.
pub trait Dma: Send + Sync {
    /// The requester id that requests carry now.
    fn requester(&self) -> RequesterId;

    /// Finds where accesses around `address` go. The answer holds until the epoch it was asked in ends.
    fn resolve(&self, address: Iova, access: Access) -> Result<Target, Fault>;

    /// Reads `data.len()` bytes, wherever they lie; on a fault `data` is unspecified.
    fn read(&self, address: Iova, data: &mut [u8]) -> Result<(), Fault>;

    /// Writes `data`, wherever it goes; on a fault a part may have been written.
    fn write(&self, address: Iova, data: &[u8]) -> Result<(), Fault>;

    /// Reads as [`read`](Self::read) does, by requests with marks. Nobody claims them unless the tree knows of marks.
    fn read_marked(&self, _address: Iova, _data: &mut [u8], _marks: Marks) -> Result<(), Fault> {
        Err(Fault::UnsupportedRequest)
    }

    /// Writes as [`write`](Self::write) does, by requests with marks. Nobody claims them unless the tree knows of marks.
    fn write_marked(&self, _address: Iova, _data: &[u8], _marks: Marks) -> Result<(), Fault> {
        Err(Fault::UnsupportedRequest)
    }

    /// Sends an MSI: a 4-byte write of `message.data` to `message.address`.
    fn interrupt(&self, message: MsiMessage) -> Result<(), Fault> {
        self.write(Iova(message.address), &message.data.to_le_bytes())
    }
}
