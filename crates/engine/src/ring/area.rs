//! One of a ring's three areas: where the driver put it, and the memory behind it in this epoch.
//!
//! An area is usually one run; where the IOMMU scatters it, one run a page. Accesses are single-copy atomic up to 4 bytes.

use std::sync::atomic::Ordering;

use pando_tlp::{Access, Dma, Fault, Iova, Run, Target, bring_near, write_array};
use vm_memory::{Bytes, VolatileMemory};

use crate::QueueError;

const PAGE: usize = 4096;

pub(super) struct Area {
    start: Iova,
    len: usize,
    access: Access,
    whole: Option<Run>,
    pages: Vec<Run>,
}

impl Area {
    /// An area of `len` bytes at `start`, not resolved yet.
    pub(super) fn new(
        start: Iova,
        len: usize,
        align: u64,
        access: Access,
    ) -> Result<Self, QueueError> {
        if !start.0.is_multiple_of(align) {
            return Err(QueueError::Driver("a ring area is not aligned"));
        }
        if start.checked_add(len as u64).is_none() {
            return Err(QueueError::Driver("a ring area runs past the end of the address space"));
        }
        let pages = Vec::with_capacity(len / PAGE + 2);
        Ok(Self { start, len, access, whole: None, pages })
    }

    /// Asks the tree where the area is now.
    pub(super) fn resolve(&mut self, dma: &dyn Dma) -> Result<(), QueueError> {
        self.whole = None;
        self.pages.clear();
        let first = self.run(dma, 0, self.len)?;
        if first.len() == self.len as u64 {
            self.whole = Some(first);
            return Ok(());
        }
        let mut offset = 0;
        while offset < self.len {
            let to_page_end = PAGE - (self.start.0 as usize + offset) % PAGE;
            let len = to_page_end.min(self.len - offset);
            let run = self.run(dma, offset, len)?;
            if run.len() != len as u64 {
                return Err(Fault::UnsupportedRequest.into());
            }
            self.pages.push(run);
            offset += len;
        }
        Ok(())
    }

    /// The memory from `offset`, at most `len` bytes.
    fn run(&self, dma: &dyn Dma, offset: usize, len: usize) -> Result<Run, Fault> {
        let address = self.start.checked_add(offset as u64).ok_or(Fault::UnsupportedRequest)?;
        let Target::Ram { start, run, read, write } = dma.resolve(address, self.access)? else {
            return Err(Fault::UnsupportedRequest);
        };
        let permitted = match self.access {
            Access::Read => read,
            Access::Write => write,
        };
        let offset = address.0.wrapping_sub(start.0);
        let rest = run.len().saturating_sub(offset);
        run.part(offset, rest.min(len as u64))
            .filter(|run| permitted && !run.is_empty())
            .ok_or(Fault::UnsupportedRequest)
    }

    #[inline]
    fn at(&self, offset: usize) -> Result<(&Run, usize), QueueError> {
        if let Some(run) = &self.whole {
            return Ok((run, offset));
        }
        let skew = self.start.0 as usize % PAGE;
        let page = (skew + offset) / PAGE;
        let run = self.pages.get(page).ok_or(OUTSIDE)?;
        Ok((run, if page == 0 { offset } else { (skew + offset) % PAGE }))
    }

    /// Brings the cache line at `offset` near, for what the device does with this area.
    #[inline]
    pub(super) fn bring_near(&self, offset: usize) {
        if let Ok((run, offset)) = self.at(offset) {
            bring_near(&run.slice(), offset, self.access);
        }
    }

    #[inline]
    pub(super) fn load(&self, offset: usize, order: Ordering) -> Result<u16, QueueError> {
        let (run, offset) = self.at(offset)?;
        run.slice().load(offset, order).map_err(|_| OUTSIDE)
    }

    #[inline]
    pub(super) fn store(
        &self,
        offset: usize,
        value: u16,
        order: Ordering,
    ) -> Result<(), QueueError> {
        let (run, offset) = self.at(offset)?;
        run.slice().store(value, offset, order).map_err(|_| OUTSIDE)
    }

    /// A 4-byte store without order.
    #[inline]
    pub(super) fn store_word(&self, offset: usize, value: u32) -> Result<(), QueueError> {
        let (run, offset) = self.at(offset)?;
        run.slice().store(value, offset, Ordering::Relaxed).map_err(|_| OUTSIDE)
    }

    /// Two little-endian words that follow each other, without order.
    #[inline]
    pub(super) fn store_words(&self, offset: usize, words: [u32; 2]) -> Result<(), QueueError> {
        let Some(run) = &self.whole else {
            // A page may end between them.
            self.store_word(offset, words[0])?;
            return self.store_word(offset + 4, words[1]);
        };
        let both = u64::from(words[0]) | u64::from(words[1]) << 32;
        write_array(&run.slice(), offset, &both.to_le_bytes()).ok_or(OUTSIDE)
    }

    /// 2-byte values that follow each other, as they lie there and without order.
    #[inline]
    pub(super) fn load_many(&self, offset: usize, values: &mut [u16]) -> Result<(), QueueError> {
        if let Some(run) = &self.whole {
            let memory = run.slice();
            let all = memory.get_array_ref::<u16>(offset, values.len()).map_err(|_| OUTSIDE)?;
            all.copy_to(values);
            return Ok(());
        }
        for (index, value) in values.iter_mut().enumerate() {
            *value = self.load(offset + 2 * index, Ordering::Relaxed)?;
        }
        Ok(())
    }

    /// Pairs of little-endian words that follow each other, without order.
    #[inline]
    pub(super) fn store_many(
        &self,
        offset: usize,
        pairs: impl ExactSizeIterator<Item = [u32; 2]>,
    ) -> Result<(), QueueError> {
        if let Some(run) = &self.whole {
            let len = 8 * pairs.len();
            let all = run.slice().subslice(offset, len).map_err(|_| OUTSIDE)?;
            for (index, pair) in pairs.enumerate() {
                let both = u64::from(pair[0]) | u64::from(pair[1]) << 32;
                write_array(&all, 8 * index, &both.to_le_bytes()).ok_or(OUTSIDE)?;
            }
            return Ok(());
        }
        for (index, pair) in pairs.enumerate() {
            self.store_words(offset + 8 * index, pair)?;
        }
        Ok(())
    }

    /// 16 bytes at a multiple of 16, read once.
    #[inline]
    pub(super) fn load_descriptor(&self, offset: usize) -> Result<u128, QueueError> {
        let (run, offset) = self.at(offset)?;
        run.slice().get_ref::<u128>(offset).map(|descriptor| descriptor.load()).map_err(|_| OUTSIDE)
    }

    /// The same, its second half before its first: if the flags at its end say that it is whole, it is.
    #[inline]
    pub(super) fn load_packed(&self, offset: usize) -> Result<u128, QueueError> {
        let (run, offset) = self.at(offset)?;
        let memory = run.slice();
        let end: u64 = memory.load(offset + 8, Ordering::Acquire).map_err(|_| OUTSIDE)?;
        let start: u64 = memory.load(offset, Ordering::Relaxed).map_err(|_| OUTSIDE)?;
        Ok((u128::from(u64::from_le(start)) | u128::from(u64::from_le(end)) << 64).to_le())
    }
}

const OUTSIDE: QueueError = QueueError::Ring(Fault::UnsupportedRequest);
