//! VFs come and go as the guest says, in every number.

use super::nic;
use crate::test::{Test, guest};

pub(super) fn tests() -> Vec<Test> {
    vec![
        guest("sriov::enable_and_disable", LOOP).platform(nic("vfs = 7")),
        guest("sriov::rules_of_numvfs", RULES).platform(nic("vfs = 7")),
        guest("sriov::63_vfs", many(63))
            .platform(nic("vfs = 63\nvf-queues = 1"))
            .memory("1GiB")
            .minutes(10),
        // a VF takes 3 interrupt vectors, a CPU has about 200
        guest("sriov::255_vfs", many(255))
            .platform(nic("vfs = 255\nvf-queues = 1"))
            .cpus(6)
            .memory("2GiB")
            .minutes(20),
        guest("sriov::rebind", REBIND).platform(nic("vfs = 2")),
    ]
}

/// Enabling leaves nothing behind when it is undone.
const LOOP: &str = r#"
    nic=$(pf)
    functions=$(lspci | wc -l)
    for round in 1 2 3; do
        for count in 1 7; do
            set_vfs "$nic" "$count"
            expect_eq "round $round: $count VFs are there" "$(($(lspci | wc -l) - functions))" "$count"
            set_vfs "$nic" 0
            expect_eq "round $round: $count VFs are gone" "$(lspci | wc -l)" "$functions"
        done
    done
"#;

/// What Linux refuses, it refuses here too.
const RULES: &str = r#"
    nic=$(pf)
    numvfs=/sys/bus/pci/devices/$nic/sriov_numvfs
    refuse "8 of 7 VFs" bash -c "echo 8 >$numvfs"
    check "3 of 7 VFs" bash -c "echo 3 >$numvfs"
    refuse "5 VFs while there are 3" bash -c "echo 5 >$numvfs"
    check "none, then 5" bash -c "echo 0 >$numvfs && echo 5 >$numvfs"
    expect_eq "5 VFs are counted" "$(cat "$numvfs")" 5
    addresses=$(cat /sys/class/net/*/address | grep -v 00:00:00:00:00:00 | sort)
    expect_eq "each function has a MAC address of its own" "$(wc -l <<<"$addresses")" "$(uniq <<<"$addresses" | wc -l)"
"#;

/// Every VF of a large number has its driver; two that lie far apart talk to each other.
fn many(count: u32) -> String {
    let last = count - 1;
    format!(
        r#"
        nic=$(pf)
        for round in 1 2; do
            set_vfs "$nic" {count}
            expect_eq "round $round: {count} VFs have a driver" "$(ls -d /sys/bus/pci/devices/"$nic"/virtfn*/driver | wc -l)" {count}
            if [ "$round" = 2 ]; then break; fi
            set_vfs "$nic" 0
            expect_eq "round $round: no VF is left" "$(ls /sys/bus/pci/devices/"$nic" | grep -c virtfn || true)" 0
        done
        into first "$(netdev "$(vf "$nic" 0)")" 10.0.0.1/24
        into last "$(netdev "$(vf "$nic" {last})")" 10.0.0.2/24
        check "the first VF reaches the last" reaches first 10.0.0.2
        "#
    )
}

/// A driver may leave and come back while other VFs carry traffic.
const REBIND: &str = r#"
    nic=$(pf)
    set_vfs "$nic" 2
    into a "$(netdev "$(vf "$nic" 0)")" 10.0.0.1/24
    address=$(vf "$nic" 1)
    for round in 1 2 3; do
        into b "$(netdev "$address")" 10.0.0.2/24
        check "round $round: the VFs talk" reaches a 10.0.0.2
        begin_pings a 10.0.0.2
        sleep 0.3
        check "round $round: unbind under traffic" bash -c "echo $address >/sys/bus/pci/drivers/virtio-pci/unbind"
        note "$(end_pings)"
        check "round $round: bind again" bash -c "echo $address >/sys/bus/pci/drivers/virtio-pci/bind"
    done
"#;
