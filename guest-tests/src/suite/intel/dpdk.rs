//! Debian's DPDK drives the 82599's functions from user space: frames pass, and a program that is killed or stands still harms nobody.

use super::card;
use crate::suite::dpdk::TESTPMD;
use crate::suite::vfio::HELPERS;
use crate::test::{Test, guest};

pub(super) fn tests() -> Vec<Test> {
    let mirror = format!("{}uplink = {{ loopback = true }}\n", card(0));
    vec![
        program("intel::dpdk_forwards", FORWARD),
        program("intel::dpdk_between_vlans", VLANS),
        program("intel::dpdk_physical_function", PHYSICAL).platform(mirror),
        program("intel::dpdk_killed", KILLED),
        program("intel::dpdk_stands_still", STOPPED),
    ]
}

fn program(name: &'static str, script: &str) -> Test {
    guest(name, format!("{HELPERS}{TESTPMD}{TOOLS}{script}"))
        .platform(card(7))
        .archive("dpdk")
        .cpus(2)
        .memory("1GiB")
        .minutes(10)
}

/// What testpmd counts, and VFs to give to it.
pub(super) const TOOLS: &str = r#"
    pmd=net_ixgbe
    # counter NAME: what port 0 counts; asked often, since testpmd writes a file by blocks
    counter() {
        local try
        : >/tmp/testpmd
        for try in {1..12}; do ordered "show port stats 0"; done
        eventually grep -q "$1: *[0-9]* " /tmp/testpmd
        grep -o "$1: *[0-9]* " /tmp/testpmd | grep -m 1 -o '[0-9]\+'
    }
    above() { local now && now=$(counter "$1") && echo "$now" && [ "$now" -gt "$2" ]; }
    # vfs N: with addresses that the PF gave
    vfs() {
        modprobe ixgbe
        dev=$(netdev "$nic")
        into pf "$dev" 10.0.0.200/24
        echo "$1" >"/sys/bus/pci/devices/$nic/sriov_numvfs"
        local n
        for ((n = 0; n < $1; n++)); do ip -n pf link set "$dev" vf "$n" mac "02:00:00:00:01:0$n"; done
        modprobe ixgbevf
        for ((n = 0; n < $1; n++)); do netdev "$(vf "$nic" "$n")" >/dev/null; done
    }
"#;

/// What the kernel's VF sends to the address of one port, testpmd sends to another VF through the other port.
const FORWARD: &str = r#"
    nic=$(pf)
    vfs 4
    one=$(vf "$nic" 0) two=$(vf "$nic" 1) from=$(netdev "$(vf "$nic" 2)") sink=$(netdev "$(vf "$nic" 3)")
    into sender "$from" 10.0.0.3/24
    into sink "$sink" 10.0.0.4/24
    check "VFIO takes two VFs" assign "$one" "$two"
    testpmd "$one" "$two" -- --forward-mode=mac --eth-peer=1,02:00:00:00:01:03
    started
    expect_match "it drives two ports" "$(cat /tmp/testpmd)" "Port 1: "
    within sender ip neigh add 10.0.0.9 lladdr 02:00:00:00:01:00 dev "$from"
    before=$(received sink "$sink")
    within sender ping -q -c 200 -i 0.01 -W 1 10.0.0.9 >/dev/null 2>&1 || true
    more() { [ "$(($(received sink "$sink") - before))" -ge 200 ]; }
    check "200 frames come through both ports" eventually more
    check "port 0 counts them" above RX-packets 199
    ordered stop quit
    ended
    expect_none "no fault is in the log" "$(faults)" "."
    check "the kernel takes both back" reclaim "$one" "$two"
    into back "$(netdev "$one")" 10.0.0.1/24
    check "they work as before" reaches back 10.0.0.3
"#;

/// Two VLANs of the PF's making; testpmd carries what is sent to all from one to the other, unchanged.
const VLANS: &str = r#"
    nic=$(pf)
    vfs 4
    for n in 0 2; do ip -n pf link set "$dev" vf $n vlan 10; done
    for n in 1 3; do ip -n pf link set "$dev" vf $n vlan 20; done
    ip -n pf link set "$dev" vf 1 spoofchk off # it sends what others have sent
    one=$(vf "$nic" 0) two=$(vf "$nic" 1) from=$(netdev "$(vf "$nic" 2)") sink=$(netdev "$(vf "$nic" 3)")
    into sender "$from" 10.0.0.3/24
    into sink "$sink" 10.0.0.4/24
    refuse "the VLANs are apart" within sender ping -c 2 -W 1 10.0.0.4
    check "VFIO takes two VFs" assign "$one" "$two"
    testpmd "$one" "$two" -- --forward-mode=io --enable-hw-vlan-strip
    started
    before=$(received sink "$sink")
    within sender ping -q -b -c 100 -i 0.01 -W 1 10.0.0.255 >/dev/null 2>&1 || true
    more() { [ "$(($(received sink "$sink") - before))" -ge 100 ]; }
    check "100 frames get from VLAN to VLAN" eventually more
    ordered stop quit
    ended
    expect_none "no fault is in the log" "$(faults)" "."
"#;

/// The PF itself: what it sends comes back from the mirror at its cable.
const PHYSICAL: &str = r#"
    nic=$(pf 2>/dev/null || basename "$(dirname "$(grep -l 0x10f8 /sys/bus/pci/devices/*/device | head -n 1)")")
    check "VFIO takes the PF" assign "$nic"
    testpmd "$nic" -- --forward-mode=txonly
    started
    check "it sends" eventually above TX-packets 10000
    ordered stop "set fwd io" "set promisc all on" "start tx_first"
    check "it receives" eventually above RX-packets 1000
    ordered stop quit
    ended
    expect_none "no fault is in the log" "$(faults)" "."
    modprobe ixgbe
    check "the kernel takes it back" reclaim "$nic"
    dev=$(netdev "$nic")
    ip link set "$dev" up
    check "its link comes up" has_carrier "$dev"
"#;

/// Under load, without a chance to tidy up.
const KILLED: &str = r#"
    nic=$(pf)
    vfs 4
    one=$(vf "$nic" 0)
    spread "$nic" 1 2 3
    for round in 1 2 3; do
        check "round $round: VFIO takes VF 0" assign "$one"
        testpmd "$one" -- --forward-mode=txonly --eth-peer=0,02:00:00:00:01:02
        started
        check "round $round: it sends" eventually above TX-packets 1000
        check "round $round: VF 1 reaches VF 3" reaches v1 10.0.0.13
        check "round $round: VF 1 reaches the one under load" reaches v1 10.0.0.12
        kill -9 "$program"
        ended
        check "round $round: VF 1 reaches VF 3 as before" reaches v1 10.0.0.13
        check "round $round: VF 1 reaches the PF" reaches v1 10.0.0.200
        check "round $round: the kernel takes VF 0 back" reclaim "$one"
        into v0 "$(netdev "$one")" 10.0.0.10/24
        check "round $round: VF 0 reaches VF 1" reaches v0 10.0.0.11
    done
    expect_none "no fault is in the log" "$(faults)" "."
"#;

/// A program that takes nothing out of its ring any more.
const STOPPED: &str = r#"
    nic=$(pf)
    vfs 4
    one=$(vf "$nic" 0)
    spread "$nic" 1 2 3
    check "VFIO takes VF 0" assign "$one"
    testpmd "$one" -- --forward-mode=rxonly
    started
    within v1 ip neigh add 10.0.0.9 lladdr 02:00:00:00:01:00 dev "$(interface v1)"
    flood() { within v1 timeout 30 ping -q -i 0.002 -c 1000 -s 1000 -W 1 10.0.0.9 >/dev/null 2>&1 || true; }
    flood
    check "it receives" eventually above RX-packets 0
    kill -STOP "$program"
    flood
    check "VF 1 reaches VF 2 after a ring is full" reaches v1 10.0.0.12
    check "VF 2 reaches VF 3" reaches v2 10.0.0.13
    check "the PF reaches VF 1" reaches pf 10.0.0.11
    serve v3
    check "TCP from VF 1 to VF 3" carries v1 10.0.0.13
    within v2 ping -q -b -c 300 -i 0.01 -W 1 10.0.0.255 >/dev/null 2>&1 || true
    check "VF 1 reaches VF 2 after frames to all" reaches v1 10.0.0.12
    kill -CONT "$program"
    before=$(counter RX-packets)
    flood
    check "it goes on where it stood" eventually above RX-packets "$before"
    ordered stop quit
    ended
    expect_none "no fault is in the log" "$(faults)" "."
"#;
