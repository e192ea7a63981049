//! What a CPU says of itself: what KVM and the host can do, adapted to one vCPU (Intel SDM volume 2, CPUID; AMD APM volume 3, appendix E).
//!
//! Adds what KVM leaves to user space: the TSC deadline timer, an always running APIC timer, and the topology: one package, one core per CPU, one thread per core.
//! Left out: cache sharing beyond the core count, NUMA, hiding features.

use anyhow::Result;
use kvm_bindings::{CpuId, KVM_CPUID_FLAG_SIGNIFCANT_INDEX, kvm_cpuid_entry2};

/// Leaf 1 ECX.
const VMX: u32 = 1 << 5;
const X2APIC: u32 = 1 << 21;
const TSC_DEADLINE: u32 = 1 << 24;
const HYPERVISOR: u32 = 1 << 31;
/// Leaf 1 EDX.
const HYPER_THREADING: u32 = 1 << 28;
/// Leaf 6 EAX: the APIC timer runs in every power state.
const ARAT: u32 = 1 << 2;
/// Leaf 0x8000_0001 ECX: the logical processors of a package are cores.
const CORE_MULTI_PROCESSING_LEGACY: u32 = 1 << 1;

const KVM_SIGNATURE: u32 = 0x4000_0000;
const KVM_FEATURES: u32 = 0x4000_0001;
/// "KVMKVMKVM\0\0\0" in EBX, ECX, EDX.
const SIGNATURE: [u32; 3] = [0x4b4d_564b, 0x564b_4d56, 0x4d];

/// Topology levels of leaves 0xb and 0x1f (ECX 15:8).
const LEVEL_THREAD: u32 = 1;
const LEVEL_CORE: u32 = 2;

/// Width of physical addresses in bits, as the guest will see it.
pub fn physical_address_bits(supported: &CpuId) -> u8 {
    let leaf = supported.as_slice().iter().find(|entry| entry.function == 0x8000_0008);
    leaf.map_or(36, |entry| entry.eax as u8).clamp(32, 52)
}

/// Whether nested VMX guests are possible.
pub(super) fn has_vmx(cpuid: &CpuId) -> bool {
    cpuid.as_slice().iter().any(|entry| entry.function == 1 && entry.ecx & VMX != 0)
}

/// The leaves of vCPU `id` of `cpus`.
pub(super) fn for_vcpu(supported: &CpuId, id: u8, cpus: u8) -> Result<CpuId> {
    let topology = Topology::new(id, cpus);
    let mut leaves = supported.as_slice().to_vec();
    // Extended topology is ours alone.
    leaves.retain(|entry| !matches!(entry.function, 0xb | 0x1f));
    leaves.iter_mut().for_each(|entry| topology.adapt(entry));
    topology.add_extended(&mut leaves);
    add_signature(&mut leaves);
    Ok(CpuId::from_entries(&leaves)?)
}

/// A CPU's place.
#[derive(Clone, Copy)]
struct Topology {
    id: u32,
    cpus: u32,
    /// Bits of the APIC id that number the cores.
    core_bits: u32,
}

impl Topology {
    fn new(id: u8, cpus: u8) -> Self {
        let cpus = u32::from(cpus);
        Self { id: id.into(), cpus, core_bits: cpus.next_power_of_two().ilog2() }
    }

    /// Puts what depends on the CPU's place, and what user space owes, into one leaf.
    fn adapt(self, leaf: &mut kvm_cpuid_entry2) {
        match leaf.function {
            // Room for the topology leaf.
            0 => leaf.eax = leaf.eax.max(0xb),
            1 => self.adapt_features(leaf),
            // Deterministic caches: the last level is shared by all, the others belong to a core.
            4 if leaf.eax & 0x1f != 0 => {
                let shared = if leaf.eax >> 5 & 7 >= 3 { (1 << self.core_bits) - 1 } else { 0 };
                leaf.eax = leaf.eax & 0x3fff | shared << 14 | ((1 << self.core_bits) - 1) << 26;
            }
            6 => leaf.eax |= ARAT,
            0x8000_0001 if self.cpus > 1 => leaf.ecx |= CORE_MULTI_PROCESSING_LEGACY,
            // Core count - 1 in 7:0, APIC id size in 15:12.
            0x8000_0008 => leaf.ecx = leaf.ecx & !0xf0ff | self.core_bits << 12 | (self.cpus - 1),
            // AMD cache topology: sharers - 1 in 25:14.
            0x8000_001d if leaf.eax & 0x1f != 0 => {
                let shared = if leaf.eax >> 5 & 7 >= 3 { self.cpus - 1 } else { 0 };
                leaf.eax = leaf.eax & 0x3fff | shared << 14;
            }
            // AMD: extended APIC id, core id with one thread, one node.
            0x8000_001e => (leaf.eax, leaf.ebx, leaf.ecx) = (self.id, self.id & 0xff, 0),
            _ => {}
        }
    }

    fn adapt_features(self, leaf: &mut kvm_cpuid_entry2) {
        leaf.ebx = leaf.ebx & 0xffff | (1 << self.core_bits) << 16 | self.id << 24;
        leaf.ecx |= HYPERVISOR | TSC_DEADLINE | X2APIC;
        leaf.edx &= !HYPER_THREADING;
        if self.cpus > 1 {
            leaf.edx |= HYPER_THREADING;
        }
    }

    /// Leaves 0xb and, where the CPU reaches that far, 0x1f.
    fn add_extended(self, leaves: &mut Vec<kvm_cpuid_entry2>) {
        let max = leaves.iter().find(|leaf| leaf.function == 0).map_or(0, |leaf| leaf.eax);
        for function in [0xb, 0x1f].into_iter().filter(|function| *function <= max) {
            let levels = [(LEVEL_THREAD, 0, 1), (LEVEL_CORE, self.core_bits, self.cpus), (0, 0, 0)];
            for (index, (level, shift, count)) in (0..).zip(levels) {
                leaves.push(kvm_cpuid_entry2 {
                    function,
                    index,
                    flags: KVM_CPUID_FLAG_SIGNIFCANT_INDEX,
                    eax: shift,
                    ebx: count,
                    ecx: level << 8 | index,
                    edx: self.id,
                    ..Default::default()
                });
            }
        }
    }
}

/// KVM reports its own leaves; a host that hides them still gets the signature, or Linux finds no paravirtual clock.
fn add_signature(leaves: &mut Vec<kvm_cpuid_entry2>) {
    let [ebx, ecx, edx] = SIGNATURE;
    leaves.retain(|leaf| leaf.function != KVM_SIGNATURE);
    leaves.push(kvm_cpuid_entry2 {
        function: KVM_SIGNATURE,
        eax: KVM_FEATURES,
        ebx,
        ecx,
        edx,
        ..Default::default()
    });
}

#[cfg(test)]
mod tests;
