//! The IOMMU under stock Linux: many domains, functions that leave under traffic, restarts, strict invalidation, moving interrupts.

use anyhow::Result;

use super::nic;
use super::vfio::{HELPERS, PROGRAM};
use crate::guest::Guest;
use crate::test::{Test, guest};

pub(super) fn tests() -> Vec<Test> {
    vec![
        guest("vtd::domains", format!("{HELPERS}{DOMAINS}"))
            .platform(nic("vfs = 63"))
            .memory("1GiB")
            .minutes(10),
        guest("vtd::strict", format!("{HELPERS}{STRICT}"))
            .platform(nic("vfs = 6"))
            .cmdline("iommu.strict=1")
            .programs(PROGRAM)
            .cpus(2)
            .memory("1GiB")
            .minutes(10),
        guest("vtd::reboot", REBOOT).platform(nic("vfs = 2")).restarts().host(comes_up_twice),
        guest("vtd::kexec", KEXEC)
            .platform(nic("vfs = 2"))
            .programs(PROGRAM)
            .with_kernel()
            .memory("1GiB")
            .minutes(10),
    ]
}

/// Each VF in a domain of its own, coming and going; then the PF goes while they carry traffic.
const DOMAINS: &str = r#"
    expect_match "interrupts are remapped in x2APIC mode" "$(dmesg)" "Enabled IRQ remapping in x2apic mode"
    expect_match "invalidation is queued" "$(dmesg)" "Using Queued invalidation"
    nic=$(pf)
    set_vfs "$nic" 63
    groups=$(for n in {0..62}; do readlink "$(device "$nic")/virtfn$n/iommu_group"; done)
    expect_eq "63 VFs are in 63 groups" "$(sort -u <<<"$groups" | wc -l)" 63
    kinds=$(for n in {0..62}; do cat "$(device "$nic")/virtfn$n/iommu_group/type"; done)
    expect_eq "each has a DMA domain" "$(grep -c DMA <<<"$kinds")" 63
    all=$(for n in {0..62}; do vf "$nic" "$n"; done)
    for round in 1 2; do
        check "round $round - unbind all" bash -c 'for f; do echo "$f" >/sys/bus/pci/drivers/virtio-pci/unbind; done' _ $all
        check "round $round - bind all" bash -c 'for f; do echo "$f" >/sys/bus/pci/drivers/virtio-pci/bind; done' _ $all
    done
    into a "$(netdev "$(vf "$nic" 0)")" 10.0.0.1/24
    into b "$(netdev "$(vf "$nic" 62)")" 10.0.0.2/24
    check "the first reaches the last" reaches a 10.0.0.2
    check "groups change their kind" bash -c "echo $(vf "$nic" 5) >/sys/bus/pci/drivers/virtio-pci/unbind && echo identity >$(device "$nic")/virtfn5/iommu_group/type && echo $(vf "$nic" 5) >/sys/bus/pci/drivers/virtio-pci/bind"
    into c "$(netdev "$(vf "$nic" 5)")" 10.0.0.3/24
    check "a VF in an identity domain reaches one in a DMA domain" reaches c 10.0.0.2

    within a ping -f -q 10.0.0.2 >/tmp/ping 2>&1 &
    sleep 0.5
    check "unbind the PF under traffic" bash -c "echo $nic >/sys/bus/pci/drivers/virtio-pci/unbind"
    kill %% 2>/dev/null && wait || true
    expect_eq "its VFs are gone" "$(ls "$(device "$nic")" | grep -c virtfn || true)" 0
    check "bind it again" bash -c "echo $nic >/sys/bus/pci/drivers/virtio-pci/bind"
    set_vfs "$nic" 2
    into d "$(netdev "$(vf "$nic" 0)")" 10.0.1.1/24
    into e "$(netdev "$(vf "$nic" 1)")" 10.0.1.2/24
    check "its new VFs talk" reaches d 10.0.1.2
    expect_none "no fault is in the log" "$(dmesg)" "DMAR: \[|fault reason|DMAR: VT-d detected|timed out"
"#;

/// Every unmap waits for its invalidation, while frames, other mappings and interrupts' targets are on the move.
const STRICT: &str = r#"
    nic=$(pf)
    set_vfs "$nic" 6
    expect_match "invalidation is strict" "$(dmesg)" "[Ss]trict"
    names=(a b c d)
    for n in 0 1 2 3; do into "${names[n]}" "$(netdev "$(vf "$nic" "$n")")" "10.0.$((n / 2)).$((n % 2 + 1))/24"; done
    check "two VFs for VFIO" assign "$(vf "$nic" 4)" "$(vf "$nic" 5)"
    check "the first pair talks" reaches a 10.0.0.2
    check "the second pair talks" reaches c 10.0.1.2

    irqs=$(awk -F: '/virtio[0-9]+-(input|output)/ { gsub(/ /, "", $1); print $1 }' /proc/interrupts)
    wander() {
        while true; do
            for irq in $irqs; do
                for cpu in 1 0; do echo "$cpu" >"/proc/irq/$irq/smp_affinity_list" || true; done
            done
        done
    }
    wander 2>/dev/null &
    wanderer=$!
    within a ping -q -i 0.01 -c 300 10.0.0.2 >/tmp/ping 2>&1 || true
    expect_match "no ping is lost while interrupts move" "$(cat /tmp/ping)" " 0% packet loss"

    seq 1 4000000 2>/dev/null | head -c 20000000 >/tmp/sent || true
    digest=$(sha256sum </tmp/sent)
    for pair in "a b 10.0.0.2" "c d 10.0.1.2"; do
        set -- $pair
        within "$2" nc -l -p 7000 >"/tmp/received-$2" &
        eventually listens "$2" 7000
        (within "$1" bash -c "cat /tmp/sent >/dev/tcp/$3/7000") &
    done
    check "VFIO maps and unmaps meanwhile" vfio remap "$(vf "$nic" 4)" "$(vf "$nic" 5)" 500
    eventually bash -c '[ "$(cat /tmp/received-[bd] | wc -c)" = 40000000 ]' || true
    kill "$wanderer" && wait "$wanderer" 2>/dev/null || true
    expect_eq "the first stream is whole" "$(sha256sum </tmp/received-b)" "$digest"
    expect_eq "the second stream is whole" "$(sha256sum </tmp/received-d)" "$digest"
    value "interrupts moved" "$(awk '{ sum += $2 + $3 } /virtio/ { n += $2 + $3 } END { print n }' /proc/interrupts)" interrupts
    expect_none "no fault is in the log" "$(faults)" "."
"#;

/// Every start looks like the first, so the host side tells which one this is.
const REBOOT: &str = r#"
    await_host "start"
    round=$REPLY
    expect_match "$round - interrupts are remapped" "$(dmesg)" "Enabled IRQ remapping in x2apic mode"
    expect_none "$round - the IOMMU is in its power-on state" "$(dmesg)" "already enabled|DMAR: \[|[Cc]opied"
    nic=$(pf)
    set_vfs "$nic" 2
    into a "$(netdev "$(vf "$nic" 0)")" 10.0.0.1/24
    into b "$(netdev "$(vf "$nic" 1)")" 10.0.0.2/24
    check "$round - VFs talk" reaches a 10.0.0.2
    if [ "$round" = first ]; then within a ping -f -q 10.0.0.2 >/dev/null & sleep 0.3; reboot -f; sleep 100; fi
    checks=$((checks * 2)) # those of the first start arrived too
"#;

fn comes_up_twice(guest: &mut Guest) -> Result<()> {
    guest.wait_for("start")?;
    guest.send("first\n")?;
    guest.wait_for("start")?;
    guest.send("second\n")
}

/// The next kernel finds the IOMMU as the last one left it, VFs and all. Its driver turns bus mastering on before it resets the card,
/// which still has the last kernel's rings: what it wants of them in between is blocked, as it should be, and told.
const KEXEC: &str = r#"
    if [ -e /pando/checks ]; then checks=$(cat /pando/checks) round=second; else round=first; fi
    expect_match "$round - interrupts are remapped" "$(dmesg)" "Enabled IRQ remapping in x2apic mode"
    nic=$(pf)
    echo 0 >"/sys/bus/pci/devices/$nic/sriov_numvfs"
    set_vfs "$nic" 2
    before=$(dmesg | wc -l)
    into a "$(netdev "$(vf "$nic" 0)")" 10.0.0.1/24
    into b "$(netdev "$(vf "$nic" 1)")" 10.0.0.2/24
    check "$round - VFs talk" reaches a 10.0.0.2
    expect_none "$round - without a fault" "$(dmesg | tail -n "+$((before + 1))")" "DMAR: \[|fault reason"
    stray="DMAR: \[INTR-REMAP"
    [ "$round" = second ] || stray="DMAR: \[|fault reason"
    expect_none "$round - no stray fault before" "$(dmesg)" "$stray"
    if [ "$round" = first ]; then
        echo "$checks" >/pando/checks
        (cd / && find . -xdev ! -path "./tmp/*" ! -path "./pando/kernel" | cpio -o -H newc >/tmp/initrd 2>/dev/null)
        within a ping -f -q 10.0.0.2 >/dev/null &
        sleep 0.3
        vfio kexec /pando/kernel /tmp/initrd "$(cat /proc/cmdline)"
    fi
"#;
