//! One function's register values over a shared layout: byte-enable-true writes by the guest, plain ones by the device,
//! and the three depths of reset (PCI Express base 6.0, 2.2.7, 6.6, 7.4). What a value means is its owner's business.

use std::sync::Arc;

use crate::ByteEnables;
use crate::layout::Layout;

/// How deep a reset goes (6.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reset {
    /// Power was away: everything to its reset value.
    Cold,
    /// Hot reset: all but the sticky bits.
    Hot,
    /// Function level reset: all but the sticky bits and what belongs to the link.
    Function,
}

/// The values of one function's registers.
#[derive(Debug)]
pub(crate) struct ConfigSpace {
    layout: Arc<Layout>,
    values: Box<[u32]>,
}

impl ConfigSpace {
    /// Registers in their power-on state.
    pub(crate) fn new(layout: Arc<Layout>) -> Self {
        let values = vec![0; layout.dwords()].into_boxed_slice();
        let mut space = Self { layout, values };
        space.reset(Reset::Cold);
        space
    }

    /// The dword at byte offset `register`.
    pub(crate) fn read(&self, register: u16) -> u32 {
        self.values.get(usize::from(register / 4)).copied().unwrap_or(0)
    }

    /// The guest's write: RW bits take `value`, RW1C bits are cleared where it has a one, in the enabled bytes. Returns the
    /// old dword.
    pub(crate) fn write(&mut self, register: u16, value: u32, enables: ByteEnables) -> u32 {
        let rules = self.layout.register(register);
        self.write_masked(register, value, enables.mask() & rules.rw, enables.mask() & rules.rw1c)
    }

    /// The guest's write to a register whose RW bits depend on the function's state: only those of `rw` are taken.
    pub(crate) fn write_only(
        &mut self,
        register: u16,
        value: u32,
        enables: ByteEnables,
        rw: u32,
    ) -> u32 {
        let rules = self.layout.register(register);
        let rw = enables.mask() & rules.rw & rw;
        self.write_masked(register, value, rw, enables.mask() & rules.rw1c)
    }

    /// The device's own write: the bits of `mask` take `value`, whatever the guest may write.
    pub(crate) fn set(&mut self, register: u16, mask: u32, value: u32) {
        self.write_masked(register, value, mask, 0);
    }

    /// Back to reset values.
    pub(crate) fn reset(&mut self, reset: Reset) {
        for (register, value) in (0u16..).step_by(4).zip(self.values.iter_mut()) {
            let rules = self.layout.register(register);
            let kept = match reset {
                Reset::Cold => 0,
                Reset::Hot => rules.sticky,
                Reset::Function => rules.sticky | rules.link,
            };
            *value = *value & kept | rules.reset & !kept;
        }
    }

    fn write_masked(&mut self, register: u16, value: u32, rw: u32, rw1c: u32) -> u32 {
        let Some(slot) = self.values.get_mut(usize::from(register / 4)) else { return 0 };
        let old = *slot;
        *slot = (old & !rw | value & rw) & !(value & rw1c);
        old
    }
}

#[cfg(test)]
mod tests;
