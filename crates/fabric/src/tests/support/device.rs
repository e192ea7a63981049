//! A function with one 64-bit BAR and VFs, as plain as the tree allows.
//!
//! Registers: 0x04 Command, 0x10 BAR 0, 0x40 number of VFs enabled, 0x44/0x48 VF BAR 0, 0x4c offset of the first VF.

use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use pando_pci::{ByteEnables, ConfigKind, Decoded, Device, Doorbell, Effects, FunctionId, Region};
use pando_tlp::{Dma, Gpa, IntxWire, Link, Requester, RequesterId};

pub(in crate::tests) const BAR0_SIZE: u64 = 0x4000;
pub(in crate::tests) const VF_BAR_SIZE: u64 = 0x1000;

#[derive(Default)]
struct State {
    command: u32,
    bar: u64,
    vfs: u32,
    vf_bar: u64,
    first_vf: u32,
    scratch: u32,
}

pub(in crate::tests) struct Fake {
    link: Arc<dyn Link>,
    number: u8,
    requester: Arc<Requester>,
    pub(in crate::tests) dma: Arc<dyn Dma>,
    state: Mutex<State>,
    pub(in crate::tests) resets: AtomicU32,
    pub(in crate::tests) written: Mutex<Vec<(Region, u64, Vec<u8>)>>,
    pub(in crate::tests) doorbells: Mutex<Vec<(Region, u64, Arc<OwnedFd>)>>,
    /// Writes at this offset wait for every guard, as a queue reset does.
    pub(in crate::tests) stops_at: u64,
}

impl Fake {
    pub(in crate::tests) fn at(link: Arc<dyn Link>, number: u8) -> Arc<dyn Device> {
        Self::new(link, number)
    }

    pub(in crate::tests) fn new(link: Arc<dyn Link>, number: u8) -> Arc<Self> {
        let requester = Arc::new(Requester::default());
        Arc::new(Self {
            dma: link.dma(requester.clone()),
            link,
            number,
            requester,
            state: Mutex::default(),
            resets: AtomicU32::new(0),
            written: Mutex::default(),
            doorbells: Mutex::default(),
            stops_at: 0x800,
        })
    }

    pub(in crate::tests) fn id(&self) -> RequesterId {
        self.requester.id()
    }

    pub(in crate::tests) fn bar(&self) -> u64 {
        self.state.lock().unwrap().bar
    }

    pub(in crate::tests) fn vf_bar(&self) -> u64 {
        self.state.lock().unwrap().vf_bar
    }

    pub(in crate::tests) fn resets(&self) -> u32 {
        self.resets.load(SeqCst)
    }

    pub(in crate::tests) fn wants_doorbells(&self, doorbells: Vec<(Region, u64, Arc<OwnedFd>)>) {
        *self.doorbells.lock().unwrap() = doorbells;
        self.link.doorbells_changed();
    }

    /// Begins or ceases to assert a wire.
    pub(in crate::tests) fn intx(&self, wire: IntxWire, asserted: bool) {
        self.link.intx(self.number, wire, asserted);
    }

    fn vf(&self, target: RequesterId, state: &State) -> Option<u16> {
        let index = u32::from(target.0).checked_sub(u32::from(self.id().0) + state.first_vf)?;
        (index < state.vfs).then_some(index as u16)
    }

    /// Whether `target` is this function itself.
    fn is_own(&self, kind: ConfigKind, target: RequesterId) -> bool {
        kind == ConfigKind::Type0 && target.function() == self.number
    }
}

impl Device for Fake {
    fn config_read(&self, kind: ConfigKind, target: RequesterId, register: u16) -> Option<u32> {
        let state = self.state.lock().unwrap();
        if !self.is_own(kind, target) {
            let vf = self.vf(target, &state)?;
            return Some(if register == 0x40 { 0x1000 + u32::from(vf) } else { u32::MAX });
        }
        Some(match register {
            0 => 0x0001_1234,
            0x04 => state.command,
            0x08 => 0x0200_0000,
            0x10 => state.bar as u32 | 0xc,
            0x14 => (state.bar >> 32) as u32,
            0x3c => state.scratch,
            0x40 => state.vfs,
            0x44 => state.vf_bar as u32 | 0xc,
            0x48 => (state.vf_bar >> 32) as u32,
            0x4c => state.first_vf,
            _ => 0,
        })
    }

    fn config_write(
        &self,
        kind: ConfigKind,
        target: RequesterId,
        register: u16,
        value: u32,
        enables: ByteEnables,
    ) -> Option<Effects> {
        let mut state = self.state.lock().unwrap();
        if !self.is_own(kind, target) {
            self.vf(target, &state)?;
            return Some(Effects::empty());
        }
        self.requester.set_id(target);
        let mask = enables.mask();
        let put = |old: u32| old & !mask | value & mask;
        let low = |old: u64, size: u64| {
            old & !0xffff_ffff | u64::from(put(old as u32)) & !(size - 1) & 0xffff_ffff
        };
        let high = |old: u64| u64::from(put((old >> 32) as u32)) << 32 | old & 0xffff_ffff;
        match register {
            0x04 => state.command = put(state.command) & 6,
            0x10 => state.bar = low(state.bar, BAR0_SIZE),
            0x14 => state.bar = high(state.bar),
            0x3c => state.scratch = put(state.scratch),
            0x40 => state.vfs = put(state.vfs),
            0x44 => state.vf_bar = low(state.vf_bar, VF_BAR_SIZE),
            0x48 => state.vf_bar = high(state.vf_bar),
            0x4c => state.first_vf = put(state.first_vf),
            _ => return Some(Effects::empty()),
        }
        let closed = self.requester.set_open(state.command & 4 != 0) && !self.requester.is_open();
        drop(state);
        if closed {
            self.link.epochs().synchronize();
        }
        Some(if register == 0x3c { Effects::empty() } else { Effects::DECODE })
    }

    fn decoded(&self, ranges: &mut Vec<Decoded>) {
        let state = self.state.lock().unwrap();
        if state.command & 2 == 0 {
            return;
        }
        ranges.push(Decoded { base: Gpa(state.bar), len: BAR0_SIZE, region: Region::Bar(0) });
        if state.vfs > 0 {
            let len = VF_BAR_SIZE * u64::from(state.vfs);
            ranges.push(Decoded { base: Gpa(state.vf_bar), len, region: Region::VfBar(0) });
        }
    }

    fn read(&self, _: Region, offset: u64, data: &mut [u8]) {
        let bytes = (0x5a00_0000_0000_0000 | u64::from(self.id().0) << 32 | offset).to_le_bytes();
        data.copy_from_slice(&bytes[..data.len()]);
    }

    fn write(&self, region: Region, offset: u64, data: &[u8]) {
        self.written.lock().unwrap().push((region, offset, data.to_vec()));
        if offset == self.stops_at {
            self.link.epochs().synchronize();
        }
    }

    fn doorbells(&self, doorbells: &mut Vec<Doorbell>) {
        let wanted = self.doorbells.lock().unwrap();
        doorbells.extend(wanted.iter().map(|(region, offset, event)| Doorbell {
            region: *region,
            offset: *offset,
            event: event.clone(),
        }));
    }

    fn reset(&self) {
        *self.state.lock().unwrap() = State::default();
        self.requester.set_open(false);
        self.link.epochs().synchronize();
        self.resets.fetch_add(1, SeqCst);
    }

    fn function(&self, target: RequesterId) -> Option<FunctionId> {
        if target == self.id() {
            return Some(FunctionId::Pf);
        }
        self.vf(target, &self.state.lock().unwrap()).map(FunctionId::Vf)
    }
}
