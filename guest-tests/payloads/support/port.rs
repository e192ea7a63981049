//! Input and output through the CPL0 service, and the serial port on top of it.

use core::arch::asm;
use core::fmt::{self, Write};

const COM1: u16 = 0x3f8;
/// A port that nobody has.
const NOBODY: u16 = 0x80;

fn service(number: u64, port: u16, value: u64) -> u64 {
    let result;
    // SAFETY: the service changes nothing but the register named here, and uses a stack of its own.
    unsafe {
        asm!("int3", inlateout("rax") number => result, in("rdx") u64::from(port), in("rdi") value);
    }
    result
}

/// Writes a byte to a port.
pub fn out_byte(port: u16, value: u8) {
    service(0, port, u64::from(value));
}

/// Reads a byte from a port.
pub fn in_byte(port: u16) -> u8 {
    service(1, port, 0) as u8
}

/// Waits for what other threads of the VMM do; false when it can't be expected to come any more. Each look costs an exit, so
/// that they get on meanwhile.
pub fn eventually(mut condition: impl FnMut() -> bool) -> bool {
    for _ in 0..500_000 {
        if condition() {
            return true;
        }
        in_byte(NOBODY);
    }
    false
}

/// COM1 without interrupts.
pub struct Serial;

impl Write for Serial {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.bytes().for_each(|byte| out_byte(COM1, byte));
        Ok(())
    }
}
