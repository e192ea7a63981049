//! The registers of a PF and its VFs, and what a write to one of them changes. Nothing here calls out of the card.

use pando_tlp::RequesterId;

use super::card::Card;
use super::interrupts::Registers as Interrupts;
use super::shape::Shape;
use crate::config_space::{ConfigSpace, Reset};
use crate::endpoint::config::VfPlacement;
use crate::spec::header::{BAR0, COMMAND, COMMAND_BUS_MASTER, COMMAND_MEMORY, FIRST_EXTENDED};
use crate::spec::{pcie, pm, sriov};
use crate::{ByteEnables, ConfigKind, Decoded, FunctionId, Region, capability};

/// Every register of a card.
#[derive(Debug)]
pub(super) struct State {
    /// The bus number that the last type 0 write came with.
    pub(super) bus: u8,
    pub(super) pf: ConfigSpace,
    pub(super) vfs: Box<[ConfigSpace]>,
    /// VFs that exist: 0 to this - 1.
    pub(super) active: u16,
    /// Where they are.
    pub(super) placement: VfPlacement,
}

/// What a write asks the card to do once the registers are unlocked.
#[derive(Debug, Default)]
pub(super) struct Change {
    /// The decoded ranges are different.
    pub(super) decode: bool,
    /// The bus number is different.
    pub(super) captured: bool,
    /// This function gets a function level reset.
    pub(super) reset: Option<FunctionId>,
    /// VFs 0 to this - 1 stop existing.
    pub(super) removed: u16,
    /// VFs 0 to this - 1 begin to exist.
    pub(super) added: u16,
    /// Whose gate or power state may be different.
    pub(super) gates: Gates,
    /// What registers of interrupts say now.
    pub(super) interrupts: Option<(FunctionId, Interrupts)>,
    /// A vendor capability was written: function, index, offset, content.
    pub(super) vendor: Option<(FunctionId, usize, u16, Vec<u8>)>,
}

/// Some functions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Gates {
    #[default]
    None,
    One(FunctionId),
    All,
}

/// What a function's registers let it do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    /// Its registers answer: it exists and is in D0.
    pub(super) present: bool,
    /// It may send: present, and Bus Master Enable.
    pub(super) open: bool,
}

impl State {
    pub(super) fn new(card: &Card) -> Self {
        let vfs = card
            .vf
            .iter()
            .flat_map(|vf| (0..vf.total).map(|_| ConfigSpace::new(vf.shape.layout.clone())));
        Self {
            bus: 0,
            pf: ConfigSpace::new(card.pf.layout.clone()),
            vfs: vfs.collect(),
            active: 0,
            placement: VfPlacement { offset: 0, stride: 0 },
        }
    }

    /// Everything to its power-on state; returns how many VFs there were.
    pub(super) fn reset(&mut self, card: &Card, reset: Reset) -> u16 {
        self.pf.reset(reset);
        self.forget_ari(card);
        if reset != Reset::Function {
            self.bus = 0;
        }
        std::mem::take(&mut self.active)
    }

    fn forget_ari(&self, card: &Card) {
        if let Some(vf) = card.vf.as_ref().filter(|vf| vf.lowest) {
            vf.ari.set(false);
        }
    }

    /// The PF's id, or that of a VF that exists.
    pub(super) fn id(&self, card: &Card, function: FunctionId) -> RequesterId {
        let pf = RequesterId::new(self.bus, card.function);
        match function {
            FunctionId::Pf => pf,
            FunctionId::Vf(index) => RequesterId(pf.0.wrapping_add(self.placement.distance(index))),
        }
    }

    /// Who answers a configuration request (2.2.7.1, 7.3.3): on this link's bus the PF and the VFs on it, whatever number the
    /// bus has; behind it the other VFs.
    pub(super) fn find(
        &self,
        card: &Card,
        kind: ConfigKind,
        target: RequesterId,
    ) -> Option<FunctionId> {
        let bus = match kind {
            ConfigKind::Type0 => target.bus(),
            ConfigKind::Type1 => self.bus,
        };
        let pf = RequesterId::new(bus, card.function);
        let on_this_bus = target.bus() == bus;
        if on_this_bus != (kind == ConfigKind::Type0) {
            return None;
        }
        if target == pf {
            return Some(FunctionId::Pf);
        }
        self.vf_at(target.0.wrapping_sub(pf.0)).map(FunctionId::Vf)
    }

    /// The VF at this distance from the PF.
    fn vf_at(&self, distance: u16) -> Option<u16> {
        let VfPlacement { offset, stride } = self.placement;
        let from_first = distance.checked_sub(offset)?;
        let index = from_first.checked_div(stride)?;
        (from_first % stride == 0 && index < self.active).then_some(index)
    }

    pub(super) fn space(&self, function: FunctionId) -> Option<&ConfigSpace> {
        match function {
            FunctionId::Pf => Some(&self.pf),
            FunctionId::Vf(index) if index < self.active => self.vfs.get(usize::from(index)),
            FunctionId::Vf(_) => None,
        }
    }

    pub(super) fn space_mut(&mut self, function: FunctionId) -> Option<&mut ConfigSpace> {
        match function {
            FunctionId::Pf => Some(&mut self.pf),
            FunctionId::Vf(index) if index < self.active => self.vfs.get_mut(usize::from(index)),
            FunctionId::Vf(_) => None,
        }
    }

    /// The dword a guest reads, but for what the model answers itself.
    pub(super) fn read(&self, card: &Card, function: FunctionId, register: u16) -> u32 {
        if function == FunctionId::Pf
            && let Some(value) = self.read_offset_stride(card, register)
        {
            return value;
        }
        if card.pf.is_conventional() && register >= FIRST_EXTENDED {
            return u32::MAX; // nothing there
        }
        self.space(function).map_or(u32::MAX, |space| space.read(register))
    }

    /// What the function may do now. A VF is in no higher power state than its PF (9.6.2).
    pub(super) fn wanted(&self, card: &Card, function: FunctionId) -> Wanted {
        let powered = |space: &ConfigSpace, shape: &Shape| {
            space.read(shape.pm + pm::CONTROL) & pm::POWER_STATE == 0
        };
        let absent = Wanted { present: false, open: false };
        let (Some(space), Some(shape)) = (self.space(function), card.shape(function)) else {
            return absent;
        };
        let present = powered(space, shape) && powered(&self.pf, &card.pf);
        let bus_master = space.read(COMMAND) & COMMAND_BUS_MASTER != 0;
        Wanted { present, open: present && bus_master }
    }

    /// Every range decoded now.
    pub(super) fn decoded(&self, card: &Card) -> Vec<Decoded> {
        if !self.wanted(card, FunctionId::Pf).present {
            return Vec::new();
        }
        let memory = self.pf.read(COMMAND) & COMMAND_MEMORY != 0;
        let own = card.pf.bars.iter().filter(|_| memory).filter_map(|bar| {
            let (base, len) = bar.range(&self.pf, BAR0, bar.size)?;
            Some(Decoded { base, len, region: Region::Bar(bar.index) })
        });
        own.chain(self.decoded_of_vfs(card)).collect()
    }

    /// The guest's write.
    pub(super) fn write(
        &mut self,
        card: &Card,
        function: FunctionId,
        register: u16,
        value: u32,
        enables: ByteEnables,
    ) -> Change {
        let before = (function == FunctionId::Pf).then(|| self.decoded(card));
        let mut change = self.store(card, function, register, value, enables);
        change.decode = before.is_some_and(|before| before != self.decoded(card));
        change
    }

    fn store(
        &mut self,
        card: &Card,
        function: FunctionId,
        register: u16,
        value: u32,
        enables: ByteEnables,
    ) -> Change {
        let mut change = Change::default();
        let Some(shape) = card.shape(function) else { return change };
        if let Some(at) = shape.sriov.and_then(|sriov| register.checked_sub(sriov))
            && at < sriov::LENGTH
        {
            self.write_sriov(card, at, value, enables, &mut change);
            return change;
        }
        let Some(space) = self.space_mut(function) else { return change };
        if register == shape.pm + pm::CONTROL {
            capability::write_power_state(space, register, value, enables);
            let all = function == FunctionId::Pf;
            change.gates = if all { Gates::All } else { Gates::One(function) };
            return change;
        }
        space.write(register, value, enables);
        if register == COMMAND {
            change.gates = Gates::One(function);
        } else if register == shape.pcie + pcie::DEVICE_CONTROL {
            if value & enables.mask() & pcie::INITIATE_FLR != 0 {
                self.function_level_reset(card, function, &mut change);
            }
        } else if let Some(index) = shape.vendor.iter().position(|range| range.contains(&register))
        {
            let range = shape.vendor[index].clone();
            let at = register - range.start;
            let bytes = range.step_by(4).flat_map(|at| space.read(at).to_le_bytes()).collect();
            change.vendor = Some((function, index, at, bytes));
        }
        change
    }

    /// Function level reset (6.6.2). That of a PF takes its VFs with it, that of a VF leaves VF Enable alone (9.4).
    fn function_level_reset(&mut self, card: &Card, function: FunctionId, change: &mut Change) {
        change.reset = Some(function);
        change.gates = Gates::One(function);
        if function == FunctionId::Pf {
            change.removed = self.reset(card, Reset::Function);
        } else if let Some(space) = self.space_mut(function) {
            space.reset(Reset::Function);
        }
    }
}
