//! Memory accesses where nanoseconds count: hints about memory that will be accessed soon, and writes of a known length.

use vm_memory::VolatileSlice;

use crate::Access;

/// Bytes of a cache line.
pub const LINE: usize = 64;

/// Asks for the cache line `offset` bytes into `memory`: for a write in a state that can be written. Where there is no such
/// memory, nothing happens.
#[cfg(target_arch = "x86_64")]
#[expect(unsafe_code, reason = "the intrinsic takes a raw pointer")]
#[inline]
pub fn bring_near(memory: &VolatileSlice<'_>, offset: usize, access: Access) {
    use std::arch::x86_64::{_MM_HINT_ET0, _MM_HINT_T0, _mm_prefetch};
    if offset >= memory.len() {
        return;
    }
    let line = memory.ptr_guard().as_ptr().wrapping_add(offset).cast::<i8>();
    match access {
        // SAFETY: a prefetch accesses nothing and never faults.
        Access::Read => unsafe { _mm_prefetch::<_MM_HINT_T0>(line) },
        // SAFETY: as above.
        Access::Write => unsafe { _mm_prefetch::<_MM_HINT_ET0>(line) },
    }
}

/// There is no hint on this processor.
#[cfg(not(target_arch = "x86_64"))]
pub fn bring_near(_: &VolatileSlice<'_>, _: usize, _: Access) {}

/// Writes `bytes` at `offset` of `memory`, without a call and without order; `None`, and nothing written, if they don't fit.
///
/// As fast as it gets, which `VolatileSlice` isn't: it calls for 9 bytes and more, and takes a detour over the stack for fewer.
#[expect(unsafe_code, reason = "memory of the guest is only there as a raw pointer")]
#[inline(always)]
pub fn write_array<const N: usize>(
    memory: &VolatileSlice<'_>,
    offset: usize,
    bytes: &[u8; N],
) -> Option<()> {
    let room = memory.len().checked_sub(offset)?;
    if room < N {
        return None;
    }
    // SAFETY: the `N` bytes from `offset` lie inside the slice, whose memory is mapped, and `bytes` is none of it. Nothing is
    // read from there, so nothing rests on what the guest does with it meanwhile.
    unsafe {
        let place = memory.ptr_guard_mut().as_ptr().add(offset);
        std::ptr::copy_nonoverlapping(bytes.as_ptr(), place, N);
    }
    Some(())
}

/// Reads into `bytes` from `offset` of `memory`, without a call and without order; `None`, and nothing read, if there are fewer.
/// Each byte is read once: what is checked afterwards is what is used, whatever the guest does. `N` is a multiple of 8.
#[expect(unsafe_code, reason = "memory of the guest is only there as a raw pointer")]
#[inline(always)]
pub fn read_array<const N: usize>(
    memory: &VolatileSlice<'_>,
    offset: usize,
    bytes: &mut [u8; N],
) -> Option<()> {
    const { assert!(N.is_multiple_of(WORD)) };
    let room = memory.len().checked_sub(offset)?;
    if room < N {
        return None;
    }
    for (index, word) in bytes.as_chunks_mut::<WORD>().0.iter_mut().enumerate() {
        // SAFETY: the `N` bytes from `offset` lie inside the slice, whose memory is mapped; any bytes are a valid word.
        let read = unsafe {
            let place = memory.ptr_guard().as_ptr().add(offset + index * WORD);
            place.cast::<Unaligned>().read_volatile()
        };
        *word = { read.0 }.to_ne_bytes();
    }
    Some(())
}

/// Copies `from` to the beginning of `to` as far as both go, `N` words at a time without order, and shows them to `see` on their
/// way: each is read once. Returns the bytes copied; up to `8 * N` less one are left.
#[expect(unsafe_code, reason = "memory of the guest is only there as a raw pointer")]
#[inline(always)]
pub fn copy_words<const N: usize>(
    from: &VolatileSlice<'_>,
    to: &VolatileSlice<'_>,
    mut see: impl FnMut([u64; N]),
) -> usize {
    let blocks = from.len().min(to.len()) / (N * WORD);
    let (source, target) = (from.ptr_guard(), to.ptr_guard_mut());
    for block in 0..blocks {
        let offset = |index: usize| (block * N + index) * WORD;
        let words: [u64; N] = std::array::from_fn(|index| {
            // SAFETY: `blocks` blocks of `N` words lie inside both slices, whose memory is mapped; any bytes are a valid word.
            let word =
                unsafe { source.as_ptr().add(offset(index)).cast::<Unaligned>().read_volatile() };
            word.0
        });
        for (index, word) in words.iter().enumerate() {
            // SAFETY: as above. Nothing is read from there, so nothing rests on what the guest does with it meanwhile.
            unsafe { target.as_ptr().add(offset(index)).cast::<u64>().write_unaligned(*word) };
        }
        see(words);
    }
    blocks * N * WORD
}

/// Bytes that are read at once.
const WORD: usize = size_of::<u64>();

/// A word wherever it lies.
#[repr(C, packed)]
#[derive(Clone, Copy)]
struct Unaligned(u64);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_array_is_written_whole_or_not_at_all() {
        let mut bytes = [0; 8];
        let memory = VolatileSlice::from(&mut bytes[..]);
        assert_eq!(write_array(&memory, 4, &[1, 2, 3, 4]), Some(()));
        assert_eq!(write_array(&memory, 5, &[9; 4]), None);
        assert_eq!(write_array(&memory, usize::MAX, &[9; 2]), None);
        let mut read = [9; 8];
        assert_eq!(read_array(&memory, 1, &mut read), None);
        assert_eq!(read_array(&memory, usize::MAX, &mut read), None);
        assert_eq!(read, [9; 8], "nothing was read");
        assert_eq!(read_array(&memory, 0, &mut read), Some(()));
        assert_eq!(read, [0, 0, 0, 0, 1, 2, 3, 4]);
        let mut copy = [7; 6];
        let to = VolatileSlice::from(&mut copy[..]);
        assert_eq!(copy_words::<1>(&memory, &to, |_| panic!("no room for a word")), 0);
        let (source, mut target, mut seen) = (&mut [1, 2, 3, 4, 5, 6, 7, 8, 9][..], [0; 20], 0);
        let (from, to) = (VolatileSlice::from(source), VolatileSlice::from(&mut target[..]));
        assert_eq!(copy_words(&from, &to, |[word]| seen = word), 8);
        assert_eq!(seen, u64::from_ne_bytes([1, 2, 3, 4, 5, 6, 7, 8]));
        assert_eq!(target[..9], [1, 2, 3, 4, 5, 6, 7, 8, 0]);
        bring_near(&memory, 0, Access::Read);
        bring_near(&memory, 8, Access::Write);
        assert_eq!(bytes, [0, 0, 0, 0, 1, 2, 3, 4]);
    }
}
