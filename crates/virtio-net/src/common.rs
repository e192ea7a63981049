//! The common configuration structure of one function: registers and the status machine (virtio 1.3, 2.1 to 2.2, 4.1.4.3, 4.1.5.1).
//! A write returns what it asks for; the owner does it. Leaves out NOTIF_CONFIG_DATA and administration queues (their fields read zero).
//!
//! Tolerated beyond the specification, because drivers do it: any access width, a `queue_enable` of zero (the queue is reset), new
//! addresses for an enabled queue (ignored), a queue whose size was never written.

use crate::spec::{Features, NO_VECTOR, Status, common as reg};

/// What a write asks its owner to do, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Every enabled queue begins to work.
    Start,
    /// This queue was enabled while the function works.
    StartQueue(u16),
    /// This queue stops; then [`Common::queue_was_reset`].
    ResetQueue(u16),
    /// Everything stops; then [`Common::reset`].
    Reset,
    /// The queue's interrupt vector changed.
    QueueVector(u16, u16),
    /// The vector of configuration changes changed.
    ConfigVector(u16),
}

/// What reads show that changes without a write.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Live {
    pub(crate) needs_reset: bool,
    pub(crate) generation: u8,
}

/// A queue's registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct QueueRegisters {
    /// Descriptors. Any value until the queue starts.
    pub(crate) size: u16,
    /// MSI-X vector, or [`NO_VECTOR`].
    pub(crate) vector: u16,
    /// The driver has enabled it.
    pub(crate) enabled: bool,
    /// Descriptor area.
    pub(crate) desc: u64,
    /// Driver area (available ring).
    pub(crate) driver: u64,
    /// Device area (used ring).
    pub(crate) device: u64,
}

/// The registers of one function.
#[derive(Debug)]
pub(crate) struct Common {
    offered: Features,
    vectors: u16,
    queue_size: u16,
    device_feature_select: u32,
    driver_feature_select: u32,
    driver_features: u64,
    /// A bit was accepted in a word that has none.
    strange_features: bool,
    status: Status,
    config_vector: u16,
    queue_select: u16,
    queues: Box<[QueueRegisters]>,
}

/// Every field: offset and length in bytes, without a gap.
const FIELDS: [(usize, usize); 20] = [
    (reg::DEVICE_FEATURE_SELECT, 4),
    (reg::DEVICE_FEATURE, 4),
    (reg::DRIVER_FEATURE_SELECT, 4),
    (reg::DRIVER_FEATURE, 4),
    (reg::CONFIG_MSIX_VECTOR, 2),
    (reg::NUM_QUEUES, 2),
    (reg::DEVICE_STATUS, 1),
    (reg::CONFIG_GENERATION, 1),
    (reg::QUEUE_SELECT, 2),
    (reg::QUEUE_SIZE, 2),
    (reg::QUEUE_MSIX_VECTOR, 2),
    (reg::QUEUE_ENABLE, 2),
    (reg::QUEUE_NOTIFY_OFF, 2),
    (reg::QUEUE_DESC, 8),
    (reg::QUEUE_DRIVER, 8),
    (reg::QUEUE_DEVICE, 8),
    (56, 2),
    (reg::QUEUE_RESET, 2),
    (60, 2),
    (62, 2),
];

impl Common {
    /// Power-on state of a function that offers `offered`, has `vectors` MSI-X vectors and `queues` queues of at most `queue_size`.
    pub(crate) fn new(offered: Features, vectors: u16, queues: u16, queue_size: u16) -> Self {
        let queue = QueueRegisters::new(queue_size);
        Self {
            offered,
            vectors,
            queue_size,
            device_feature_select: 0,
            driver_feature_select: 0,
            driver_features: 0,
            strange_features: false,
            status: Status::empty(),
            config_vector: NO_VECTOR,
            queue_select: 0,
            queues: vec![queue; usize::from(queues)].into(),
        }
    }

    /// Reads bytes from `offset`; past the structure they are zero.
    pub(crate) fn read(&self, offset: usize, data: &mut [u8], live: Live) {
        let mut image = [0; reg::LENGTH];
        for (start, len) in FIELDS {
            if overlap(start, len, offset, data.len()) {
                let value = self.field(start, live).to_le_bytes();
                image[start..start + len].copy_from_slice(&value[..len]);
            }
        }
        crate::bytes::read(&image, offset, data);
    }

    /// Writes bytes from `offset`: field after field, what an access doesn't cover keeps its value.
    pub(crate) fn write(&mut self, offset: usize, data: &[u8]) -> Vec<Effect> {
        let mut effects = Vec::new();
        for (start, len) in FIELDS {
            if !overlap(start, len, offset, data.len()) {
                continue;
            }
            let mut value = self.field(start, Live::default()).to_le_bytes();
            for (byte, value) in value[..len].iter_mut().enumerate() {
                let written = (start + byte).checked_sub(offset).and_then(|at| data.get(at));
                *value = written.copied().unwrap_or(*value);
            }
            self.set_field(start, u64::from_le_bytes(value), &mut effects);
        }
        effects
    }

    /// Whether queues work: the driver is ready and its features were accepted.
    pub(crate) fn is_live(&self) -> bool {
        self.status.contains(Status::DRIVER_OK | Status::FEATURES_OK)
    }

    /// What was negotiated; nothing before the driver's features were accepted.
    pub(crate) fn features(&self) -> Features {
        if self.status.contains(Status::FEATURES_OK) {
            Features::from_bits_truncate(self.driver_features)
        } else {
            Features::empty()
        }
    }

    pub(crate) fn status(&self) -> Status {
        self.status
    }

    pub(crate) fn queue(&self, index: u16) -> Option<&QueueRegisters> {
        self.queues.get(usize::from(index))
    }

    pub(crate) fn queue_count(&self) -> u16 {
        self.queues.len() as u16
    }

    /// Power-on state.
    pub(crate) fn reset(&mut self) {
        let queues = self.queue_count();
        *self = Self::new(self.offered, self.vectors, queues, self.queue_size);
    }

    /// The queue has been reset: its registers too (2.6.1).
    pub(crate) fn queue_was_reset(&mut self, index: u16) {
        if let Some(queue) = self.queues.get_mut(usize::from(index)) {
            *queue = QueueRegisters::new(self.queue_size);
        }
    }

    fn field(&self, field: usize, live: Live) -> u64 {
        let queue = self.queue(self.queue_select);
        let of_queue = |value: fn(&QueueRegisters) -> u64| queue.map_or(0, value);
        match field {
            reg::DEVICE_FEATURE_SELECT => self.device_feature_select.into(),
            reg::DEVICE_FEATURE => word(self.offered.bits(), self.device_feature_select),
            reg::DRIVER_FEATURE_SELECT => self.driver_feature_select.into(),
            reg::DRIVER_FEATURE => word(self.driver_features, self.driver_feature_select),
            reg::CONFIG_MSIX_VECTOR => self.config_vector.into(),
            reg::NUM_QUEUES => self.queue_count().into(),
            reg::DEVICE_STATUS => {
                let needs_reset =
                    if live.needs_reset { Status::NEEDS_RESET } else { Status::empty() };
                (self.status | needs_reset).bits().into()
            }
            reg::CONFIG_GENERATION => live.generation.into(),
            reg::QUEUE_SELECT => self.queue_select.into(),
            reg::QUEUE_SIZE => of_queue(|queue| queue.size.into()),
            reg::QUEUE_MSIX_VECTOR => queue.map_or(NO_VECTOR, |queue| queue.vector).into(),
            reg::QUEUE_ENABLE => of_queue(|queue| queue.enabled.into()),
            reg::QUEUE_NOTIFY_OFF => queue.map_or(0, |_| self.queue_select.into()),
            reg::QUEUE_DESC => of_queue(|queue| queue.desc),
            reg::QUEUE_DRIVER => of_queue(|queue| queue.driver),
            reg::QUEUE_DEVICE => of_queue(|queue| queue.device),
            _ => 0,
        }
    }

    fn set_field(&mut self, field: usize, value: u64, effects: &mut Vec<Effect>) {
        match field {
            reg::DEVICE_FEATURE_SELECT => self.device_feature_select = value as u32,
            reg::DRIVER_FEATURE_SELECT => self.driver_feature_select = value as u32,
            reg::DRIVER_FEATURE => self.set_driver_features(value as u32),
            reg::CONFIG_MSIX_VECTOR => {
                self.config_vector = self.vector(value as u16);
                effects.push(Effect::ConfigVector(self.config_vector));
            }
            reg::DEVICE_STATUS => self.set_status(Status::from_bits_retain(value as u8), effects),
            reg::QUEUE_SELECT => self.queue_select = value as u16,
            _ => self.set_queue_field(field, value, effects),
        }
    }

    fn set_queue_field(&mut self, field: usize, value: u64, effects: &mut Vec<Effect>) {
        let index = self.queue_select;
        let vector = self.vector(value as u16);
        let (negotiated, live) = (self.status.contains(Status::FEATURES_OK), self.is_live());
        let Some(queue) = self.queues.get_mut(usize::from(index)) else { return };
        match field {
            reg::QUEUE_MSIX_VECTOR => {
                queue.vector = vector;
                effects.push(Effect::QueueVector(index, vector));
            }
            reg::QUEUE_ENABLE if value == 0 && queue.enabled => {
                effects.push(Effect::ResetQueue(index));
            }
            reg::QUEUE_RESET if value == 1 => effects.push(Effect::ResetQueue(index)),
            _ if queue.enabled => {}
            reg::QUEUE_SIZE => queue.size = value as u16,
            reg::QUEUE_DESC => queue.desc = value,
            reg::QUEUE_DRIVER => queue.driver = value,
            reg::QUEUE_DEVICE => queue.device = value,
            reg::QUEUE_ENABLE if value == 1 && negotiated => {
                queue.enabled = true;
                if live {
                    effects.push(Effect::StartQueue(index));
                }
            }
            _ => {}
        }
    }

    /// Any number of times until FEATURES_OK.
    fn set_driver_features(&mut self, value: u32) {
        if self.status.contains(Status::FEATURES_OK) {
            return;
        }
        match self.driver_feature_select {
            word @ 0..=1 => {
                let shift = 32 * word;
                self.driver_features &= !(0xffff_ffff << shift);
                self.driver_features |= u64::from(value) << shift;
            }
            _ => self.strange_features |= value != 0,
        }
    }

    /// Zero resets; otherwise bits are only ever added, as a driver may (2.1.1).
    fn set_status(&mut self, new: Status, effects: &mut Vec<Effect>) {
        if new.is_empty() {
            effects.push(Effect::Reset);
            return;
        }
        let was_live = self.is_live();
        self.status |= new - Status::NEEDS_RESET;
        if self.status.contains(Status::FEATURES_OK) && !self.is_possible() {
            self.status -= Status::FEATURES_OK;
        }
        if self.is_live() && !was_live {
            effects.push(Effect::Start);
        }
    }

    /// Whether the card can work with what the driver chose: a bit that depends on a missing one is merely without effect.
    fn is_possible(&self) -> bool {
        let chosen = Features::from_bits_retain(self.driver_features);
        !self.strange_features
            && self.offered.contains(chosen)
            && chosen.contains(Features::VERSION_1)
    }

    /// What a vector register keeps of `vector` (4.1.5.1.2.1).
    fn vector(&self, vector: u16) -> u16 {
        if vector < self.vectors { vector } else { NO_VECTOR }
    }
}

impl QueueRegisters {
    fn new(size: u16) -> Self {
        Self { size, vector: NO_VECTOR, enabled: false, desc: 0, driver: 0, device: 0 }
    }
}

fn word(features: u64, select: u32) -> u64 {
    match select {
        0 => features & 0xffff_ffff,
        1 => features >> 32,
        _ => 0,
    }
}

fn overlap(start: usize, len: usize, offset: usize, count: usize) -> bool {
    start < offset.saturating_add(count) && offset < start + len
}

#[cfg(test)]
mod tests;
