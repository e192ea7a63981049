//! From power-on to Rust: the PVH entry (xen/include/public/arch-x86/hvm/start_info.h), long mode, and user mode.
//!
//! The payload's Rust runs at CPL3, since a KVM back end that interprets CPL0 runs only that at native speed. CPL0 keeps
//! one service, reached by `int3`: port input and output. Such a back end has no `int n` and no `sysretq`, and after
//! `syscall` it still takes the code for user mode.
//! An exception is told on COM1 (vector, CR2, the two topmost words of its frame) and then resets the machine. Interrupts are
//! counted (`interrupts.rs`).

use core::arch::global_asm;

// EBX holds the address of the start info. The identity map has 2 MiB pages below 4 GiB, user-accessible.
global_asm!(
    r#"
    .section .note.pvh, "a", @note
    .long 4, 4, 18
    .asciz "Xen"
    .long entry32

    .section .text.entry, "ax"
    .code32
    .global entry32
entry32:
    mov edi, offset bss_start
    mov ecx, offset bss_end
    sub ecx, edi
    xor eax, eax
    rep stosb
    mov esp, offset stack_top

    mov edi, offset directories         // 2048 entries of 2 MiB: present, writable, user, large
    mov eax, 0x87
    mov ecx, 2048
1:  mov [edi], eax
    add edi, 8
    add eax, 0x200000
    loop 1b
    mov edi, offset pointers
    mov eax, offset directories + 7
    mov ecx, 4
2:  mov [edi], eax
    add edi, 8
    add eax, 0x1000
    loop 2b
    mov dword ptr [top], offset pointers + 7
    mov eax, offset top
    mov cr3, eax

    mov eax, cr4
    or eax, 0x620                       // PAE, OSFXSR, OSXMMEXCPT
    mov cr4, eax
    mov ecx, 0xc0000080                 // EFER: LME
    rdmsr
    or eax, 0x100
    wrmsr
    mov eax, cr0
    and eax, 0xfffffff3                 // not EM, not TS
    or eax, 0x80000003                  // PG, MP, PE
    mov cr0, eax
    lgdt [gdt_pointer]
    mov eax, offset entry64
    push 0x08
    push eax
    retf

    .code64
entry64:
    mov ax, 0x10
    mov ds, ax
    mov es, ax
    mov ss, ax
    mov eax, offset tss                 // base of the TSS's descriptor
    mov [gdt_tss + 2], ax
    shr eax, 16
    mov [gdt_tss + 4], al
    mov [gdt_tss + 7], ah
    mov eax, offset stack_top
    mov [tss + 4], rax                  // RSP0
    mov ax, 0x28
    ltr ax
    mov edi, offset idt                 // 32 interrupt gates to 32 stubs of 16 bytes
    mov eax, offset stubs
    mov ecx, 32
5:  mov [edi], ax
    mov word ptr [edi + 2], 0x08
    mov word ptr [edi + 4], 0x8e00
    mov edx, eax
    shr edx, 16
    mov [edi + 6], dx
    add edi, 16
    add eax, 16
    loop 5b
    lidt [idt_pointer]                  // the gates of interrupts come later, before any can arrive
    mov eax, offset service             // the gate of vector 3, open to user mode
    mov [idt + 3 * 16], ax
    mov word ptr [idt + 3 * 16 + 4], 0xee00
    shr eax, 16
    mov [idt + 3 * 16 + 6], ax
    mov edi, ebx
    push 0x1b                           // to user mode: ss, rsp, rflags, cs, rip
    mov eax, offset user_stack_top - 8
    push rax
    push 0x202                          // interrupts on
    push 0x23
    mov eax, offset start
    push rax
    iretq

    // rax: 0 = out byte, 1 = in byte, 2 = out dword; rdx: port; rdi: value. Keeps all but rax.
service:
    cmp rax, 1
    mov rax, rdi
    jb 3f
    je 4f
    out dx, eax
    iretq
3:  out dx, al
    iretq
4:  xor eax, eax
    in al, dx
    iretq

    .balign 16
stubs:
    .set vector, 0
    .rept 32
    .balign 16
    push vector
    jmp fault
    .set vector, vector + 1
    .endr

fault:
    mov esi, offset fault_text
6:  lodsb
    mov dx, 0x3f8
    out dx, al
    cmp al, 0x20
    jne 6b
    mov rbx, cr2
    pop rax
    pop rsi
    pop rdi
    push rdi
    push rsi
    push rbx
    push rax
    mov ebp, 4                          // numbers of 16 digits
7:  pop rbx
    mov ecx, 16
8:  rol rbx, 4
    mov al, bl
    and al, 15
    cmp al, 10
    jb 9f
    add al, 39
9:  add al, 48
    out dx, al
    loop 8b
    mov al, 0x20
    out dx, al
    dec ebp
    jnz 7b
    mov al, 10
    out dx, al
    lidt [no_idt]
    ud2
fault_text:
    .ascii "exception:vector,cr2,frame "

    .section .data.gdt, "aw"
    .balign 8
gdt:
    .quad 0
    .quad 0x00af9b000000ffff            // 0x08 kernel code, 64 bit
    .quad 0x00cf93000000ffff            // 0x10 kernel data
    .quad 0x00cff3000000ffff            // 0x18 user data
    .quad 0x00affb000000ffff            // 0x20 user code, 64 bit
gdt_tss:
    .quad 0x0000890000000067, 0         // 0x28 TSS
gdt_pointer:
    .word gdt_pointer - gdt - 1
    .quad gdt
idt_pointer:
    .word 64 * 16 - 1
    .quad idt
no_idt:
    .quad 0, 0

    .section .bss.machine, "aw", @nobits
    .balign 4096
top:            .skip 4096
pointers:       .skip 4096
directories:    .skip 4 * 4096
stack:          .skip 4096
stack_top:
user_stack:     .skip 64 * 1024
user_stack_top:
    .global idt
idt:            .skip 64 * 16
tss:            .skip 104
    .text
    "#
);
