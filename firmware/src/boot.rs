//! How the boot CPU enters a kernel: Linux's 64-bit boot protocol and PVH.

pub mod paging;
pub mod pvh;
pub mod reset_vector;
pub mod zero_page;

/// Where an initial RAM disk lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Initrd {
    /// Guest physical address.
    pub address: u64,
    /// Length in bytes.
    pub size: u64,
}
