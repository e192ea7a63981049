//! The 82599 with an SFP+ cage: the stock driver finds and reads the module.

use super::card;
use crate::test::{Test, guest};

pub(super) fn tests() -> Vec<Test> {
    let sfp = card(2).replace("82599", "82599-sfp");
    vec![guest("intel::sfp", SFP).platform(sfp).minutes(10)]
}

const SFP: &str = r#"
    nic=$(pf)
    dmesg -c >/dev/null
    modprobe -a ixgbe ixgbevf
    expect_eq "it has a cage" "$(cat "/sys/bus/pci/devices/$nic/device")" 0x10fb
    dev=$(netdev "$nic")
    ip link set "$dev" up
    check "the link comes up" has_carrier "$dev"
    expect_none "no complaint" "$(dmesg | grep -vE "available|PANDO")" 'fail|error|warn|timed out|hang|headroom|unsupported'
    expect_match "the module is a copper cable" "$(ethtool "$dev")" 'Port: Direct Attach Copper'
    expect_match "it is an SFP" "$(ethtool -m "$dev")" 'Identifier +: 0x03 \(SFP\)'
    self_tests "$dev"
    into pf "$dev" 10.0.0.1/24
    set_vfs "$nic" 2
    spread "$nic" 0 1
    check "a VF reaches the PF" reaches v0 10.0.0.1
    check "and the other VF" reaches v0 10.0.0.11
"#;
