//! What makes a function a NIC, as its configuration space sees it.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use pando_tlp::Access;

/// A function of a card.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FunctionId {
    /// The physical function.
    Pf,
    /// The virtual function of this number, from 0.
    Vf(u16),
}

/// The registers and the behaviour behind the BARs of a PF and its VFs. The MSI-X table and PBA are not part of it.
///
/// Called from vCPU threads, with none of the function's locks held. A function that doesn't exist now isn't called for.
pub trait Model: Send + Sync {
    /// Reads registers of `bar`: 1, 2, 4 or 8 bytes inside it.
    fn read(&self, function: FunctionId, bar: u8, offset: u64, data: &mut [u8]);

    /// Writes registers of `bar`: 1, 2, 4 or 8 bytes inside it.
    fn write(&self, function: FunctionId, bar: u8, offset: u64, data: &[u8]);

    /// Whether an access to registers of `bar` is refused (Completer Abort): then it isn't carried out.
    fn refuses(
        &self,
        _function: FunctionId,
        _bar: u8,
        _offset: u64,
        _len: usize,
        _access: Access,
    ) -> bool {
        false
    }

    /// Power-on state for this function alone. Its gate is closed; when this returns, nothing works on its queues any more.
    fn reset(&self, function: FunctionId);

    /// The function may send requests again (`true`) or not: Bus Master Enable and power state. Queues keep their state, and
    /// work that was held up goes on.
    fn bus_master(&self, function: FunctionId, enabled: bool);

    /// VFs 0 to `count` - 1 exist from now on, in power-on state; with 0 none does (each was reset before).
    fn virtual_functions(&self, count: u16);

    /// Appends (bar, offset, eventfd) for each doorbell register of `function` that may ring an event now. The tree asks some time
    /// after a change and rings the old event until then, so a queue keeps its event from one life to the next.
    fn doorbells(&self, function: FunctionId, doorbells: &mut Vec<(u8, u64, Arc<OwnedFd>)>);

    /// Reads the dword at `offset` of the vendor capability number `index`, if its bytes are not plain storage (virtio's
    /// configuration access window); `None` for plain storage. `offset` counts from the capability's first byte and is a
    /// multiple of 4.
    fn vendor_read(&self, _function: FunctionId, _index: usize, _offset: u16) -> Option<u32> {
        None
    }

    /// Told of a write to the dword at `offset` (as above) of vendor capability number `index`, after it was stored; `bytes` are
    /// the capability's new content from its first byte on.
    fn vendor_write(&self, _function: FunctionId, _index: usize, _offset: u16, _bytes: &[u8]) {}
}
