//! Resets of every kind, and what goes on meanwhile.

use super::card;
use crate::test::{Test, guest};

pub(super) fn tests() -> Vec<Test> {
    vec![
        guest("intel::resets", RESETS).platform(card(7)).minutes(10),
        guest("intel::pf_reset", PF_RESET).platform(card(7)).minutes(10),
    ]
}

/// Resets of every kind while other functions go on.
const RESETS: &str = r#"
    nic=$(pf)
    modprobe -a ixgbe ixgbevf
    dev=$(netdev "$nic")
    into pf "$dev" 10.0.0.200/24
    set_vfs "$nic" 4
    address=$(vf "$nic" 2)
    second=$(netdev "$address")
    spread "$nic" 0 1 2 3
    check "VF 0 reaches VF 1" reaches v0 10.0.0.11
    begin_pings v0 10.0.0.11
    restart() { ip -n "$1" link set "$2" down && ip -n "$1" link set "$2" up; }
    for round in 1 2 3; do
        check "round $round: function level reset of VF 2" bash -c "echo 1 >/sys/bus/pci/devices/$address/reset"
        check "round $round: VF 3 talks" reaches v3 10.0.0.11
        # ixgbevf isn't told of such a reset: its rings are off until it sets them up anew.
        check "round $round: VF 2 starts again" restart v2 "$second"
        check "round $round: VF 2 talks" reaches v2 10.0.0.11
    done
    for round in 1 2 3; do
        check "round $round: unbind VF 2" bash -c "echo $address >/sys/bus/pci/drivers/ixgbevf/unbind"
        check "round $round: bind VF 2" bash -c "echo $address >/sys/bus/pci/drivers/ixgbevf/bind"
        into v2 "$(netdev "$address")" 10.0.0.12/24
        check "round $round: VF 2 talks" reaches v2 10.0.0.11
    done
    note "$(end_pings)"
    begin_pings v0 10.0.0.11
    for round in 1 2; do
        ip -n pf link set "$dev" down
        check "round $round: the PF comes up again" ip -n pf link set "$dev" up
        for n in 0 2 3; do check "round $round: VF $n talks" reaches v$n 10.0.0.11; done
        check "round $round: VF 0 reaches the PF" reaches v0 10.0.0.200
    done
    check "other rings under traffic" within pf ethtool -G "$dev" rx 1024 tx 1024
    check "VF 0 reaches the PF with other rings" reaches v0 10.0.0.200
    note "$(end_pings)"
    check "the PF's driver goes, VFs and all" rmmod ixgbe
    check "the PF's driver comes back" modprobe ixgbe
    dev=$(netdev "$nic")
    ip link set "$dev" up
    check "the PF's link comes up" has_carrier "$dev"
"#;

/// A function level reset of the PF takes every VF's registers with it; neither driver is told, so each starts again.
const PF_RESET: &str = r#"
    nic=$(pf)
    modprobe -a ixgbe ixgbevf
    dev=$(netdev "$nic")
    ip link set "$dev" up
    set_vfs "$nic" 3
    spread "$nic" 0 1 2
    for round in 1 2; do
        check "round $round: VF 0 reaches VF 1" reaches v0 10.0.0.11
        begin_pings v0 10.0.0.11
        check "round $round: function level reset of the PF" bash -c "echo 1 >/sys/bus/pci/devices/$nic/reset"
        end_pings >/dev/null
        expect_eq "round $round: the VFs are still there" "$(cat "/sys/bus/pci/devices/$nic/sriov_numvfs")" 3
        for n in 0 1 2; do echo "$(vf "$nic" $n)" >/sys/bus/pci/drivers/ixgbevf/unbind; done
        ip link set "$dev" down
        check "round $round: the PF starts again" ip link set "$dev" up
        check "round $round: its link comes up" has_carrier "$dev"
        for n in 0 1 2; do
            check "round $round: VF $n starts again" bash -c "echo $(vf "$nic" $n) >/sys/bus/pci/drivers/ixgbevf/bind"
            spread "$nic" $n
        done
        check "round $round: VF 2 reaches VF 0" reaches v2 10.0.0.10
    done
    expect_none "no fault is in the log" "$(dmesg)" "DMAR: \[|fault reason|BUG|hung"
"#;
