//! Where a function's structures lie: BARs, MSI-X, and the vendor capabilities that point to them (virtio 1.3, 4.1.4).
//!
//! BAR 0 stays free: an owner that emulates a legacy device puts its I/O BAR there. Doorbells have a page of their own, so that
//! they can be rung by event while everything else is trapped.

use pando_pci::{Bar, MsixConfig, Resources, VendorCapability};

use crate::spec::{cap, common, config};

/// The BAR of all structures.
pub(crate) const REGISTERS: u8 = 2;

/// The BAR of the MSI-X table.
const MSIX: u8 = 4;

/// The common configuration in [`REGISTERS`].
pub(crate) const COMMON: usize = 0;
/// The interrupt status.
pub(crate) const ISR: usize = 0x100;
/// Its length: one byte counts, drivers map four.
pub(crate) const ISR_LENGTH: usize = 4;
/// The device configuration.
pub(crate) const DEVICE: usize = 0x200;
/// The doorbells.
pub(crate) const NOTIFY: usize = 0x1000;
/// Their length: a page holds those of every queue a function can have.
pub(crate) const NOTIFY_LENGTH: usize = PAGE;
/// Bytes from one doorbell to the next.
pub(crate) const NOTIFY_MULTIPLIER: usize = 4;

/// The vendor capability that is a window onto the structures, by its place in the list.
pub(crate) const WINDOW: usize = 4;

const PAGE: usize = 0x1000;

/// Queues of a function with `pairs` pairs: receive and transmit of each, and the control queue.
pub(crate) fn queues(pairs: u16) -> u16 {
    2 * pairs + 1
}

/// MSI-X vectors: one for each queue, one for configuration changes.
pub(crate) fn vectors(pairs: u16) -> u16 {
    2 * pairs + 2
}

/// The offset of a queue's doorbell in [`REGISTERS`].
pub(crate) fn doorbell(queue: u16) -> u64 {
    (NOTIFY + usize::from(queue) * NOTIFY_MULTIPLIER) as u64
}

/// What a function with `pairs` pairs has for its driver.
pub(crate) fn resources(pairs: u16) -> Resources {
    let table = (usize::from(vectors(pairs)) * 16).next_multiple_of(PAGE);
    let bar = |index, size: usize| Bar {
        index,
        size: size.next_power_of_two() as u64,
        is_64bit: true,
        prefetchable: true,
    };
    Resources {
        bars: vec![bar(REGISTERS, NOTIFY + NOTIFY_LENGTH), bar(MSIX, table + PAGE)],
        msix: Some(MsixConfig { vectors: vectors(pairs), bar: MSIX, table: 0, pba: table as u32 }),
        vendor: capabilities(),
        ..Resources::default()
    }
}

/// One of each (4.1.4), because drivers take the first or the last.
fn capabilities() -> Vec<VendorCapability> {
    let multiplier = (NOTIFY_MULTIPLIER as u32).to_le_bytes();
    let mut window = structure(cap::PCI, 0, 0, 0, &[0; 4]);
    window.writable = vec![0; window.bytes.len()];
    window.writable[window::BAR] = 0xff;
    window.writable[window::OFFSET..].fill(0xff);
    vec![
        structure(cap::COMMON, REGISTERS, COMMON, common::LENGTH, &[]),
        structure(cap::NOTIFY, REGISTERS, NOTIFY, NOTIFY_LENGTH, &multiplier),
        structure(cap::ISR, REGISTERS, ISR, ISR_LENGTH, &[]),
        structure(cap::DEVICE, REGISTERS, DEVICE, config::LENGTH, &[]),
        window,
    ]
}

/// Offsets in the window's capability (`struct virtio_pci_cfg_cap`, 4.1.4.9).
pub(crate) mod window {
    pub(crate) const BAR: usize = 4;
    pub(crate) const OFFSET: usize = 8;
    pub(crate) const LENGTH: usize = 12;
    pub(crate) const DATA: usize = 16;
}

/// `struct virtio_pci_cap` with `more` behind it; the first two bytes are the list's.
fn structure(kind: u8, bar: u8, offset: usize, length: usize, more: &[u8]) -> VendorCapability {
    let mut bytes = vec![0, 0, 16 + more.len() as u8, kind, bar, 0, 0, 0];
    bytes.extend((offset as u32).to_le_bytes());
    bytes.extend((length as u32).to_le_bytes());
    bytes.extend(more);
    VendorCapability { bytes, ..VendorCapability::default() }
}
