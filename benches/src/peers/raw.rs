//! The limit: a loop that moves frames from one split ring to another with one copy each, and believes everything it reads.

use std::ptr::copy_nonoverlapping;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU32, AtomicU64};

use pando_tlp::GuestRam;

use super::BATCH;
use crate::driver::{RingPlace, SIZE};

/// Moves frames until `stop`.
#[expect(unsafe_code, reason = "the limit is what is possible without any check")]
pub(super) fn forward(ram: GuestRam, from: RingPlace, to: RingPlace, stop: &AtomicBool) {
    let Some(region) = ram.region(pando_tlp::Gpa(0)) else { return };
    let base = region.slice().ptr_guard_mut().as_ptr();
    // SAFETY: bench-only. The rings were laid out by this program inside the region at zero, whose mapping is never undone,
    // and every address and length in them is its own.
    let at = |address: u64| unsafe { base.add(address as usize) };
    // SAFETY: as above; the ring's words are aligned and only accessed atomically.
    let word = |address: u64| unsafe { &*at(address).cast::<AtomicU16>() };
    // SAFETY: as above.
    let long = |address: u64| unsafe { &*at(address).cast::<AtomicU32>() };
    // SAFETY: as above.
    let quad = |address: u64| unsafe { &*at(address).cast::<AtomicU64>() };
    let mut position = 0u16;
    while !stop.load(Relaxed) {
        let waiting = word(from.available + 2).load(Acquire).wrapping_sub(position);
        let room = word(to.available + 2).load(Acquire).wrapping_sub(position);
        let count = waiting.min(room).min(BATCH);
        for _ in 0..count {
            let slot = u64::from(position % SIZE);
            let source = word(from.available + 4 + 2 * slot).load(Relaxed);
            let target = word(to.available + 4 + 2 * slot).load(Relaxed);
            let bytes = from.descriptors + 16 * u64::from(source);
            let buffer = to.descriptors + 16 * u64::from(target);
            let len = long(bytes + 8).load(Relaxed);
            let (bytes, buffer) = (quad(bytes).load(Relaxed), quad(buffer).load(Relaxed));
            // SAFETY: as above; sent and received buffers are apart.
            unsafe { copy_nonoverlapping(at(bytes), at(buffer), len as usize) };
            quad(from.used + 4 + 8 * slot).store(u64::from(source), Relaxed);
            let element = u64::from(target) | u64::from(len) << 32;
            quad(to.used + 4 + 8 * slot).store(element, Relaxed);
            position = position.wrapping_add(1);
        }
        if count > 0 {
            word(to.used + 2).store(position, Release);
            word(from.used + 2).store(position, Release);
        }
    }
}
