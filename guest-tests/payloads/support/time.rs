//! The CPU's time stamp counter (Intel SDM volume 3, 18.17).

use core::arch::asm;

/// Ticks since power-on, after everything before it was done.
#[inline]
pub fn ticks() -> u64 {
    let (low, high): (u32, u32);
    // SAFETY: it only reads a counter.
    unsafe { asm!("lfence", "rdtsc", out("eax") low, out("edx") high) };
    u64::from(high) << 32 | u64::from(low)
}
