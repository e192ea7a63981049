//! Packets: rings, batches, the embedded switch, workers and uplinks. Knows neither PCI nor KVM.
//!
//! A NIC personality gives the engine its queues as [`Transmit`] and [`Receive`]; the engine moves frames between them, one copy
//! each, from the sender's buffers into the receiver's.

pub mod fault;
pub mod packet;
pub mod pcap;
pub mod ring;
pub mod uplink;
pub mod vnet;

mod capture;
mod counter;
mod doorbell;
mod finish;
mod frame;
mod offload;
mod queue;
mod rss;
mod switch;
#[cfg(test)]
mod testing;
mod worker;

pub use capture::Capture;
pub use counter::Counter;
pub use doorbell::Doorbell;
pub use finish::{
    Delivered, Finish, FinishCounters, Finisher, MAX_FRAME, Sum, Taker, Unfinishable, ether_type,
};
pub use frame::{Batch, Frame, FrameRef, HEAD, MacAddress, Tagging, Vlan};
pub use offload::{Accepts, Checksum, Offload, Segmentation, SegmentationKind};
pub use queue::{QueueError, Receive, Service, Transmit};
pub use rss::{HashTypes, RSS_KEY, Rss};
pub use switch::{
    DropReason, Filter, HashFilter, Mirror, Policy, Port, PortKind, PortReport, PortSettings,
    QueueCounters, QueueReport, Rate, Steer, Switch, VlanSet, Witness,
};
pub use worker::{
    Engine, EngineReport, OnError, ReceiveHandle, Reminder, TaskHandle, WorkerReport,
};
