//! What the benches share: guest memory with two functions' rings in it, the driver's side, and the engines compared.
//!
//! The driver runs on the caller's thread, the engine on another one. Leaves out IOMMU translation and placement of threads.

mod driver;
mod peers;
mod queues;

pub use driver::{Driver, Machine, SIZE};
pub use peers::{plain_loop, virtio_queue};
pub use queues::{RawReceive, RawTransmit};
