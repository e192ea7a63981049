//! Debian's DPDK in the guest: testpmd drives VFs through VFIO and forwards between them.

use super::nic;
use super::vfio::HELPERS;
use crate::test::{Test, guest};

pub(super) fn tests() -> Vec<Test> {
    vec![
        guest("dpdk::testpmd_forwards", format!("{HELPERS}{TESTPMD}{FORWARD}"))
            .platform(nic("vfs = 4"))
            .archive("dpdk")
            .cpus(2)
            .memory("1GiB")
            .minutes(10),
    ]
}

/// testpmd in the background.
pub(super) const TESTPMD: &str = r#"
    mkdir -p /var && ln -sfn /run /var/run
    chmod 755 / /usr /usr/lib /usr/lib/x86_64-linux-gnu # DPDK loads nothing from where all may write
    # testpmd FUNCTION... -- OPTIONS: with the driver $pmd, until `ordered quit`, or until it is killed
    testpmd() {
        local functions=() drivers
        drivers=$(printf -- '-d %s ' /usr/lib/x86_64-linux-gnu/librte_{bus_pci,$pmd,mempool_ring}.so.*)
        while [ "$1" != -- ]; do functions+=(-a "$1") && shift; done
        shift
        rm -f /tmp/commands /tmp/testpmd && mkfifo /tmp/commands
        dpdk-testpmd $drivers --no-huge -m 128 --iova-mode=va -l 0,1 "${functions[@]}" --no-telemetry -- \
            --interactive --total-num-mbufs=8192 --rxd=256 --txd=256 --no-lsc-interrupt --no-rmv-interrupt "$@" \
            </tmp/commands >>/tmp/testpmd 2>&1 &
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

/// What the kernel's VF sends to the address of one port, testpmd sends back to it through the other.
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

    within sender ip neigh add 10.0.0.9 lladdr "$to" dev "$from"
    before=$(received sink "$sink")
    within sender ping -q -c 200 -i 0.01 -W 1 10.0.0.9 >/dev/null 2>&1 || true
    check "200 frames come through both ports ($(($(received sink "$sink") - before)))" [ "$(($(received sink "$sink") - before))" -ge 200 ]
    ordered quit
    ended
    expect_none "no fault is in the log" "$(faults)" "."
    check "the kernel takes both back" reclaim "$one" "$two"
    into back "$(netdev "$one")" 10.0.0.1/24
    check "they work as before" reaches back 10.0.0.3
"#;
