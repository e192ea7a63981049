//! The PCI tree as Linux and lspci see it.

use super::boot::COMPLAINTS;
use crate::test::{Test, guest};

pub(super) fn tests() -> Vec<Test> {
    let script = TREE.replace("COMPLAINTS", COMPLAINTS);
    vec![guest("pci::tree", script)]
}

/// lspci marks what it cannot read or what Linux could not place.
const TREE: &str = r#"
    lspci -vvv >/tmp/lspci
    note "$(lspci -t)"
    check "there is a root port, a switch with two ports, and the NIC" [ "$(lspci | wc -l)" -ge 5 ]
    expect_none "lspci can read everything" "$(cat /tmp/lspci)" "access denied|unknown header|!!!|<\?\?>"
    expect_none "nothing is unknown" "$(lspci -n)" "ffff:ffff"
    expect_none "every region is placed" "$(cat /tmp/lspci)" "<unassigned>|<ignored>|\[virtual\]|\[disabled\] \[size"
    expect_none "the log has no complaint" "$(dmesg)" "COMPLAINTS"

    nic=$(pf)
    lspci -vvv -s "$nic" >/tmp/nic
    for capability in "MSI-X: Enable\+" "Single Root I/O Virtualization" "Alternative Routing-ID" "FLReset\+"; do
        expect_match "the NIC has ${capability/\\/}" "$(cat /tmp/nic)" "$capability"
    done
    expect_eq "all its VFs are offered" "$(cat "/sys/bus/pci/devices/$nic/sriov_totalvfs")" 7
    expect_eq "its driver is virtio-pci" "$(basename "$(readlink "/sys/bus/pci/devices/$nic/driver")")" virtio-pci

    echo 7 >"/sys/bus/pci/devices/$nic/sriov_numvfs"
    lspci -vvv >/tmp/lspci
    expect_eq "the PF and 7 VFs are there" "$(lspci -n | grep -c 1af4:1041)" 8
    expect_none "lspci can read VFs too" "$(cat /tmp/lspci)" "access denied|unknown header|!!!|<\?\?>"
    expect_none "every region of a VF is placed" "$(cat /tmp/lspci)" "<unassigned>|<ignored>|\[disabled\] \[size"
    expect_none "still no complaint" "$(dmesg)" "COMPLAINTS"
"#;
