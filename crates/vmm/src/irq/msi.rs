//! Final interrupt messages into KVM's local APICs (Linux Documentation/virt/kvm/api.rst, KVM_SIGNAL_MSI and KVM_SET_GSI_ROUTING).
//!
//! A message that needs no more translation is injected by one ioctl, from any thread and without a lock. An eventfd with a route
//! (irqfd) costs the same system call, and its route would have to be found, and followed whenever remapping changes; it pays only
//! where another process raises the interrupt. So the routing table carries only the level-triggered IOAPIC pins, for KVM to
//! know which vectors need an EOI exit; it is rewritten when one of these changes and never for a mask of anything else.

use std::sync::{Arc, Mutex, PoisonError};

use kvm_bindings::{
    KVM_IRQ_ROUTING_MSI, KvmIrqRouting, kvm_irq_routing_entry, kvm_irq_routing_msi, kvm_msi,
};
use kvm_ioctls::VmFd;
use pando_tlp::{MsiMessage, MsiSink};

use super::ioapic::PinRoutes;
use crate::kvm::IOAPIC_PINS;

/// The local APICs of a machine, as the receiver of messages.
pub struct KvmInterrupts {
    vm: Arc<VmFd>,
    pins: Mutex<[Option<MsiMessage>; IOAPIC_PINS as usize]>,
}

impl KvmInterrupts {
    /// For the machine `vm`.
    pub fn new(vm: Arc<VmFd>) -> Self {
        Self { vm, pins: Mutex::default() }
    }
}

impl MsiSink for KvmInterrupts {
    fn signal(&self, message: MsiMessage) {
        let msi = kvm_msi {
            address_lo: message.address as u32,
            address_hi: (message.address >> 32) as u32,
            data: message.data,
            ..Default::default()
        };
        // A message to no CPU, or malformed, is dropped as on a real bus.
        if let Err(error) = self.vm.signal_msi(msi) {
            tracing::debug!(?message, %error, "KVM refused an interrupt message");
        }
    }
}

impl PinRoutes for KvmInterrupts {
    fn route(&self, pin: usize, message: Option<MsiMessage>) {
        let mut pins = self.pins.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(slot) = pins.get_mut(pin).filter(|slot| **slot != message) else { return };
        *slot = message;
        if let Err(error) = self.vm.set_gsi_routing(&routing(&*pins)) {
            tracing::debug!(pin, %error, "KVM refused the interrupt routes");
        }
    }
}

/// The whole table: it is always replaced as one.
#[expect(clippy::unwrap_used, reason = "24 entries are below the wrapper's limit of 4096")]
fn routing(pins: &[Option<MsiMessage>]) -> KvmIrqRouting {
    let entries = pins.iter().enumerate();
    let entries: Vec<_> =
        entries.filter_map(|(pin, message)| Some(entry(pin as u32, (*message)?))).collect();
    KvmIrqRouting::from_entries(&entries).unwrap()
}

fn entry(gsi: u32, message: MsiMessage) -> kvm_irq_routing_entry {
    let mut entry = kvm_irq_routing_entry { gsi, type_: KVM_IRQ_ROUTING_MSI, ..Default::default() };
    entry.u.msi = kvm_irq_routing_msi {
        address_lo: message.address as u32,
        address_hi: (message.address >> 32) as u32,
        data: message.data,
        ..Default::default()
    };
    entry
}
