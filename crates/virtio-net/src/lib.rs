//! A virtio network card with virtual functions, for the drivers that a stock guest has (virtio 1.3, 4.1 and 5.1: split
//! and packed rings, used in order; checksum, TCP and UDP segmentation offload; mergeable buffers; control queue; several pairs, and
//! flows spread over them by hash; interrupts that wait for more).
//!
//! [`VirtioNic`] is the card. A function's registers are `common` (transport) and `settings` (network device), its queues
//! `transmit`, `receive` and `control_queue` on the engine's rings; `function` starts and stops them, `nic` is the `Model`.
//!
//! Left out: administration queues, legacy interface, INTx.

mod bytes;
mod coalescing;
mod common;
mod config;
mod control;
mod control_queue;
mod function;
mod hashing;
mod layout;
mod nic;
mod notifier;
mod queue;
mod receive;
mod settings;
mod shared;
mod spec;
#[cfg(test)]
mod testing;
mod transmit;
mod window;

pub use config::{
    ConfigError, DEFAULT_TOTAL_QUEUE_PAIRS, MAX_QUEUE_PAIRS, MAX_VFS, NicConfig, VfConfig,
};
pub use function::FunctionReport;
pub use nic::{BuildError, NicReport, VirtioNic};
pub use shared::Drops;
