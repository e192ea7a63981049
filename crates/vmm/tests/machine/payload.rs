//! Bare-metal payloads in 32-bit machine code, wrapped in an ELF file with a PVH entry.

use std::path::Path;

/// Code and data load here; execution begins here.
const BASE: u32 = 0x20_0000;
/// Where a payload leaves a mark in memory.
const MARK: u32 = 0x40_0000;
const MARK_VALUE: u32 = 0x5a5a_a5a5;
const COM1: u16 = 0x3f8;

/// Instructions, appended one after the other.
pub(crate) struct Code(Vec<u8>);

impl Code {
    pub(crate) fn new() -> Self {
        Self(Vec::new())
    }

    fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.extend(bytes);
        self
    }

    fn dx(self, port: u16) -> Self {
        let [low, high] = port.to_le_bytes();
        self.bytes(&[0x66, 0xba, low, high]) // mov dx, port
    }

    /// Writes a byte to a port.
    pub(crate) fn out(self, port: u16, value: u8) -> Self {
        self.dx(port).bytes(&[0xb0, value, 0xee]) // mov al, value; out dx, al
    }

    pub(crate) fn print(self, text: &str) -> Self {
        text.bytes().fold(self, |code, byte| code.out(COM1, byte))
    }

    pub(crate) fn power_off(self) -> Self {
        self.out(0x600, 0x34).halt()
    }

    pub(crate) fn halt(self) -> Self {
        self.bytes(&[0xfa, 0xf4, 0xeb, 0xfc]) // cli; hlt; jmp to cli
    }

    /// An exception without a descriptor table.
    pub(crate) fn triple_fault(self) -> Self {
        self.bytes(&[0x0f, 0x0b]) // ud2
    }

    pub(crate) fn mark(self) -> Self {
        self.bytes(&[0xc7, 0x05]).word(MARK).word(MARK_VALUE) // mov [MARK], value
    }

    pub(crate) fn print_if_marked(self, text: &str) -> Self {
        let compare = self.bytes(&[0x81, 0x3d]).word(MARK).word(MARK_VALUE); // cmp [MARK], value
        compare.unless_equal(Code::new().print(text))
    }

    pub(crate) fn fail_unless_port_reads(self, port: u16, value: u8) -> Self {
        // in al, dx; cmp al, value
        self.dx(port).bytes(&[0xec, 0x3c, value]).fail_unless_equal()
    }

    pub(crate) fn fail_unless_memory_reads(self, address: u32, value: u32) -> Self {
        // mov eax, [address]; cmp eax, value
        self.bytes(&[0xa1]).word(address).bytes(&[0x3d]).word(value).fail_unless_equal()
    }

    /// Sends back what COM1 receives, until `end` comes.
    pub(crate) fn echo(self, end: u8) -> Self {
        let read = Code::new()
            .dx(COM1 + 5)
            .bytes(&[0xec, 0xa8, 0x01, 0x74, 0xfb]) // in al, dx; test al, 1; jz to in
            .dx(COM1)
            .bytes(&[0xec, 0x3c, end, 0x74, 0x03, 0xee, 0xeb]); // in; cmp al, end; je over; out; jmp
        let back = -(read.0.len() as i8) - 1;
        self.bytes(&read.0).bytes(&[back.cast_unsigned()])
    }

    fn fail_unless_equal(self) -> Self {
        let fail = Code::new().print("fail").power_off();
        let length = fail.0.len() as u32;
        self.bytes(&[0x0f, 0x84]).word(length).bytes(&fail.0) // je over the failure
    }

    /// Runs `code` only if the last comparison was equal.
    fn unless_equal(self, code: Code) -> Self {
        let length = code.0.len() as u32;
        self.bytes(&[0x0f, 0x85]).word(length).bytes(&code.0) // jne over the code
    }

    fn word(self, word: u32) -> Self {
        self.bytes(&word.to_le_bytes())
    }
}

/// One loadable segment and one note with the PVH entry.
pub(crate) fn write_elf(path: &Path, code: &Code) {
    const HEADER: u64 = 64;
    const PROGRAM_HEADER: u64 = 56;
    const NOTE: u64 = HEADER + 2 * PROGRAM_HEADER;
    const NOTE_SIZE: u64 = 20;
    const CODE: u64 = 0x1000;
    let size = code.0.len() as u64;
    let mut elf = Vec::new();
    elf.extend(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0");
    [2_u16, 62].iter().for_each(|half| elf.extend(half.to_le_bytes())); // executable, x86-64
    elf.extend(1_u32.to_le_bytes());
    [u64::from(BASE), HEADER, 0].iter().for_each(|field| elf.extend(field.to_le_bytes()));
    elf.extend(0_u32.to_le_bytes());
    for half in [HEADER as u16, PROGRAM_HEADER as u16, 2, 0, 0, 0] {
        elf.extend(half.to_le_bytes());
    }
    for (kind, flags, offset, address, size) in
        [(1_u32, 7_u32, CODE, u64::from(BASE), size), (4, 4, NOTE, 0, NOTE_SIZE)]
    {
        elf.extend(kind.to_le_bytes());
        elf.extend(flags.to_le_bytes());
        for field in [offset, address, address, size, size, 4] {
            elf.extend(field.to_le_bytes());
        }
    }
    for word in [4, 4, 18] {
        elf.extend(u32::to_le_bytes(word)); // name and content sizes, type
    }
    elf.extend(b"Xen\0");
    elf.extend(BASE.to_le_bytes());
    elf.resize(CODE as usize, 0);
    elf.extend(&code.0);
    std::fs::write(path, elf).unwrap();
}
