//! The flow director: flows come back to the queue that sent them, as ixgbe has it unless told otherwise, or go where filters say.

use super::card;
use crate::suite::traffic::serve_on_tap;
use crate::test::{Test, guest};

pub(super) fn tests() -> Vec<Test> {
    let tap = format!("{}uplink = {{ tap = \"pando0\" }}\n", card(7));
    vec![
        guest("intel::flow_director", DIRECTOR)
            .platform(tap)
            .cpus(2)
            .host(serve_on_tap)
            .minutes(10),
    ]
}

/// Signature filters that the driver adds by itself, then perfect ones that it is told to add.
const DIRECTOR: &str = r#"
    modprobe ixgbe
    dev=$(basename /sys/bus/pci/drivers/ixgbe/*/net/*)
    into p "$dev" 10.1.0.2/24
    await_host tap
    check "the PF reaches the tap" reaches p 10.1.0.1
    # whoever wants flows to stay on a processor lets it have its queue's interrupts, as the driver hints
    for irq in $(awk -v name="$dev-TxRx-" 'index($NF, name) { sub(":", "", $1); print $1 }' /proc/interrupts); do
        cat "/proc/irq/$irq/affinity_hint" >"/proc/irq/$irq/smp_affinity"
    done
    counter() { within p ethtool -S "$dev" | awk -v name="$1:" '$1 == name { print $2 }'; }
    # comes_to QUEUE COMMAND...: nearly all that is received meanwhile
    comes_to() {
        local mine=$1 other=$((1 - $1)) before
        shift
        before=("$(counter rx_queue_0_packets)" "$(counter rx_queue_1_packets)")
        "$@" || return
        mine=$(($(counter "rx_queue_${mine}_packets") - before[mine]))
        other=$(($(counter "rx_queue_${other}_packets") - before[other]))
        echo "$mine at its queue, $other at the other"
        [ "$mine" -gt "$((20 * other))" ]
    }
    export -f carries throughput within
    by_sender() {
        local cpu
        for cpu in 0 1 0 1; do
            check "$1, answers to processor $cpu come to its queue" \
                comes_to $cpu taskset "$((1 << cpu))" bash -c "carries p 10.1.0.1 $2"
        done
    }
    by_sender "TCP to the tap" ""
    by_sender "TCP from the tap" "--reverse"
    matched=$(counter fdir_match)
    check "packets matched filters ($matched)" [ "$matched" -gt 100 ]
    check "packets missed them, too" [ "$(counter fdir_miss)" -gt 0 ]

    check "filters by hand" within p ethtool -K "$dev" ntuple on
    check "the PF reaches the tap again" reaches p 10.1.0.1
    for queue in 1 0; do
        check "everything from port 5201 to queue $queue" within p ethtool -N "$dev" flow-type tcp4 src-port 5201 action $queue loc 7
        check "it comes there" comes_to $queue carries p 10.1.0.1 --reverse
    done
    check "everything from port 5201 is dropped" within p ethtool -N "$dev" flow-type tcp4 src-port 5201 action -1 loc 7
    refuse "nothing comes" within p timeout 3 bash -c 'exec 3<>/dev/tcp/10.1.0.1/5201'
    check "the filter goes" within p ethtool -N "$dev" delete 7
    check "TCP comes again" carries p 10.1.0.1 --reverse
    check "filters by the driver" within p ethtool -K "$dev" ntuple off
    check "the PF reaches the tap once more" reaches p 10.1.0.1
    by_sender "TCP to the tap once more" ""
"#;
