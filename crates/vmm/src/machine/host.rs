//! What a machine takes from its host: a KVM machine with memory in it, and the CPUs it can have.

use std::sync::Arc;

use anyhow::{Context, Result};
use kvm_bindings::{CpuId, KVM_MAX_CPUID_ENTRIES, MsrList};
use kvm_ioctls::VmFd;
use pando_firmware::layout;

use crate::kvm;
use crate::platform::{IommuModel, Platform};
use crate::ram::Ram;
use crate::user_error::UserError;
use crate::vcpu::{Vcpu, cpuid};

/// Buses of the segment: as many as there can be, so that Linux may leave gaps for hot-plug.
const BUSES: u16 = 256;

/// A KVM machine with memory and without CPUs.
pub(super) struct Host {
    pub(super) vm: Arc<VmFd>,
    pub(super) ram: Ram,
    pub(super) layout: pando_firmware::Platform,
    supported: CpuId,
    msrs: MsrList,
}

impl Host {
    /// Makes the machine that `platform` asks for.
    pub(super) fn open(platform: &Platform) -> Result<Self> {
        let kvm = kvm::open()?;
        let supported =
            kvm.get_supported_cpuid(KVM_MAX_CPUID_ENTRIES).context("asking KVM for CPUID")?;
        let msrs = kvm.get_msr_index_list().context("asking KVM for its MSRs")?;
        let machine = &platform.machine;
        let bits = cpuid::physical_address_bits(&supported);
        let iommu = platform.iommu == IommuModel::Vtd;
        let layout =
            layout::platform(machine.cpus.get(), machine.memory.bytes(), bits, BUSES, iommu)
                .map_err(UserError::from)?;
        let vm = Arc::new(kvm::create_vm(&kvm)?);
        let ram = Ram::new(&layout.ram)?;
        ram.add_to(&vm)?;
        Ok(Self { vm, ram, layout, supported, msrs })
    }

    /// All CPUs; KVM takes them after the interrupt controllers are set up.
    pub(super) fn vcpus(&self) -> Result<Vec<Vcpu>> {
        let (cpus, msrs) = (self.layout.cpus, self.msrs.as_slice());
        (0..cpus).map(|id| Vcpu::new(&self.vm, id, cpus, &self.supported, msrs)).collect()
    }
}
