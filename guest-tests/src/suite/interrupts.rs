//! The three ways to interrupt, with stock drivers: interrupt pins and MSI by VFIO on exercisers, where a program does what
//! `pci_endpoint_test` does and more, pins by ixgbe.

use super::vfio::{HELPERS, PROGRAM};
use super::without_iommu;
use crate::test::{Test, guest};

pub(super) fn tests() -> Vec<Test> {
    let intel = |name, platform: String| {
        guest(name, INTEL).platform(platform).cmdline("pci=nomsi").minutes(10)
    };
    vec![
        guest("interrupts::exercisers", format!("{HELPERS}{EXERCISERS}"))
            .platform(FUNCTIONS)
            .programs(PROGRAM)
            .minutes(15),
        intel("interrupts::intel_pins", CARDS.to_owned()),
        intel("interrupts::intel_pins_without_remapping", without_iommu(CARDS)),
    ]
}

/// A device of four functions at a switch's second port, and a function with VFs at its first.
const FUNCTIONS: &str = r#"
[[root-port]]
id = "rp0"

[[switch]]
id = "sw0"
upstream = "rp0"
downstream = [{ id = "a" }, { id = "b" }]

[[exerciser]]
id = "alone"
at = "a"
vfs = 3

[[exerciser]]
id = "f0"
at = "b"
function = 0
vfs = 0

[[exerciser]]
id = "f1"
at = "b"
function = 1
vfs = 0

[[exerciser]]
id = "f2"
at = "b"
function = 2
vfs = 0

[[exerciser]]
id = "f3"
at = "b"
function = 3
vfs = 0
"#;

/// The root port is device 1 of the root bus and adds one to the wire, the switch's second port another one.
const EXERCISERS: &str = r#"
    mapfile -t found < <(lspci -Dn -d 16c3:edda | cut -d' ' -f1)
    alone=${found[0]} device=("${found[@]:1}")
    expect_eq "there are five exercisers" "${#found[@]}" 5
    line() { cat "$(device "$1")/irq"; }
    pin() { setpci -s "$1" INTERRUPT_PIN; }
    check "VFIO takes them" assign "${found[@]}"
    expect_eq "pins of a device's functions" "$(for f in "${device[@]}"; do pin "$f"; done | xargs)" "01 02 03 04"
    for f in "${found[@]}"; do check "every BAR of $f" vfio bars "$f"; done
    for kind in pin msi msix; do
        for f in "${found[@]}"; do check "$kind of $f" vfio interrupts "$f" "$kind"; done
    done
    check "a pin is a level" vfio level "$alone"
    check "and of a function with another wire" vfio level "${device[3]}"
    check "two wires at once" vfio together "${device[0]}" "${device[1]}" 200
    check "two functions on one line" vfio together "$alone" "${device[3]}" 200
    vfio level "$alone" & # while it runs, its line is there to be seen
    eventually grep -q "vfio-intx($alone)" /proc/interrupts
    expect_match "by the IOAPIC's input 21, remapped" "$(grep "vfio-intx($alone)" /proc/interrupts)" "IR-IO-APIC +21-fasteoi"
    wait
    expect_none "nobody was called in vain" "$(dmesg)" "nobody cared|spurious"
    expect_none "the IOMMU has blocked nothing" "$(dmesg)" "DMAR: \[|fault reason"

    reclaim "$alone"
    modprobe pci_pf_stub
    echo pci-pf-stub >"$(device "$alone")/driver_override"
    echo "$alone" >/sys/bus/pci/drivers_probe
    echo 3 >"$(device "$alone")/sriov_numvfs"
    vf=$(vf "$alone" 2)
    check "VFIO takes a VF" assign "$vf"
    expect_eq "a VF has no pin" "$(pin "$vf")" 00
    for kind in msi msix; do check "$kind of a VF" vfio interrupts "$vf" "$kind"; done
    refuse "no pin of a VF" vfio interrupts "$vf" pin
"#;

/// Two 82599 cards on one wire, below ports whose pins end at different lines.
const CARDS: &str = r#"
[[root-port]]
id = "rp0"

[[switch]]
id = "sw0"
upstream = "rp0"
downstream = [{ id = "a" }, { id = "b" }]

[[nic]]
id = "nic0"
at = "a"
model = "82599"
mac = "02:00:00:00:00:01"
uplink = { segment = "lan" }

[[nic]]
id = "nic1"
at = "b"
model = "82599"
mac = "02:00:00:00:01:01"
uplink = { segment = "lan" }
"#;

/// The driver without MSI: link changes and frames by the pin alone.
const INTEL: &str = r#"
    modprobe ixgbe
    one=$(pf 0) two=$(pf 1)
    dev=$(netdev "$one") peer=$(netdev "$two")
    ip link set "$dev" up
    check "the link comes up" has_carrier "$dev"
    expect_match "the driver has no MSI-X" "$(dmesg)" "ixgbe $one.*(Legacy|MSI-X.*(not|disabled)|Multiqueue Disabled)"
    expect_match "the first card's line" "$(grep -w "$dev" /proc/interrupts)" "IO-APIC +21-fasteoi"
    result=$(ethtool -t "$dev" offline || true)
    expect_match "self test: Interrupt" "$result" "^Interrupt test.* 0$"
    check "the link comes up again" has_carrier "$dev"
    into one "$dev" 10.0.0.1/24
    into two "$peer" 10.0.0.2/24
    check "the cards reach each other" reaches one 10.0.0.2
    expect_match "the second card's line" "$(grep -w "$peer" /proc/interrupts)" "IO-APIC +22-fasteoi"
    check "100 pings" within one ping -q -c 100 -i 0.01 10.0.0.2
    serve two
    check "TCP" carries one 10.0.0.2
    check "TCP back" carries one 10.0.0.2 --reverse
    value "TCP by interrupt pins" "$(throughput one 10.0.0.2)" Mbit/s
    expect_none "nobody was called in vain" "$(dmesg)" "nobody cared|spurious|hang|timed out"
"#;
