//! A reset of one function leaves the others alone.

use super::nic;
use crate::test::{Test, guest};

pub(super) fn tests() -> Vec<Test> {
    vec![
        guest("flr::of_a_vf", VF).platform(nic("vfs = 3")).minutes(10),
        guest("flr::of_the_pf", PF).platform(nic("vfs = 2")).minutes(10),
    ]
}

/// Two VFs talk without losing a frame while a third is reset again and again; after it the third works as before.
const VF: &str = r#"
    nic=$(pf)
    set_vfs "$nic" 3
    into a "$(netdev "$(vf "$nic" 0)")" 10.0.0.1/24
    into b "$(netdev "$(vf "$nic" 1)")" 10.0.0.2/24
    check "the pair talks" reaches a 10.0.0.2
    address=$(vf "$nic" 2)
    expect_match "the third has an FLR" "$(cat "/sys/bus/pci/devices/$address/reset_method")" flr
    echo flr >"/sys/bus/pci/devices/$address/reset_method"

    begin_pings a 10.0.0.2
    for round in {1..8}; do
        echo "$address" >/sys/bus/pci/drivers/virtio-pci/unbind
        check "round $round: FLR" bash -c "echo 1 >/sys/bus/pci/devices/$address/reset"
        expect_eq "round $round: bus mastering is off" "$(($(setpci -s "$address" COMMAND) & 4))" 0
        echo "$address" >/sys/bus/pci/drivers/virtio-pci/bind
    done
    pings=$(end_pings)
    expect_match "the pair lost nothing" "$pings" ", 0 lost"
    check "the pair sent something ($pings)" [ "${pings%% *}" -ge 10 ]
    into c "$(netdev "$address")" 10.0.0.3/24
    check "the third works again" reaches c 10.0.0.1
"#;

/// An FLR of the PF takes its VFs away; Linux restores its configuration, and a new start works.
const PF: &str = r#"
    nic=$(pf)
    echo flr >"/sys/bus/pci/devices/$nic/reset_method"
    echo "$nic" >/sys/bus/pci/drivers/virtio-pci/unbind
    check "FLR" bash -c "echo 1 >/sys/bus/pci/devices/$nic/reset"
    control=$(lspci -vvv -s "$nic" | grep IOVCtl)
    expect_match "VF Enable is off" "$control" "Enable-"
    echo "$nic" >/sys/bus/pci/drivers/virtio-pci/bind
    set_vfs "$nic" 2
    into a "$(netdev "$(vf "$nic" 0)")" 10.0.0.1/24
    into b "$(netdev "$(vf "$nic" 1)")" 10.0.0.2/24
    check "its new VFs talk" reaches a 10.0.0.2
"#;
