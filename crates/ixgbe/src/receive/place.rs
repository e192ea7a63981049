//! Puts frames into the ring's buffers and writes their descriptors back (82599 datasheet, 7.1.5, 7.1.6, 7.11).

use arrayvec::ArrayVec;
use pando_engine::{Batch, QueueError};
use pando_tlp::{Guard, Iova};

use super::coalesce::{DESCRIPTORS, Run};
use super::write::Source;
use super::write_back::{Form, Report};
use crate::ring::Ring;
use crate::spec::descriptor::{RX_NEXT_SHIFT, RX_RSC_SHIFT};

/// A frame on its way into the ring.
pub(super) struct Write<'w, 'g> {
    pub(super) guard: &'w Guard<'g>,
    pub(super) ring: &'w mut Ring,
    pub(super) form: Form,
    pub(super) report: Report,
}

impl Write<'_, '_> {
    /// Writes a frame of `whole` bytes, the first `header` of which go to a header buffer; returns the descriptor after it. Its
    /// descriptors are written back in the ring's order, later.
    pub(super) fn frame(
        &mut self,
        first: u16,
        mut source: Source<'_, '_>,
        whole: usize,
        header: usize,
        buffer: usize,
    ) -> Result<u16, QueueError> {
        let (mut at, mut left) = (first, whole - header);
        loop {
            let descriptor = self.ring.read(self.guard, at)?;
            let view = &mut self.ring.view;
            if at == first && header > 0 {
                source.write(view, self.guard, address(descriptor[2], descriptor[3]), header)?;
            }
            let len = left.min(buffer);
            source.write(view, self.guard, address(descriptor[0], descriptor[1]), len)?;
            left -= len;
            let mut back = self.report.write_back(self.form, len, at == first, left == 0);
            if self.form == Form::Legacy {
                back[..2].copy_from_slice(&descriptor[..2]); // only the second half is written back
            }
            self.ring.write_later(self.guard, at, back)?;
            at = self.ring.next(at);
            if left == 0 {
                return Ok(at);
            }
        }
    }

    /// Writes the segments of `run`, which are `frames`, into buffers of `buffer` bytes; returns the descriptor after them.
    pub(super) fn run(
        &mut self,
        first: u16,
        run: &Run,
        batch: &Batch<'_>,
        frames: &[u16],
        buffer: usize,
    ) -> Result<u16, QueueError> {
        let mut buffers = ArrayVec::<Iova, DESCRIPTORS>::new();
        let mut at = first;
        for _ in 0..run.descriptors() {
            let descriptor = self.ring.read(self.guard, at)?;
            buffers.push(address(descriptor[0], descriptor[1]));
            at = self.ring.next(at);
        }
        let mut gather = Gather { write: self, buffers: &buffers, size: buffer, at: 0 };
        let stripped = gather.write.report.stripped.is_some();
        for (number, index) in frames.iter().enumerate() {
            let frame = batch.frame(usize::from(*index));
            let mut source = Source::new(&frame, None, stripped, &[]);
            if number == 0 {
                let mut headers = Source::new(&frame, Some(run.headers()), stripped, &[]);
                gather.put(&mut headers, run.header_len())?;
            }
            source.skip(run.header_len());
            gather.put(&mut source, run.payload_of(number))?;
        }
        self.write_run_back(first, run, buffer)
    }

    fn write_run_back(&mut self, first: u16, run: &Run, buffer: usize) -> Result<u16, QueueError> {
        let (mut at, count) = (first, run.descriptors());
        for number in 0..count {
            let (next, last) = (self.ring.next(at), number + 1 == count);
            let len = buffer.min(run.len() - number * buffer);
            let mut back = self.report.write_back(self.form, len, number == 0, last);
            back[0] |= run.count(number) << RX_RSC_SHIFT;
            back[2] |= if last { 0 } else { u32::from(next) << RX_NEXT_SHIFT };
            self.ring.write_later(self.guard, at, back)?;
            at = next;
        }
        Ok(at)
    }
}

/// One position in several buffers of `size` bytes.
struct Gather<'p, 'w, 'g> {
    write: &'p mut Write<'w, 'g>,
    buffers: &'p [Iova],
    size: usize,
    at: usize,
}

impl Gather<'_, '_, '_> {
    /// Puts the next `len` bytes of `source` there.
    fn put(&mut self, source: &mut Source<'_, '_>, mut len: usize) -> Result<(), QueueError> {
        while len > 0 {
            let (number, offset) = (self.at / self.size, self.at % self.size);
            let Some(buffer) = self.buffers.get(number) else { return Ok(()) };
            let part = len.min(self.size - offset);
            let (view, guard) = (&mut self.write.ring.view, self.write.guard);
            match buffer.checked_add(offset as u64) {
                Some(address) => source.write(view, guard, address, part)?,
                None => source.skip(part),
            }
            self.at += part;
            len -= part;
        }
        Ok(())
    }
}

pub(super) fn address(low: u32, high: u32) -> Iova {
    Iova(u64::from(high) << 32 | u64::from(low))
}
