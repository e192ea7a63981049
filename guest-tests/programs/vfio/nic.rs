//! A virtio network function driven from user space: one receive and one transmit queue (virtio 1.2, 4.1 and 5.1).

use std::io::{Error, Result};
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::device::{Device, Interrupt};
use crate::ring::{self, Ring};
use crate::sys::{Event, Mapping};

/// Where the function sees our memory: far above all of the machine's own.
pub(crate) const IOVA: u64 = 64 << 30;

/// Bytes of one buffer.
pub(crate) const BUFFER: usize = 2048;

const MEMORY: usize = 2 << 20;
const BUFFERS: usize = 0x1_0000;
/// The header before each frame (5.1.6).
pub(crate) const HEADER: usize = 12;

mod common {
    pub(super) const FEATURE_SELECT: usize = 8;
    pub(super) const FEATURE: usize = 12;
    pub(super) const CONFIG_VECTOR: usize = 16;
    pub(super) const STATUS: usize = 20;
    pub(super) const QUEUE_SELECT: usize = 22;
    pub(super) const QUEUE_SIZE: usize = 24;
    pub(super) const QUEUE_VECTOR: usize = 26;
    pub(super) const QUEUE_ENABLE: usize = 28;
    pub(super) const QUEUE_NOTIFY: usize = 30;
    pub(super) const QUEUE_PARTS: [usize; 3] = [32, 40, 48];
}

/// MAC in the low word; VERSION_1 and ACCESS_PLATFORM in the high one (5.1.3, 6).
const FEATURES: [u32; 2] = [1 << 5, 0b11];

/// A structure in a BAR.
#[derive(Debug)]
struct Window {
    bar: Rc<Mapping>,
    at: usize,
}

/// The function with its queues.
pub(crate) struct Nic {
    pub(crate) device: Device,
    pub(crate) memory: Rc<Mapping>,
    pub(crate) received: Event,
    pub(crate) table: VectorTable,
    events: [Event; 2],
    common: Window,
    notify: [Window; 2],
    config: Window,
    rings: [Ring; 2],
}

/// The MSI-X table, by vectors.
pub(crate) struct VectorTable(Rc<Mapping>, usize);

impl VectorTable {
    /// Address and data of a vector.
    pub(crate) fn get(&self, vector: usize) -> (u64, u32) {
        let at = self.1 + 16 * vector;
        let [low, high] = [0, 4].map(|part| self.0.get::<u32>(at + part));
        (u64::from(high) << 32 | u64::from(low), self.0.get(at + 8))
    }

    /// Replaces address and data of a vector behind the kernel's back.
    pub(crate) fn set(&self, vector: usize, (address, data): (u64, u32)) {
        let at = self.1 + 16 * vector;
        self.0.set(at, address as u32);
        self.0.set(at + 4, (address >> 32) as u32);
        self.0.set(at + 8, data);
    }
}

impl Nic {
    /// Opens the function and brings it up to DRIVER_OK, with receive buffers in place if `fill` says so.
    pub(crate) fn open(address: &str, fill: bool) -> Result<Self> {
        let mut nic = Self::prepare(address)?;
        nic.start()?;
        if fill {
            nic.fill();
        }
        Ok(nic)
    }

    /// Brings it up again after a reset, with receive buffers in place.
    pub(crate) fn restart(&mut self) -> Result<()> {
        self.rings = [0, 1].map(|queue| Ring::new(self.memory.clone(), queue * ring::BYTES));
        self.start()?;
        self.fill();
        Ok(())
    }

    fn fill(&mut self) {
        (0..ring::SIZE).for_each(|number| self.offer_receive(number));
        self.kick(0);
    }

    fn prepare(address: &str) -> Result<Self> {
        let device = Device::open(address)?;
        let [command] = device.config::<1>(4)?;
        device.set_config(4, &[command | 6, 0])?;
        let mut bars = Bars { device: &device, known: Vec::new() };
        let missing = |what| Error::other(format!("no {what} structure"));
        let common = bars.structure(1)?.ok_or_else(|| missing("common"))?.0;
        let (notify, at) = bars.structure(2)?.ok_or_else(|| missing("notification"))?;
        let config = bars.structure(4)?.ok_or_else(|| missing("device"))?.0;
        let multiplier = u32::from_le_bytes(device.config::<4>(u64::from(at) + 16)?);
        let table = bars.table()?;
        let memory = Rc::new(Mapping::memory(MEMORY)?);
        device.map(&memory, IOVA)?;
        let notify = [0u16, 1].map(|queue| {
            common.bar.set(common.at + common::QUEUE_SELECT, queue);
            let offset = common.bar.get::<u16>(common.at + common::QUEUE_NOTIFY);
            Window {
                bar: notify.bar.clone(),
                at: notify.at + usize::from(offset) * multiplier as usize,
            }
        });
        let rings = [0, 1].map(|queue| Ring::new(memory.clone(), queue * ring::BYTES));
        let (received, events) = (Event::new()?, [Event::new()?, Event::new()?]);
        Ok(Self { device, memory, received, table, events, common, notify, config, rings })
    }

    /// From reset to DRIVER_OK (3.1.1).
    fn start(&mut self) -> Result<()> {
        self.status(0);
        while self.status_now() != 0 {}
        self.status(1);
        self.status(3);
        for (word, features) in FEATURES.into_iter().enumerate() {
            self.set(common::FEATURE_SELECT, word as u32);
            self.set(common::FEATURE, features);
        }
        self.status(11);
        if self.status_now() & 8 == 0 {
            return Err(Error::other("the device refuses its features"));
        }
        let events = [&self.events[0], &self.received, &self.events[1]];
        self.device.interrupts(Interrupt::Msix, &events)?;
        self.set(common::CONFIG_VECTOR, 0u16);
        for queue in 0..2u16 {
            self.set(common::QUEUE_SELECT, queue);
            self.set(common::QUEUE_SIZE, ring::SIZE);
            self.set(common::QUEUE_VECTOR, queue + 1);
            for (register, part) in common::QUEUE_PARTS.into_iter().zip(ring::PARTS) {
                let iova = IOVA + (usize::from(queue) * ring::BYTES + part) as u64;
                self.set(register, iova as u32);
                self.set(register + 4, (iova >> 32) as u32);
            }
            self.set(common::QUEUE_ENABLE, 1u16);
        }
        self.status(15);
        Ok(())
    }

    fn set<T: Copy>(&self, register: usize, value: T) {
        self.common.bar.set(self.common.at + register, value);
    }

    fn status(&self, status: u8) {
        self.set(common::STATUS, status);
    }

    /// The device status register.
    pub(crate) fn status_now(&self) -> u8 {
        self.common.bar.get(self.common.at + common::STATUS)
    }

    pub(crate) fn mac(&self) -> [u8; 6] {
        std::array::from_fn(|index| self.config.bar.get(self.config.at + index))
    }

    /// Where receive buffer or, from [`ring::SIZE`] on, transmit buffer `number` lies in our memory.
    pub(crate) fn buffer(number: u16) -> usize {
        BUFFERS + usize::from(number) * BUFFER
    }

    pub(crate) fn offer_receive(&mut self, number: u16) {
        let iova = IOVA + Self::buffer(number) as u64;
        self.rings[0].offer(number, iova, BUFFER as u32, true);
    }

    /// Offers a buffer anywhere: to be written by the device (queue 0), or to be read (queue 1).
    pub(crate) fn offer_at(&mut self, queue: usize, number: u16, iova: u64, len: u32) {
        self.rings[queue].offer(number, iova, len, queue == 0);
        self.kick(queue);
    }

    pub(crate) fn kick(&self, queue: usize) {
        self.notify[queue].bar.set(self.notify[queue].at, queue as u16);
    }

    /// Puts a frame into transmit buffer `number` and offers it.
    pub(crate) fn send(&mut self, number: u16, frame: &[u8]) {
        let place = Self::buffer(ring::SIZE + number);
        self.memory.copy_in(place, &[0; HEADER]);
        self.memory.copy_in(place + HEADER, frame);
        self.offer_at(1, number, IOVA + place as u64, (HEADER + frame.len()) as u32);
    }

    /// A buffer of a queue that came back within `limit`.
    pub(crate) fn used(&mut self, queue: usize, limit: Duration) -> Option<(u16, u32)> {
        let end = Instant::now() + limit;
        loop {
            if let Some(used) = self.rings[queue].take() {
                return Some(used);
            }
            if Instant::now() >= end {
                return None;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// The next frame for which `wanted` holds, with its interrupt awaited; the buffers go back to the device.
    pub(crate) fn receive(
        &mut self,
        limit: Duration,
        wanted: impl Fn(&[u8]) -> bool,
    ) -> Option<Vec<u8>> {
        let end = Instant::now() + limit;
        loop {
            while let Some((number, len)) = self.rings[0].take() {
                let frame = self.memory.copy_out(Self::buffer(number), len as usize);
                self.offer_receive(number);
                self.kick(0);
                if wanted(&frame[HEADER..]) {
                    return Some(frame[HEADER..].to_vec());
                }
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() || self.received.wait(left) == 0 {
                return None;
            }
        }
    }
}

/// The BARs that were mapped so far.
struct Bars<'a> {
    device: &'a Device,
    known: Vec<(u8, Rc<Mapping>)>,
}

impl Bars<'_> {
    fn get(&mut self, index: u8) -> Result<Rc<Mapping>> {
        if let Some((_, bar)) = self.known.iter().find(|(known, _)| *known == index) {
            return Ok(bar.clone());
        }
        let bar = Rc::new(self.device.bar(index.into())?);
        self.known.push((index, bar.clone()));
        Ok(bar)
    }

    /// The virtio structure of this kind and its capability's place (4.1.4).
    fn structure(&mut self, kind: u8) -> Result<Option<(Window, u8)>> {
        let mut at = self.device.capability(9, None)?;
        while let Some(place) = at {
            let [_, _, _, found, bar, ..] = self.device.config::<8>(place.into())?;
            if found == kind {
                let offset = u32::from_le_bytes(self.device.config::<4>(u64::from(place) + 8)?);
                return Ok(Some((Window { bar: self.get(bar)?, at: offset as usize }, place)));
            }
            at = self.device.capability(9, Some(place))?;
        }
        Ok(None)
    }

    fn table(&mut self) -> Result<VectorTable> {
        let at = self.device.capability(0x11, None)?;
        let at = at.ok_or_else(|| Error::other("no MSI-X capability"))?;
        let place = u32::from_le_bytes(self.device.config::<4>(u64::from(at) + 4)?);
        Ok(VectorTable(self.get(place as u8 & 7)?, place as usize & !7))
    }
}
