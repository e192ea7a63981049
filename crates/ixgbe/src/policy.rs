//! What the PF's filter and pool registers mean for the switch (82599 datasheet, 7.1.1, 7.10.3): a filter, a policy and a choice of
//! queues for each function, mirrors for the card.
//!
//! Worked out anew when one of those registers has changed, and published at once for all functions if anything comes of it. A
//! function has one port: several pools of the PF are one receiver, so a group is copied to the first of them only.

mod mirrors;
mod plan;
mod pools;
mod witness;

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use pando_engine::{PortSettings, Rate, Steer, Switch};
use pando_pci::FunctionId;

use crate::chip::Chip;
use crate::identity::Model;
use crate::layout::Layout;
use crate::queue::{QUEUES, QueueIndex};
use crate::select::flow_director::{Answer, Director, Table};
use crate::select::{Queues, Selection};
use crate::spec::general::*;
use crate::statistics::DirectorCounts;
use crate::storage::Storage;
use crate::transmit::number_of;
use crate::work::Work;
use pando_engine::packet::{CRC, Packet, TAG};
use plan::Plan;
use witness::watch;

/// Bits per second of the link.
const LINK_SPEED: u64 = 10_000_000_000;

/// What the card is to the switch.
pub(crate) struct Policies {
    switch: Arc<Switch>,
    group: u32,
    selection: ArcSwap<Selection>,
    state: Mutex<State>,
    /// QDE of each receive queue.
    drops: Box<[AtomicBool]>,
}

#[derive(Default)]
struct State {
    table: Table,
    published: Option<Plan>,
}

impl Policies {
    /// A card's place in `switch`.
    pub(crate) fn new(switch: &Arc<Switch>, model: Model) -> Self {
        let selection = Selection::read(&Storage::new(model), Layout::Whole, Director::default());
        Self {
            group: switch.group(),
            switch: switch.clone(),
            selection: ArcSwap::from_pointee(selection),
            state: Mutex::default(),
            drops: (0..QUEUES).map(|_| AtomicBool::new(false)).collect(),
        }
    }

    /// The card's number among those that share its switch.
    pub(crate) fn group(&self) -> u32 {
        self.group
    }

    /// What chooses queues, now.
    #[inline]
    pub(crate) fn selection(&self) -> arc_swap::Guard<Arc<Selection>> {
        self.selection.load()
    }

    /// Whether QDE has set Drop Enable of `queue`.
    pub(crate) fn drops(&self, queue: QueueIndex) -> bool {
        self.drops[queue.get()].load(SeqCst)
    }

    /// FDIRCMD was written, while FDIRHASH is `hash`.
    pub(crate) fn director_command(
        &self,
        storage: &Storage,
        hash: u32,
        command: u32,
        counts: &DirectorCounts,
    ) -> Answer {
        self.state().table.command(storage, hash, command, counts)
    }

    /// FDIRCTRL was written; the card was reset, if `control` is 0.
    pub(crate) fn start_director(&self, control: u32, counts: &DirectorCounts) {
        self.state().table.start(control, counts);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Globals of the receive path.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Globals {
    /// Bytes of a frame from the wire at most, with its check sequence.
    pub(crate) longest: usize,
    pub(crate) strips_crc: bool,
    /// Descriptors carry the RSS hash, not a fragment's checksum.
    pub(crate) reports_hash: bool,
    /// Queues may join segments.
    pub(crate) coalesces: bool,
}

impl Globals {
    pub(crate) fn read(storage: &Storage) -> Self {
        const JUMBO: u32 = 1 << 2;
        const RXCSUM: u32 = 0x0_5000;
        const PCSD: u32 = 1 << 13;
        const LONGEST: usize = 1518;
        let control = storage.get(HLREG0);
        let jumbo = (storage.get(MAXFRS) >> 16) as usize;
        Self {
            longest: if control & JUMBO != 0 { jumbo } else { LONGEST },
            strips_crc: control & HLREG0_RX_CRC_STRIP != 0,
            reports_hash: storage.get(RXCSUM) & PCSD != 0,
            coalesces: storage.get(RFCTL) & RFCTL_RSC_OFF == 0,
        }
    }

    /// Whether a frame from the wire, `len` bytes long without its check sequence, isn't too long. A tag is let in addition.
    pub(crate) fn admit(&self, len: usize, packet: &Packet) -> bool {
        let tag = if packet.tag.is_some() { TAG } else { 0 };
        len + CRC <= self.longest + tag
    }
}

/// Filters, pools or RSS have changed: `Effect::Filters` and `Effect::Gates`, link changes, VFs that come and go.
pub(crate) fn filters_changed(chip: &Arc<Chip>, work: &Work) {
    let policies = &chip.policies;
    let mut state = policies.state();
    let director = Director::new(&state.table, &chip.storage, chip.statistics.director.clone());
    let layout = chip.layout();
    let selection = Arc::new(Selection::read(&chip.storage, layout, director));
    let plan = Plan::new(chip, work, &selection);
    let same = **policies.selection() == *selection;
    if same && state.published.as_ref() == Some(&plan) {
        return;
    }
    policies.selection.store(selection.clone());
    let settings = plan.ports.iter().map(|port| {
        let steering: Arc<dyn Steer> =
            Arc::new(Queues { selection: selection.clone(), of: port.of.clone() });
        let mut policy = port.rules.policy(policies.group);
        policy.witness = Some(watch(chip, port.pool));
        let settings = PortSettings {
            filter: port.filter.clone(),
            policy: Some(policy),
            steering: Some(steering),
        };
        (port.number, settings)
    });
    policies.switch.configure(policies.group, settings, mirrors::read(chip, work));
    state.published = Some(plan);
}

/// A queue's rate has changed.
pub(crate) fn rate_changed(chip: &Arc<Chip>, work: &Work, queue: QueueIndex) {
    let layout = chip.layout();
    let owner = layout.owner(queue, chip.active_vfs());
    if let Some(wiring) = work.wiring(owner) {
        let number = number_of(queue, owner, layout.queue_in_pool(queue));
        wiring.port.set_queue_rate(number, rate(chip, queue));
    }
}

/// What RTTBCNRC of `queue` limits it to.
pub(crate) fn rate(chip: &Chip, queue: QueueIndex) -> Option<Rate> {
    /// The factor's binary digits.
    const DIGITS: u32 = 14;
    let register = chip.rate(queue).load(SeqCst);
    let factor = u64::from(register & 0x0fff_ffff);
    let limits = register >> 31 != 0 && factor > 1 << DIGITS;
    limits.then(|| Rate { bits_per_second: (LINK_SPEED << DIGITS) / factor })
}

/// Drop Enable of a receive queue was set or taken back, whatever its SRRCTL says.
pub(crate) fn drop_enable_changed(chip: &Arc<Chip>, queue: QueueIndex, enabled: bool) {
    chip.policies.drops[queue.get()].store(enabled, SeqCst);
}

/// The port of a pool's owner.
fn port_of(work: &Work, owner: FunctionId) -> Option<u16> {
    Some(work.wiring(owner)?.port.number())
}

#[cfg(test)]
mod tests;
