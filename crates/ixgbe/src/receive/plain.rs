//! Many frames at once: those that each go into one packet buffer in one piece of memory, and of which at most one segment follows the
//! head, which are most.
//!
//! Nobody is asked where memory is: a buffer that isn't known, and everything that isn't that simple, is left to the way that takes
//! anything. A frame's bytes are summed as they are copied, if they have to be.

use pando_engine::packet::{CRC, Packet, TAG};
use pando_engine::ring::{BULK, Buffers};
use pando_engine::{Batch, FrameRef, HEAD, QueueError};
use pando_tlp::{Access, Guard, LINE, bring_near, write_array};
use vm_memory::VolatileSlice;

use super::place::address;
use super::queue::{Pass, ReceiveQueue};
use super::verify::Transported;
use super::write_back::{Checks, Form};

/// Bytes of both addresses: a tag follows them.
const ADDRESSES: usize = 12;

impl ReceiveQueue {
    /// Takes the first of `frames`, as long as they are plain; how many.
    pub(super) fn receive_plain(
        &mut self,
        guard: &Guard<'_>,
        batch: &Batch<'_>,
        frames: &[u16],
        pass: &mut Pass<'_>,
    ) -> Result<usize, QueueError> {
        // Frames that may be joined are looked at one by one.
        let bulk = if pass.joins.is_none() { BULK as u16 } else { 1 };
        let room = self.ring.distance(self.next, pass.tail).min(bulk);
        let most = pass.longest_plain();
        let plain = |index: &&u16| batch.len_of(usize::from(**index)) as usize <= most;
        let count = frames.iter().take(room.into()).take_while(plain).count();
        if count == 0 {
            return Ok(0);
        }
        let run = self.ring.run(guard, self.next, count as u16, Access::Read)?;
        let Some(known) = self.ring.view.known_to(guard) else { return Ok(0) };
        let mut buffers = Buffers::new();
        for (place, index) in (0..run.len()).zip(frames) {
            let [low, high, ..] = run.read(place)?;
            let len = batch.len_of(usize::from(*index)) as usize;
            let Some(buffer) = known.whole(address(low, high), len, Access::Write) else { break };
            bring_near(&buffer, 0, Access::Write);
            bring_near(&buffer, LINE, Access::Write);
            buffers.push(buffer);
        }
        let mut taken = 0;
        for (buffer, index) in buffers.iter().zip(frames) {
            let frame = batch.frame(usize::from(*index));
            let packet = Packet::of(frame.head());
            let strips = pass.strips && packet.tag.is_some();
            let Some(l4) = write(buffer, &frame, &packet, strips) else { break };
            let checks = Checks { ip: packet.ipv4_checksum(frame.head()), l4 };
            let report = pass.report(packet, frame.head(), checks);
            let len = frame.len as usize;
            let written = if strips { len - TAG } else { len };
            let back = report.write_back(Form::OneBuffer, written, true, true);
            self.ring.write_later(guard, self.next, back)?;
            self.next = self.ring.next(self.next);
            pass.add(len, frame.head());
            taken += 1;
        }
        Ok(taken)
    }
}

impl Pass<'_> {
    /// The longest frame that is plain, whatever its headers say.
    fn longest_plain(&self) -> usize {
        let most = self.buffers.packet.min(self.longest);
        match (self.buffers.form == Form::OneBuffer && self.globals.strips_crc, self.local) {
            (false, _) => 0,
            (true, true) => most,
            (true, false) => most.min(self.globals.longest.saturating_sub(CRC)),
        }
    }
}

/// Writes a frame into `buffer`, which is as long as the frame: whether its transport checksum is right, `Some(None)` if it isn't checked.
/// `None`, and nothing that counts, if more is to be seen for that than lies at hand.
#[inline]
fn write(
    buffer: &VolatileSlice<'_>,
    frame: &FrameRef<'_, '_>,
    packet: &Packet,
    strips: bool,
) -> Option<Option<bool>> {
    let (l4, begun) = match Transported::of(frame, packet) {
        Transported::Known(l4) => (l4, None),
        Transported::Begun(begun) if frame.rest.len() <= 1 => (None, Some(begun)),
        _ => return None,
    };
    let mut at = write_head(buffer, frame.head(), strips)?;
    let Some(mut begun) = begun else {
        for segment in frame.rest {
            segment.copy_to_volatile_slice(buffer.offset(at).ok()?);
            at += segment.len();
        }
        return Some(l4);
    };
    if let [segment] = frame.rest {
        let (summed, padding) = segment.split_at(begun.behind).ok()?;
        begun.sum = begun.sum.add_copied(&summed, &buffer.offset(at).ok()?);
        padding.copy_to_volatile_slice(buffer.offset(at + summed.len()).ok()?);
    }
    Some(begun.is_right())
}

/// Writes a frame's head, without its tag if `strips`; where it ends in `buffer`.
#[inline]
fn write_head(buffer: &VolatileSlice<'_>, head: &[u8], strips: bool) -> Option<usize> {
    if strips {
        let (addresses, rest) = (head.get(..ADDRESSES)?, head.get(ADDRESSES + TAG..)?);
        buffer.copy_from(addresses);
        buffer.offset(ADDRESSES).ok()?.copy_from(rest);
        return Some(head.len() - TAG);
    }
    match head.first_chunk::<HEAD>() {
        Some(head) => write_array(buffer, 0, head)?,
        None => buffer.copy_from(head),
    }
    Some(head.len())
}
