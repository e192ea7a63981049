//! What the PF's driver may ask of its VFs (`ip link set PF vf N`), seen on frames.

use super::card;
use crate::test::{Test, guest};

pub(super) fn tests() -> Vec<Test> {
    vec![
        guest("intel::settings", SETTINGS).platform(card(7)).minutes(10),
        guest("intel::spoofed_addresses", SPOOF).platform(card(7)),
    ]
}

/// What `ip link set PF vf N` asks for, on packets.
const SETTINGS: &str = r#"
    nic=$(pf)
    modprobe ixgbe
    dev=$(netdev "$nic")
    ip link set "$dev" up
    echo 4 >"/sys/bus/pci/devices/$nic/sriov_numvfs"
    for n in 0 1; do check "MAC of VF $n" ip link set "$dev" vf $n mac "02:00:00:00:01:0$n"; done
    modprobe ixgbevf
    for n in 0 1; do into "v$n" "$(netdev "$(vf "$nic" $n)")" "10.0.0.1$n/24"; done
    for n in 0 1; do expect_match "VF $n has it" "$(ip -n "v$n" link)" "02:00:00:00:01:0$n"; done
    check "VF 0 reaches VF 1" reaches v0 10.0.0.11
    interface() { ip -n "$1" -o link | sed -n 's/^[0-9]*: \(e[^:@]*\).*/\1/p' | head -1; }

    check "state disable" ip link set "$dev" vf 1 state disable
    check "VF 1 sees no carrier" eventually within v1 grep -q 0 "/sys/class/net/$(interface v1)/carrier"
    refuse "VF 0 does not reach it" within v0 ping -c 2 -W 1 10.0.0.11
    check "state auto" ip link set "$dev" vf 1 state auto
    check "VF 0 reaches it again" reaches v0 10.0.0.11

    check "VLAN 10 for VF 0" ip link set "$dev" vf 0 vlan 10
    refuse "VF 0 in VLAN 10 does not reach VF 1" within v0 ping -c 2 -W 1 10.0.0.11
    check "VLAN 10 for VF 1 too" ip link set "$dev" vf 1 vlan 10
    check "both in VLAN 10" reaches v0 10.0.0.11
    for n in 0 1; do check "no VLAN for VF $n" ip link set "$dev" vf $n vlan 0; done
    check "both without" reaches v0 10.0.0.11

    serve v1
    check "a rate of 20 Mbit/s" ip link set "$dev" vf 0 max_tx_rate 20
    limited=$(throughput v0 10.0.0.11 --time 3)
    value "limited to 20" "$limited" Mbit/s
    check "it is not exceeded" [ "${limited%.*}" -le 21 ]
    check "nor is it nothing" [ "${limited%.*}" -ge 5 ]
    check "no rate" ip link set "$dev" vf 0 max_tx_rate 0
    check "trust" ip link set "$dev" vf 0 trust on
    check "VF 0 reaches VF 1 after trust" reaches v0 10.0.0.11
"#;

/// A VF whose address the PF has set sends from another one: dropped and counted, unless the check is off.
const SPOOF: &str = r#"
    nic=$(pf)
    modprobe -a ixgbe macvlan
    dev=$(netdev "$nic")
    ip link set "$dev" up
    echo 2 >"/sys/bus/pci/devices/$nic/sriov_numvfs"
    for n in 0 1; do ip link set "$dev" vf $n mac "02:00:00:00:01:0$n"; done
    modprobe ixgbevf
    for n in 0 1; do into "v$n" "$(netdev "$(vf "$nic" $n)")" "10.0.0.1$n/24"; done
    interface() { ip -n "$1" -o link | sed -n 's/^[0-9]*: \(e[^:@]*\).*/\1/p' | head -1; }
    check "VF 0 reaches VF 1" reaches v0 10.0.0.11
    ip -n v0 link add link "$(interface v0)" name foreign address 02:00:00:00:09:99 type macvlan mode bridge
    ip -n v0 addr add 10.0.1.1/24 dev foreign
    ip -n v0 link set foreign up
    ip -n v1 addr add 10.0.1.2/24 dev "$(interface v1)"
    ask() { within v0 ping -c 3 -W 1 -I foreign 10.0.1.2 || true; }
    dmesg -c >/dev/null
    ask
    check "the PF counts spoofed frames" eventually bash -c "dmesg | grep 'Spoofed packets detected'"
    expect_none "VF 1 has not heard of the foreign address" "$(within v1 ip neigh)" "02:00:00:00:09:99"
    check "the check is off" ip link set "$dev" vf 0 spoofchk off
    ask
    expect_match "VF 1 has heard of it" "$(within v1 ip neigh)" "02:00:00:00:09:99"
"#;
