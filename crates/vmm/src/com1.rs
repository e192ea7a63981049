//! COM1: a 16550A behind eight ports (National Semiconductor PC16550D data sheet; the registers are vm-superio's).

use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result};
use pando_firmware::layout;
use vm_superio::serial::SerialEvents;
use vm_superio::{Serial, Trigger};
use vmm_sys_util::eventfd::{EFD_CLOEXEC, EFD_NONBLOCK, EventFd};

use crate::console::output::Output;
use crate::irq::ioapic::IoApic;

/// The port's interrupt: an edge on its IOAPIC pin.
struct Line(Arc<IoApic>);

impl Trigger for Line {
    type E = Infallible;

    fn trigger(&self) -> Result<(), Infallible> {
        self.0.pulse(layout::COM1_GSI as usize);
        Ok(())
    }
}

/// Tells the console when the guest has taken all input.
struct Room(Arc<EventFd>);

impl SerialEvents for Room {
    fn buffer_read(&self) {}
    fn out_byte(&self) {}
    fn tx_lost_byte(&self) {}
    fn in_buffer_empty(&self) {
        let _ = self.0.write(1);
    }
}

type Uart = Serial<Line, Room, Output>;

/// The port.
pub struct Com1 {
    uart: Mutex<Uart>,
    ioapic: Arc<IoApic>,
    room: Arc<EventFd>,
    output: Output,
}

impl Com1 {
    /// In power-on state, transmitting to `output`.
    pub fn new(ioapic: Arc<IoApic>, output: Output) -> Result<Self> {
        let room = EventFd::new(EFD_NONBLOCK | EFD_CLOEXEC).context("creating an eventfd")?;
        let room = Arc::new(room);
        let uart = Mutex::new(uart(&ioapic, &room, &output));
        Ok(Self { uart, ioapic, room, output })
    }

    /// Back to power-on state; received bytes are lost.
    pub fn reset(&self) {
        *self.lock() = uart(&self.ioapic, &self.room, &self.output);
    }

    /// Reads the register at `offset` (0 to 7).
    pub fn read(&self, offset: u8) -> u8 {
        self.lock().read(offset)
    }

    /// Writes the register at `offset` (0 to 7). Output that can't be written is lost.
    pub fn write(&self, offset: u8, value: u8) {
        let _ = self.lock().write(offset, value);
    }

    /// Bytes from outside; returns how many there was room for.
    pub fn receive(&self, bytes: &[u8]) -> usize {
        self.lock().enqueue_raw_bytes(bytes).unwrap_or(0)
    }

    /// Becomes readable when the guest has taken what was received.
    pub fn room(&self) -> &Arc<EventFd> {
        &self.room
    }

    fn lock(&self) -> MutexGuard<'_, Uart> {
        self.uart.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn uart(ioapic: &Arc<IoApic>, room: &Arc<EventFd>, output: &Output) -> Uart {
    Serial::with_events(Line(ioapic.clone()), Room(room.clone()), output.clone())
}
