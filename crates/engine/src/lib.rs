//! Packets: rings, batches, the embedded switch, workers and uplinks. Knows neither PCI nor KVM.
//!
//! A NIC personality gives the engine its queues as [`Transmit`] and [`Receive`]; the engine moves frames between them, one copy
//! each, from the sender's buffers into the receiver's.

mod frame;
mod offload;
mod queue;

pub use frame::{Batch, Frame, FrameRef, HEAD, MacAddress, Vlan};
pub use offload::{Accepts, Checksum, Offload, Segmentation, SegmentationKind};
pub use queue::{QueueError, Receive, Service, Transmit};
