//! A CPU's whole state as KVM made it, taken once and put back at every reset.
//!
//! KVM can't destroy a vCPU without its machine, and the machine's devices hold on to it. The order of the calls is the one live migration uses:
//! system registers before the local APIC, the TSC deadline after it.
//! Left out: nested state (a CPU reset in the middle of a nested guest leaves it when its EFER or CR4 is restored).

use anyhow::{Context, Result};
use kvm_bindings::{
    Msrs, kvm_debugregs, kvm_lapic_state, kvm_mp_state, kvm_msr_entry, kvm_regs, kvm_sregs,
    kvm_vcpu_events, kvm_xcrs, kvm_xsave,
};
use kvm_ioctls::VcpuFd;

/// The state.
pub(super) struct Snapshot {
    regs: kvm_regs,
    sregs: kvm_sregs,
    xsave: Box<kvm_xsave>,
    xcrs: kvm_xcrs,
    msrs: Vec<Msrs>,
    lapic: kvm_lapic_state,
    events: kvm_vcpu_events,
    debug: kvm_debugregs,
    mp_state: kvm_mp_state,
}

/// The time stamp counter goes on counting; set back, it would no longer agree with the other CPUs'.
const IA32_TSC: u32 = 0x10;

impl Snapshot {
    /// Reads everything, of the MSRs those in `msrs` that this CPU has.
    pub(super) fn take(fd: &VcpuFd, msrs: &[u32]) -> Result<Self> {
        Ok(Self {
            regs: fd.get_regs().context("reading registers")?,
            sregs: fd.get_sregs().context("reading system registers")?,
            xsave: Box::new(fd.get_xsave().context("reading floating-point state")?),
            xcrs: fd.get_xcrs().context("reading XCR0")?,
            msrs: msrs.iter().filter_map(|index| read_msr(fd, *index)).collect(),
            lapic: fd.get_lapic().context("reading the local APIC")?,
            events: fd.get_vcpu_events().context("reading pending events")?,
            debug: fd.get_debug_regs().context("reading debug registers")?,
            mp_state: fd.get_mp_state().context("reading the run state")?,
        })
    }

    /// Writes everything back.
    pub(super) fn restore(&self, fd: &VcpuFd) -> Result<()> {
        fd.set_mp_state(self.mp_state).context("writing the run state")?;
        fd.set_sregs(&self.sregs).context("writing system registers")?;
        fd.set_regs(&self.regs).context("writing registers")?;
        #[expect(
            unsafe_code,
            reason = "KVM copies the struct, and larger state behind it if dynamic features are enabled"
        )]
        // SAFETY: no dynamic feature (AMX) was requested for this process, so the struct's 4 KiB are all that KVM reads.
        unsafe { fd.set_xsave(&self.xsave) }.context("writing floating-point state")?;
        fd.set_xcrs(&self.xcrs).context("writing XCR0")?;
        fd.set_lapic(&self.lapic).context("writing the local APIC")?;
        for msr in &self.msrs {
            // KVM may refuse to write what it let us read (a constant); the guest couldn't write it either.
            let _ = fd.set_msrs(msr);
        }
        fd.set_debug_regs(&self.debug).context("writing debug registers")?;
        fd.set_vcpu_events(&self.events).context("writing pending events")
    }
}

/// One MSR in a list of its own: KVM stops a list at the first it refuses.
fn read_msr(fd: &VcpuFd, index: u32) -> Option<Msrs> {
    if index == IA32_TSC {
        return None;
    }
    let mut msrs = Msrs::from_entries(&[kvm_msr_entry { index, ..Default::default() }]).ok()?;
    (fd.get_msrs(&mut msrs).ok()? == 1).then_some(msrs)
}
