//! Tells the harness about checks, in the lines that guests with a kernel use too.

use core::fmt::{Arguments, Debug, Display, Write};
use core::panic::PanicInfo;

use super::port::Serial;

/// Counts the checks.
#[derive(Default)]
pub struct Report {
    checks: usize,
}

impl Report {
    /// A condition must hold.
    pub fn check(&mut self, name: &str, holds: bool) {
        self.tell(name, holds, format_args!("it does not hold"));
    }

    /// Two values, or two arrays of them, must be equal.
    pub fn equal<T: PartialEq + Debug>(&mut self, name: &str, got: T, wanted: T) {
        self.tell(name, got == wanted, format_args!("is 0x{got:x?} instead of 0x{wanted:x?}"));
    }

    /// A measurement.
    pub fn value(&self, name: &str, number: u64, unit: &str) {
        line(format_args!("PANDO:value:{name}:{number}:{unit}"));
    }

    /// All checks were made.
    pub fn finish(&self) {
        line(format_args!("PANDO:end:{}:0:", self.checks));
    }

    fn tell(&mut self, name: &str, holds: bool, detail: impl Display) {
        self.checks += 1;
        if holds {
            line(format_args!("PANDO:check:{name}:ok"));
        } else {
            line(format_args!("PANDO:check:{name}:fail:{detail}"));
        }
    }
}

/// Tells of a mistake in the payload and stops; the harness sees a report without an end.
pub fn panicked(info: &PanicInfo) -> ! {
    line(format_args!("{info}"));
    loop {
        core::hint::spin_loop();
    }
}

fn line(text: Arguments) {
    let _ = Serial.write_fmt(format_args!("{text}\n")); // it never fails
}
