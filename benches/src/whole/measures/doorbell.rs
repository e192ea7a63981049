//! What a doorbell's write costs the vCPU, by the way it takes to the worker: out to the VMM, into KVM's ring of coalesced writes, or
//! into an event; and what it costs to change the way (Linux Documentation/virt/kvm/api.rst, 4.59, 4.116).

use std::time::Instant;

use anyhow::{Context, Result, ensure};
use kvm_bindings::kvm_userspace_memory_region;
use kvm_ioctls::{IoEventAddress, Kvm, NoDatamatch, VcpuExit, VcpuFd, VmFd};
use vm_memory::{Bytes, GuestAddress, GuestMemoryBackend, GuestMemoryMmap};
use vmm_sys_util::eventfd::EventFd;

use crate::machine::Machines;
use crate::report::Report;

/// Writes of a sample.
const WRITES: u32 = 20_000;

/// Where the guest's code lies.
const CODE: u64 = 0x1000;

/// Where the doorbell is: nothing of the guest's memory lies there.
const DOORBELL: IoEventAddress = IoEventAddress::Mmio(0x1_0000);

/// In real mode: writes EAX to DS:0, ECX times, and halts.
const LOOP: [u8; 8] = [0x66, 0x89, 0x07, 0x66, 0x49, 0x75, 0xf9, 0xf4];

/// How a write gets to the worker.
#[derive(Clone, Copy, Debug)]
enum Way {
    /// With its value: the vCPU leaves the guest, and the VMM performs the write.
    Exit,
    /// With its value: KVM keeps it until somebody looks.
    Coalesced,
    /// Without its value: KVM rings an event.
    Event,
}

/// Nanoseconds of one write each way, and of changing the way.
pub(super) fn doorbell(_: &Machines, rounds: usize, report: &mut Report) -> Result<()> {
    let ways = [(Way::Exit, "exit"), (Way::Coalesced, "coalesced"), (Way::Event, "event")];
    let mut times = ways.map(|_| Vec::new());
    let mut changes = Vec::new();
    for _ in 0..rounds {
        for ((way, _), times) in ways.iter().zip(&mut times) {
            times.push(Rig::new()?.time(*way)?);
        }
        changes.push(Rig::new()?.time_change()?);
    }
    for ((_, name), times) in ways.iter().zip(&times) {
        report.add(&format!("doorbell/{name}"), "ns", false, times);
    }
    report.add("doorbell/to coalesced and back", "ns", false, &changes);
    Ok(())
}

/// A machine that does nothing but write to a doorbell.
struct Rig {
    vm: VmFd,
    vcpu: VcpuFd,
    _memory: GuestMemoryMmap,
}

impl Rig {
    fn new() -> Result<Self> {
        let kvm = Kvm::new().context("opening KVM")?;
        let vm = kvm.create_vm().context("creating a machine")?;
        let memory = GuestMemoryMmap::<()>::from_ranges(&[(GuestAddress(0), 0x1_0000)])?;
        memory.write_slice(&LOOP, GuestAddress(CODE))?;
        let region = kvm_userspace_memory_region {
            memory_size: 0x1_0000,
            userspace_addr: memory.get_host_address(GuestAddress(0))? as u64,
            ..Default::default()
        };
        add_memory(&vm, region)?;
        let mut vcpu = vm.create_vcpu(0).context("creating a vCPU")?;
        vcpu.map_coalesced_mmio_ring().context("mapping the ring of coalesced writes")?;
        let mut sregs = vcpu.get_sregs()?;
        (sregs.cs.base, sregs.cs.selector) = (0, 0);
        (sregs.ds.base, sregs.ds.selector) = (0x1_0000, 0x1000);
        vcpu.set_sregs(&sregs)?;
        let mut regs = vcpu.get_regs()?;
        (regs.rip, regs.rbx, regs.rcx, regs.rflags) = (CODE, 0, WRITES.into(), 2);
        vcpu.set_regs(&regs)?;
        Ok(Self { vm, vcpu, _memory: memory })
    }

    /// Nanoseconds of one write.
    fn time(mut self, way: Way) -> Result<f64> {
        let event = EventFd::new(0)?;
        match way {
            Way::Exit => {}
            Way::Coalesced => self.vm.register_coalesced_mmio(DOORBELL, 4)?,
            Way::Event => self.vm.register_ioevent(&event, &DOORBELL, NoDatamatch)?,
        }
        let before = Instant::now();
        let seen = self.run()?;
        let time = before.elapsed();
        let rung = matches!(way, Way::Event).then(|| event.read()).transpose()?;
        let seen = rung.map_or(seen, |rung| rung as u32);
        ensure!(seen == WRITES, "{seen} of {WRITES} writes were seen by way of {way:?}");
        Ok(time.as_nanos() as f64 / f64::from(WRITES))
    }

    /// Runs the loop to its end; how many writes came out of KVM.
    fn run(&mut self) -> Result<u32> {
        let mut seen = 0;
        loop {
            let exit = self.vcpu.run().context("running the loop")?;
            let halted = matches!(exit, VcpuExit::Hlt);
            seen += u32::from(matches!(exit, VcpuExit::MmioWrite(..)));
            while self.vcpu.coalesced_mmio_read()?.is_some() {
                seen += 1;
            }
            if halted {
                return Ok(seen);
            }
        }
    }

    /// Nanoseconds of making a doorbell a coalesced one and back, as a worker would when it wakes and goes to sleep.
    fn time_change(self) -> Result<f64> {
        const CHANGES: u32 = 200;
        let before = Instant::now();
        for _ in 0..CHANGES {
            self.vm.register_coalesced_mmio(DOORBELL, 4)?;
            self.vm.unregister_coalesced_mmio(DOORBELL, 4)?;
        }
        Ok(before.elapsed().as_nanos() as f64 / f64::from(CHANGES))
    }
}

#[expect(unsafe_code, reason = "KVM is given an address of ours")]
fn add_memory(vm: &VmFd, region: kvm_userspace_memory_region) -> Result<()> {
    // SAFETY: the region is a mapping that the caller keeps as long as the machine.
    unsafe { vm.set_user_memory_region(region) }.context("giving the machine memory")
}
