//! The 82599 with its stock drivers, ixgbe and ixgbevf.

use super::PLATFORM;
use crate::test::{Test, guest};

pub(super) fn tests() -> Vec<Test> {
    vec![
        guest("intel::ethtool", ETHTOOL).platform(card(7)),
        guest("intel::traffic", TRAFFIC).platform(card(7)).minutes(10),
        guest("intel::settings", SETTINGS).platform(card(7)).minutes(10),
        guest("intel::spoofed_addresses", SPOOF).platform(card(7)),
        guest("intel::resets", RESETS).platform(card(7)).minutes(10),
        guest("intel::63_vfs", MANY).platform(card(63)).memory("1GiB").minutes(15),
    ]
}

/// The usual platform with an 82599 and nothing at its cable: the mirror would answer for everyone.
fn card(vfs: u32) -> String {
    PLATFORM
        .replace("virtio", "82599")
        .replace("vfs = 7", &format!("vfs = {vfs}"))
        .replace("uplink = { loopback = true }", "")
}

/// The PF alone: probe without a complaint, self tests, what ethtool shows.
const ETHTOOL: &str = r#"
    nic=$(pf)
    dmesg -c >/dev/null
    modprobe ixgbe
    dev=$(netdev "$nic")
    ip link set "$dev" up
    check "the link comes up" eventually grep -q 1 "/sys/class/net/$dev/carrier"
    expect_none "no complaint" "$(dmesg | grep -vE "available|PANDO")" 'fail|error|warn|timed out|hang|headroom'
    expect_match "10 Gbit/s" "$(ethtool "$dev")" 'Speed: 10000Mb/s'
    result=$(ethtool -t "$dev" offline || true)
    for test in Register Eeprom Interrupt Loopback Link; do
        expect_match "self test: $test" "$result" "^$test test.* 0$"
    done
    check "the link comes up again" eventually grep -q 1 "/sys/class/net/$dev/carrier"
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
    check "the link comes up after binding" eventually grep -q 1 "/sys/class/net/$dev/carrier"
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
    for n in 0 1 2 3; do into "v$n" "$(netdev "$(vf "$nic" $n)")" "10.0.0.1$n/24"; done
    check "VF 0 reaches VF 1" reaches v0 10.0.0.11
    check "VF 3 reaches VF 2" reaches v3 10.0.0.12
    check "VF 0 reaches the PF" reaches v0 10.0.0.1
    check "the PF reaches VF 3" reaches pf 10.0.0.13
    serve v1
    check "TCP from VF 0" carries v0 10.0.0.11
    check "TCP to VF 0" carries v0 10.0.0.11 --reverse
    check "UDP from VF 0" carries v0 10.0.0.11 --udp --bandwidth 50M
    check "TCP from the PF" carries pf 10.0.0.11
    value "TCP VF to VF" "$(throughput v0 10.0.0.11)" Mbit/s
"#;

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

/// Resets of every kind while other functions go on.
const RESETS: &str = r#"
    nic=$(pf)
    modprobe -a ixgbe ixgbevf
    dev=$(netdev "$nic")
    into pf "$dev" 10.0.0.200/24
    set_vfs "$nic" 4
    for n in 0 1 2 3; do into "v$n" "$(netdev "$(vf "$nic" $n)")" "10.0.0.1$n/24"; done
    check "VF 0 reaches VF 1" reaches v0 10.0.0.11
    begin_pings v0 10.0.0.11
    address=$(vf "$nic" 2)
    for round in 1 2 3; do
        check "round $round: function level reset of VF 2" bash -c "echo 1 >/sys/bus/pci/devices/$address/reset"
        check "round $round: VF 3 talks" reaches v3 10.0.0.11
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
    check "the PF's link comes up" eventually grep -q 1 "/sys/class/net/$dev/carrier"
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
