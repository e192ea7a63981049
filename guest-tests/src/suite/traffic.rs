//! Frames get from function to function and to the uplink, whole, in every size and with every offload.

use anyhow::{Context, Result};

use super::nic;
use crate::guest::Guest;
use crate::host::{Background, shell};
use crate::test::{Test, guest};

pub(super) fn tests() -> Vec<Test> {
    let tap = nic("vfs = 7\nuplink = { tap = \"pando0\" }");
    let jumbo = nic("vfs = 7\nmtu = 9000");
    let queues = nic("vfs = 2\nqueues = 4\nvf-queues = 4");
    vec![
        guest("traffic::between_functions", FUNCTIONS).minutes(10),
        guest("traffic::sizes", SIZES).platform(jumbo).minutes(10),
        guest("traffic::whole", WHOLE).memory("1GiB").minutes(15),
        guest("traffic::loopback", LOOPBACK).platform(nic("vfs = 7\nuplink = { loopback = true }")),
        guest("traffic::tap", TAP).platform(tap).host(serve_on_tap).minutes(10),
        guest("traffic::queues", QUEUES).platform(queues).cpus(4).memory("1GiB").minutes(10),
    ]
}

/// With and without segmentation and checksum offload, between VFs and between PF and VF.
const FUNCTIONS: &str = r#"
    nic=$(pf)
    set_vfs "$nic" 2
    one=$(netdev "$(vf "$nic" 0)") two=$(netdev "$(vf "$nic" 1)") zero=$(netdev "$nic")
    into a "$one" 10.0.0.1/24
    into b "$two" 10.0.0.2/24
    into p "$zero" 10.0.0.3/24
    serve a
    check "VF reaches VF" reaches b 10.0.0.1
    check "PF reaches VF" reaches p 10.0.0.1
    check "VF reaches PF" reaches b 10.0.0.3
    for offload in on off; do
        for port in "a $one" "b $two" "p $zero"; do
            within ${port% *} ethtool -K "${port#* }" tso "$offload" tx "$offload" gso "$offload" gro "$offload" >/dev/null
        done
        for from in b p; do
            check "TCP from $from with offloads $offload" carries "$from" 10.0.0.1
            check "TCP to $from with offloads $offload" carries "$from" 10.0.0.1 --reverse
        done
        value "TCP VF to VF, offloads $offload" "$(throughput b 10.0.0.1)" Mbit/s
    done
    check "UDP of 64-byte frames" carries b 10.0.0.1 --udp --length 22 --bitrate 1M
    for port in "a $one" "b $two" "p $zero"; do
        set -- $port
        expect_eq "no receive error at $1" "$(within "$1" cat "/sys/class/net/$2/statistics/rx_errors")" 0
    done
"#;

/// From the smallest to the largest frame, none is lost or cut off.
const SIZES: &str = r#"
    nic=$(pf)
    set_vfs "$nic" 2
    one=$(netdev "$(vf "$nic" 0)") two=$(netdev "$(vf "$nic" 1)")
    into a "$one" 10.0.0.1/24
    into b "$two" 10.0.0.2/24
    expect_eq "the MTU is the platform's" "$(within a cat "/sys/class/net/$one/mtu")" 9000
    check "the VFs talk" reaches b 10.0.0.1
    for size in 0 18 1000 1472 1473 4000 8972; do
        check "ping of $size bytes, unfragmented" within b ping -q -c 3 -W 5 -M do -s "$size" 10.0.0.1
    done
    refuse "ping of 8973 bytes, unfragmented" within b ping -q -c 1 -W 5 -M do -s 8973 10.0.0.1
    serve a
    for mtu in 576 1500 9000; do
        within a ip link set "$one" mtu "$mtu"
        within b ip link set "$two" mtu "$mtu"
        check "TCP with an MTU of $mtu" carries b 10.0.0.1
    done
"#;

/// 100 MB without repetition, compared by their digest at both ends.
const WHOLE: &str = r#"
    nic=$(pf)
    set_vfs "$nic" 2
    into a "$(netdev "$(vf "$nic" 0)")" 10.0.0.1/24
    into b "$(netdev "$(vf "$nic" 1)")" 10.0.0.2/24
    check "the VFs talk" reaches b 10.0.0.1
    seq 1 20000000 2>/dev/null | head -c 100000000 >/tmp/sent || true
    within a nc -l -p 7000 >/tmp/received &
    eventually listens a 7000
    within b bash -c 'cat /tmp/sent >/dev/tcp/10.0.0.1/7000'
    wait %1
    expect_eq "100 MB arrive" "$(stat -c %s /tmp/received)" 100000000
    expect_eq "their digest is the same" "$(sha256sum </tmp/received)" "$(sha256sum </tmp/sent)"
"#;

/// The mirror at the end of the cable answers for any address, to the PF and to VFs.
const LOOPBACK: &str = r#"
    nic=$(pf)
    set_vfs "$nic" 1
    into p "$(netdev "$nic")" 10.0.0.1/24
    into a "$(netdev "$(vf "$nic" 0)")" 10.0.0.2/24
    for from in p a; do
        check "a stranger answers $from" reaches "$from" 10.0.0.99
        echo=$(within "$from" timeout 20 bash -c 'exec 3<>/dev/tcp/10.0.0.98/7 && echo there and back >&3 && head -n 1 <&3')
        expect_eq "TCP comes back to $from" "$echo" "there and back"
    done
"#;

/// The other end of the tap is an iperf3 server.
const TAP: &str = r#"
    nic=$(pf)
    zero=$(netdev "$nic")
    into p "$zero" 10.1.0.2/24
    await_host tap
    check "PF reaches the tap" reaches p 10.1.0.1
    for offload in on off; do
        within p ethtool -K "$zero" tso "$offload" tx "$offload" gso "$offload" gro "$offload" >/dev/null
        check "TCP to the tap with offloads $offload" carries p 10.1.0.1
        check "TCP from the tap with offloads $offload" carries p 10.1.0.1 --reverse
    done
    set_vfs "$nic" 1
    into a "$(netdev "$(vf "$nic" 0)")" 10.1.0.3/24
    check "VF reaches the tap" reaches a 10.1.0.1
"#;

/// An iperf3 server at the host's end of `pando0`, as 10.1.0.1.
pub(super) fn serve_on_tap(guest: &mut Guest) -> Result<()> {
    guest.wait_for("tap")?;
    shell("ip addr add 10.1.0.1/24 dev pando0 && ip link set pando0 up")?;
    let _server = Background::start("iperf3", &["--server"])?;
    shell("for try in {1..300}; do grep -q ':1451 .* 0A ' /proc/net/tcp /proc/net/tcp6 && exit; sleep 0.1; done; exit 1")
        .context("iperf3 does not listen at port 5201")?;
    guest.proceed()?;
    guest.finish().map(drop)
}

/// Each queue pair carries frames of its own.
const QUEUES: &str = r#"
    nic=$(pf)
    set_vfs "$nic" 2
    one=$(netdev "$(vf "$nic" 0)") two=$(netdev "$(vf "$nic" 1)")
    into a "$one" 10.0.0.1/24
    into b "$two" 10.0.0.2/24
    for queues in 4 1 2; do
        check "$queues queue pairs are set" within a ethtool -L "$one" combined "$queues"
        expect_match "$queues queue pairs are in use" "$(within a ethtool -l "$one" | tail -n 3)" "Combined:\s+$queues"
        check "the VFs talk over $queues queue pairs" reaches b 10.0.0.1
    done
    within a ethtool -L "$one" combined 4
    within b ethtool -L "$two" combined 4
    serve a
    check "8 streams over 4 queue pairs" carries b 10.0.0.1 --parallel 8
    # newer drivers show no queue's packets in ethtool -S, but each queue has an interrupt
    card=$(basename "$(echo "/sys/bus/pci/devices/$(vf "$nic" 1)"/virtio*)")
    used() { awk -v queue="$card-output" 'index($0, queue) && $2 + $3 + $4 + $5 > 0' /proc/interrupts | wc -l; }
    check "more than one queue was used ($(used))" [ "$(used)" -gt 1 ]
"#;
