//! Type 0 and type 1 configuration space headers (7.5.1).

/// Vendor ID 15:0, Device ID 31:16 (7.5.1.1.1, 7.5.1.1.2).
pub(crate) const IDS: u16 = 0x00;
/// Command 15:0 (7.5.1.1.3), Status 31:16 (7.5.1.1.4).
pub(crate) const COMMAND: u16 = 0x04;
/// Revision ID 7:0, Class Code 31:8 (7.5.1.1.5, 7.5.1.1.6).
pub(crate) const CLASS: u16 = 0x08;
/// Cache Line Size 7:0, Latency Timer 15:8, Header Type 23:16, BIST 31:24 (7.5.1.1.7 to 7.5.1.1.10).
pub(crate) const HEADER_TYPE: u16 = 0x0c;
/// Base Address Registers: six of type 0, two of type 1 (7.5.1.2.1).
pub(crate) const BAR0: u16 = 0x10;
/// Subsystem Vendor ID 15:0, Subsystem ID 31:16; type 0 (7.5.1.2.3).
pub(crate) const SUBSYSTEM: u16 = 0x2c;
/// Capabilities Pointer 7:0 (7.5.1.1.11).
pub(crate) const CAPABILITIES_POINTER: u16 = 0x34;
/// Interrupt Line 7:0, Interrupt Pin 15:8 (7.5.1.1.12, 7.5.1.1.13); type 1: Bridge Control 31:16 (7.5.1.3.10).
pub(crate) const INTERRUPT: u16 = 0x3c;

/// Primary 7:0, Secondary 15:8 and Subordinate Bus Number 23:16; type 1 (7.5.1.3.1 to 7.5.1.3.3).
pub(crate) const BUS_NUMBERS: u16 = 0x18;
/// Secondary Latency Timer, for a secondary bus of conventional PCI.
pub(crate) const SECONDARY_LATENCY: u32 = 0xff00_0000;
/// I/O Base and Limit 15:0 (7.5.1.3.6), Secondary Status 31:16 (7.5.1.3.7); type 1.
pub(crate) const SECONDARY_STATUS: u16 = 0x1c;
/// Memory Base 15:0 and Limit 31:16; type 1 (7.5.1.3.8).
pub(crate) const MEMORY_WINDOW: u16 = 0x20;
/// Prefetchable Memory Base 15:0 and Limit 31:16; type 1 (7.5.1.3.9).
pub(crate) const PREFETCH_WINDOW: u16 = 0x24;
/// Prefetchable Base Upper 32 Bits; type 1 (7.5.1.3.9).
pub(crate) const PREFETCH_BASE_UPPER: u16 = 0x28;
/// Prefetchable Limit Upper 32 Bits; type 1 (7.5.1.3.9).
pub(crate) const PREFETCH_LIMIT_UPPER: u16 = 0x2c;

/// Where the first capability may lie; the header ends before it.
pub(crate) const FIRST_CAPABILITY: u16 = 0x40;
/// Where the first extended capability lies.
pub(crate) const FIRST_EXTENDED: u16 = 0x100;
/// The end of configuration space.
pub(crate) const END: u16 = 0x1000;

/// Command: Memory Space Enable.
pub(crate) const COMMAND_MEMORY: u32 = 1 << 1;
/// Command: Bus Master Enable.
pub(crate) const COMMAND_BUS_MASTER: u32 = 1 << 2;
/// Command: Parity Error Response.
pub(crate) const COMMAND_PARITY: u32 = 1 << 6;
/// Command: SERR# Enable.
pub(crate) const COMMAND_SERR: u32 = 1 << 8;
/// Command: Interrupt Disable.
pub(crate) const COMMAND_INTX_DISABLE: u32 = 1 << 10;

/// Status: Immediate Readiness.
pub(crate) const STATUS_IMMEDIATE_READINESS: u32 = 1 << 16;
/// Status: Interrupt Status.
pub(crate) const STATUS_INTERRUPT: u32 = 1 << 19;
/// Status: Capabilities List.
pub(crate) const STATUS_CAPABILITIES: u32 = 1 << 20;
/// Status and Secondary Status: bits 8 and 11 to 15, each RW1C.
pub(crate) const STATUS_ERRORS: u32 = 0xf900_0000;
/// Status and Secondary Status: Signaled Target Abort.
pub(crate) const STATUS_SIGNALED_ABORT: u32 = 1 << 27;
/// Status: Signaled System Error. Secondary Status: Received System Error.
pub(crate) const STATUS_SYSTEM_ERROR: u32 = 1 << 30;
/// Status and Secondary Status: Detected Parity Error.
pub(crate) const STATUS_PARITY: u32 = 1 << 31;
/// Status: Master Data Parity Error.
pub(crate) const STATUS_POISON_SENT: u32 = 1 << 24;

/// Header Type: Multi-Function Device.
pub(crate) const MULTI_FUNCTION: u32 = 1 << 23;
/// Header Type: layout of type 1.
pub(crate) const TYPE_1: u32 = 1 << 16;

/// BAR bits 2:1: 64-bit wide (7.5.1.2.1).
pub(crate) const BAR_64BIT: u32 = 0b100;
/// BAR bit 3: prefetchable.
pub(crate) const BAR_PREFETCHABLE: u32 = 0b1000;

/// Prefetchable base and limit, bits 3:0: 64-bit addressing.
pub(crate) const PREFETCH_64BIT: u32 = 0x0001_0001;
/// The address bits of a memory window's base and limit.
pub(crate) const WINDOW_ADDRESS: u32 = 0xfff0_fff0;

/// Bridge Control: Parity Error Response Enable.
pub(crate) const BRIDGE_PARITY: u32 = 1 << 16;
/// Bridge Control: SERR# Enable.
pub(crate) const BRIDGE_SERR: u32 = 1 << 17;
/// Bridge Control: Secondary Bus Reset.
pub(crate) const BRIDGE_SECONDARY_RESET: u32 = 1 << 22;
/// Class Code of a Root Complex Event Collector.
pub(crate) const CLASS_EVENT_COLLECTOR: u32 = 0x08_0700;
/// Interrupt Pin, at its place.
pub(crate) const INTERRUPT_PIN_SHIFT: u32 = 8;
/// Class Code of a port: PCI-to-PCI bridge.
pub(crate) const CLASS_BRIDGE: u32 = 0x06_0400;
