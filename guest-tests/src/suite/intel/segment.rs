//! Cards of two kinds on one segment: their functions reach each other as if one cable joined them.

use super::card;
use crate::suite::PLATFORM;
use crate::test::{Test, guest};

pub(super) fn tests() -> Vec<Test> {
    vec![guest("intel::segment", SEGMENT).platform(platform()).minutes(10)]
}

fn platform() -> String {
    let wire = "uplink = { segment = \"lan\" }\n";
    let (_, other) = PLATFORM.split_once("[[nic]]").unwrap_or_default();
    let other = other.replace("nic0", "nic1").replace("dp0", "dp1").replace(":00:01\"", ":02:01\"");
    format!("{}{wire}[[nic]]{other}{wire}", card(3))
}

const SEGMENT: &str = r#"
    modprobe -a ixgbe ixgbevf
    intel=$(pf 0) virtio=$(pf 1)
    expect_match "one is an 82599" "$(cat "/sys/bus/pci/devices/$intel/device")" 10f8
    expect_match "one is a virtio card" "$(cat "/sys/bus/pci/devices/$virtio/vendor")" 1af4
    into i "$(netdev "$intel")" 10.0.0.1/24
    into p "$(netdev "$virtio")" 10.0.0.2/24
    set_vfs "$intel" 2
    set_vfs "$virtio" 2
    for n in 0 1; do
        into "i$n" "$(netdev "$(vf "$intel" $n)")" "10.0.0.1$n/24"
        into "p$n" "$(netdev "$(vf "$virtio" $n)")" "10.0.0.2$n/24"
    done
    check "a virtio VF reaches an 82599 VF" reaches p0 10.0.0.10
    check "an 82599 VF reaches a virtio VF" reaches i1 10.0.0.21
    check "VFs of one card reach each other" reaches i0 10.0.0.11
    check "the 82599's PF reaches a virtio VF" reaches i 10.0.0.20
    check "a virtio VF reaches the 82599's PF" reaches p1 10.0.0.1
    check "the PFs reach each other" reaches p 10.0.0.1
    serve i0
    check "TCP from a virtio VF to an 82599 VF" carries p0 10.0.0.10
    check "and back" carries p0 10.0.0.10 --reverse
    value "TCP between cards" "$(throughput p0 10.0.0.10)" Mbit/s
"#;
