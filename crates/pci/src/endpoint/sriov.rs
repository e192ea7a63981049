//! The rules of the SR-IOV capability that masks can't tell (PCI Express base 6.0, 9.3.3).

use super::card::Card;
use super::state::{Change, State};
use crate::config_space::Reset;
use crate::endpoint::config::VfPlacement;
use crate::spec::sriov::*;
use crate::{ByteEnables, Decoded, Region};

impl State {
    /// First VF Offset and VF Stride, which follow ARI Capable Hierarchy (9.3.3.9, 9.3.3.10).
    pub(super) fn read_offset_stride(&self, card: &Card, register: u16) -> Option<u32> {
        let (vf, sriov) = card.vf.as_ref().zip(card.pf.sriov)?;
        let VfPlacement { offset, stride } = vf.placement();
        (register == sriov + OFFSET_STRIDE).then_some(u32::from(stride) << 16 | u32::from(offset))
    }

    /// The windows of all VFs that exist: each VF BAR is one range (9.3.3.14).
    pub(super) fn decoded_of_vfs(&self, card: &Card) -> Vec<Decoded> {
        let Some((vf, sriov)) = card.vf.as_ref().zip(card.pf.sriov) else { return Vec::new() };
        if self.pf.read(sriov + CONTROL) & VF_MEMORY == 0 || self.active == 0 {
            return Vec::new();
        }
        let page = self.page_size(card);
        let ranges = vf.shape.bars.iter().filter_map(|bar| {
            let len = bar.size.max(page).checked_mul(u64::from(self.active))?;
            let (base, len) = bar.range(&self.pf, sriov + VF_BAR0, len)?;
            Some(Decoded { base, len, region: Region::VfBar(bar.index) })
        });
        ranges.collect()
    }

    /// System Page Size in bytes: no VF BAR is smaller (9.3.3.13).
    pub(super) fn page_size(&self, card: &Card) -> u64 {
        let register = card.pf.sriov.map_or(1, |sriov| self.pf.read(sriov + SYSTEM_PAGE_SIZE));
        u64::from(register) << PAGE_SHIFT
    }

    /// A write to the capability, `at` being the offset in it.
    pub(super) fn write_sriov(
        &mut self,
        card: &Card,
        at: u16,
        value: u32,
        enables: ByteEnables,
        change: &mut Change,
    ) {
        let Some((vf, sriov)) = card.vf.as_ref().zip(card.pf.sriov) else { return };
        let register = sriov + at;
        let control = self.pf.read(sriov + CONTROL);
        let enabled = control & VF_ENABLE != 0;
        let merged = self.pf.read(register) & !enables.mask() | value & enables.mask();
        match at {
            CONTROL => self.write_control(card, register, value, enables, change),
            NUM_VFS if enabled || merged & 0xffff > u32::from(vf.total) => {}
            SYSTEM_PAGE_SIZE if enabled => {}
            SYSTEM_PAGE_SIZE => self.write_page_size(card, sriov, merged),
            VF_BAR0.. if enabled && control & VF_MEMORY != 0 => {}
            VF_BAR0.. => {
                self.pf.write_only(register, value, enables, self.bar_mask(card, at));
            }
            _ => {
                self.pf.write(register, value, enables);
            }
        }
    }

    /// SR-IOV Control (9.3.3.3). ARI Capable Hierarchy only changes while VF Enable is clear.
    fn write_control(
        &mut self,
        card: &Card,
        register: u16,
        value: u32,
        enables: ByteEnables,
        change: &mut Change,
    ) {
        let Some(vf) = &card.vf else { return };
        let was_enabled = self.pf.read(register) & VF_ENABLE != 0;
        let rw = if was_enabled { !ARI_HIERARCHY } else { u32::MAX };
        self.pf.write_only(register, value, enables, rw);
        let control = self.pf.read(register);
        if vf.lowest {
            vf.ari.set(control & ARI_HIERARCHY != 0);
        }
        match (was_enabled, control & VF_ENABLE != 0) {
            (false, true) => change.added = self.create_vfs(card, register - CONTROL),
            (true, false) => change.removed = std::mem::take(&mut self.active),
            _ => {}
        }
    }

    /// VF Enable was set: NumVFs functions begin to exist, in power-on state.
    fn create_vfs(&mut self, card: &Card, sriov: u16) -> u16 {
        let Some(vf) = &card.vf else { return 0 };
        let count = (self.pf.read(sriov + NUM_VFS) as u16).min(vf.total);
        for space in self.vfs.iter_mut().take(usize::from(count)) {
            space.reset(Reset::Cold);
        }
        self.placement = vf.placement();
        self.active = count;
        count
    }

    /// System Page Size: one supported size; anything else is ignored. VF BARs lose the address bits they no longer have.
    fn write_page_size(&mut self, card: &Card, sriov: u16, size: u32) {
        if !size.is_power_of_two() || size & PAGE_SIZES == 0 {
            return;
        }
        self.pf.set(sriov + SYSTEM_PAGE_SIZE, u32::MAX, size);
        let Some(vf) = &card.vf else { return };
        for bar in vf.shape.bars.iter() {
            let at = VF_BAR0 + 4 * u16::from(bar.index);
            self.pf.set(sriov + at, !self.bar_mask(card, at) & !0xf, 0);
        }
    }

    /// The address bits of the VF BAR register at `at` that the page size leaves writable.
    fn bar_mask(&self, card: &Card, at: u16) -> u32 {
        let index = at.wrapping_sub(VF_BAR0) / 4;
        let low = card.vf.as_ref().and_then(|vf| vf.shape.bars.get(index as u8));
        let page = (self.page_size(card) - 1) as u32; // at most 4 MiB
        if low.is_some() { !page } else { u32::MAX }
    }
}
