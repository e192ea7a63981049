//! What a register write makes a card do: functions come, go, are reset, and their gates open and close. Nothing is locked
//! here but the order of writes; when a transition returns, what it stopped has stopped (PCI Express base 6.0, 6.6.2, 9.3.3.3.1).

use pando_tlp::RequesterId;

use super::state::{Change, Gates, Wanted};
use super::{Endpoint, Function};
use crate::FunctionId;

impl Endpoint {
    pub(super) fn perform(&self, change: Change) {
        let mut doorbells = change.decode;
        if change.reset.is_some() || change.removed != 0 {
            self.take_away(change.reset, change.removed);
            doorbells = true;
        }
        let moved = change.captured && self.follow_ids();
        if change.added != 0 {
            self.add(change.added);
            doorbells = true;
        }
        doorbells |= self.follow_gates(change.gates, moved);
        if let Some((function, registers)) = change.interrupts
            && let Some(function) = self.function_of(function)
        {
            function.interrupts.follow(&registers);
        }
        if let Some((function, index, offset, bytes)) = change.vendor
            && let Some(_visit) = self.function_of(function).and_then(|of| of.presence.enter())
        {
            self.model.vendor_write(function, index, offset, &bytes);
        }
        if doorbells {
            self.link.doorbells_changed();
        }
    }

    /// Stops functions, in an order in which none can begin anything anew, and waits for what was under way.
    pub(super) fn take_away(&self, reset: Option<FunctionId>, removed: u16) {
        let vfs = &self.vfs[..usize::from(removed)];
        let one = reset.and_then(|function| self.function_of(function));
        let all = || vfs.iter().chain(one);
        for function in all() {
            function.presence.set(false);
            function.requester.set_open(false);
        }
        tracing::debug!(?reset, removed, "functions stop");
        for (index, function) in all().enumerate() {
            function.presence.wait();
            function.interrupts.reset();
            self.model.reset(function.id);
            if index + 1 == vfs.len() {
                self.model.virtual_functions(0);
            }
        }
        self.link.epochs().synchronize();
        for function in all() {
            function.requester.take_outcomes();
        }
    }

    fn add(&self, count: u16) {
        tracing::debug!(count, "virtual functions begin to exist");
        self.follow_ids();
        self.model.virtual_functions(count);
        self.follow_gates(Gates::All, false);
    }

    /// Gives every function the id it has now; returns whether one that may send has got another.
    fn follow_ids(&self) -> bool {
        let ids: Vec<RequesterId> = {
            let state = self.lock();
            let vfs = (0..state.active).map(FunctionId::Vf);
            let all = std::iter::once(FunctionId::Pf).chain(vfs);
            all.map(|function| state.id(&self.card, function)).collect()
        };
        let functions = std::iter::once(&self.pf).chain(&self.vfs);
        functions.zip(ids).fold(false, |moved, (function, id)| {
            let same = function.requester.id() == id;
            function.requester.set_id(id);
            moved || !same && function.requester.is_open()
        })
    }

    /// Brings presence and gates in line with the registers; `moved` asks for a new epoch in any case. Returns whether a
    /// function's registers have appeared or disappeared.
    fn follow_gates(&self, gates: Gates, moved: bool) -> bool {
        let functions = self.wanted(gates);
        let mut closed = moved;
        let mut changed = false;
        for (function, wanted) in &functions {
            if !wanted.open && function.requester.set_open(false) {
                function.interrupts.quiesce();
                self.model.bus_master(function.id, false);
                closed = true;
            }
            if !wanted.present && function.presence.set(false) {
                function.interrupts.intx.power(false);
                function.presence.wait();
                changed = true;
            }
        }
        if closed {
            self.link.epochs().synchronize();
        }
        for (function, wanted) in &functions {
            if wanted.present && function.presence.set(true) {
                function.interrupts.intx.power(true);
                changed = true;
            }
            if wanted.open && function.requester.set_open(true) {
                function.interrupts.deliver_all();
                self.model.bus_master(function.id, true);
            }
        }
        changed
    }

    fn wanted(&self, gates: Gates) -> Vec<(&Function, Wanted)> {
        let state = self.lock();
        let wanted = |function: &FunctionId| {
            Some((self.function_of(*function)?, state.wanted(&self.card, *function)))
        };
        match gates {
            Gates::None => Vec::new(),
            Gates::One(function) => [function].iter().filter_map(wanted).collect(),
            Gates::All => {
                let vfs = (0..state.active).map(FunctionId::Vf);
                let all = std::iter::once(FunctionId::Pf).chain(vfs);
                all.filter_map(|function| wanted(&function)).collect()
            }
        }
    }
}
