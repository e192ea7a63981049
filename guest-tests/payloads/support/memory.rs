//! Access to physical addresses by one plain `mov` each, mapped below 4 GiB; and the functions that the compiler calls.

use core::arch::{asm, naked_asm};

/// RAM that nothing uses, up to the end of the smallest machine.
pub const FREE: u64 = 16 << 20;

macro_rules! access {
    ($read:ident, $write:ident, $type:ty, $class:ident, $value:literal) => {
        /// Reads at an aligned address.
        pub fn $read(address: u64) -> $type {
            let value: $type;
            // SAFETY: the payload owns the whole machine; an address that is not mapped ends it.
            unsafe {
                asm!(
                    concat!("mov ", $value, ", [{at}]"),
                    value = out($class) value,
                    at = in(reg) address,
                );
            }
            value
        }

        /// Writes at an aligned address.
        pub fn $write(address: u64, value: $type) {
            // SAFETY: as for reading.
            unsafe {
                asm!(
                    concat!("mov [{at}], ", $value),
                    value = in($class) value,
                    at = in(reg) address,
                );
            }
        }
    };
}

// Left to itself the compiler may load into a vector register, which KVM does not emulate for a device's register.
access!(read_u8, write_u8, u8, reg_byte, "{value}");
access!(read_u16, write_u16, u16, reg, "{value:x}");
access!(read_u32, write_u32, u32, reg, "{value:e}");
access!(read_whole_u64, write_whole_u64, u64, reg, "{value}");

/// Reads in two halves at an address that is a multiple of 4, as ACPI's tables have them.
pub fn read_u64(address: u64) -> u64 {
    u64::from(read_u32(address)) | u64::from(read_u32(address + 4)) << 32
}

// The prebuilt core calls these; a Rust loop may be compiled into a call of itself.

/// `memcpy` of C.
///
/// # Safety
/// As in C.
#[unsafe(naked)]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, size: usize) -> *mut u8 {
    naked_asm!("mov rax, rdi", "mov rcx, rdx", "rep movsb", "ret")
}

/// `memmove` of C.
///
/// # Safety
/// As in C.
#[unsafe(naked)]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn memmove(to: *mut u8, from: *const u8, size: usize) -> *mut u8 {
    naked_asm!(
        "mov rax, rdi",
        "mov rcx, rdx",
        "cmp rdi, rsi",
        "jbe 2f",
        "lea rdi, [rdi + rcx - 1]",
        "lea rsi, [rsi + rcx - 1]",
        "std",
        "rep movsb",
        "cld",
        "ret",
        "2: rep movsb",
        "ret",
    )
}

/// `memset` of C.
///
/// # Safety
/// As in C.
#[unsafe(naked)]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn memset(to: *mut u8, value: i32, size: usize) -> *mut u8 {
    naked_asm!("mov r8, rdi", "mov eax, esi", "mov rcx, rdx", "rep stosb", "mov rax, r8", "ret")
}

/// `memcmp` of C.
///
/// # Safety
/// As in C.
#[unsafe(naked)]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn memcmp(one: *const u8, other: *const u8, size: usize) -> i32 {
    naked_asm!(
        "mov rcx, rdx",
        "xor eax, eax",
        "cmp rcx, 0",
        "je 2f",
        "repe cmpsb",
        "movzx eax, byte ptr [rdi - 1]",
        "movzx ecx, byte ptr [rsi - 1]",
        "sub eax, ecx",
        "2: ret",
    )
}

/// `bcmp` of C.
///
/// # Safety
/// As in C.
#[unsafe(naked)]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bcmp(one: *const u8, other: *const u8, size: usize) -> i32 {
    naked_asm!("jmp {memcmp}", memcmp = sym memcmp)
}
