//! Writes a byte stream into pieces of memory, in order.

use vm_memory::VolatileSlice;

/// A cursor over a chain's writable pieces.
#[derive(Clone, Debug)]
pub struct Writer<'c, 'g> {
    pieces: &'c [VolatileSlice<'g>],
    offset: usize,
    written: usize,
}

impl<'c, 'g> Writer<'c, 'g> {
    /// Starts at the first byte of `pieces`.
    pub fn new(pieces: &'c [VolatileSlice<'g>]) -> Self {
        Self { pieces, offset: 0, written: 0 }
    }

    /// Bytes written or skipped so far.
    #[inline]
    pub fn written(&self) -> usize {
        self.written
    }

    /// What is left of the piece at the cursor; `None` at the end.
    #[inline]
    fn room(&mut self) -> Option<VolatileSlice<'g>> {
        while let Some(piece) = self.pieces.first() {
            match piece.offset(self.offset) {
                Ok(rest) if !rest.is_empty() => return Some(rest),
                _ => (self.pieces, self.offset) = (&self.pieces[1..], 0),
            }
        }
        None
    }

    #[inline]
    fn advance(&mut self, bytes: usize) {
        self.offset += bytes;
        self.written += bytes;
    }

    /// Writes `bytes`; returns how many fitted.
    #[inline]
    pub fn write(&mut self, bytes: &[u8]) -> usize {
        let mut done = 0;
        while done < bytes.len()
            && let Some(room) = self.room()
        {
            let count = room.len().min(bytes.len() - done);
            room.copy_from(&bytes[done..done + count]);
            self.advance(count);
            done += count;
        }
        done
    }

    /// Copies `source` from memory to memory; returns how many bytes fitted.
    #[inline]
    pub fn copy(&mut self, source: VolatileSlice<'_>) -> usize {
        let mut done = 0;
        while let Ok(rest) = source.offset(done)
            && !rest.is_empty()
            && let Some(room) = self.room()
        {
            let count = room.len().min(rest.len());
            rest.copy_to_volatile_slice(room);
            self.advance(count);
            done += count;
        }
        done
    }

    /// Leaves `bytes` as they are; returns how many there were.
    pub fn skip(&mut self, bytes: usize) -> usize {
        let mut done = 0;
        while done < bytes
            && let Some(room) = self.room()
        {
            let count = room.len().min(bytes - done);
            self.advance(count);
            done += count;
        }
        done
    }
}
