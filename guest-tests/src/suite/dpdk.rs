//! Debian's DPDK in the guest: testpmd drives VFs through VFIO and forwards between them.

use super::nic;
use super::vfio::HELPERS;
use super::virtio::DATAGRAMS_PROGRAM;
use crate::test::{Test, guest};

pub(super) fn tests() -> Vec<Test> {
    let forwards = |name, packed| {
        let rings = if packed { 3 } else { 2 };
        guest(name, format!("{HELPERS}{TESTPMD}\n    rings={rings}{FORWARD}"))
            .platform(nic(&format!("vfs = 4\npacked-rings = {packed}")))
            .programs(DATAGRAMS_PROGRAM)
            .archive("dpdk")
            .cpus(2)
            .memory("1GiB")
            .minutes(10)
    };
    vec![forwards("dpdk::testpmd_forwards", false), forwards("dpdk::testpmd_forwards_packed", true)]
}

/// testpmd in the background.
pub(super) const TESTPMD: &str = r#"
    mkdir -p /var && ln -sfn /run /var/run
    chmod 755 / /usr /usr/lib /usr/lib/x86_64-linux-gnu # DPDK loads nothing from where all may write
    # testpmd FUNCTION... -- OPTIONS: with the driver $pmd, until `ordered quit`, or until it is killed; its log has a file of its own,
    # for it is written at once, and what it prints by blocks that end within lines
    testpmd() {
        local functions=() drivers
        drivers=$(printf -- '-d %s ' /usr/lib/x86_64-linux-gnu/librte_{bus_pci,$pmd,mempool_ring}.so.*)
        while [ "$1" != -- ]; do functions+=(-a "$1") && shift; done
        shift
        rm -f /tmp/commands /tmp/testpmd{,.log} && mkfifo /tmp/commands
        dpdk-testpmd $drivers --no-huge -m 128 --iova-mode=va -l 0,1 "${functions[@]}" --no-telemetry \
            --log-level=pmd.net.virtio.init:debug -- \
            --interactive --total-num-mbufs=8192 --rxd=256 --txd=256 --no-lsc-interrupt --no-rmv-interrupt "$@" \
            </tmp/commands >>/tmp/testpmd 2>>/tmp/testpmd.log &
        program=$!
        exec 5>/tmp/commands
    }
    ordered() { printf '%s\n' "$@" >&5; }
    started() { ordered start && check "testpmd is up" eventually grep -q "packet forwarding" /tmp/testpmd; }
    ended() {
        exec 5>&-
        wait "$program" || true
    }
"#;

/// What the kernel's VF sends to the address of one port, testpmd sends back to it through the other: frame by frame, and many at
/// once, over rings of the kind `rings`, used in order.
const FORWARD: &str = r#"
    nic=$(pf)
    set_vfs "$nic" 4
    one=$(vf "$nic" 0) two=$(vf "$nic" 1) three=$(vf "$nic" 2) four=$(vf "$nic" 3)
    address() { cat "$(device "$1")"/virtio*/net/*/address; }
    to=$(address "$one") from=$(netdev "$three") sink=$(netdev "$four")
    into sender "$from" 10.0.0.3/24
    into sink "$sink" 10.0.0.4/24
    into sink "$sink" 10.0.0.5/24 2>/dev/null || true
    check "VFIO takes two VFs" assign "$one" "$two"
    pmd=net_virtio
    testpmd "$one" "$two" -- --forward-mode=mac --eth-peer=1,"$(within sink cat "/sys/class/net/$sink/address")"
    ordered "set promisc all off" # a promiscuous port would take in what the other sends out
    started
    expect_match "it drives two ports" "$(cat /tmp/testpmd)" "Port 1: "
    # VIRTIO_F_RING_PACKED, VIRTIO_F_IN_ORDER
    negotiated() { sed -nE 's/.*features after negotiate = ([0-9a-f]+).*/\1/p' /tmp/testpmd.log; }
    expect_eq "each uses its rings as it should" "$(for features in $(negotiated); do echo "$((16#$features >> 34 & 3))"; done | sort -u)" "$rings"

    within sender ip neigh add 10.0.0.9 lladdr "$to" dev "$from"
    before=$(received sink "$sink")
    within sender ping -q -c 200 -i 0.01 -W 1 10.0.0.9 >/dev/null 2>&1 || true
    check "200 frames come through both ports ($(($(received sink "$sink") - before)))" [ "$(($(received sink "$sink") - before))" -ge 200 ]
    before=$(received sink "$sink")
    arrived() { [ "$(($(received sink "$sink") - before))" -ge "$1" ]; }
    for burst in {1..20}; do within sender datagrams send 10.0.0.9:9000 1000 60; done
    check "1200 frames come through, many at once" eventually arrived 1200
    ordered quit
    ended
    expect_none "no fault is in the log" "$(faults)" "."
    check "the kernel takes both back" reclaim "$one" "$two"
    into back "$(netdev "$one")" 10.0.0.1/24
    check "they work as before" reaches back 10.0.0.3
"#;
