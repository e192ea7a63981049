//! What sits below a port, as the tree sees it: configuration requests, decoded windows, register accesses, reset.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use pando_tlp::{Access, ErrorMessage, Gpa, RequesterId};

use crate::{DetectedError, FunctionId};

bitflags::bitflags! {
    /// What a configuration write asks the tree to do, once every lock is dropped. The new state is read off the function.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Effects: u8 {
        /// What the function decodes has changed: BARs, Memory Space Enable, VF Enable, VF MSE, windows, power state, reset.
        const DECODE = 1 << 0;
        /// A bridge's bus numbers have changed.
        const BUS_NUMBERS = 1 << 1;
        /// A bridge's Secondary Bus Reset bit went from 0 to 1: reset everything below.
        const SECONDARY_BUS_RESET = 1 << 2;
        /// What a port does with requests has changed: ACS control, ARI forwarding, Bus Master Enable of a bridge.
        const ROUTING = 1 << 3;
    }
}

/// Which bytes of a dword a configuration access touches: bit n is byte n.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByteEnables(pub u8);

impl ByteEnables {
    /// All four bytes.
    pub const ALL: Self = Self(0xf);

    /// The dword mask: 0xff in every enabled byte.
    pub fn mask(self) -> u32 {
        (0..4)
            .filter(|byte| self.0 >> byte & 1 != 0)
            .fold(0, |mask, byte| mask | 0xff << (8 * byte))
    }
}

/// How a configuration request arrives at a link (PCI Express base 6.0, 2.2.7.1 and 7.3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigKind {
    /// For the bus of this link: functions capture its bus number on writes.
    Type0,
    /// For a bus behind it: only a device with VFs on further bus numbers answers.
    Type1,
}

/// A register window of a device, named by what it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Region {
    /// A BAR (0 to 5) of the function itself.
    Bar(u8),
    /// A VF BAR (0 to 5): the windows of all enabled VFs, one after the other.
    VfBar(u8),
}

/// An address range that a device claims now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decoded {
    /// First address.
    pub base: Gpa,
    /// Length in bytes; not zero, does not wrap.
    pub len: u64,
    /// What answers there.
    pub region: Region,
}

/// A register that, instead of being written through an exit, may ring an event: the data written doesn't matter.
#[derive(Clone, Debug)]
pub struct Doorbell {
    /// The window it lies in.
    pub region: Region,
    /// Offset in that window in bytes.
    pub offset: u64,
    /// The eventfd to ring.
    pub event: Arc<OwnedFd>,
}

/// Which function of a device an error belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorPlace {
    /// The one with this id.
    Function(RequesterId),
    /// The one whose register lies at this offset of the region.
    Register(Region, u64),
}

/// A function with its VFs, below a port or on the root bus. Methods take no lock that is held while the tree is called.
pub trait Device: Send + Sync {
    /// Reads the dword at `register` (a multiple of 4 below 4096); `None` if no function of this device has the id `target`.
    fn config_read(&self, kind: ConfigKind, target: RequesterId, register: u16) -> Option<u32>;

    /// Writes the enabled bytes of the dword at `register`; `None` if no function of this device has the id `target`.
    /// What the write asks of the device itself (FLR, VF enable, gates) is done when this returns.
    fn config_write(
        &self,
        kind: ConfigKind,
        target: RequesterId,
        register: u16,
        value: u32,
        enables: ByteEnables,
    ) -> Option<Effects>;

    /// Appends every range claimed now.
    fn decoded(&self, ranges: &mut Vec<Decoded>);

    /// Reads registers: 1, 2, 4 or 8 bytes inside the region.
    fn read(&self, region: Region, offset: u64, data: &mut [u8]);

    /// Writes registers: 1, 2, 4 or 8 bytes inside the region.
    fn write(&self, region: Region, offset: u64, data: &[u8]);

    /// Whether an access to these registers ends as Completer Abort. It isn't carried out then, and the tree says so to the
    /// device by [`detect`](Self::detect).
    fn refuses(&self, _region: Region, _offset: u64, _len: usize, _access: Access) -> bool {
        false
    }

    /// A function of the device has received a request that is wrong: it logs the error and reports it through its link. Takes
    /// no lock that is held while the tree is called.
    fn detect(&self, _place: ErrorPlace, _error: &DetectedError) {}

    /// An error message of a function integrated into the root complex, offered to what else is there: whether this is its
    /// collector.
    fn collect(&self, _source: RequesterId, _message: ErrorMessage) -> bool {
        false
    }

    /// Appends every doorbell wanted now.
    fn doorbells(&self, doorbells: &mut Vec<Doorbell>);

    /// Conventional reset (power-on, hot reset): every function to its power-on state, VFs gone. No DMA when it returns.
    fn reset(&self);

    /// Hot reset (from the port above): like [`reset`](Self::reset), except that sticky registers keep their values (6.6.1, 7.4).
    fn hot_reset(&self) {
        self.reset();
    }

    /// Who answers to `target`, for reports and logs.
    fn function(&self, target: RequesterId) -> Option<FunctionId>;
}
