//! The system calls that the standard library has no name for, each behind a safe function.

use std::ffi::c_void;
use std::fs::File;
use std::io::{Error, Read, Result};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::time::Duration;

mod c {
    use std::ffi::c_void;

    // SAFETY: the signatures are those of the C library's headers.
    #[expect(unsafe_code, reason = "declarations of C functions")]
    unsafe extern "C" {
        pub(super) fn ioctl(fd: i32, request: u64, ...) -> i32;
        pub(super) fn mmap(
            at: *mut c_void,
            len: usize,
            protection: i32,
            flags: i32,
            fd: i32,
            offset: i64,
        ) -> *mut c_void;
        pub(super) fn munmap(at: *mut c_void, len: usize) -> i32;
        pub(super) fn eventfd(count: u32, flags: i32) -> i32;
        pub(super) fn poll(fds: *mut super::PollFd, count: u64, milliseconds: i32) -> i32;
        pub(super) fn syscall(number: i64, ...) -> i64;
    }
}

fn check(result: i32) -> Result<i32> {
    if result < 0 { Err(Error::last_os_error()) } else { Ok(result) }
}

/// An ioctl whose argument is a number, or nothing.
#[expect(unsafe_code, reason = "ioctl(2)")]
pub(crate) fn ioctl_value(fd: &impl AsRawFd, request: u64, value: u64) -> Result<i32> {
    // SAFETY: the requests passed here take a number, so the kernel touches no memory of ours.
    check(unsafe { c::ioctl(fd.as_raw_fd(), request, value) })
}

/// An ioctl whose argument is a structure.
#[expect(unsafe_code, reason = "ioctl(2)")]
pub(crate) fn ioctl<T>(fd: &impl AsRawFd, request: u64, argument: &mut T) -> Result<i32> {
    // SAFETY: `argument` lives through the call, and every structure passed here begins with its own size.
    check(unsafe { c::ioctl(fd.as_raw_fd(), request, std::ptr::from_mut(argument)) })
}

/// A VFIO device's descriptor out of its group's.
#[expect(unsafe_code, reason = "ioctl(2) that returns a descriptor")]
pub(crate) fn device_of_group(group: &File, request: u64, name: &str) -> Result<File> {
    let name = std::ffi::CString::new(name)?;
    // SAFETY: the request reads a string that ends in a zero byte.
    let fd = check(unsafe { c::ioctl(group.as_raw_fd(), request, name.as_ptr()) })?;
    // SAFETY: the kernel made the descriptor for us alone.
    Ok(unsafe { File::from_raw_fd(fd) })
}

/// An eventfd, for interrupts.
#[derive(Debug)]
pub(crate) struct Event(File);

#[repr(C)]
struct PollFd {
    fd: i32,
    events: i16,
    found: i16,
}

const NONBLOCK: i32 = 0o4000;

impl Event {
    #[expect(unsafe_code, reason = "eventfd(2)")]
    pub(crate) fn new() -> Result<Self> {
        // SAFETY: no memory is passed.
        let fd = check(unsafe { c::eventfd(0, NONBLOCK) })?;
        // SAFETY: the kernel made the descriptor for us alone.
        Ok(Self(File::from(unsafe { OwnedFd::from_raw_fd(fd) })))
    }

    pub(crate) fn fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }

    /// Waits for a signal; how many there were, 0 after `limit`.
    #[expect(unsafe_code, reason = "poll(2)")]
    pub(crate) fn wait(&mut self, limit: Duration) -> u64 {
        let mut entry = PollFd { fd: self.fd(), events: 1, found: 0 };
        // SAFETY: one entry, which lives through the call.
        let _ = unsafe { c::poll(&mut entry, 1, limit.as_millis() as i32) };
        let mut count = [0; 8];
        match self.0.read_exact(&mut count) {
            Ok(()) => u64::from_ne_bytes(count),
            Err(_) => 0,
        }
    }
}

/// A mapping, of memory or of registers. Accesses are volatile and aligned.
#[derive(Debug)]
pub(crate) struct Mapping {
    at: *mut c_void,
    len: usize,
}

const READ_WRITE: i32 = 3;
const SHARED: i32 = 1;
const ANONYMOUS: i32 = 0x20;
const POPULATE: i32 = 0x8000;

impl Mapping {
    /// Memory of our own, present from the start.
    pub(crate) fn memory(len: usize) -> Result<Self> {
        Self::new(len, SHARED | ANONYMOUS | POPULATE, -1, 0)
    }

    /// A part of a file: a device's registers.
    pub(crate) fn of_file(file: &File, offset: u64, len: usize) -> Result<Self> {
        Self::new(len, SHARED, file.as_raw_fd(), offset as i64)
    }

    #[expect(unsafe_code, reason = "mmap(2)")]
    fn new(len: usize, flags: i32, fd: i32, offset: i64) -> Result<Self> {
        // SAFETY: the kernel chooses the place, so nothing of ours is replaced.
        let at = unsafe { c::mmap(std::ptr::null_mut(), len, READ_WRITE, flags, fd, offset) };
        if at as isize == -1 { Err(Error::last_os_error()) } else { Ok(Self { at, len }) }
    }

    /// Its address in this process.
    pub(crate) fn address(&self) -> u64 {
        self.at as u64
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    fn place<T>(&self, offset: usize) -> *mut T {
        let fits = offset.checked_add(size_of::<T>()).is_some_and(|end| end <= self.len);
        assert!(fits && offset.is_multiple_of(align_of::<T>()), "offset {offset:#x} of a mapping");
        self.at.wrapping_byte_add(offset).cast()
    }

    #[expect(unsafe_code, reason = "memory that a device shares")]
    pub(crate) fn get<T: Copy>(&self, offset: usize) -> T {
        // SAFETY: `place` has checked bounds and alignment; T is a number here.
        unsafe { self.place::<T>(offset).read_volatile() }
    }

    #[expect(unsafe_code, reason = "memory that a device shares")]
    pub(crate) fn set<T: Copy>(&self, offset: usize, value: T) {
        // SAFETY: as in `get`.
        unsafe { self.place::<T>(offset).write_volatile(value) }
    }

    pub(crate) fn copy_in(&self, offset: usize, data: &[u8]) {
        data.iter().enumerate().for_each(|(index, byte)| self.set(offset + index, *byte));
    }

    pub(crate) fn copy_out(&self, offset: usize, len: usize) -> Vec<u8> {
        (0..len).map(|index| self.get(offset + index)).collect()
    }
}

impl Drop for Mapping {
    #[expect(unsafe_code, reason = "munmap(2)")]
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, and nobody has a pointer into it besides.
        let _ = unsafe { c::munmap(self.at, self.len) };
    }
}

const KEXEC_FILE_LOAD: i64 = 320;

/// kexec_file_load(2): the kernel that the next `reboot` by kexec starts.
#[expect(unsafe_code, reason = "kexec_file_load(2)")]
pub(crate) fn load_kernel(kernel: &File, initrd: &File, command_line: &str) -> Result<()> {
    let line = std::ffi::CString::new(command_line)?;
    let len = command_line.len() as u64 + 1;
    let (kernel, initrd) = (kernel.as_raw_fd() as i64, initrd.as_raw_fd() as i64);
    // SAFETY: the string lives through the call and has the length given.
    let result = unsafe { c::syscall(KEXEC_FILE_LOAD, kernel, initrd, len, line.as_ptr(), 0u64) };
    if result < 0 { Err(Error::last_os_error()) } else { Ok(()) }
}

const REBOOT: i64 = 169;

/// reboot(2) into the loaded kernel.
#[expect(unsafe_code, reason = "reboot(2)")]
pub(crate) fn start_kernel() -> Error {
    const MAGIC: [u64; 3] = [0xfee1_dead, 0x2812_1969, 0x4558_4543];
    // SAFETY: no memory is passed; it returns only if there is no kernel to start.
    let _ = unsafe { c::syscall(REBOOT, MAGIC[0], MAGIC[1], MAGIC[2], 0u64) };
    Error::last_os_error()
}
