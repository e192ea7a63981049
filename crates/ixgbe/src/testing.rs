//! A machine around one card, without a tree: configuration requests and register accesses go straight to the endpoint, DMA goes
//! to a piece of memory, messages are noted down.

pub(crate) mod ipxe;
mod machine;
mod pf_driver;
mod rings;
mod vf_driver;
mod wire;

pub(crate) use machine::{Machine, NONE, Registers, eventually};
pub(crate) use pf_driver::{PfDriver, message};
pub(crate) use rings::{ReceiveRing, TransmitRing};
pub(crate) use vf_driver::VfDriver;
pub(crate) use wire::Wire;
