//! Setting a queue to work: its role, its ring, and the worker it is given to (virtio 1.3, 2.6, 5.1.2).

use std::sync::Arc;

use pando_engine::ring::{PackedConfig, PackedRing, Ring, SplitConfig, SplitRing};
use pando_engine::{Doorbell, Engine, OnError, QueueError, ReceiveHandle, TaskHandle};
use pando_tlp::{Dma, DmaView, Iova};

use crate::common::QueueRegisters;
use crate::control_queue::ControlQueue;
use crate::receive::ReceiveQueue;
use crate::shared::Shared;
use crate::spec::Features;
use crate::transmit::TransmitQueue;

/// What a queue is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Receives, as this one of its function.
    Receive(u16),
    /// Transmits, as this one of its function.
    Transmit(u16),
    /// Takes commands.
    Control,
}

impl Role {
    /// The role of queue `index` in a function with `pairs` pairs whose driver negotiated `features`; `None` if it has none.
    pub(crate) fn of(index: u16, pairs: u16, features: Features) -> Option<Self> {
        let pairs = if features.contains(Features::MQ) { pairs } else { 1 };
        match (index / 2, index % 2) {
            (pair, 0) if pair < pairs => Some(Self::Receive(pair)),
            (pair, _) if pair < pairs => Some(Self::Transmit(pair)),
            (pair, 0) if pair == pairs => {
                features.contains(Features::CTRL_VQ).then_some(Self::Control)
            }
            _ => None,
        }
    }
}

/// A queue at work. Dropping it stops it too.
pub(crate) enum Running {
    Task(TaskHandle),
    Receive(ReceiveHandle),
}

impl Running {
    pub(crate) fn doorbell(&self) -> &Doorbell {
        match self {
            Self::Task(handle) => handle.doorbell(),
            Self::Receive(handle) => handle.doorbell(),
        }
    }

    /// When this returns nobody works on the queue any more.
    pub(crate) fn stop(self) {
        match self {
            Self::Task(handle) => handle.stop(),
            Self::Receive(handle) => handle.stop(),
        }
    }
}

/// What queues of one function are started with.
pub(crate) struct Starter<'a> {
    pub(crate) engine: &'a Engine,
    pub(crate) dma: &'a Arc<dyn Dma>,
    pub(crate) shared: &'a Arc<Shared>,
    pub(crate) features: Features,
}

impl Starter<'_> {
    /// Starts queue `index`; an error is the driver's.
    pub(crate) fn start(
        &self,
        index: u16,
        role: Role,
        registers: &QueueRegisters,
    ) -> Result<Running, QueueError> {
        let ring = self.ring(registers)?;
        let (engine, port, features) = (self.engine, &self.shared.port, self.features);
        let shared = self.shared.clone();
        let on_error = self.on_error(index);
        Ok(match role {
            Role::Receive(number) => {
                let queue = ReceiveQueue::new(ring, shared, index, features);
                Running::Receive(engine.receive(port, number, Box::new(queue), on_error))
            }
            Role::Transmit(number) => {
                let queue = TransmitQueue::new(ring, shared, index, features);
                Running::Task(engine.transmit(port, number, Box::new(queue), on_error))
            }
            Role::Control => {
                let queue = ControlQueue::new(ring, shared, index, features);
                Running::Task(engine.serve(Box::new(queue), on_error))
            }
        })
    }

    fn ring(&self, registers: &QueueRegisters) -> Result<Ring, QueueError> {
        let size = registers.size;
        if size > self.shared.config.queue_size {
            return Err(QueueError::Driver("queue size is beyond the maximum"));
        }
        let view = DmaView::new(self.dma.clone());
        let event_index = self.features.contains(Features::EVENT_IDX);
        let indirect = self.features.contains(Features::INDIRECT_DESC);
        let in_order = self.features.contains(Features::IN_ORDER);
        if self.features.contains(Features::RING_PACKED) {
            let config = PackedConfig {
                size,
                descriptors: Iova(registers.desc),
                driver_event: Iova(registers.driver),
                device_event: Iova(registers.device),
                event_index,
                indirect,
                in_order,
            };
            return PackedRing::new(config, view).map(Ring::Packed);
        }
        let config = SplitConfig {
            size,
            descriptors: Iova(registers.desc),
            available: Iova(registers.driver),
            used: Iova(registers.device),
            event_index,
            indirect,
            in_order,
            position: 0,
        };
        SplitRing::new(config, view).map(Ring::Split)
    }

    fn on_error(&self, index: u16) -> OnError {
        let (shared, run) = (self.shared.clone(), self.shared.run());
        Box::new(move |error| {
            tracing::debug!(function = shared.config.name, queue = index, %error, "queue stopped");
            shared.fail(run);
        })
    }
}

#[cfg(test)]
mod tests;
