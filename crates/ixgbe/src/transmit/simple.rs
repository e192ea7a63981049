//! Many frames at once: those of one buffer in one piece of memory that want nothing, or nothing but their transport checksum, which
//! most are, and the contexts between them.
//!
//! Each descriptor is copied once. Nobody is asked where memory is: a buffer that isn't known, and everything that isn't that simple,
//! is left to the way that takes anything.

use arrayvec::ArrayVec;
use pando_engine::{Batch, Checksum, Offload, QueueError};
use pando_tlp::{Access, Iova, Known, LINE, bring_near};
use vm_memory::VolatileSlice;

use super::descriptor::{Context, Kind, Simple};
use super::fetch::{Contexts, ENTRIES, Entry, Fetch, Held};
use super::prepare::{MAX_PACKET, PADDING, transport_checksum};
use crate::ring::Descriptor;

/// Descriptors that are taken at once, at most.
pub(super) const BULK: usize = 64;

/// What one descriptor holds.
enum Taken<'g> {
    Frame { piece: VolatileSlice<'g>, checksum: Checksum, reports: bool },
    Context(usize, Context),
}

impl<'g> Fetch<'_, 'g> {
    /// Takes what the next descriptors hold, as long as it is simple; `false` if the first one isn't.
    pub(super) fn simple(&mut self, batch: &mut Batch<'g>) -> Result<bool, QueueError> {
        let waiting = self.ring.distance(self.at, self.tail);
        let most = BULK.min(ENTRIES - self.fetched.entries.len()) as u16;
        let run = self.ring.run(self.guard, self.at, waiting.min(most), Access::Read)?;
        let Some(known) = self.ring.view.known_to(self.guard) else { return Ok(false) };
        let (mut contexts, mut taken) = (self.contexts, ArrayVec::<_, BULK>::new());
        for index in 0..run.len() {
            match take(run.read(index)?, &mut contexts, &known) {
                Some(one) => taken.push(one),
                None => break,
            }
        }
        let any = !taken.is_empty();
        for one in &taken {
            if !self.note(one, batch) {
                break;
            }
        }
        Ok(any)
    }

    /// Pushes a frame, or keeps a context; `false`, and nothing changed, if it doesn't fit.
    #[inline]
    fn note(&mut self, taken: &Taken<'g>, batch: &mut Batch<'g>) -> bool {
        let at = self.at;
        let (held, reports) = match *taken {
            Taken::Context(number, context) => {
                self.contexts[number] = Some(context);
                (Held::Context(number, context), false)
            }
            Taken::Frame { piece, checksum, reports } => {
                // Most want nothing; what was just put together is slow to copy.
                let pushed = match checksum {
                    Checksum::Unknown => batch.push_piece(piece, Offload::default()),
                    _ => batch.push_piece(piece, Offload { checksum, segmentation: None }),
                };
                if !pushed {
                    return false;
                }
                let destination = batch.frame(batch.len() - 1).destination().0;
                let len = piece.len() as u32; // at most `MAX_PACKET`
                (Held::Frame { len, destination, frames: 1, headers: 0 }, reports)
            }
        };
        if reports {
            self.fetched.reports.push(at);
        }
        self.at = self.ring.next(at);
        self.descriptors += 1;
        self.fetched.entries.push(Entry { held, next: self.at, reports: reports.into() });
        true
    }
}

/// What `descriptor` holds, if that is simple; a frame's beginning is brought near.
#[inline]
fn take<'g>(
    descriptor: Descriptor,
    contexts: &mut Contexts,
    known: &Known<'_, 'g>,
) -> Option<Taken<'g>> {
    let Some(simple) = Simple::of(descriptor) else {
        let Kind::Context(number, context) = Kind::of(descriptor) else { return None };
        contexts[number] = Some(context);
        return Some(Taken::Context(number, context));
    };
    let Simple { address, len, reports, context } = simple;
    if !(PADDING..=MAX_PACKET).contains(&len) {
        return None;
    }
    let checksum = match context {
        None => Checksum::Unknown,
        Some(number) => transport_checksum(contexts[number].as_ref()?, len).ok()?,
    };
    let piece = known.whole(Iova(address), len, Access::Read)?;
    bring_near(&piece, 0, Access::Read);
    bring_near(&piece, LINE, Access::Read);
    Some(Taken::Frame { piece, checksum, reports })
}
