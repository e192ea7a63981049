//! A stock kernel comes up as on a real machine: processors, memory, a clean log.

use crate::test::{Test, guest};

/// What no boot may log (facts: Linux's messages for wrong tables, windows and interrupts).
pub(super) const COMPLAINTS: &str = "can.t assign|failed to assign|BAR .*error|[Ff]irmware [Bb]ug|irmware warn|AE_[A-Z]|not claimed|\
no space for|nobody cared|WARNING: CPU|cut here|BUG:|Call Trace|ncorrect checksum|Invalid length|soft lockup|rcu.*stall";

pub(super) fn tests() -> Vec<Test> {
    let one = format!(
        r#"
        expect_eq "1 vCPU is online" "$(nproc)" 1
        expect_match "the kernel knows KVM" "$(dmesg)" "Hypervisor detected: KVM"
        expect_none "the log has no complaint" "$(dmesg)" "{COMPLAINTS}"
        check "the clock runs" sleep 0.2
        "#
    );
    vec![
        guest("boot::one_cpu", one).any_vmm(),
        guest("boot::two_cpus", cpus(2)).cpus(2).any_vmm(),
        guest("boot::eight_cpus", cpus(8)).cpus(8).any_vmm(),
        guest("boot::five_gibibytes", MEMORY).memory("5GiB").any_vmm(),
    ]
}

/// Every vCPU is there and runs a program of its own.
fn cpus(count: u32) -> String {
    format!(
        r#"
        expect_eq "{count} vCPUs are online" "$(nproc)" {count}
        for ((n = 0; n < {count}; n++)); do check "vCPU $n runs a program" taskset -c "$n" true; done
        expect_none "the log has no complaint" "$(dmesg)" "{COMPLAINTS}"
        "#
    )
}

/// Memory above the hole below 4 GiB works: a file larger than what fits below comes back as written.
const MEMORY: &str = r#"
    total=$(awk '/MemTotal/ { print int($2 / 1024) }' /proc/meminfo)
    check "at least 4800 MiB are there ($total)" [ "$total" -ge 4800 ]
    check "there is RAM above 4 GiB" grep -qE '^1[0-9a-f]{8}-.* System RAM' /proc/iomem
"#;
