//! The 82599 with its stock drivers, ixgbe and ixgbevf.

mod director;
mod dpdk;
mod resets;
mod segment;
mod settings;
mod sfp;
mod shares;
mod x540;

use super::PLATFORM;
use super::traffic::serve_on_tap;
use crate::test::{Test, guest};

pub(super) fn tests() -> Vec<Test> {
    let own = vec![
        guest("intel::ethtool", ETHTOOL).platform(card(7)),
        guest("intel::traffic", TRAFFIC).platform(card(7)).minutes(10),
        guest("intel::coalescing", COALESCING)
            .platform(format!("{}uplink = {{ tap = \"pando0\" }}\n", card(7)))
            .host(serve_on_tap),
        guest("intel::63_vfs", MANY).platform(card(63)).memory("1GiB").minutes(15),
    ];
    [
        own,
        settings::tests(),
        resets::tests(),
        segment::tests(),
        shares::tests(),
        director::tests(),
        sfp::tests(),
        x540::tests(),
        dpdk::tests(),
    ]
    .concat()
}

/// The usual platform with an 82599.
fn card(vfs: u32) -> String {
    PLATFORM.replace("virtio", "82599").replace("vfs = 7", &format!("vfs = {vfs}"))
}

/// Segments from the wire become long frames (LRO), which stay whole.
const COALESCING: &str = r#"
    modprobe ixgbe
    dev=$(basename /sys/bus/pci/drivers/ixgbe/*/net/*)
    check "LRO on" ethtool -K "$dev" lro on
    into p "$dev" 10.1.0.2/24
    await_host tap
    check "the PF reaches the tap" reaches p 10.1.0.1
    joined() { within p ethtool -S "$dev" | awk '/hw_rsc_aggregated/ { print $2 }'; }
    check "TCP from the tap" carries p 10.1.0.1 --reverse
    check "segments were joined ($(joined))" [ "$(joined)" -gt 100 ]
    expect_eq "none with a wrong checksum" "$(within p awk '/^Tcp:/ { errors = $NF } END { print errors }' /proc/net/snmp)" 0
    check "LRO off" within p ethtool -K "$dev" lro off
    before=$(joined)
    check "TCP without" carries p 10.1.0.1 --reverse
    expect_eq "nothing is joined any more" "$(joined)" "$before"
"#;

/// The PF alone: probe without a complaint, self tests, what ethtool shows.
const ETHTOOL: &str = r#"
    nic=$(pf)
    dmesg -c >/dev/null
    modprobe ixgbe
    dev=$(netdev "$nic")
    ip link set "$dev" up
    check "the link comes up" has_carrier "$dev"
    expect_none "no complaint" "$(dmesg | grep -vE "available|PANDO")" 'fail|error|warn|timed out|hang|headroom'
    expect_match "10 Gbit/s" "$(ethtool "$dev")" 'Speed: 10000Mb/s'
    self_tests "$dev"
    check "the link comes up again" has_carrier "$dev"
    for show in -i -k -g -l -x -S -d -a -c -P -T -n; do
        check "ethtool $show" ethtool "$show" "$dev"
    done
    check "ethtool -e" ethtool -e "$dev" offset 0 length 128
    for round in 1 2 3; do
        check "round $round: unbind" bash -c "echo $nic >/sys/bus/pci/drivers/ixgbe/unbind"
        check "round $round: bind" bash -c "echo $nic >/sys/bus/pci/drivers/ixgbe/bind"
        dev=$(netdev "$nic")
    done
    ip link set "$dev" up
    check "the link comes up after binding" has_carrier "$dev"
    expect_none "still no complaint" "$(dmesg | grep -vE "available|PANDO")" 'fail|error|warn|timed out|hang|headroom'
"#;

/// Frames between VFs, and between PF and VF.
const TRAFFIC: &str = r#"
    nic=$(pf)
    dmesg -c >/dev/null
    modprobe ixgbe
    modprobe ixgbevf
    dev=$(netdev "$nic")
    into pf "$dev" 10.0.0.1/24
    set_vfs "$nic" 4
    spread "$nic" 0 1 2 3
    check "VF 0 reaches VF 1" reaches v0 10.0.0.11
    check "VF 3 reaches VF 2" reaches v3 10.0.0.12
    check "VF 0 reaches the PF" reaches v0 10.0.0.1
    check "the PF reaches VF 3" reaches pf 10.0.0.13
    ip -n pf link set "$dev" promisc on
    before=$(received pf "$dev")
    check "100 pings from VF to VF" within v0 ping -q -c 100 -i 0.01 10.0.0.11
    check "the PF hears none of them, promiscuous as it is" [ "$(($(received pf "$dev") - before))" -lt 20 ]
    ip -n pf link set "$dev" promisc off
    serve v1
    check "TCP from VF 0" carries v0 10.0.0.11
    check "TCP to VF 0" carries v0 10.0.0.11 --reverse
    check "UDP from VF 0" carries v0 10.0.0.11 --udp --bandwidth 50M
    check "TCP from the PF" carries pf 10.0.0.11
    value "TCP VF to VF" "$(throughput v0 10.0.0.11)" Mbit/s
"#;

/// As many VFs as the PF's driver can have.
const MANY: &str = r#"
    nic=$(pf)
    modprobe ixgbe
    modprobe ixgbevf
    into pf "$(netdev "$nic")" 10.0.0.200/24
    dmesg -c >/dev/null
    set_vfs "$nic" 63
    for ((n = 0; n < 63; n++)); do into "v$n" "$(netdev "$(vf "$nic" "$n")")" "10.0.0.$((n + 1))/24"; done
    for ((n = 0; n < 63; n++)); do check "VF $n reaches the next" reaches "v$n" "10.0.0.$(((n + 1) % 63 + 1))"; done
    check "the PF reaches the last" reaches pf 10.0.0.63
    expect_none "no complaint" "$(dmesg | grep -vE "available|PANDO")" 'hang|headroom|still in reset'
    check "no VFs" bash -c "echo 0 >/sys/bus/pci/devices/$nic/sriov_numvfs"
"#;
