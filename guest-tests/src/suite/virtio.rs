//! What the stock driver can set of the virtio card beyond moving frames.

use super::nic;
use crate::test::{Test, guest};

/// The program that sends and receives datagrams.
pub(super) const DATAGRAMS_PROGRAM: &[(&str, &[u8])] =
    &[("datagrams", include_bytes!(concat!(env!("OUT_DIR"), "/datagrams")))];

pub(super) fn tests() -> Vec<Test> {
    let queues = nic("vfs = 1\nqueues = 4\nvf-queues = 4");
    let rings = |name, packed| {
        let platform = nic(&format!("vfs = 3\nvf-queues = 2\npacked-rings = {packed}"));
        let script = format!("\n    packed={}{RINGS}", u8::from(packed));
        guest(name, script).platform(platform).minutes(10)
    };
    vec![
        guest("virtio::rss", RSS).platform(queues.clone()).minutes(10),
        guest("virtio::coalescing", COALESCING).platform(queues),
        guest("virtio::datagrams", DATAGRAMS).programs(DATAGRAMS_PROGRAM),
        rings("virtio::split_rings", false),
        rings("virtio::packed_rings", true),
    ]
}

/// The driver says which flow goes to which queue, of the PF and of a VF.
const RSS: &str = r#"
    nic=$(pf)
    set_vfs "$nic" 1
    zero=$(netdev "$nic") one=$(netdev "$(vf "$nic" 0)")
    into p "$zero" 10.0.0.1/24
    into a "$one" 10.0.0.2/24
    # what each receive queue has got: frames, or interrupts where the driver counts no frames any more
    counts() {
        local card=$(within "$1" readlink "/sys/class/net/$2/device")
        within "$1" ethtool -S "$2" | sed -nE 's/ *rx_?(queue_)?[0-9]+_packets: //p' | grep . ||
            sed -nE "s/^ *[0-9]+: +([0-9]+) .* ${card##*/}-input\.[0-9]+$/\1/p" /proc/interrupts
    }
    # busy NAMESPACE INTERFACE COMMAND...: the receive queues that get 20 of them or more meanwhile
    busy() {
        counts "$1" "$2" >/tmp/before
        "${@:3}" >/dev/null || return 1
        counts "$1" "$2" | paste /tmp/before - | awk '$2 - $1 >= 20 { print NR - 1 }' | paste -s -d ' '
    }
    for port in "p $zero 10.0.0.1 a" "a $one 10.0.0.2 p"; do
        set -- $port
        check "$1 has 4 queue pairs" within "$1" ethtool -L "$2" combined 4
        expect_match "$1 has a table of 128 entries" "$(within "$1" ethtool -x "$2")" '^ +120:'
        check "$4 reaches $1" reaches "$4" "$3"
        for queue in 3 1; do
            check "every flow of $1 is to go to queue $queue" within "$1" ethtool -X "$2" start "$queue" equal 1
            expect_eq "and does" "$(busy "$1" "$2" within "$4" ping -q -c 50 -i 0.01 "$3")" "$queue"
        done
        check "flows of $1 are to be spread" within "$1" ethtool -X "$2" equal 4
        serve "$1"
        used=$(busy "$1" "$2" carries "$4" "$3" --parallel 16)
        expect_match "and are" "$used" '[0-3] [0-3]'
        check "hashes are reported" within "$1" ethtool -K "$2" rxhash on
        check "by addresses alone" within "$1" ethtool -N "$2" rx-flow-hash tcp4 sd
        used=$(busy "$1" "$2" carries "$4" "$3" --parallel 16)
        expect_match "they go to one queue" "$used" '^[0-3]$'
        check "by ports too" within "$1" ethtool -N "$2" rx-flow-hash tcp4 sdfn
        check "TCP to $1" carries "$4" "$3"
        check "TCP from $1" carries "$4" "$3" --reverse
        check "nothing is hashed" within "$1" ethtool -K "$2" rxhash off
        expect_eq "and all go to the first queue" "$(busy "$1" "$2" carries "$4" "$3" --parallel 4)" 0
        key=$(printf '%02x:' {1..40})
        check "another key" within "$1" ethtool -X "$2" hkey "${key%:}"
        expect_match "the key is kept" "$(within "$1" ethtool -x "$2")" "${key%:}"
        check "$4 still reaches $1" reaches "$4" "$3"
    done
"#;

/// Interrupts that wait for more frames, of all queues and, where the kernel can, of one.
const COALESCING: &str = r#"
    nic=$(pf)
    set_vfs "$nic" 1
    vf=$(vf "$nic" 0)
    one=$(netdev "$vf")
    into p "$(netdev "$nic")" 10.0.0.1/24
    into a "$one" 10.0.0.2/24
    check "the PF reaches the VF" reaches p 10.0.0.2
    bus=$(basename /sys/bus/pci/devices/"$vf"/virtio*)
    interrupts() { awk -v name="$bus-input.0" '$NF == name { print $2 }' /proc/interrupts; }
    # during_pings: interrupts of the VF's first receive queue while 160 pings come in, some ms apart; the last few may still wait
    during_pings() {
        local before && before=$(interrupts)
        within p ping -q -c 160 -i 0.002 -W 20 10.0.0.2 >/tmp/pings || return 1
        [ "$(sed -n 's/.* \([0-9]*\) received.*/\1/p' /tmp/pings)" -ge 156 ] || return 1
        echo $(($(interrupts) - before))
    }
    # (that sent frames have a limit of 1 is how the driver is told to go on with NAPI)
    set_for_all() { within a ethtool -C "$one" rx-usecs "$1" rx-frames "$2" tx-frames 1; }
    expect_match "nothing waits at first" "$(within a ethtool -c "$one")" 'rx-usecs:\s+0'
    usual=$(during_pings)
    value "at once" "$usual" "interrupts for 160 frames"
    check "interrupts wait for 500 ms or 1000 frames" set_for_all 500000 1000
    fewer=$(during_pings)
    value "after 500 ms" "$fewer" "interrupts for 160 frames"
    check "they are fewer than a third ($fewer, not $usual)" [ "$((fewer * 3))" -lt "$usual" ]
    check "they come ($fewer)" [ "$fewer" -gt 0 ]
    check "for 5 s or 4 frames" set_for_all 5000000 4
    fewer=$(during_pings)
    check "it is frames that count ($fewer)" [ "$fewer" -ge 25 ]
    check "they are fewer than half ($fewer, not $usual)" [ "$((fewer * 2))" -lt "$usual" ]
    check "for 300 ms or 1000 frames" set_for_all 300000 1000
    check "a single ping comes back" within p ping -q -c 1 -W 20 10.0.0.2
    check "nothing waits any more" set_for_all 0 0
    again=$(during_pings)
    check "there are as many as at first ($again, not $usual)" [ "$((again * 2))" -gt "$usual" ]
    serve a
    check "interrupts wait, sent or received" within a ethtool -C "$one" rx-usecs 100 rx-frames 64 tx-usecs 100 tx-frames 64
    check "TCP to the VF" carries p 10.0.0.2
    check "TCP from the VF" carries p 10.0.0.2 --reverse
    # VIRTIO_NET_F_VQ_NOTF_COAL, where the driver knows it
    if [ "$(cut -c 53 /sys/bus/virtio/devices/"$bus"/features)" = 1 ]; then
        check "nothing waits at any queue" within a ethtool -C "$one" rx-usecs 0 rx-frames 0 tx-usecs 0
        check "those of the first queue do" within a ethtool -Q "$one" queue_mask 1 --coalesce rx-usecs 500000 rx-frames 1000
        fewer=$(during_pings)
        check "they are fewer than a third ($fewer, not $usual)" [ "$((fewer * 3))" -lt "$usual" ]
        expect_match "the driver knows" "$(within a ethtool -Q "$one" queue_mask 1 --show-coalesce)" 'rx-usecs:\s+500000'
    fi
"#;

/// Many datagrams in one frame, kept whole or cut by the card; cut by the kernel before 6.2, which doesn't know better.
const DATAGRAMS: &str = r#"
    nic=$(pf)
    set_vfs "$nic" 2
    into a "$(netdev "$(vf "$nic" 0)")" 10.0.0.1/24
    into b "$(netdev "$(vf "$nic" 1)")" 10.0.0.2/24
    one=$(interface a) two=$(interface b)
    ip -n a addr add fd00::1/64 dev "$one" nodad
    ip -n b addr add fd00::2/64 dev "$two" nodad
    check "the VFs talk" reaches b 10.0.0.1
    check "over IPv6 too" reaches b fd00::1
    frames() { within b cat "/sys/class/net/$two/statistics/tx_packets"; }
    # passes ADDRESS: 60 datagrams sent with one call arrive; the frames that took are counted at both ends
    passes() {
        local sent received status=0
        sent=$(frames) received=$(received a "$one")
        within a datagrams receive "$1:9000" 1000 60 &
        eventually listens_to_datagrams
        within b datagrams send "$1:9000" 1000 60
        wait $! || status=$?
        echo "$(($(frames) - sent)) $(($(received a "$one") - received))" >/tmp/counts
        return "$status"
    }
    listens_to_datagrams() { within a cat /proc/net/udp /proc/net/udp6 | grep :2328 >/dev/null; }
    # VIRTIO_NET_F_HOST_USO, and with it both for guests
    knows=$(cut -c 57 "/sys/bus/pci/devices/$(vf "$nic" 0)"/virtio*/features)
    value "the driver knows of long frames of datagrams" "$knows" "(of 1)"
    for address in 10.0.0.1 '[fd00::1]'; do
        if [ "$knows" = 1 ]; then check "the sender leaves cutting to the card" within b ethtool -K "$two" tx-udp-segmentation on; fi
        check "60 datagrams to $address" passes "$address"
        if [ "$knows" = 1 ]; then
            check "they are few frames ($(cat /tmp/counts))" awk '{ exit !($1 < 20 && $2 < 20) }' /tmp/counts
            check "the receiver takes single ones only" within a ethtool -K "$one" rx-gro-hw off
            check "60 datagrams to $address, cut by the card" passes "$address"
            check "few frames are sent, each arrives ($(cat /tmp/counts))" awk '{ exit !($1 < 20 && $2 >= 60) }' /tmp/counts
            check "the receiver takes all again" within a ethtool -K "$one" rx-gro-hw on
        fi
        check "the sender cuts by itself" within b ethtool -K "$two" tx-udp-segmentation off
        check "60 datagrams to $address, cut by the sender" passes "$address"
        check "each is sent ($(cat /tmp/counts))" awk '{ exit !($1 >= 60) }' /tmp/counts
    done
    serve a
    check "UDP" carries b 10.0.0.1 --udp --bitrate 5M
"#;

/// The same frames over either kind of ring: sizes, offloads, other ring sizes, and queues that come and go. Order is promised to a
/// driver that asks for it.
const RINGS: &str = r#"
    nic=$(pf)
    set_vfs "$nic" 3
    case $(uname -r) in [1-6].*) ordered=0 ;; *) ordered=1 ;; esac # Linux takes it from 7.0 on
    for device in "$nic" "$(vf "$nic" 0)" "$(vf "$nic" 1)"; do
        # VIRTIO_F_RING_PACKED, VIRTIO_F_IN_ORDER
        expect_eq "$device has packed rings" "$(cut -c 35 "/sys/bus/pci/devices/$device"/virtio*/features)" "$packed"
        expect_eq "$device has them used in order" "$(cut -c 36 "/sys/bus/pci/devices/$device"/virtio*/features)" "$ordered"
    done
    one=$(netdev "$(vf "$nic" 0)") two=$(netdev "$(vf "$nic" 1)")
    into p "$(netdev "$nic")" 10.0.0.3/24
    into a "$one" 10.0.0.1/24
    into b "$two" 10.0.0.2/24
    for from in b p; do check "$from reaches a VF" reaches "$from" 10.0.0.1; done
    for size in 0 18 1000 1472 1473 60000; do
        check "ping of $size bytes" within b ping -q -c 3 -W 5 -s "$size" 10.0.0.1
    done
    serve a
    for offload in on off; do
        for port in "a $one" "b $two"; do
            within ${port% *} ethtool -K "${port#* }" tso "$offload" tx "$offload" gso "$offload" gro "$offload" >/dev/null
        done
        check "TCP with offloads $offload" carries b 10.0.0.1
        check "TCP back with offloads $offload" carries b 10.0.0.1 --reverse
        value "TCP VF to VF, offloads $offload" "$(throughput b 10.0.0.1)" Mbit/s
    done
    check "UDP of 64-byte frames" carries b 10.0.0.1 --udp --length 22 --bitrate 1M
    seq 1 5000000 2>/dev/null | head -c 30000000 >/tmp/sent || true
    within a nc -l -p 7000 >/tmp/received &
    server=$!
    eventually listens a 7000
    within b bash -c 'cat /tmp/sent >/dev/tcp/10.0.0.1/7000'
    wait "$server"
    expect_eq "30 MB arrive as they are" "$(sha256sum </tmp/received)" "$(sha256sum </tmp/sent)"
    for size in 64 1024; do
        check "rings of $size" within b ethtool -G "$two" rx "$size" tx "$size"
        check "TCP over rings of $size" carries b 10.0.0.1
    done
    for queues in 2 1; do
        check "$queues queue pairs" within b ethtool -L "$two" combined "$queues"
        check "TCP over $queues queue pairs" carries b 10.0.0.1 --parallel 4
    done
    check "a reset of a VF" bash -c "echo 1 >/sys/bus/pci/devices/$(vf "$nic" 2)/reset"
    for round in 1 2; do
        ip -n b link set "$two" netns 1
        check "round $round: no VFs" bash -c "echo 0 >/sys/bus/pci/devices/$nic/sriov_numvfs"
        set_vfs "$nic" 3
        two=$(netdev "$(vf "$nic" 1)")
        into b "$two" 10.0.0.2/24
        check "round $round: a VF reaches the PF" reaches b 10.0.0.3
    done
"#;
