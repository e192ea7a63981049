//! Opens KVM, checks that it can do what a machine needs, and sets up an empty virtual machine.
//!
//! The order of calls is the one KVM demands (Linux Documentation/virt/kvm/api.rst): addresses, split irqchip and x2APIC API before the first vCPU.
//! There is no PIC, PIT or IOAPIC in KVM; the local APICs are.

use std::path::Path;

use anyhow::{Context, Result};
use kvm_bindings::{
    KVM_CAP_SPLIT_IRQCHIP, KVM_CAP_X2APIC_API, KVM_X2APIC_API_DISABLE_BROADCAST_QUIRK,
    KVM_X2APIC_API_USE_32BIT_IDS, kvm_enable_cap,
};
use kvm_ioctls::{Cap, Kvm, VmFd};
use pando_firmware::layout;

use crate::user_error::UserError;

/// Pins of the IOAPIC in user space; KVM keeps as many GSIs for them.
pub const IOAPIC_PINS: u32 = 24;

/// Opens /dev/kvm and checks its abilities.
pub fn open() -> Result<Kvm> {
    let kvm = Kvm::new().map_err(refusal)?;
    let needed = [
        (Cap::SplitIrqchip, "split irqchip"),
        (Cap::X2ApicApi, "x2APIC API"),
        (Cap::SignalMsi, "MSI injection"),
        (Cap::Irqfd, "irqfd"),
        (Cap::Ioeventfd, "ioeventfd"),
        (Cap::ImmediateExit, "immediate exit"),
        (Cap::TscDeadlineTimer, "TSC deadline timer"),
    ];
    match needed.into_iter().find(|(cap, _)| !kvm.check_extension(*cap)) {
        Some((_, name)) => Err(UserError::KvmLacks(name).into()),
        None => Ok(kvm),
    }
}

/// Refuses the whole kernel `kernel` where KVM can only interpret it, or isn't there to do so.
pub fn check_for_kernel(kernel: &Path) -> Result<()> {
    if has_hardware_virtualization() {
        return Ok(());
    }
    open()?;
    Err(UserError::OnlyInterprets(kernel.to_owned()).into())
}

fn refusal(error: kvm_ioctls::Error) -> UserError {
    match error.errno() {
        libc::ENOENT | libc::ENODEV | libc::ENXIO if has_hardware_virtualization() => {
            UserError::NoKvm
        }
        libc::ENOENT | libc::ENODEV | libc::ENXIO => UserError::NoVirtualization,
        _ => UserError::KvmRefused(error.into()),
    }
}

/// Whether the CPU runs guests by itself: an existing /dev/kvm doesn't tell, its flags do.
pub fn has_hardware_virtualization() -> bool {
    // Unreadable (no /proc in a chroot): nothing is known against this host.
    std::fs::read_to_string(Path::new("/proc/cpuinfo"))
        .map_or(true, |text| flags_allow_guests(&text))
}

fn flags_allow_guests(cpuinfo: &str) -> bool {
    let flags = cpuinfo.lines().find(|line| line.starts_with("flags"));
    flags.is_none_or(|line| line.split_whitespace().any(|flag| flag == "svm" || flag == "vmx"))
}

/// A virtual machine without memory and vCPUs.
pub fn create_vm(kvm: &Kvm) -> Result<VmFd> {
    let vm = kvm.create_vm().context("creating a virtual machine")?;
    vm.set_identity_map_address(layout::KVM_IDENTITY_MAP).context("placing the identity map")?;
    vm.set_tss_address(layout::KVM_TSS as usize).context("placing the task state segment")?;
    enable(&vm, KVM_CAP_SPLIT_IRQCHIP, IOAPIC_PINS).context("splitting the irqchip")?;
    let x2apic = KVM_X2APIC_API_USE_32BIT_IDS | KVM_X2APIC_API_DISABLE_BROADCAST_QUIRK;
    enable(&vm, KVM_CAP_X2APIC_API, x2apic).context("enabling 32-bit APIC ids")?;
    Ok(vm)
}

fn enable(vm: &VmFd, cap: u32, argument: u32) -> Result<(), kvm_ioctls::Error> {
    let args = [argument.into(), 0, 0, 0];
    vm.enable_cap(&kvm_enable_cap { cap, args, ..Default::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_kvm_and_no_permission_are_told_apart() {
        let message = |errno| refusal(kvm_ioctls::Error::new(errno)).to_string();
        let absent = if has_hardware_virtualization() { "load KVM" } else { "neither svm nor vmx" };
        for errno in [libc::ENOENT, libc::ENODEV, libc::ENXIO] {
            let message = message(errno);
            assert!(message.starts_with("there is no /dev/kvm"), "{message}");
            assert!(
                message.contains(absent) && message.contains("cargo xtask nested"),
                "{message}"
            );
        }
        assert!(message(libc::EACCES).contains("usermod -aG kvm"));
    }

    #[test]
    fn only_svm_or_vmx_in_the_flags_mean_hardware_virtualization() {
        assert!(flags_allow_guests("processor : 0\nflags\t\t: fpu svm sse\n"));
        assert!(flags_allow_guests("flags : vmx\n"));
        assert!(!flags_allow_guests("flags : fpu sse hypervisor\nbugs : vmxish svm_lock\n"));
        assert!(flags_allow_guests(""), "unknown");
    }
}
