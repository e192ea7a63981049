//! Who gets how much: busy VFs get equal shares, a limited one gets its rate, and neither takes anything from others.

use super::card;
use super::dpdk::TOOLS;
use crate::suite::dpdk::TESTPMD;
use crate::suite::vfio::HELPERS;
use crate::suite::virtio::DATAGRAMS_PROGRAM;
use crate::test::{Test, guest};

pub(super) fn tests() -> Vec<Test> {
    vec![
        guest("intel::equal_shares", format!("{HELPERS}{TESTPMD}{TOOLS}{EQUAL}"))
            .platform(card(8))
            .archive("dpdk")
            .args(&["--workers", "1"])
            .cpus(2)
            .memory("1GiB")
            .minutes(10),
        guest("intel::held_rate", HELD).platform(card(7)).programs(DATAGRAMS_PROGRAM).minutes(10),
    ]
}

/// Eight VFs that send as fast as they can; then one of them is limited, and then the limit is lifted again.
const EQUAL: &str = r#"
    nic=$(pf)
    vfs 8
    all=()
    for n in {0..7}; do all+=("$(vf "$nic" "$n")"); done
    check "VFIO takes eight VFs" assign "${all[@]}"
    testpmd "${all[@]}" -- --forward-mode=txonly --txpkts=1400
    # stopped N: testpmd has, N times; asked for more lines, since it writes a file by blocks
    stopped() { ordered "show config fwd" && [ "$(grep -c "Waiting for lcores" /tmp/testpmd)" -ge "$1" ]; }
    ordered start stop
    check "testpmd is up" eventually stopped 1
    rounds=1
    for limit in 0 11 0; do # the driver takes none below
        ip -n pf link set "$dev" vf 3 max_tx_rate "$limit"
        ordered start
        sleep 4
        ordered stop
        rounds=$((rounds + 1))
        check "it has sent for 4 s" eventually stopped "$rounds"
    done
    ordered quit
    ended
    # sent ROUND: what each VF sent, 0 to 7; round 0 is what it took to start
    sent() { grep -o 'TX-packets: [0-9]*' /tmp/testpmd | cut -d' ' -f2 | sed -n "$(($1 * 9 + 1)),$(($1 * 9 + 8))p"; }
    # jain: the index of Jain's fairness of what comes in, in thousandths
    jain() { awk '{ sum += $1; squares += $1 * $1 } END { print squares ? int(1000 * sum * sum / squares / NR) : 0 }'; }
    for round in 1 2 3; do note "round $round: $(sent $round | paste -sd' ')"; done
    least=$(sent 1 | sort -n | sed -n 1p)
    check "each of them sends" [ "$least" -gt 1000 ]
    check "equal shares ($(sent 1 | jain))" [ "$(sent 1 | jain)" -ge 980 ]
    limited=$(sent 2 | sed -n 4p)
    check "the limited one sends less ($limited)" [ "$limited" -lt "$(sent 2 | sort -n | sed -n 2p)" ]
    check "equal shares for the others ($(sent 2 | sed 4d | jain))" [ "$(sent 2 | sed 4d | jain)" -ge 980 ]
    check "equal shares again ($(sent 3 | jain))" [ "$(sent 3 | jain)" -ge 980 ]
"#;

/// What arrives of a stream of datagrams, by the receiver's own counter and clock.
const HELD: &str = r#"
    nic=$(pf)
    modprobe -a ixgbe ixgbevf
    dev=$(netdev "$nic")
    ip link set "$dev" up
    set_vfs "$nic" 2
    spread "$nic" 0 1
    check "the VFs talk" reaches v0 10.0.0.11
    counter=/sys/class/net/$(interface v1)/statistics/rx_bytes
    within v0 datagrams flood 10.0.0.11:9 1400 120 &
    flood=$!
    # rate: kbit/s that arrive within 3 s
    rate() {
        local before=$(within v1 cat "$counter") begin=${EPOCHREALTIME/[.,]/}
        sleep 3
        local after=$(within v1 cat "$counter") end=${EPOCHREALTIME/[.,]/}
        echo $(((after - before) * 8000 / (end - begin)))
    }
    for limit in 11 13; do # the driver takes none below
        check "a limit of $limit Mbit/s" ip link set "$dev" vf 0 max_tx_rate "$limit"
        sleep 1
        held=0
        for window in 1 2 3; do # a busy machine may give the guest nothing for the length of one
            [ "$held" -ge "$((limit * 950))" ] || held=$(rate)
        done
        check "it is not exceeded ($held kbit/s)" [ "$held" -le "$((limit * 1050))" ]
        ip link set "$dev" vf 0 max_tx_rate 0
        sleep 1
        free=$(rate)
        # an emulated guest on a busy machine may be slower than the limit by itself
        check "it is used ($free kbit/s without)" [ "$held" -ge "$((limit * 950))" -o "$free" -le "$((limit * 1500))" ]
    done
    kill "$flood"
    wait "$flood" || true
"#;
