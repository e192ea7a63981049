//! Interrupts: the IOAPIC in user space, and the way from a final message into KVM's local APICs.

pub mod ioapic;
pub mod msi;
