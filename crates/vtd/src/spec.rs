//! Register offsets, bits and codes of VT-d 4.1: constants and layouts only. Section numbers are that specification's.

use bitfield_struct::bitfield;

/// Offsets of the quadwords that hold the registers (chapter 11). Those from 0xf0 on are placed by CAP.FRO and ECAP.IRO.
pub(crate) mod offset {
    pub(crate) const VER: u64 = 0x00;
    pub(crate) const CAP: u64 = 0x08;
    pub(crate) const ECAP: u64 = 0x10;
    pub(crate) const GCMD_GSTS: u64 = 0x18;
    pub(crate) const RTADDR: u64 = 0x20;
    pub(crate) const CCMD: u64 = 0x28;
    pub(crate) const FSTS: u64 = 0x30; // its upper half
    pub(crate) const FECTL_FEDATA: u64 = 0x38;
    pub(crate) const FEADDR_FEUADDR: u64 = 0x40;
    pub(crate) const IQH: u64 = 0x80;
    pub(crate) const IQT: u64 = 0x88;
    pub(crate) const IQA: u64 = 0x90;
    pub(crate) const ICS: u64 = 0x98; // its upper half
    pub(crate) const IECTL_IEDATA: u64 = 0xa0;
    pub(crate) const IEADDR_IEUADDR: u64 = 0xa8;
    pub(crate) const IRTA: u64 = 0xb8;
    pub(crate) const IVA: u64 = 0xf0;
    pub(crate) const IOTLB: u64 = 0xf8;
    pub(crate) const FRCD: u64 = 0x220;
}

/// Fault recording registers (CAP.NFR + 1).
pub(crate) const FAULT_RECORDS: usize = 8;

/// Version 1.0: register-based invalidation is there (11.4.1).
pub(crate) const VERSION: u32 = 0x10;

/// The largest address mask of a page-selective invalidation (CAP.MAMV).
pub(crate) const MAX_ADDRESS_MASK: u32 = 18;

/// Capability register (11.4.2).
#[bitfield(u64)]
pub(crate) struct Capability {
    #[bits(3)]
    pub(crate) domains: u8, // ND: 2^(4+2n) domain ids
    #[bits(5)]
    __: u8, // AFL, RWBF, PLMR, PHMR, CM: all 0
    #[bits(5)]
    pub(crate) widths: u8, // SAGAW: bit 1 = 39, bit 2 = 48, bit 3 = 57 bits
    #[bits(3)]
    __: u8,
    #[bits(6)]
    pub(crate) max_width: u8, // MGAW: width - 1
    pub(crate) zero_length_read: bool, // ZLR
    __: bool,
    #[bits(10)]
    pub(crate) fault_offset: u16, // FRO, in 16 bytes
    #[bits(4)]
    pub(crate) large_pages: u8, // SSLPS: bit 0 = 2 MiB, bit 1 = 1 GiB
    __: bool,
    pub(crate) page_selective: bool, // PSI
    #[bits(8)]
    pub(crate) fault_records: u8, // NFR: number - 1
    #[bits(6)]
    pub(crate) max_address_mask: u8, // MAMV
    pub(crate) write_draining: bool, // DWD
    pub(crate) read_draining: bool,  // DRD
    #[bits(8)]
    __: u8,
}

/// Extended capability register (11.4.3).
#[bitfield(u64)]
pub(crate) struct ExtendedCapability {
    pub(crate) coherent: bool,            // C: tables are read coherently
    pub(crate) queued_invalidation: bool, // QI
    __: bool,                             // DT: no device TLBs
    pub(crate) interrupt_remapping: bool, // IR
    pub(crate) extended_interrupt: bool,  // EIM: x2APIC destinations
    __: bool,
    pub(crate) pass_through: bool,  // PT
    pub(crate) snoop_control: bool, // SC
    #[bits(10)]
    pub(crate) iotlb_offset: u16, // IRO, in 16 bytes
    #[bits(2)]
    __: u8,
    #[bits(4)]
    pub(crate) max_handle_mask: u8, // MHMV
    #[bits(40)]
    __: u64,
}

/// Global command and status bits, at the same places in both (11.4.4).
pub(crate) mod global {
    pub(crate) const TRANSLATION: u32 = 1 << 31; // TE, TES
    pub(crate) const ROOT_POINTER: u32 = 1 << 30; // SRTP, RTPS
    pub(crate) const QUEUE: u32 = 1 << 26; // QIE, QIES
    pub(crate) const INTERRUPT_REMAPPING: u32 = 1 << 25; // IRE, IRES
    pub(crate) const INTERRUPT_POINTER: u32 = 1 << 24; // SIRTP, IRTPS
    pub(crate) const COMPATIBILITY: u32 = 1 << 23; // CFI, CFIS
}

/// Fault status bits (11.4.7.1).
pub(crate) mod fault_status {
    pub(crate) const OVERFLOW: u32 = 1 << 0; // PFO, RW1C
    pub(crate) const PENDING: u32 = 1 << 1; // PPF, RO
    pub(crate) const QUEUE_ERROR: u32 = 1 << 4; // IQE, RW1C
    pub(crate) const RECORD_SHIFT: u32 = 8; // FRI
}

/// Event control registers: mask and pending (11.4.7.2, 11.4.9.7).
pub(crate) mod event {
    pub(crate) const MASK: u32 = 1 << 31; // IM
    pub(crate) const PENDING: u32 = 1 << 30; // IP
}

/// Why a request was blocked: the fault reasons of 7.1.3 (DMA) and 5.1.4.1 (interrupts).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reason(pub(crate) u8);

impl Reason {
    pub(crate) const ROOT_NOT_PRESENT: Self = Self(0x1);
    pub(crate) const CONTEXT_NOT_PRESENT: Self = Self(0x2);
    pub(crate) const CONTEXT_INVALID: Self = Self(0x3);
    pub(crate) const BEYOND_WIDTH: Self = Self(0x4);
    pub(crate) const WRITE_DENIED: Self = Self(0x5);
    pub(crate) const READ_DENIED: Self = Self(0x6);
    pub(crate) const PAGING_ACCESS: Self = Self(0x7);
    pub(crate) const ROOT_ACCESS: Self = Self(0x8);
    pub(crate) const CONTEXT_ACCESS: Self = Self(0x9);
    pub(crate) const ROOT_RESERVED: Self = Self(0xa);
    pub(crate) const CONTEXT_RESERVED: Self = Self(0xb);
    pub(crate) const PAGING_RESERVED: Self = Self(0xc);
    pub(crate) const RESULT_IS_INTERRUPT: Self = Self(0xe);
    pub(crate) const REQUEST_RESERVED: Self = Self(0x20);
    pub(crate) const INDEX_BEYOND_TABLE: Self = Self(0x21);
    pub(crate) const ENTRY_NOT_PRESENT: Self = Self(0x22);
    pub(crate) const ENTRY_ACCESS: Self = Self(0x23);
    pub(crate) const ENTRY_RESERVED: Self = Self(0x24);
    pub(crate) const COMPATIBILITY_BLOCKED: Self = Self(0x25);
    pub(crate) const SOURCE_MISMATCH: Self = Self(0x26);
}

/// Upper half of a context entry (9.3).
#[bitfield(u64)]
pub(crate) struct ContextHigh {
    #[bits(3)]
    pub(crate) width: u8, // AW: 1 = 39, 2 = 48, 3 = 57 bits
    #[bits(4)]
    __: u8, // ignored
    pub(crate) reserved2: bool,
    pub(crate) domain: u16, // DID
    #[bits(40)]
    pub(crate) reserved: u64,
}

/// Lower half of a context entry (9.3).
#[bitfield(u64)]
pub(crate) struct ContextLow {
    pub(crate) present: bool,      // P
    pub(crate) no_recording: bool, // FPD
    #[bits(2)]
    pub(crate) kind: u8, // TT: 0 = untranslated requests only, 2 = pass-through
    pub(crate) reserved: u8,
    #[bits(52)]
    pub(crate) table: u64, // SSPTPTR, in 4 KiB
}

/// Lower half of an interrupt remapping table entry (9.9).
#[bitfield(u64)]
pub(crate) struct InterruptEntryLow {
    pub(crate) present: bool,      // P
    pub(crate) no_recording: bool, // FPD
    pub(crate) logical: bool,      // DM
    pub(crate) redirection: bool,  // RH
    pub(crate) level: bool,        // TM
    #[bits(3)]
    pub(crate) delivery: u8, // DLM
    #[bits(4)]
    __: u8,          // available to software
    #[bits(3)]
    pub(crate) reserved: u8,
    pub(crate) posted: bool, // IM
    pub(crate) vector: u8,   // V
    pub(crate) reserved2: u8,
    pub(crate) destination: u32, // DST
}

/// Upper half of an interrupt remapping table entry (9.9).
#[bitfield(u64)]
pub(crate) struct InterruptEntryHigh {
    pub(crate) source: u16, // SID
    #[bits(2)]
    pub(crate) source_mask: u8, // SQ
    #[bits(2)]
    pub(crate) verification: u8, // SVT
    #[bits(44)]
    pub(crate) reserved: u64,
}

/// Descriptor types of the invalidation queue (6.5.2).
pub(crate) mod descriptor {
    pub(crate) const CONTEXT: u64 = 1;
    pub(crate) const IOTLB: u64 = 2;
    pub(crate) const INTERRUPT_ENTRY: u64 = 4;
    pub(crate) const WAIT: u64 = 5;
}
