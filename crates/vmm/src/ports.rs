//! The I/O ports that answer: COM1, the ACPI sleep and reset registers, the keyboard controller's reset pulse.
//!
//! Every other port reads all ones and swallows writes; so Linux finds no PIC, PIT, CMOS clock, keyboard or configuration mechanism 1.

use std::sync::Arc;

use pando_firmware::layout;

use crate::com1::Com1;
use crate::control::{Control, Request};

/// The ports.
pub struct Ports {
    com1: Arc<Com1>,
    control: Arc<Control>,
}

/// ACPI 6.5, 4.8.3.7: sleep type 4:2, sleep enable 5.
const SLEEP_TYPE_SHIFT: u8 = 2;
const SLEEP_TYPE_MASK: u8 = 7;
const SLEEP_ENABLE: u8 = 1 << 5;
/// Reset control register (ICH9 data sheet 13.7.5): bit 2 resets the CPU.
const RESET_CPU: u8 = 1 << 2;
const COM1: std::ops::Range<u16> = layout::COM1_PORT..layout::COM1_PORT + 8;

impl Ports {
    /// The ports of a machine.
    pub fn new(com1: Arc<Com1>, control: Arc<Control>) -> Self {
        Self { com1, control }
    }

    /// An `in` of one access, or a string `ins` of bytes.
    pub fn read(&self, port: u16, data: &mut [u8]) {
        data.fill(0xff);
        match port {
            port if COM1.contains(&port) => {
                let offset = (port - COM1.start) as u8;
                data.iter_mut().for_each(|byte| *byte = self.com1.read(offset));
            }
            layout::SLEEP_CONTROL_PORT | layout::SLEEP_STATUS_PORT => data.fill(0),
            _ => {}
        }
    }

    /// An `out` of one access, or a string `outs` of bytes.
    pub fn write(&self, port: u16, data: &[u8]) {
        if COM1.contains(&port) {
            let offset = (port - COM1.start) as u8;
            return data.iter().for_each(|byte| self.com1.write(offset, *byte));
        }
        if let [value] = *data
            && let Some(request) = request(port, value)
        {
            self.control.request(request);
        }
    }
}

/// What a byte written to a port asks for.
fn request(port: u16, value: u8) -> Option<Request> {
    let sleep_type = value >> SLEEP_TYPE_SHIFT & SLEEP_TYPE_MASK;
    match port {
        layout::SLEEP_CONTROL_PORT
            if value & SLEEP_ENABLE != 0 && sleep_type == layout::S5_SLEEP_TYPE =>
        {
            Some(Request::PowerOff)
        }
        layout::RESET_PORT if value & RESET_CPU != 0 => {
            Some(Request::Reset("wrote the reset register"))
        }
        layout::KEYBOARD_COMMAND_PORT if value == layout::KEYBOARD_RESET => {
            Some(Request::Reset("pulsed the keyboard controller's reset line"))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_that_end_or_reset_the_machine() {
        let asks = |port, value| request(port, value).map(|request| request == Request::PowerOff);
        for (port, value, expected) in [
            (0x600, 0x34, Some(true)),
            (0x600, 0x14, None),
            (0x600, 0x30, None),
            (0x601, 0x34, None),
            (0xcf9, 0x02, None),
            (0xcf9, 0x06, Some(false)),
            (0xcf9, 0x0e, Some(false)),
            (0x64, 0xfe, Some(false)),
            (0x64, 0xd1, None),
            (0x60, 0xfe, None),
        ] {
            assert_eq!(asks(port, value), expected, "{port:#x} <- {value:#x}");
        }
    }
}
