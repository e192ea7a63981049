//! The mistakes a user can make and the state a host can be in: one line each, and what to do next.

use std::io;
use std::path::{Path, PathBuf};

use pando_firmware::layout::LayoutError;

/// What the user can do something about.
#[derive(Debug, thiserror::Error)]
pub enum UserError {
    /// The device node is missing.
    #[error(
        "there is no /dev/kvm: load KVM (`modprobe kvm_amd` or `modprobe kvm_intel`), or start Pando in a nested machine with `cargo xtask nested -- pando run ...`"
    )]
    NoKvm,
    /// The device node is missing, and loading KVM would not help.
    #[error(
        "there is no /dev/kvm, and this CPU has neither svm nor vmx: start Pando in a nested machine with `cargo xtask nested -- pando run ...`, or switch on (nested) virtualization in the firmware or in the hypervisor above"
    )]
    NoVirtualization,
    /// The device node can't be opened.
    #[error(
        "/dev/kvm cannot be opened ({0}): add yourself to its group (`sudo usermod -aG kvm $USER`, then log in again) or run as root"
    )]
    KvmRefused(io::Error),
    /// A KVM without something needed.
    #[error("this host's KVM has no {0}: use a Linux host of version 5.10 or later")]
    KvmLacks(&'static str),
    /// A KVM that can't run kernels.
    #[error(
        "this CPU has neither svm nor vmx, so its /dev/kvm only interprets and would need hours for {}: start Pando in a nested machine with `cargo xtask nested -- pando run ...` (small bare-metal ELF payloads run here)", .0.display()
    )]
    OnlyInterprets(PathBuf),
    /// A file that can't be read or created.
    #[error("the {what} {} cannot be opened: {reason}", path.display())]
    File {
        /// What the file is for.
        what: &'static str,
        /// As the user gave it.
        path: PathBuf,
        /// Why.
        reason: io::Error,
    },
    /// Neither of the formats.
    #[error(
        "{} is not a kernel: give a Linux bzImage (on Debian /boot/vmlinuz-*) or an ELF file with a PVH entry", .0.display()
    )]
    NotAKernel(PathBuf),
    /// A 32-bit kernel, or one older than 2012.
    #[error(
        "the kernel {} has no 64-bit entry: give a 64-bit Linux of version 3.8 or later", .0.display()
    )]
    No64BitEntry(PathBuf),
    /// Shorter than its header says.
    #[error(
        "the kernel {} is truncated: its header promises {expected} bytes, the file has {actual}; copy it anew", path.display()
    )]
    Truncated {
        /// As the user gave it.
        path: PathBuf,
        /// Bytes by the header.
        expected: u64,
        /// Bytes in the file.
        actual: u64,
    },
    /// An ELF file that can't be booted.
    #[error(
        "the ELF file {} cannot be booted ({reason}): give an x86-64 ELF whose note of type 18, name Xen, holds its 32-bit PVH entry", path.display()
    )]
    BadElf {
        /// As the user gave it.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The kernel needs more memory.
    #[error(
        "the kernel {} needs memory up to {} MiB: give at least --memory {}MiB", path.display(), end.div_ceil(1 << 20), end.div_ceil(1 << 20) + 64
    )]
    KernelTooLarge {
        /// As the user gave it.
        path: PathBuf,
        /// First address behind what it needs.
        end: u64,
    },
    /// The initial RAM disk doesn't fit.
    #[error(
        "the initrd {} has {} MiB, but only {} MiB are free beside the kernel: give more --memory (at most 2 GiB of it count here) or a smaller initrd", path.display(), size.div_ceil(1 << 20), room >> 20
    )]
    InitrdTooLarge {
        /// As the user gave it.
        path: PathBuf,
        /// Its size in bytes.
        size: u64,
        /// What is free in bytes.
        room: u64,
    },
    /// The command line doesn't fit.
    #[error(
        "the command line has {length} bytes, this kernel takes {max}: shorten --cmdline by {} bytes", length - max
    )]
    CommandLineTooLong {
        /// Bytes given, ours included.
        length: usize,
        /// Bytes possible.
        max: usize,
    },
    /// The command line can't be passed.
    #[error("the command line contains a NUL byte: remove it from --cmdline")]
    CommandLineNul,
    /// A machine that can't be laid out.
    #[error(transparent)]
    Layout(#[from] LayoutError),
}

impl UserError {
    /// For `map_err` at a file operation.
    pub fn file(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |reason| Self::File { what, path, reason }
    }
}
