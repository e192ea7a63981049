//! Packets: rings, batches, the embedded switch, workers and uplinks. Knows neither PCI nor KVM.
//!
//! A NIC personality gives the engine its queues as [`Transmit`] and [`Receive`]; the engine moves frames between them, one copy
//! each, from the sender's buffers into the receiver's.

pub mod ring;
pub mod vnet;

mod counter;
mod doorbell;
mod finish;
mod frame;
mod offload;
mod queue;
mod switch;
mod worker;

pub use doorbell::Doorbell;
pub use counter::Counter;
pub use finish::{
    Delivered, Finish, FinishCounters, Finisher, MAX_FRAME, Taker, Unfinishable,
};
pub use frame::{Batch, Frame, FrameRef, HEAD, MacAddress, Vlan};
pub use offload::{Accepts, Checksum, Offload, Segmentation, SegmentationKind};
pub use queue::{QueueError, Receive, Service, Transmit};
pub use switch::{Filter, Port, PortKind, Switch, VlanSet};
pub use worker::{Engine, OnError, ReceiveHandle, TaskHandle};
