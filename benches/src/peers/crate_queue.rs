//! A straightforward engine on `virtio-queue`: its batched iterator, one copy per frame, used elements and events through the crate.

use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;

use pando_tlp::GuestRam;
use virtio_queue::{Queue, QueueT};
use virtio_queue::{QueueOwnedT, desc::split::Descriptor};
use vm_memory::{GuestMemoryBackend, GuestMemoryMmap};

use super::BATCH;
use crate::driver::{RingPlace, SIZE};

/// Moves frames until `stop`, or until a ring is broken.
pub(super) fn forward(ram: GuestRam, from: RingPlace, to: RingPlace, stop: &AtomicBool) {
    let memory = ram.memory();
    let (Some(mut from), Some(mut to)) = (queue(from), queue(to)) else { return };
    let mut done = Vec::with_capacity(BATCH.into());
    while !stop.load(Relaxed) {
        if pass(memory, &mut from, &mut to, &mut done).is_none() {
            eprintln!("the engine on virtio-queue met a ring it can't use");
            return;
        }
    }
}

fn queue(place: RingPlace) -> Option<Queue> {
    let mut queue = Queue::new(SIZE).ok()?;
    let halves = |address: u64| (Some(address as u32), Some((address >> 32) as u32));
    let (low, high) = halves(place.descriptors);
    queue.set_desc_table_address(low, high);
    let (low, high) = halves(place.available);
    queue.set_avail_ring_address(low, high);
    let (low, high) = halves(place.used);
    queue.set_used_ring_address(low, high);
    queue.set_event_idx(true);
    queue.set_ready(true);
    Some(queue)
}

/// Heads of a sent and a received chain, and the bytes copied.
type Done = (u16, u16, u32);

/// One batch.
fn pass(
    memory: &GuestMemoryMmap<()>,
    from: &mut Queue,
    to: &mut Queue,
    done: &mut Vec<Done>,
) -> Option<()> {
    done.clear();
    {
        let mut targets = to.iter(memory).ok()?;
        let mut sources = from.iter(memory).ok()?;
        while done.len() < usize::from(BATCH) {
            let Some(target) = targets.next() else { break };
            let Some(source) = sources.next() else {
                targets.go_to_previous_position();
                break;
            };
            let heads = (source.head_index(), target.head_index());
            let mut len = 0;
            for (bytes, buffer) in source.readable().zip(target.writable()) {
                len += copy(memory, bytes, buffer)?;
            }
            done.push((heads.0, heads.1, len));
        }
    }
    for (source, target, len) in done.iter() {
        to.add_used(memory, *target, *len).ok()?;
        from.add_used(memory, *source, 0).ok()?;
    }
    if !done.is_empty() {
        to.needs_notification(memory).ok()?;
        from.needs_notification(memory).ok()?;
    }
    Some(())
}

fn copy(memory: &GuestMemoryMmap<()>, bytes: Descriptor, buffer: Descriptor) -> Option<u32> {
    let len = bytes.len().min(buffer.len());
    let from = memory.get_slice(bytes.addr(), len as usize).ok()?;
    let to = memory.get_slice(buffer.addr(), len as usize).ok()?;
    from.copy_to_volatile_slice(to);
    Some(len)
}
