//! A window of registers, as the side that receives accesses.

/// A register window. Offsets are relative to its start; an access is 1, 2, 4 or 8 bytes and lies inside the window.
pub trait Mmio: Send + Sync {
    /// Fills `data` (little-endian); what isn't there reads all ones.
    fn read(&self, offset: u64, data: &mut [u8]);

    /// Takes `data` (little-endian); what isn't there is dropped.
    fn write(&self, offset: u64, data: &[u8]);
}
