//! The capabilities that Pando's functions have, each as its registers; where one lies is the list's business.

pub(crate) mod extended;
pub(crate) mod pcie;
pub(crate) mod sriov;

use crate::ByteEnables;
use crate::config_space::ConfigSpace;
use crate::layout::{Capability, Register};
use crate::spec::{ids, msi, pm};

/// Power Management of an endpoint function: D0 and D3hot, no PME (PCI Express base 6.0, 7.5.2).
pub(crate) fn power_management() -> Capability {
    let registers = vec![
        Register::ro(pm::VERSION | pm::IMMEDIATE_READINESS),
        Register::rw(pm::NO_SOFT_RESET, pm::POWER_STATE),
    ];
    Capability { id: ids::POWER_MANAGEMENT, registers }
}

/// Power Management of a port, which forwards PME messages (7.5.2).
pub(crate) fn power_management_of_port() -> Capability {
    let registers = vec![
        Register::ro(pm::VERSION | pm::PME_SUPPORT_OF_PORTS),
        Register::rw(pm::NO_SOFT_RESET, pm::POWER_STATE | pm::PME_ENABLE)
            .with_rw1c(pm::PME_STATUS)
            .with_sticky(pm::PME_ENABLE | pm::PME_STATUS),
    ];
    Capability { id: ids::POWER_MANAGEMENT, registers }
}

/// MSI with `vectors` vectors, a power of two up to 32, 64-bit address and per-vector masking (7.7.1).
pub(crate) fn msi(vectors: u16) -> Capability {
    let capable = vectors.trailing_zeros() << msi::MULTIPLE_MESSAGE_CAPABLE_SHIFT;
    let registers = vec![
        Register::rw(
            capable | msi::ADDRESS_64BIT | msi::PER_VECTOR_MASKING,
            msi::ENABLE | msi::MULTIPLE_MESSAGE_ENABLE,
        ),
        Register::rw(0, 0xffff_fffc),
        Register::rw(0, u32::MAX),
        Register::rw(0, 0xffff),
        Register::rw(0, u32::MAX >> (u32::BITS - u32::from(vectors))),
        Register::ro(0),
    ];
    Capability { id: ids::MSI, registers }
}

/// MSI-X with `vectors` (at least one) vectors; `table` and `pba` are BIR and offset (7.7.2).
pub(crate) fn msix(vectors: u16, table: u32, pba: u32) -> Capability {
    let size = u32::from(vectors.saturating_sub(1)) << 16;
    let registers = vec![
        Register::rw(size, msi::MSIX_ENABLE | msi::MSIX_FUNCTION_MASK),
        Register::ro(table),
        Register::ro(pba),
    ];
    Capability { id: ids::MSIX, registers }
}

/// A vendor-specific capability: its bytes and a mask of writable bits, of which the first two (id, next) are ignored (7.9.4).
pub(crate) fn vendor(bytes: &[u8], writable: &[u8]) -> Capability {
    let dword = |bytes: &[u8], index: usize| {
        let byte = |lane| bytes.get(4 * index + lane).copied().unwrap_or(0);
        u32::from_le_bytes([byte(0), byte(1), byte(2), byte(3)])
    };
    let mut registers: Vec<_> = (0..bytes.len().max(4).div_ceil(4))
        .map(|index| Register::rw(dword(bytes, index), dword(writable, index)))
        .collect();
    registers[0].reset &= 0xffff_0000;
    registers[0].rw &= 0xffff_0000;
    Capability { id: ids::VENDOR, registers }
}

/// A write to PMCSR: a power state that isn't there is ignored, the rest of the write isn't (7.5.2.2).
pub(crate) fn write_power_state(
    space: &mut ConfigSpace,
    register: u16,
    value: u32,
    enables: ByteEnables,
) {
    let supported = matches!(value & pm::POWER_STATE, 0 | pm::D3_HOT);
    let refused = if supported { 0 } else { pm::POWER_STATE };
    space.write_only(register, value, enables, !refused);
}
