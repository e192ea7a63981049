//! An access of any length as a series of accesses that a register window takes: 1, 2, 4 or 8 bytes.

const LARGEST: u64 = 8;

/// How many of `len` bytes at `offset` go in one access: all of them where that is a register's size, else as many as are
/// naturally aligned. Zero only for zero.
pub(crate) fn piece(offset: u64, len: u64) -> u64 {
    if len <= LARGEST && (len.is_power_of_two() || len == 0) {
        return len;
    }
    let aligned = 1 << offset.trailing_zeros().min(LARGEST.trailing_zeros());
    let fitting = 1 << (u64::BITS - 1 - len.leading_zeros());
    LARGEST.min(aligned).min(fitting)
}

#[cfg(test)]
mod tests;
