//! The X540: what it has that the 82599 hasn't, a PHY and promiscuous VFs among it, with the same drivers.

use super::card;
use crate::test::{Test, guest};

pub(super) fn tests() -> Vec<Test> {
    let x540 = card(7).replace("82599", "x540");
    vec![guest("intel::x540", X540).platform(x540).minutes(10)]
}

/// Probe without a complaint, self tests, VFs, one of which sees everything.
const X540: &str = r#"
    nic=$(pf)
    dmesg -c >/dev/null
    modprobe -a ixgbe ixgbevf
    expect_eq "it is an X540" "$(cat "/sys/bus/pci/devices/$nic/device")" 0x1528
    dev=$(netdev "$nic")
    ip link set "$dev" up
    check "the link comes up" has_carrier "$dev"
    expect_none "no complaint" "$(dmesg | grep -vE "available|PANDO")" 'fail|error|warn|timed out|hang|headroom'
    shown=$(ethtool "$dev")
    expect_match "10 Gbit/s" "$shown" 'Speed: 10000Mb/s'
    expect_match "a twisted pair" "$shown" 'Port: Twisted Pair'
    self_tests "$dev"
    check "the link comes up again" has_carrier "$dev"
    for show in -i -k -g -l -x -S -d -a -c -P; do check "ethtool $show" ethtool "$show" "$dev"; done

    into pf "$dev" 10.0.0.1/24
    set_vfs "$nic" 3
    expect_eq "its VFs are an X540's" "$(cat "/sys/bus/pci/devices/$(vf "$nic" 0)/device")" 0x1515
    spread "$nic" 0 1 2
    check "VF 0 reaches VF 1" reaches v0 10.0.0.11
    check "VF 0 reaches the PF" reaches v0 10.0.0.1
    serve v1
    check "TCP from VF 0" carries v0 10.0.0.11
    check "TCP to VF 0" carries v0 10.0.0.11 --reverse

    two=$(interface v2)
    heard() {
        local before
        before=$(received v2 "$two")
        within v0 ping -q -c 50 -i 0.01 10.0.0.11 >/dev/null
        sleep 0.5
        echo "$(($(received v2 "$two") - before))"
    }
    few=$(heard)
    check "VF 2 hears nothing that is for VF 1 ($few)" [ "$few" -lt 25 ]
    check "trust" ip -n pf link set "$dev" vf 2 trust on
    check "the PF is promiscuous" ip -n pf link set "$dev" promisc on
    check "VF 2 reaches VF 1 again" reaches v2 10.0.0.11
    check "VF 2 is promiscuous" ip -n v2 link set "$two" promisc on
    sleep 1
    all=$(heard)
    check "it hears all of it ($all)" [ "$all" -ge 50 ]
    check "VF 2 is so no more" ip -n v2 link set "$two" promisc off
    sleep 1
    few=$(heard)
    check "it hears nothing again ($few)" [ "$few" -lt 25 ]

    check "a PF of longer frames" ip -n pf link set "$dev" mtu 9000
    check "VF 0 reaches it with frames of the usual length" reaches v0 10.0.0.1
    check "VF 0 reaches VF 1 besides" reaches v0 10.0.0.11
"#;
