//! One descriptor chain as pieces of memory: what the device reads, then what it writes (virtio 1.3, 2.7.4).

use arrayvec::ArrayVec;
use pando_tlp::Access;
use vm_memory::{VolatileMemory, VolatileSlice};

use crate::QueueError;

/// Pieces a chain holds at most. A chain in more pieces is cut there, see [`Chain::is_cut`].
pub const CHAIN_PIECES: usize = 1024;

/// A chain taken from a ring. Reuse one for a whole pass: it is large and lives on the stack.
#[derive(Default)]
pub struct Chain<'g> {
    pieces: ArrayVec<VolatileSlice<'g>, CHAIN_PIECES>,
    read_from: usize,
    readable_to: usize,
    bytes: u64,
    writable: bool,
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
        &self.pieces[self.read_from..self.readable_to]
    }

    /// What the driver gave to write, in order.
    #[inline]
    pub fn writable(&self) -> &[VolatileSlice<'g>] {
        &self.pieces[self.readable_to..]
    }

    /// Bytes in [`readable`](Self::readable).
    #[inline]
    pub fn readable_len(&self) -> usize {
        self.readable().iter().map(VolatileSlice::len).sum()
    }

    /// Bytes in [`writable`](Self::writable).
    #[inline]
    pub fn writable_len(&self) -> usize {
        self.writable().iter().map(VolatileSlice::len).sum()
    }

    /// Whether the chain had more pieces than fit, and the rest isn't here. A frame in it is malformed; a buffer is just smaller.
    pub fn is_cut(&self) -> bool {
        self.cut
    }

    /// Moves bytes from the front of the readable part into `bytes`; returns how many there were.
    #[inline]
    pub fn take(&mut self, bytes: &mut [u8]) -> usize {
        let mut taken = 0;
        while taken < bytes.len() && self.read_from < self.readable_to {
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

    /// Like [`take`](Self::take) for a fixed number of bytes: `None` if there are fewer, and all of them are gone then.
    #[inline]
    pub fn take_array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let mut bytes = [0; N];
        let piece = self.readable().first().copied().filter(|piece| piece.len() > N);
        let Some(piece) = piece else {
            return (self.take(&mut bytes) == N).then_some(bytes);
        };
        // By words: what is written by words can be read by words without delay.
        let (words, rest) = bytes.as_chunks_mut::<4>();
        for (index, word) in words.iter_mut().enumerate() {
            *word = piece.get_ref::<u32>(4 * index).ok()?.load().to_ne_bytes();
        }
        for (index, byte) in rest.iter_mut().enumerate() {
            *byte = piece.get_ref::<u8>(N / 4 * 4 + index).ok()?.load();
        }
        self.pieces[self.read_from] = piece.offset(N).ok()?;
        Some(bytes)
    }

    #[inline]
    pub(super) fn clear(&mut self) {
        self.pieces.clear();
        (self.read_from, self.readable_to, self.bytes) = (0, 0, 0);
        (self.writable, self.cut) = (false, false);
    }

    /// Makes it one piece.
    #[inline]
    pub(super) fn set(&mut self, slice: VolatileSlice<'g>, access: Access) {
        self.clear();
        self.bytes = slice.len() as u64;
        self.writable = access == Access::Write;
        self.readable_to = usize::from(!self.writable);
        self.pieces.push(slice);
    }

    /// Whether it has no byte.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    #[inline]
    pub(super) fn is_full(&self) -> bool {
        self.pieces.is_full()
    }

    pub(super) fn cut(&mut self) {
        self.cut = true;
    }

    /// Checks that a descriptor of `len` bytes may come next.
    #[inline]
    pub(super) fn start(&mut self, access: Access, len: u32) -> Result<(), QueueError> {
        match access {
            Access::Read if self.writable => {
                return Err(QueueError::Driver("readable descriptor after a writable one"));
            }
            Access::Read => {}
            Access::Write => self.writable = true,
        }
        self.bytes += u64::from(len);
        if self.bytes > 1 << 32 {
            return Err(QueueError::Driver("descriptor chain of more than 4 GiB"));
        }
        Ok(())
    }

    /// Whether the last piece is for `access` too, as the descriptor started last is.
    #[inline]
    pub(super) fn continues(&self, access: Access) -> bool {
        match access {
            Access::Read => self.readable_to > 0,
            Access::Write => self.pieces.len() > self.readable_to,
        }
    }

    /// Puts `slice`, which begins where the last piece does, in its place.
    #[inline]
    pub(super) fn replace_last(&mut self, slice: VolatileSlice<'g>) {
        if let Some(last) = self.pieces.last_mut() {
            *last = slice;
        }
    }

    /// Adds memory of the descriptor started last; there must be room.
    #[inline]
    pub(super) fn push(&mut self, slice: VolatileSlice<'g>) {
        self.pieces.push(slice);
        if !self.writable {
            self.readable_to = self.pieces.len();
        }
    }
}
