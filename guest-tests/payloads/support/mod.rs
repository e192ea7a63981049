//! What every bare-metal payload stands on. A payload is one file: this module, and `payload!` with its checks.

#![allow(dead_code, reason = "no payload uses everything")]

pub mod acpi;
pub mod ecam;
pub mod entry;
pub mod exerciser;
pub mod interrupts;
pub mod memory;
pub mod msix;
pub mod pci;
pub mod port;
pub mod report;
pub mod ring;
pub mod sriov;
pub mod time;
pub mod tree;
pub mod virtio;

/// Names the function that makes the checks. It gets the ACPI tables and the report.
#[macro_export]
macro_rules! payload {
    ($body:path) => {
        #[unsafe(no_mangle)]
        extern "C" fn start(start_info: u64) -> ! {
            let acpi = support::acpi::Acpi::find(start_info);
            let mut report = support::report::Report::default();
            $body(&acpi, &mut report);
            report.finish();
            acpi.power_off()
        }

        #[panic_handler]
        fn panic(info: &core::panic::PanicInfo) -> ! {
            support::report::panicked(info)
        }
    };
}

// The prebuilt core refers to these two though nothing unwinds.

#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}

#[unsafe(no_mangle)]
extern "C" fn _Unwind_Resume() -> ! {
    loop {}
}
