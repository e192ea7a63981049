//! The one piece of firmware that runs in the guest: real-mode code at the reset vector that writes the reset register.
//!
//! Linux on hardware-reduced ACPI prefers EFI's reset service and, where there is none, jumps to the BIOS; without this
//! code it would run through zeroed memory for ever.

use crate::{Blob, layout};

/// Ten bytes of 16-bit code.
pub fn reset_vector() -> Blob {
    let [port_low, port_high] = layout::RESET_PORT.to_le_bytes();
    let bytes = vec![
        0xb0,
        layout::RESET_VALUE, // mov al, RESET_VALUE
        0xba,
        port_low,
        port_high, // mov dx, RESET_PORT
        0xee,      // out dx, al
        0xfa,      // cli
        0xf4,      // hlt
        0xeb,
        0xfc, // jmp to cli
    ];
    Blob { address: layout::RESET_VECTOR, bytes }
}
