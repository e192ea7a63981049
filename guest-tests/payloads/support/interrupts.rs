//! Interrupts that the local APIC delivers (Intel SDM volume 3, chapter 11): each one is counted in CPL0 and acknowledged.
//!
//! The APIC is as at power-on: xAPIC mode, so that its registers are memory, and id 0.

use core::arch::global_asm;

use super::memory::{read_u32, write_u16, write_u32};

/// Vectors that may arrive: these, and no others.
pub const VECTORS: core::ops::Range<u8> = 32..64;

const APIC: u64 = 0xfee0_0000;
/// Spurious Interrupt Vector register; bit 8 enables the APIC, and the last vector is for what is spurious.
const SPURIOUS: u64 = APIC + 0xf0;
const ENABLE: u32 = 1 << 8 | 63;
/// Kernel code segment, and a present interrupt gate.
const SELECTOR: u16 = 0x08;
const GATE: u16 = 0x8e00;

global_asm!(
    r#"
    .text
    .balign 16
    .global interrupt_stubs
interrupt_stubs:
    .set vector, 0
    .rept 32
    .balign 16
    push vector
    jmp arrived
    .set vector, vector + 1
    .endr

arrived:
    push rax
    mov rax, [rsp + 8]
    inc dword ptr [arrivals + 4 * rax]
    mov eax, 0xfee000b0                 // End Of Interrupt
    mov dword ptr [rax], 0
    pop rax
    add rsp, 8
    iretq

    .section .bss.interrupts, "aw", @nobits
    .balign 4
    .global arrivals
arrivals:       .skip 32 * 4
    .text
    "#
);

unsafe extern "C" {
    static idt: u8;
    static interrupt_stubs: u8;
    static arrivals: u8;
}

/// Opens the gates and switches the APIC on.
pub fn enable() {
    let (table, stubs) = (&raw const idt as u64, &raw const interrupt_stubs as u64);
    for vector in VECTORS {
        let gate = table + 16 * u64::from(vector);
        let stub = stubs + 16 * u64::from(vector - VECTORS.start);
        for (offset, word) in [(0, stub as u16), (2, SELECTOR), (4, GATE), (6, (stub >> 16) as u16)]
        {
            write_u16(gate + offset, word);
        }
    }
    write_u32(SPURIOUS, ENABLE);
}

/// How often this vector has arrived.
pub fn arrived(vector: u8) -> u32 {
    read_u32(&raw const arrivals as u64 + 4 * u64::from(vector - VECTORS.start))
}

/// Address and data of a message that interrupts this CPU (11.11).
pub fn message(vector: u8) -> (u64, u32) {
    (APIC, u32::from(vector))
}
