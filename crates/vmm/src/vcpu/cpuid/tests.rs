use super::*;

fn leaf(function: u32, registers: [u32; 4]) -> kvm_cpuid_entry2 {
    let [eax, ebx, ecx, edx] = registers;
    kvm_cpuid_entry2 { function, eax, ebx, ecx, edx, ..Default::default() }
}

fn host() -> CpuId {
    CpuId::from_entries(&[
        leaf(0, [0x20, 0, 0, 0]),
        leaf(1, [0, 0x7f10_0800, 1 << 12, 1]),
        leaf(6, [0; 4]),
        leaf(0xb, [9, 9, 9, 9]),
        leaf(0x8000_0008, [0x3028, 0, 0x7003, 0]),
        leaf(0x8000_001e, [77, 0x101, 0x5, 0]),
    ])
    .unwrap()
}

fn find(cpuid: &CpuId, function: u32, index: u32) -> kvm_cpuid_entry2 {
    let mut leaves = cpuid.as_slice().iter();
    *leaves.find(|leaf| leaf.function == function && leaf.index == index).unwrap()
}

#[test]
fn every_apic_id_agrees() {
    for (id, cpus, bits) in [(0, 1, 0), (1, 2, 1), (2, 3, 2), (7, 8, 3), (15, 16, 4)] {
        let cpuid = for_vcpu(&host(), id, cpus).unwrap();
        let apic_id = u32::from(id);
        assert_eq!(find(&cpuid, 1, 0).ebx >> 24, apic_id);
        assert_eq!(find(&cpuid, 1, 0).ebx >> 16 & 0xff, 1 << bits);
        assert_eq!(find(&cpuid, 0x8000_001e, 0).eax, apic_id);
        assert_eq!(find(&cpuid, 0x8000_0008, 0).ecx, bits << 12 | (u32::from(cpus) - 1));
        for function in [0xb, 0x1f] {
            let (threads, cores, end) =
                (find(&cpuid, function, 0), find(&cpuid, function, 1), find(&cpuid, function, 2));
            assert_eq!((threads.eax, threads.ebx, threads.ecx), (0, 1, 0x100));
            assert_eq!((cores.eax, cores.ebx, cores.ecx), (bits, cpus.into(), 0x201));
            assert_eq!((end.eax, end.ebx, end.ecx), (0, 0, 2));
            assert_eq!([threads.edx, cores.edx, end.edx], [apic_id; 3]);
        }
    }
}

#[test]
fn what_linux_needs_to_boot_without_a_pit_is_there() {
    let cpuid = for_vcpu(&host(), 0, 2).unwrap();
    let features = find(&cpuid, 1, 0);
    assert_eq!(features.ecx & (HYPERVISOR | TSC_DEADLINE | X2APIC | 1 << 12), features.ecx);
    assert_eq!(features.edx, 1 | HYPER_THREADING);
    assert_eq!(find(&cpuid, 6, 0).eax, ARAT);
    let signature = find(&cpuid, KVM_SIGNATURE, 0);
    let words = [signature.ebx, signature.ecx, signature.edx];
    let text: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    assert_eq!(text, b"KVMKVMKVM\0\0\0");
}

#[test]
fn address_width_comes_from_the_host() {
    assert_eq!(physical_address_bits(&host()), 40);
    assert_eq!(physical_address_bits(&CpuId::from_entries(&[]).unwrap()), 36);
}
