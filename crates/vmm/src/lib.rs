//! A machine on KVM: guest RAM, vCPUs, interrupt controllers, console, and the wiring of a PCI tree to them.
//!
//! No register of a PCI device and no policy lives here. [`machine::Machine`] is the whole; [`machine::tree`] builds what hangs in it.

pub mod bus;
pub mod com1;
pub mod console;
pub mod control;
pub mod crew;
pub mod doorbells;
pub mod irq;
pub mod kvm;
pub mod load;
pub mod machine;
pub mod platform;
pub mod ports;
pub mod ram;
pub mod signals;
pub mod user_error;
pub mod vcpu;
