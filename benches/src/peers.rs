//! What Pando's engine is compared with: the plainest loop that moves the same frames, and an engine on rust-vmm's `virtio-queue`.
//! Neither has a switch, a filter or a counter.

use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use pando_engine::ring::SplitConfig;
use virtio_queue::{Queue, QueueOwnedT, QueueT};
use vm_memory::{Bytes, GuestAddress, GuestMemoryBackend, VolatileMemory};

use crate::driver::{Machine, SIZE};

/// Frames per batch.
const BATCH: usize = 64;

/// Moves frames until `stop`: indices once per batch, one copy, no check but bounds.
pub fn plain_loop(machine: &Machine, from: SplitConfig, to: SplitConfig, stop: &AtomicBool) {
    let memory = machine.slice();
    let mut position = 0u16;
    let load = |address: u64| memory.load::<u16>(address as usize, Acquire).unwrap_or(0);
    let store = |address: u64, value| drop(memory.store::<u16>(value, address as usize, Release));
    let descriptor = |base: u64, index: u16| {
        let at = base as usize + usize::from(index % SIZE) * 16;
        let raw = memory.get_ref::<u128>(at).map(|raw| raw.load()).unwrap_or(0);
        (raw as usize, (raw >> 64) as u32 as usize)
    };
    while !stop.load(Relaxed) {
        let waiting = load(from.available.0 + 2).wrapping_sub(position);
        let room = load(to.available.0 + 2).wrapping_sub(position);
        let count = waiting.min(room).min(BATCH as u16);
        for _ in 0..count {
            let slot = u64::from(position % SIZE);
            let entry = |ring: u64| memory.load::<u16>((ring + 4 + slot * 2) as usize, Relaxed);
            let (source, target) =
                (entry(from.available.0).unwrap_or(0), entry(to.available.0).unwrap_or(0));
            let (bytes, len) = descriptor(from.descriptors.0, source);
            let (buffer, _) = descriptor(to.descriptors.0, target);
            if let (Ok(bytes), Ok(buffer)) =
                (memory.subslice(bytes, len), memory.subslice(buffer, len))
            {
                bytes.copy_to_volatile_slice(buffer);
            }
            for (ring, id, len) in [(from.used.0, source, 0), (to.used.0, target, len as u32)] {
                let element = (ring + 4 + slot * 8) as usize;
                let _ = memory.store(u32::from(id), element, Relaxed);
                let _ = memory.store(len, element + 4, Relaxed);
            }
            position = position.wrapping_add(1);
        }
        if count > 0 {
            store(to.used.0 + 2, position);
            store(from.used.0 + 2, position);
        }
    }
}

/// Moves frames until `stop`, with `virtio-queue`'s batched iterator.
///
/// # Panics
/// If the rings aren't valid.
#[expect(clippy::unwrap_used, reason = "a bench on a broken ring can only end")]
pub fn virtio_queue(machine: &Machine, from: SplitConfig, to: SplitConfig, stop: &AtomicBool) {
    let memory = machine.ram.memory();
    let queue = |config: SplitConfig| {
        let mut queue = Queue::new(SIZE).unwrap();
        let halves = |address: u64| (Some(address as u32), Some((address >> 32) as u32));
        let (low, high) = halves(config.descriptors.0);
        queue.set_desc_table_address(low, high);
        let (low, high) = halves(config.available.0);
        queue.set_avail_ring_address(low, high);
        let (low, high) = halves(config.used.0);
        queue.set_used_ring_address(low, high);
        queue.set_event_idx(true);
        queue.set_ready(true);
        queue
    };
    let (mut from, mut to) = (queue(from), queue(to));
    let mut done = Vec::with_capacity(BATCH);
    while !stop.load(Relaxed) {
        done.clear();
        let mut targets = to.iter(memory).unwrap();
        let mut sources = from.iter(memory).unwrap();
        while done.len() < BATCH {
            let Some(target) = targets.next() else { break };
            let Some(source) = sources.next() else {
                targets.go_to_previous_position();
                break;
            };
            let (source_head, target_head) = (source.head_index(), target.head_index());
            let mut len = 0;
            for (bytes, buffer) in source.readable().zip(target.writable()) {
                let slice = |address: GuestAddress, len: u32| {
                    memory.get_slice(address, len as usize).unwrap()
                };
                slice(bytes.addr(), bytes.len())
                    .copy_to_volatile_slice(slice(buffer.addr(), bytes.len()));
                len += bytes.len();
            }
            done.push((source_head, target_head, len));
        }
        for (source, target, len) in &done {
            to.add_used(memory, *target, *len).unwrap();
            from.add_used(memory, *source, 0).unwrap();
        }
        if !done.is_empty() {
            to.needs_notification(memory).unwrap();
            from.needs_notification(memory).unwrap();
        }
    }
}
