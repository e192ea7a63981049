//! Where the PCI tree meets the machine: what it is given, and what it gives back.

use std::sync::Arc;

use anyhow::Result;
use kvm_ioctls::VmFd;
use pando_firmware::{Platform, Range, layout};
use pando_tlp::{
    Access, Dma, Epochs, Fault, GuestRam, Iova, MSI_RANGE, Mmio, MsiMessage, MsiSink, RequesterId,
    Target,
};

/// What a tree is built from.
pub struct Parts<'a> {
    /// Addresses of configuration space, windows and remapping unit.
    pub platform: &'a Platform,
    /// Guest memory, for requests that reach it.
    pub ram: GuestRam,
    /// The local APICs, for interrupts that need no more translation.
    pub msi: Arc<dyn MsiSink>,
    /// The machine's epochs.
    pub epochs: &'a Arc<Epochs>,
    /// For doorbells that KVM answers by itself (ioeventfd).
    pub vm: &'a Arc<VmFd>,
}

/// What the machine needs of a tree.
pub struct Tree {
    /// Who answers in which range of guest physical addresses: configuration space, memory windows, remapping unit.
    pub windows: Vec<(Range, Arc<dyn Mmio>)>,
    /// The IOAPIC's way to the CPUs, with its own requester id.
    pub ioapic: Arc<dyn Dma>,
    /// Brings everything to its power-on state; called while no CPU runs, in this order.
    pub reset: Vec<Box<dyn Fn() + Send>>,
    /// Whatever must live as long as the machine: workers, uplinks.
    pub keep: Vec<Box<dyn Send>>,
}

/// A host bridge with nothing behind it: every configuration access reads all ones.
pub fn empty(parts: &Parts<'_>) -> Result<Tree> {
    let ioapic = Arc::new(StraightToCpus { msi: parts.msi.clone() });
    Ok(Tree { windows: Vec::new(), ioapic, reset: Vec::new(), keep: Vec::new() })
}

/// The IOAPIC's requests where no IOMMU is in their way.
struct StraightToCpus {
    msi: Arc<dyn MsiSink>,
}

impl Dma for StraightToCpus {
    fn requester(&self) -> RequesterId {
        RequesterId(layout::IOAPIC_REQUESTER)
    }

    fn resolve(&self, _: Iova, _: Access) -> Result<Target, Fault> {
        Ok(Target::Device)
    }

    fn read(&self, _: Iova, _: &mut [u8]) -> Result<(), Fault> {
        Err(Fault::UnsupportedRequest)
    }

    fn write(&self, address: Iova, data: &[u8]) -> Result<(), Fault> {
        match <[u8; 4]>::try_from(data) {
            Ok(data) if MSI_RANGE.contains(&address.0) => {
                let data = u32::from_le_bytes(data);
                self.msi.signal(MsiMessage { address: address.0, data });
                Ok(())
            }
            _ => Err(Fault::UnsupportedRequest),
        }
    }
}
