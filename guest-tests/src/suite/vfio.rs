//! VFs driven from user space through VFIO: what must work, what must be stopped, and what the kernel's log tells of it.

use super::nic;
use crate::test::{Test, guest};

/// The program that drives VFs, as `build.rs` has made it.
pub(super) const PROGRAM: &[(&str, &[u8])] =
    &[("vfio", include_bytes!(concat!(env!("OUT_DIR"), "/vfio")))];

/// Helpers for scripts that give functions to VFIO.
pub(super) const HELPERS: &str = r#"
    modprobe -a vfio_pci vfio_iommu_type1
    device() { echo "/sys/bus/pci/devices/$1"; }
    unbind() { if [ -e "$(device "$1")/driver" ]; then echo "$1" >"$(device "$1")/driver/unbind"; fi; }
    # assign FUNCTION...: to vfio-pci
    assign() {
        local function
        for function; do
            unbind "$function"
            echo vfio-pci >"$(device "$function")/driver_override"
            echo "$function" >/sys/bus/pci/drivers_probe
            [ "$(basename "$(readlink "$(device "$function")/driver")")" = vfio-pci ]
        done
    }
    # reclaim FUNCTION...: back to its own driver
    reclaim() {
        local function
        for function; do
            unbind "$function"
            echo >"$(device "$function")/driver_override"
            echo "$function" >/sys/bus/pci/drivers_probe
        done
    }
    # faults: the IOMMU's in the log so far
    faults() { sleep 0.2 && dmesg | grep -E 'DMAR: \[|fault reason' || true; }
    count() { grep -c . <<<"$1" || true; }
    # short FUNCTION: as the IOMMU's messages have it
    short() { echo "${1#0000:}"; }
    # stopped NAME REGEX COMMAND...: the command succeeds and leaves exactly one fault, which matches
    stopped() {
        local before after name=$1 regex=$2
        sleep 2 # Linux logs about three faults in five seconds
        before=$(count "$(faults)")
        check "$name" "${@:3}"
        after=$(faults)
        expect_eq "$name - one fault" "$(($(count "$after") - before))" 1
        expect_match "$name - the right one" "$(tail -n 1 <<<"$after")" "$regex"
    }
    # quiet NAME COMMAND...: the command succeeds and leaves no fault
    quiet() {
        local before name=$1
        before=$(count "$(faults)")
        check "$name" "${@:2}"
        expect_eq "$name - no fault" "$(count "$(faults)")" "$before"
    }
"#;

pub(super) fn tests() -> Vec<Test> {
    vec![
        guest("vfio::virtual_functions", format!("{HELPERS}{FUNCTIONS}"))
            .platform(nic("vfs = 4"))
            .programs(PROGRAM)
            .minutes(10),
    ]
}

const FUNCTIONS: &str = r#"
    nic=$(pf)
    set_vfs "$nic" 4
    one=$(vf "$nic" 0) two=$(vf "$nic" 1) three=$(vf "$nic" 2)
    dev=$(netdev "$three")
    into kernel "$dev" 10.0.0.3/24
    check "VFIO takes two VFs" assign "$one" "$two"
    expect_eq "unsafe interrupts are not allowed" "$(cat /sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts)" N

    quiet "the kernel's VF answers one in user space" vfio resolve "$one" 10.0.0.50 10.0.0.3
    quiet "two VFs in user space talk" vfio pair "$one" "$two"
    ip -n kernel link set "$dev" down # what it sends to groups by itself would be counted with what is provoked here
    stopped "reading what is not mapped" "DMA Read.*$(short "$one").*fault addr 0xfffff0000 .*0x06" vfio stray-read "$one"
    stopped "writing what is not mapped" "DMA Write.*$(short "$one").*0x05" vfio stray-write "$one" "$two"
    quiet "a frame written to the interrupt range" vfio interrupt-range "$one" "$two"
    stopped "an interrupt in compatibility format" "INTR-REMAP.*$(short "$one").*0x25" vfio forge-compatibility "$one" "$two"
    stopped "the interrupt of another VF" "INTR-REMAP.*$(short "$one").*0x26" vfio forge-index "$one" "$two"
    quiet "resets under DMA" vfio reset "$one" "$two" 30
    quiet "mappings that come and go" vfio remap "$one" "$two" 300

    expect_eq "closing turns bus mastering off" "$(($(setpci -s "$one" COMMAND) & 4))" 0
    check "the kernel takes both back" reclaim "$one" "$two"
    into back "$(netdev "$one")" 10.0.0.1/24
    ip -n kernel link set "$dev" up
    check "they work as before" reaches back 10.0.0.3
    expect_none "nobody else was at fault" "$(faults)" "DMA.*($(short "$two")|$(short "$three"))"
"#;
