//! Input and output through the CPL0 service, and the serial port on top of it.

use core::arch::asm;
use core::fmt::{self, Write};

const COM1: u16 = 0x3f8;

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

/// COM1 without interrupts.
pub struct Serial;

impl Write for Serial {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.bytes().for_each(|byte| out_byte(COM1, byte));
        Ok(())
    }
}
