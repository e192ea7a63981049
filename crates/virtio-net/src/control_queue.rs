//! The control queue at work: takes commands off the ring, answers each at once (virtio 1.3, 5.1.6.5). Segments may be split in
//! any way; the answer is the first writable byte, a result what follows.

use std::sync::Arc;

use pando_engine::ring::{Chain, Ring, Writer};
use pando_engine::{QueueError, Service};
use pando_tlp::Guard;

use crate::coalescing::Limits;
use crate::control::{MAX_COMMAND, Refused, execute};
use crate::shared::Shared;
use crate::spec::{Features, ctrl};

/// Commands served before others get their turn.
const BATCH: usize = 16;

/// The control queue of one function.
pub(crate) struct ControlQueue {
    ring: Ring,
    shared: Arc<Shared>,
    index: u16,
    features: Features,
    command: Vec<u8>,
}

impl ControlQueue {
    pub(crate) fn new(ring: Ring, shared: Arc<Shared>, index: u16, features: Features) -> Self {
        Self { ring, shared, index, features, command: Vec::new() }
    }

    fn answer(&mut self, chain: &mut Chain<'_>) -> (u8, Option<Limits>) {
        match self.run(chain) {
            Ok(result) => (ctrl::OK, result),
            Err(Refused) => {
                let command = self.command.get(..2);
                tracing::debug!(function = self.shared.config.name, ?command, "command refused");
                (ctrl::ERR, None)
            }
        }
    }

    fn run(&mut self, chain: &mut Chain<'_>) -> Result<Option<Limits>, Refused> {
        self.command.clear();
        let len = chain.readable_len();
        if chain.is_cut() || len > MAX_COMMAND {
            return Err(Refused);
        }
        self.command.resize(len, 0);
        chain.take(&mut self.command);
        let (config, features) = (&self.shared.config, self.features);
        self.shared.command(|settings| execute(settings, config, features, &self.command))
    }
}

impl Service for ControlQueue {
    fn serve(&mut self, guard: &Guard<'_>) -> Result<bool, QueueError> {
        self.ring.begin(guard)?;
        let mut chain = Chain::new();
        let mut served = 0;
        while served < BATCH && self.ring.next(guard, &mut chain)? {
            let (answer, result) = self.answer(&mut chain);
            let mut writer = Writer::new(chain.writable());
            writer.write(&[answer]);
            if let Some(result) = result {
                writer.write(&result.bytes());
            }
            let written = writer.written() as u32;
            self.ring.put(guard, written)?;
            served += 1;
        }
        if self.ring.publish(guard)? {
            self.shared.signal_queue(self.index);
        }
        Ok(served == BATCH)
    }

    fn arm(&mut self, guard: &Guard<'_>) -> Result<bool, QueueError> {
        self.ring.arm(guard)
    }
}
