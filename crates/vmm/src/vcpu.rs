//! One virtual CPU: made once, set to its power-on state as often as the machine starts, run until someone asks for something.

pub mod cpuid;
mod registers;
mod snapshot;

use std::sync::Arc;

use anyhow::{Context, Result, bail};
use kvm_bindings::CpuId;
use kvm_ioctls::{VcpuExit, VcpuFd, VmFd};

pub use self::registers::Entry;
use self::snapshot::Snapshot;
use crate::bus::Bus;
use crate::control::{Control, Request};
use crate::irq::ioapic::IoApic;
use crate::ports::Ports;

/// Everything an exit can be for.
pub struct Exits {
    /// Memory-mapped registers.
    pub bus: Bus,
    /// I/O ports.
    pub ports: Ports,
    /// End of level interrupts.
    pub ioapic: Arc<IoApic>,
    /// Where a triple fault or a failure goes.
    pub control: Arc<Control>,
}

/// The CPU with APIC id `id`.
pub struct Vcpu {
    fd: VcpuFd,
    id: u8,
    power_on: Snapshot,
}

impl Vcpu {
    /// Makes the CPU, with `supported` adapted to its place among `cpus`.
    pub fn new(vm: &VmFd, id: u8, cpus: u8, supported: &CpuId, msrs: &[u32]) -> Result<Self> {
        let fd = vm.create_vcpu(id.into()).with_context(|| format!("creating vCPU {id}"))?;
        let cpuid = cpuid::for_vcpu(supported, id, cpus)?;
        fd.set_cpuid2(&cpuid).with_context(|| format!("setting CPUID of vCPU {id}"))?;
        registers::prepare(&fd, id == 0, cpuid::has_vmx(&cpuid))?;
        let power_on = Snapshot::take(&fd, msrs)?;
        Ok(Self { fd, id, power_on })
    }

    /// Its APIC id.
    pub fn id(&self) -> u8 {
        self.id
    }

    /// Back to the power-on state; the boot CPU then stands at `entry`, the others wait for INIT and SIPI.
    pub fn power_on(&mut self, entry: &Entry) -> Result<()> {
        self.power_on.restore(&self.fd).with_context(|| format!("resetting vCPU {}", self.id))?;
        if self.id == 0 {
            registers::enter(&self.fd, entry)?;
        }
        Ok(())
    }

    /// Runs the guest until its next exit and serves it.
    pub fn step(&mut self, exits: &Exits) -> Result<()> {
        match self.fd.run() {
            Ok(VcpuExit::MmioRead(address, data)) => exits.bus.read(address, data),
            Ok(VcpuExit::MmioWrite(address, data)) => exits.bus.write(address, data),
            Ok(VcpuExit::IoIn(port, data)) => exits.ports.read(port, data),
            Ok(VcpuExit::IoOut(port, data)) => exits.ports.write(port, data),
            Ok(VcpuExit::IoapicEoi(vector)) => exits.ioapic.end_of_interrupt(vector),
            Ok(VcpuExit::Shutdown) => exits.control.request(Request::Reset("triple-faulted")),
            Ok(VcpuExit::Intr | VcpuExit::Hlt | VcpuExit::IrqWindowOpen) => {}
            Ok(VcpuExit::FailEntry(reason, _)) => {
                bail!("the CPU refuses the guest's state (reason {reason:#x})")
            }
            Ok(VcpuExit::InternalError) => return Err(self.internal_error()),
            Ok(other) => bail!("an exit that Pando does not know: {other:?}"),
            // Interrupted by a kick, or an application processor woken from its wait.
            Err(error) if matches!(error.errno(), libc::EINTR | libc::EAGAIN) => {}
            Err(error) => return Err(error).context("running the guest"),
        }
        Ok(())
    }

    /// Where the guest stands, for the log.
    pub fn instruction_pointer(&self) -> u64 {
        self.fd.get_regs().map_or(0, |regs| regs.rip)
    }

    fn internal_error(&mut self) -> anyhow::Error {
        #[expect(unsafe_code, reason = "the exit's details are a union")]
        // SAFETY: KVM filled this member for KVM_EXIT_INTERNAL_ERROR, and it consists of integers only.
        let suberror = unsafe { self.fd.get_kvm_run().__bindgen_anon_1.internal.suberror };
        let rip = self.instruction_pointer();
        anyhow::anyhow!("KVM cannot emulate the instruction at {rip:#x} (suberror {suberror})")
    }
}
