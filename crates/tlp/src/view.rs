//! The data path's view of guest memory: remembers where the tree sent each page, for the length of an epoch.
//!
//! A hit costs two compares and no lock. One view belongs to one function and one thread. Runs of many pages (all of RAM, where
//! nothing translates) are looked for before single pages, so that they take one line and not one for each page.

use std::marker::PhantomData;
use std::sync::Arc;

use vm_memory::VolatileSlice;

use crate::near::{LINE, bring_near};
use crate::{Access, Dma, Fault, Guard, Iova, Run, Target};

const PAGE_SHIFT: u32 = 12;
const PAGE: u64 = 1 << PAGE_SHIFT;
const LINES: usize = 256;

/// A direct-mapped cache of resolved pages in front of a function's [`Dma`].
pub struct DmaView {
    dma: Arc<dyn Dma>,
    epoch: u64,
    /// The last run of many pages.
    wide: Line,
    lines: Box<[Line; LINES]>,
}

/// What the tree answered for the run that covered a page.
#[derive(Clone, Copy)]
struct Line {
    start: u64,
    run: Option<Run>,
    read: bool,
    write: bool,
}

const EMPTY: Line = Line { start: 0, run: None, read: false, write: false };

impl Line {
    #[inline]
    fn permits(&self, access: Access) -> bool {
        match access {
            Access::Read => self.read,
            Access::Write => self.write,
        }
    }

    /// `len` bytes from `offset`, if this line answers for all of them.
    #[inline]
    fn whole(&self, offset: u64, len: usize, access: Access) -> Option<VolatileSlice<'static>> {
        let run = self.run.as_ref().filter(|_| self.permits(access))?;
        run.slice().subslice(usize::try_from(offset).ok()?, len).ok()
    }

    /// The slice, cut where the run ends; `None` if this line doesn't answer for its first byte.
    #[inline]
    fn slice(&self, address: u64, len: usize, access: Access) -> Option<VolatileSlice<'static>> {
        let permitted = match access {
            Access::Read => self.read,
            Access::Write => self.write,
        };
        let offset = address.wrapping_sub(self.start);
        let run = self.run.filter(|run| permitted && offset < run.len())?;
        let rest = usize::try_from(run.len() - offset).unwrap_or(usize::MAX);
        run.slice().subslice(offset as usize, len.min(rest)).ok()
    }
}

impl DmaView {
    /// An empty view onto `dma`.
    pub fn new(dma: Arc<dyn Dma>) -> Self {
        Self { dma, epoch: 0, wide: EMPTY, lines: Box::new([EMPTY; LINES]) }
    }

    /// The handle behind the view, for interrupts and for accesses to [`Target::Device`].
    pub fn dma(&self) -> &Arc<dyn Dma> {
        &self.dma
    }

    /// The memory at `address`: at most `len` bytes, fewer where the run ends sooner, and at least one unless `len` is zero.
    /// Accesses that aren't RAM are refused ([`Fault::UnsupportedRequest`]): a ring or a buffer in registers has no view.
    #[inline]
    pub fn slice<'g>(
        &mut self,
        guard: &'g Guard<'_>,
        address: Iova,
        len: usize,
        access: Access,
    ) -> Result<VolatileSlice<'g>, Fault> {
        if self.epoch != guard.epoch() {
            self.forget(guard.epoch());
        }
        match self.known(address, len, access) {
            Some(slice) => Ok(slice),
            None => self.miss(address, len, access),
        }
    }

    /// Brings the first bytes at `address` near, if it is known where they are; nobody is asked, and nothing is promised.
    #[inline]
    pub fn prefetch(&self, guard: &Guard<'_>, address: Iova, access: Access) {
        if self.epoch == guard.epoch()
            && let Some(slice) = self.known(address, NEAR, access)
        {
            bring_near(&slice, 0, access);
            bring_near(&slice, LINE, access);
        }
    }

    /// What is known without asking, for the epoch of `guard`; `None` if nothing is.
    #[inline]
    pub fn known_to<'v, 'g>(&'v self, guard: &'g Guard<'_>) -> Option<Known<'v, 'g>> {
        (self.epoch == guard.epoch()).then_some(Known { view: self, guard: PhantomData })
    }

    #[inline]
    fn known(&self, address: Iova, len: usize, access: Access) -> Option<VolatileSlice<'static>> {
        let wide = self.wide.slice(address.0, len, access);
        wide.or_else(|| self.lines[index(address)].slice(address.0, len, access))
    }

    #[cold]
    fn forget(&mut self, epoch: u64) {
        self.wide = EMPTY;
        self.lines.fill(EMPTY);
        self.epoch = epoch;
    }

    #[cold]
    fn miss(
        &mut self,
        address: Iova,
        len: usize,
        access: Access,
    ) -> Result<VolatileSlice<'static>, Fault> {
        let Target::Ram { start, run, read, write } = self.dma.resolve(address, access)? else {
            return Err(Fault::UnsupportedRequest);
        };
        let line = Line { start: start.0, run: Some(run), read, write };
        if run.len() > PAGE {
            self.wide = line;
        } else {
            self.lines[index(address)] = line;
        }
        line.slice(address.0, len, access).ok_or(Fault::UnsupportedRequest)
    }
}

/// What a view knows already.
#[derive(Clone, Copy)]
pub struct Known<'v, 'g> {
    view: &'v DmaView,
    guard: PhantomData<&'g ()>,
}

impl<'g> Known<'_, 'g> {
    /// All `len` bytes at `address` as one slice: from one run, or from pages that are neighbours in memory too. `None` if not all of
    /// it is known, permitted and in one piece; [`DmaView::slice`] tells which.
    #[inline]
    pub fn whole(&self, address: Iova, len: usize, access: Access) -> Option<VolatileSlice<'g>> {
        let offset = address.0.wrapping_sub(self.view.wide.start);
        if let Some(slice) = self.view.wide.whole(offset, len, access) {
            return Some(slice);
        }
        let line = &self.view.lines[index(address)];
        let offset = address.0.wrapping_sub(line.start);
        if let Some(slice) = line.whole(offset, len, access) {
            return Some(slice);
        }
        // Made here and not there: a slice that was just returned in memory is slow to take apart.
        let end = offset.checked_add(len as u64)?;
        let run = line.run.as_ref().filter(|run| offset < run.len())?;
        self.goes_on(line, end, access)?;
        run.beyond(offset, len)
    }

    /// `Some` if `line` and its neighbours lie one behind the other in memory too, from its start to `end` bytes behind that, and all
    /// permit `access`.
    #[inline(never)]
    fn goes_on(&self, line: &Line, end: u64, access: Access) -> Option<()> {
        let mut len = line.run.as_ref().filter(|_| line.permits(access))?.len();
        let start = line.run.as_ref()?.gpa;
        while len < end {
            let next = Iova(line.start).checked_add(len)?;
            let neighbour = &self.view.lines[index(next)];
            let known = neighbour.start == next.0 && neighbour.permits(access);
            let run = neighbour.run.as_ref().filter(|run| known && !run.is_empty())?;
            if run.gpa != start.checked_add(len)? {
                return None;
            }
            len += run.len();
        }
        Some(())
    }
}

#[inline]
fn index(address: Iova) -> usize {
    (address.0 >> PAGE_SHIFT) as usize % LINES
}

/// Bytes that are brought near: a virtio header and the head of a frame.
const NEAR: usize = 2 * LINE;

#[cfg(test)]
mod tests;
