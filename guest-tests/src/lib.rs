//! Black-box tests of the `pando` binary: boots real kernels on it and asserts from inside.

pub mod cpio;
pub mod guest;
pub mod host;
pub mod judge;
pub mod overlay;
pub mod runner;
pub mod suite;
pub mod test;
pub mod vmm;
pub mod wire;
