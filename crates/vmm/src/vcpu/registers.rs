//! Registers at power-on and at a kernel's entry (Intel SDM volume 3, 10.1.1; Linux boot.rst, "64-bit boot protocol"; PVH start of day).

use anyhow::{Context, Result};
use kvm_bindings::{Msrs, kvm_dtable, kvm_msr_entry, kvm_regs, kvm_segment, kvm_sregs};
use kvm_ioctls::VcpuFd;
use pando_firmware::boot::paging::{CODE_SELECTOR, DATA_SELECTOR};
use pando_firmware::layout;

/// How the boot CPU enters what was loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// Long mode, paging on, RSI points at the zero page.
    Linux64 {
        /// First instruction.
        rip: u64,
    },
    /// 32-bit protected mode, paging off, EBX points at the start info.
    Pvh {
        /// First instruction.
        rip: u64,
    },
}

const IA32_FEATURE_CONTROL: u32 = 0x3a;
/// Locked, VMX outside SMX.
const FEATURE_CONTROL_VMX: u64 = 1 << 2 | 1;
const IA32_MISC_ENABLE: u32 = 0x1a0;
const MISC_ENABLE_FAST_STRINGS: u64 = 1;
const IA32_MTRR_DEF_TYPE: u32 = 0x2ff;
/// MTRRs enabled, default type write-back; otherwise Linux turns PAT off.
const MTRR_WRITE_BACK: u64 = 1 << 11 | 6;

/// IA32_APIC_BASE: enabled, at its usual address; bit 8 marks the boot CPU.
const APIC_BASE: u64 = layout::LOCAL_APIC | 1 << 11;
const APIC_BASE_BSP: u64 = 1 << 8;
/// Local vector table entry of LINT1, and delivery mode NMI.
const APIC_LVT1: usize = 0x360;
const DELIVERY_NMI: u32 = 4 << 8;

const CR0_PE: u64 = 1;
const CR0_ET: u64 = 1 << 4;
const CR0_WP: u64 = 1 << 16;
const CR0_PG: u64 = 1 << 31;
const CR4_PAE: u64 = 1 << 5;
const EFER_LME: u64 = 1 << 8;
const EFER_LMA: u64 = 1 << 10;
const RFLAGS: u64 = 1 << 1;

/// What firmware would have set before any kernel runs.
pub(super) fn prepare(fd: &VcpuFd, boot: bool, vmx: bool) -> Result<()> {
    let mut sregs = fd.get_sregs().context("reading system registers")?;
    sregs.apic_base = APIC_BASE | if boot { APIC_BASE_BSP } else { 0 };
    fd.set_sregs(&sregs).context("writing system registers")?;
    set_msr(fd, IA32_MISC_ENABLE, MISC_ENABLE_FAST_STRINGS).context("enabling fast strings")?;
    set_msr(fd, IA32_MTRR_DEF_TYPE, MTRR_WRITE_BACK).context("setting the default memory type")?;
    if vmx {
        set_msr(fd, IA32_FEATURE_CONTROL, FEATURE_CONTROL_VMX).context("allowing VMX")?;
    }
    set_lint1(fd).context("setting LINT1 to NMI")
}

fn set_msr(fd: &VcpuFd, index: u32, data: u64) -> Result<()> {
    let entry = kvm_msr_entry { index, data, ..Default::default() };
    let written = fd.set_msrs(&Msrs::from_entries(&[entry])?)?;
    anyhow::ensure!(written == 1, "KVM refused MSR {index:#x}");
    Ok(())
}

fn set_lint1(fd: &VcpuFd) -> Result<()> {
    let mut lapic = fd.get_lapic()?;
    let register = lapic.regs[APIC_LVT1..APIC_LVT1 + 4].iter_mut();
    register.zip(DELIVERY_NMI.to_le_bytes()).for_each(|(byte, value)| *byte = value.cast_signed());
    Ok(fd.set_lapic(&lapic)?)
}

/// Places the boot CPU at `entry`.
pub(super) fn enter(fd: &VcpuFd, entry: &Entry) -> Result<()> {
    let mut sregs = fd.get_sregs().context("reading system registers")?;
    let regs = match *entry {
        Entry::Linux64 { rip } => {
            long_mode(&mut sregs);
            kvm_regs { rip, rsi: layout::ZERO_PAGE, rflags: RFLAGS, ..Default::default() }
        }
        Entry::Pvh { rip } => {
            protected_mode(&mut sregs);
            kvm_regs { rip, rbx: layout::PVH_START_INFO, rflags: RFLAGS, ..Default::default() }
        }
    };
    fd.set_sregs(&sregs).context("writing system registers")?;
    fd.set_regs(&regs).context("writing registers")
}

fn long_mode(sregs: &mut kvm_sregs) {
    protected_mode(sregs);
    (sregs.cs.l, sregs.cs.db) = (1, 0);
    sregs.cr3 = layout::BOOT_PAGE_TABLES;
    sregs.cr4 = CR4_PAE;
    sregs.cr0 |= CR0_PG | CR0_WP;
    sregs.efer = EFER_LME | EFER_LMA;
}

fn protected_mode(sregs: &mut kvm_sregs) {
    let code = kvm_segment { selector: CODE_SELECTOR, type_: 0xb, ..FLAT };
    let data = kvm_segment { selector: DATA_SELECTOR, type_: 0x3, ..FLAT };
    sregs.cs = code;
    (sregs.ds, sregs.es, sregs.ss) = (data, data, data);
    (sregs.fs, sregs.gs) = (data, data);
    // A busy 32-bit TSS without content, as PVH wants it; long mode takes it for a 64-bit one.
    sregs.tr = kvm_segment { type_: 0xb, present: 1, limit: 0x67, ..Default::default() };
    sregs.gdt = kvm_dtable { base: layout::BOOT_GDT, limit: 4 * 8 - 1, ..Default::default() };
    sregs.idt = kvm_dtable::default();
    sregs.cr0 = CR0_PE | CR0_ET;
    sregs.cr4 = 0;
    sregs.efer = 0;
}

/// Base 0, limit 4 GiB, ring 0, 32-bit.
const FLAT: kvm_segment = kvm_segment {
    base: 0,
    limit: 0xffff_ffff,
    selector: 0,
    type_: 0,
    present: 1,
    dpl: 0,
    db: 1,
    s: 1,
    l: 0,
    g: 1,
    avl: 0,
    unusable: 0,
    padding: 0,
};
