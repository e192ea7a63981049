//! How long interrupts are held back: what the driver has set, for all queues of a direction or for one (virtio 1.3, 5.1.6.5.9).

use crate::layout::queues;
use crate::queue::Role;

/// `struct virtio_net_ctrl_coal`: a queue's interrupt waits for so many packets or for so long, whichever comes first; not at all
/// if one of them is zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Limits {
    pub(crate) packets: u32,
    /// In microseconds.
    pub(crate) time: u32,
}

impl Limits {
    /// As it lies in memory.
    pub(crate) fn of(bytes: [u8; 8]) -> Self {
        Self::from_number(u64::from_le_bytes(bytes))
    }

    /// Likewise.
    pub(crate) fn bytes(self) -> [u8; 8] {
        self.number().to_le_bytes()
    }

    /// Both in one number.
    #[inline]
    pub(crate) fn from_number(number: u64) -> Self {
        Self { packets: number as u32, time: (number >> 32) as u32 }
    }

    pub(crate) fn number(self) -> u64 {
        u64::from(self.packets) | u64::from(self.time) << 32
    }

    /// Whether nothing waits.
    #[inline]
    pub(crate) fn is_none(self) -> bool {
        self.packets == 0 || self.time == 0
    }
}

/// All limits of one function.
#[derive(Clone, Debug)]
pub(crate) struct Coalescing {
    transmit: Limits,
    receive: Limits,
    /// By queue; only queues of packets that are at work have limits.
    queues: Box<[Option<Limits>]>,
}

impl Coalescing {
    /// Of a function with `pairs` pairs, none of which is at work.
    pub(crate) fn new(pairs: u16) -> Self {
        let none = Limits::default();
        let queues = vec![None; usize::from(queues(pairs))].into();
        Self { transmit: none, receive: none, queues }
    }

    /// Sets those of every queue of a direction, and of those that will be at work later.
    pub(crate) fn set_all(&mut self, transmit: bool, limits: Limits) {
        *if transmit { &mut self.transmit } else { &mut self.receive } = limits;
        let queues = self.queues.iter_mut().skip(usize::from(transmit)).step_by(2);
        queues.flatten().for_each(|own| *own = limits);
    }

    /// Those of one queue; `None`: it has none.
    pub(crate) fn queue_mut(&mut self, queue: u16) -> Option<&mut Limits> {
        self.queues.get_mut(usize::from(queue))?.as_mut()
    }

    pub(crate) fn queue(&self, queue: u16) -> Option<Limits> {
        *self.queues.get(usize::from(queue))?
    }

    /// The queue is at work from now on.
    pub(crate) fn enable(&mut self, queue: u16, role: Role) {
        let limits = match role {
            Role::Receive(_) => Some(self.receive),
            Role::Transmit(_) => Some(self.transmit),
            Role::Control => None,
        };
        if let Some(own) = self.queues.get_mut(usize::from(queue)) {
            *own = limits;
        }
    }

    /// It isn't any more.
    pub(crate) fn disable(&mut self, queue: u16) {
        if let Some(own) = self.queues.get_mut(usize::from(queue)) {
            *own = None;
        }
    }
}
