//! Black-box tests of the `pando` binary: boots real kernels on it and asserts from inside.

pub mod cpio;
