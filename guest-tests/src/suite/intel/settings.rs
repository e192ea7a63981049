//! What the PF's driver may ask of its VFs (`ip link set PF vf N`), seen on frames.

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, bail};

use super::card;
use crate::guest::Guest;
use crate::test::{Test, guest};

/// Where the host side finds what the card has sent out.
const WIRE: &str = "/tmp/pando-intel-wire.pcapng";

pub(super) fn tests() -> Vec<Test> {
    vec![
        guest("intel::settings", SETTINGS).platform(card(7)).minutes(10),
        guest("intel::spoofed_addresses", SPOOF).platform(card(7)),
        guest("intel::rss_query", RSS).platform(card(7)),
        guest("intel::trust", TRUST).platform(card(7)),
        guest("intel::vlan_priority", PRIORITY)
            .platform(format!("{}uplink = {{ pcap = \"{WIRE}\" }}\n", card(7)))
            .host(priority_on_the_wire),
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
    spread "$nic" 0 1
    for n in 0 1; do expect_match "VF $n has it" "$(ip -n "v$n" link)" "02:00:00:00:01:0$n"; done
    check "VF 0 reaches VF 1" reaches v0 10.0.0.11

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
    spread "$nic" 0 1
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

/// A VF sees the card's RSS table if the PF lets it.
const RSS: &str = r#"
    nic=$(pf)
    modprobe -a ixgbe ixgbevf
    dev=$(netdev "$nic")
    ip link set "$dev" up
    set_vfs "$nic" 1
    one=$(netdev "$(vf "$nic" 0)")
    ip link set "$one" up
    check "the VF's link comes up" has_carrier "$one"
    refuse "it may not ask" ethtool -x "$one"
    check "query_rss on" ip link set "$dev" vf 0 query_rss on
    table=$(ethtool -x "$one" || true)
    expect_match "it sees the table" "$table" '^ *0: +0 '
    key() { ethtool -x "$1" | grep -A1 'hash key' | tail -n 1; }
    expect_eq "its key is the PF's" "$(key "$one")" "$(key "$dev")"
    check "query_rss off" ip link set "$dev" vf 0 query_rss off
    refuse "it may not ask any more" ethtool -x "$one"
"#;

/// A VF that asks for every group gets them once it is trusted; this chip's driver knows no promiscuous VFs.
const TRUST: &str = r#"
    nic=$(pf)
    modprobe -a ixgbe ixgbevf
    dev=$(netdev "$nic")
    ip link set "$dev" up
    set_vfs "$nic" 2
    one=$(netdev "$(vf "$nic" 0)") two=$(netdev "$(vf "$nic" 1)")
    into v0 "$one" 10.0.0.10/24
    into v1 "$two" 10.0.0.11/24
    check "VF 0 reaches VF 1" reaches v0 10.0.0.11
    ip -n v0 route add 224.0.0.0/4 dev "$one"
    heard() {
        local before
        before=$(received v1 "$two")
        within v0 ping -q -c 50 -i 0.01 -W 1 239.7.7.7 >/dev/null 2>&1 || true
        sleep 0.5
        echo "$(($(received v1 "$two") - before))"
    }
    few=$(heard)
    check "a group it has not joined is not heard ($few)" [ "$few" -lt 25 ]
    ip -n v1 link set "$two" allmulticast on
    few=$(heard)
    check "nor is it when an untrusted VF asks for all ($few)" [ "$few" -lt 25 ]
    check "trust" ip link set "$dev" vf 1 trust on
    check "VF 0 reaches VF 1 again" reaches v0 10.0.0.11
    all=$(heard)
    check "trusted, it hears every group ($all)" [ "$all" -ge 50 ]
    check "no trust" ip link set "$dev" vf 1 trust off
    check "VF 0 reaches VF 1 without trust" reaches v0 10.0.0.11
    few=$(heard)
    check "again it hears none ($few)" [ "$few" -lt 25 ]
"#;

/// VLAN and priority that the PF gave are in the frames that leave the card.
const PRIORITY: &str = r#"
    nic=$(pf)
    modprobe ixgbe
    dev=$(netdev "$nic")
    ip link set "$dev" up
    echo 1 >"/sys/bus/pci/devices/$nic/sriov_numvfs"
    ip link set "$dev" vf 0 mac 02:00:00:00:01:00
    check "VLAN 10 with priority 5" ip link set "$dev" vf 0 vlan 10 qos 5
    modprobe ixgbevf
    into v0 "$(netdev "$(vf "$nic" 0)")" 10.0.0.10/24
    check "the link comes up" eventually within v0 bash -c 'grep -q 1 /sys/class/net/e*/carrier'
    within v0 ping -c 5 -W 1 10.0.0.99 >/dev/null 2>&1 || true
    await_host wire
    expect_eq "a frame with tag, VLAN and priority" "$REPLY" found
"#;

fn priority_on_the_wire(guest: &mut Guest) -> Result<()> {
    /// Source, tag, priority 5 and VLAN 10, ARP.
    const FRAME: [u8; 12] = [2, 0, 0, 0, 1, 0, 0x81, 0, 0xa0, 10, 8, 6];
    guest.wait_for("wire")?;
    let wire = Path::new(WIRE);
    let found = (0..100).any(|_| {
        let capture = std::fs::read(wire).unwrap_or_default();
        let found = capture.windows(FRAME.len()).any(|window| window == FRAME);
        if !found {
            std::thread::sleep(Duration::from_millis(100)); // it is written now and then
        }
        found
    });
    let _ = std::fs::remove_file(wire); // the next run makes its own
    if !found {
        bail!("no frame with VLAN 10 and priority 5 left the card");
    }
    guest.send("found\n")?;
    guest.finish().map(drop)
}
