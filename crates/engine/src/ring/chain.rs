//! One descriptor chain as pieces of memory: what the device reads, then what it writes (virtio 1.3, 2.7.4).

use arrayvec::ArrayVec;
use vm_memory::VolatileSlice;

/// Pieces a chain holds at most. A chain in more pieces is cut there, see [`Chain::is_cut`].
pub const CHAIN_PIECES: usize = 1024;

/// A chain taken from a ring. Reuse one for a whole pass: it is large and lives on the stack.
#[derive(Default)]
pub struct Chain<'g> {
    pieces: ArrayVec<VolatileSlice<'g>, CHAIN_PIECES>,
    writable_from: usize,
    read_from: usize,
    cut: bool,
}

impl<'g> Chain<'g> {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// What the driver gave to read, in order, without what [`take`](Self::take) took.
    #[inline]
    pub fn readable(&self) -> &[VolatileSlice<'g>] {
        &self.pieces[self.read_from..self.writable_from]
    }

    /// What the driver gave to write, in order.
    #[inline]
    pub fn writable(&self) -> &[VolatileSlice<'g>] {
        &self.pieces[self.writable_from..]
    }

    /// Bytes in [`readable`](Self::readable).
    pub fn readable_len(&self) -> u64 {
        self.readable().iter().map(|piece| piece.len() as u64).sum()
    }

    /// Bytes in [`writable`](Self::writable).
    pub fn writable_len(&self) -> u64 {
        self.writable().iter().map(|piece| piece.len() as u64).sum()
    }

    /// Whether the chain had more pieces than fit, and the rest isn't here. A frame in it is malformed; a buffer is just smaller.
    pub fn is_cut(&self) -> bool {
        self.cut
    }

    /// Moves bytes from the front of the readable part into `bytes`; returns how many there were.
    pub fn take(&mut self, bytes: &mut [u8]) -> usize {
        let mut taken = 0;
        while taken < bytes.len() && self.read_from < self.writable_from {
            let piece = self.pieces[self.read_from];
            let copied = piece.copy_to(&mut bytes[taken..]);
            taken += copied;
            match piece.offset(copied) {
                Ok(rest) if !rest.is_empty() => self.pieces[self.read_from] = rest,
                _ => self.read_from += 1,
            }
        }
        taken
    }

    /// Empties it.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}
